package wire

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// flowPods has a pod on each of several nodes.
func flowPods(addresses ...string) (list []evidence.PodAddress) {
	for node, text := range addresses {
		list = append(list, evidence.PodAddress{Index: node, IPs: []netip.Addr{netip.MustParseAddr(text)}})
	}
	return list
}

// Frames are searched for the byte of pods' addresses that has the fewest
// different values, and for zero only if there is no other: it is the most
// frequent byte of all.
func TestColumn(t *testing.T) {
	for _, row := range []struct {
		name      string
		addresses []string
		values    int
		zero      bool
	}{
		{"one range", []string{"10.42.0.7", "10.42.1.9", "10.42.2.5"}, 1, false},
		{"only the first byte in common", []string{"10.1.9.7", "11.2.8.9", "10.3.7.5"}, 2, false},
		{"only the last", []string{"11.1.9.7", "12.2.8.7", "13.3.7.7"}, 1, false},
		{"a zero in common, and a nine", []string{"11.0.9.7", "12.0.9.8"}, 1, false},
		{"two values are better than a zero", []string{"11.0.1.7", "13.0.1.9", "12.0.2.6"}, 2, false},
		{"zeros alone", []string{"0.0.0.1", "0.0.0.2", "0.0.0.3"}, 3, false},
		{"nothing but a zero", []string{"0.0.0.0"}, 1, true},
		{"IPv6", []string{"fd42::7", "fd42:0:1::9"}, 1, false},
	} {
		list := flowPods(row.addresses...)
		f := newFlows(list)
		family := &f.v4
		if len(f.v6.nodes) > 0 {
			family = &f.v6
		}
		var want []byte
		for _, pod := range list {
			want = append(want, pod.IPs[0].AsSlice()[family.column])
		}
		slices.Sort(want)
		want = slices.Compact(want)
		if !slices.Equal(family.values, want) || len(want) != row.values || slices.Contains(want, 0) != row.zero {
			t.Errorf("%s: searches column %d for % x, want % x", row.name, family.column, family.values, want)
		}
	}
}

// The addresses of test pods are known in both families, however they are written.
func TestFlowsHave(t *testing.T) {
	f := newFlows([]evidence.PodAddress{{Index: 0, IPs: []netip.Addr{
		netip.MustParseAddr("::ffff:10.42.0.7"), netip.MustParseAddr("fd42::7"), {}}}})
	for text, want := range map[string]bool{"10.42.0.7": true, "fd42::7": true, "10.42.0.8": false, "fd42::8": false,
		"::": false} {
		if got := f.has(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
