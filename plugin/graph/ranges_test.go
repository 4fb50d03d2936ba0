package graph_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A range of a node in which its test pod has no address is not where its pods are, unless the network is known to take
// it from there. That is asked for each family by itself.
func TestDropRanges(t *testing.T) {
	for _, test := range []struct {
		name     string
		ranges   []string
		pods     []string
		assigned bool
		want     string
	}{
		{"the pod is in it", []string{"10.42.0.0/24"}, []string{"10.42.0.3"}, false, "[10.42.0.0/24]"},
		{"the pod is elsewhere", []string{"10.42.0.0/24"}, []string{"10.42.1.3"}, false, "[]"},
		{"the pod borrowed its address", []string{"10.42.0.0/26"}, []string{"10.42.1.3"}, true, "[10.42.0.0/26]"},
		{"one of two", []string{"10.42.0.0/26", "10.42.1.0/26"}, []string{"10.42.1.3"}, false, "[10.42.1.0/26]"},
		{"the other family", []string{"10.42.0.0/24", "fd42::/64"}, []string{"10.42.1.3"}, false, "[fd42::/64]"},
		{"no pod", []string{"10.42.0.0/24"}, nil, false, "[10.42.0.0/24]"},
	} {
		about := evidence.Node{Index: 0, Name: "a"}
		for _, text := range test.ranges {
			about.PodCIDRs = append(about.PodCIDRs, netip.MustParsePrefix(text))
		}
		pod := evidence.Pod{Role: "pod", Node: "a", Ready: true}
		for _, text := range test.pods {
			pod.IPs = append(pod.IPs, netip.MustParseAddr(text))
		}
		g := graph.New((&fake{}).say("plugin", &evidence.Run{Families: []int{4}}, &about, &pod))
		g.DropRanges(func(*graph.Node) bool { return test.assigned })
		if got := fmt.Sprint(g.Nodes[0].PodCIDRs); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// Where nodes borrow single addresses of each other's ranges, such an address among another peer's allowed IPs is no
// rival's part of the range; more than one address is.
func TestRivalThatBorrows(t *testing.T) {
	for _, test := range []struct {
		others  string
		borrows bool
		want    string
	}{
		{"10.0.1.77/32", false, "key-c"},
		{"10.0.1.77/32", true, ""},
		{"10.0.1.64/26", true, "key-c"},
	} {
		f := ground([]int{4}, "a", "b", "c").say("probe/a", peer("key-b", endpoint(1), "10.0.1.0/24"),
			peer("key-c", endpoint(2), test.others))
		g := graph.New(f)
		g.Resolve(func(*graph.Node, int) graph.Carrier {
			return graph.Carrier{Name: "wg0", Assigned: true, Borrows: test.borrows}
		})
		same(t, test.others, keyOf(g.Edge(g.Nodes[0], g.Nodes[1], 4).Rival), test.want)
	}
}
