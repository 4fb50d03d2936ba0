//go:build linux

package host

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Which entries are reported, on a node with index 1 and the pods 10.42.0.0/24;
// those of node 2 are 10.42.1.0/24:
//
//	1 eth0 (outside)      2 wg0 (WireGuard)      3 vxlan1 (an overlay)      4 cni0 (a bridge)
func TestBears(t *testing.T) {
	links := []evidence.Link{
		{Index: 1, Name: "eth0", Role: evidence.RoleOutside}, {Index: 2, Name: "wg0", Role: evidence.RoleWireGuard},
		{Index: 3, Name: "vxlan1", Kind: "vxlan", Role: evidence.RoleInside},
		{Index: 4, Name: "cni0", Kind: "bridge", Role: evidence.RoleInside},
	}
	request := evidence.ReadRequest{
		PodRanges:    prefixes("172.30.0.0/24"), // more pods of this node
		Destinations: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
		Ranges: []evidence.PodRange{
			{Index: 1, Prefixes: prefixes("10.42.0.0/24")}, {Index: 2, Prefixes: prefixes("10.42.1.0/24")},
		},
	}
	to := func(destination string, link int, change ...func(*fibEntry)) fibEntry {
		e := fibEntry{
			destination: netip.MustParsePrefix(destination), table: unix.RT_TABLE_MAIN, kind: unix.RTN_UNICAST,
			hops: []fibHop{{link: link}},
		}
		for _, change := range change {
			change(&e)
		}
		return e
	}
	local := func(e *fibEntry) { e.table = unix.RT_TABLE_LOCAL }
	kind := func(kind uint8) func(*fibEntry) { return func(e *fibEntry) { e.kind = kind } }
	carried := to("198.51.100.0/24", 2)
	for _, test := range []struct {
		name string
		fibEntry
		want bool
	}{
		{"a default", to("0.0.0.0/0", 1), true},
		{"another node's pods", to("10.42.1.0/24", 2), true},
		{"one of another node's pods", to("10.42.1.7/32", 1), true},
		{"own pods", to("10.42.0.0/24", 4), true},
		{"own pods of the request", to("172.30.0.7/32", 4), true},
		{"another node's pods, refused", to("10.42.1.0/24", 0, kind(unix.RTN_BLACKHOLE)), true},
		{"something else", to("203.0.113.0/24", 1), false},
		{"something else, refused", to("203.0.113.0/24", 0, kind(unix.RTN_BLACKHOLE)), false},
		{"an own address in the local table", to("10.42.0.1/32", 4, local), false},
		{"another node's pod in the local table", to("10.42.1.1/32", 4, local), true},
		{"an address out of the tunnel in the local table", to("203.0.113.1/32", 2, local), false},
		{"what the tunnel carries", carried, true},
		{"what an overlay carries", to("203.0.113.0/24", 3), true},
		{"a part of what the tunnel carries", to("198.51.100.128/25", 1), true},
		{"more than the tunnel carries", to("198.51.0.0/16", 1), false},
		{"a destination of the request", to("192.0.2.0/24", 1), true},
		{"beside a destination", to("192.0.2.8/32", 1), false},
		{"a broadcast out of the tunnel", to("203.0.113.255/32", 2, kind(unix.RTN_BROADCAST)), false},
		{"a multicast out of the tunnel", to("224.0.0.0/4", 2), false},
		{"a link-local network out of the tunnel", to("fe80::/64", 2), false},
	} {
		bears := newBearing(links, request, 1)
		bears.carry([]fibEntry{carried, to("0.0.0.0/0", 2)})
		if got := bears.on(test.fibEntry); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}
