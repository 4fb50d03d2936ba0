//go:build linux

package host

import (
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// threeNodes is what node 0 is asked to read: link 1 is eth0, 2 a WireGuard
// device, 3 a VXLAN device, 4 a bridge of pods.
//
//	node 0: 10.42.0.0/24   node 1: 10.42.1.0/24, fd42:1::/64   node 2: 10.42.2.0/24
func threeNodes() *bearing {
	links := []evidence.Link{
		{Index: 1, Name: "eth0", Role: evidence.RoleOutside},
		{Index: 2, Name: "wg0", Role: evidence.RoleWireGuard},
		{Index: 3, Name: "flannel.1", Kind: "vxlan", Role: evidence.RoleInside},
		{Index: 4, Name: "cni0", Kind: "bridge", Role: evidence.RoleInside},
	}
	return newBearing(links, evidence.ReadRequest{
		PodRanges:    prefixes("10.42.0.0/24"),
		Destinations: []netip.Addr{netip.MustParseAddr("192.0.2.12"), netip.MustParseAddr("192.0.2.11")},
		Ranges: []evidence.PodRange{
			{Index: 0, Prefixes: prefixes("10.42.0.0/24")},
			{Index: 1, Prefixes: prefixes("10.42.1.0/24", "fd42:1::/64")},
			{Index: 2, Prefixes: prefixes("10.42.2.0/24")},
		},
	}, 0)
}

// entry is one of a table, to a destination over links.
func entry(table int, kind uint8, destination string, links ...int) fibEntry {
	e := fibEntry{table: table, kind: kind, destination: netip.MustParsePrefix(destination)}
	for _, link := range links {
		e.hops = append(e.hops, fibHop{link: link})
	}
	return e
}

// An entry bears on the pods if a pod's packet may take it, if it leads into a
// tunnel or out of what a tunnel carries, or to another node.
func TestEntriesThatBear(t *testing.T) {
	carried := []fibEntry{
		entry(unix.RT_TABLE_MAIN, unix.RTN_UNICAST, "172.16.0.0/12", 2), // the tunnel carries more than pods
		entry(unix.RT_TABLE_MAIN, unix.RTN_UNICAST, "0.0.0.0/0", 2),     // which says nothing of what it is for
		entry(unix.RT_TABLE_LOCAL, unix.RTN_LOCAL, "203.0.113.1/32", 2),
	}
	const main, local = unix.RT_TABLE_MAIN, unix.RT_TABLE_LOCAL
	for _, test := range []struct {
		name  string
		entry fibEntry
		want  bool
	}{
		{"to another node's pods", entry(main, unix.RTN_UNICAST, "10.42.1.0/24", 2), true},
		{"to a part of them, past the tunnel", entry(main, unix.RTN_UNICAST, "10.42.1.128/25", 1), true},
		{"to more than them", entry(77, unix.RTN_UNICAST, "10.0.0.0/8", 1), true},
		{"to their IPv6 range", entry(main, unix.RTN_UNICAST, "fd42:1::/48", 1), true},
		{"to this node's own pods", entry(main, unix.RTN_UNICAST, "10.42.0.0/24", 4), true},
		{"the default", entry(main, unix.RTN_UNICAST, "0.0.0.0/0", 1), true},
		{"that refuses pods", entry(main, unix.RTN_BLACKHOLE, "10.42.2.0/24"), true},
		{"beside the pods", entry(main, unix.RTN_UNICAST, "10.43.0.0/16", 1), false},
		{"into the tunnel, next to the pods", entry(main, unix.RTN_UNICAST, "10.43.0.0/16", 2), true},
		{"into the overlay, next to the pods", entry(main, unix.RTN_UNICAST, "10.43.0.0/16", 3), true},
		{"by two hops, one of them the tunnel", entry(main, unix.RTN_UNICAST, "10.43.0.0/16", 1, 2), true},
		{"to the bridge, next to the pods", entry(main, unix.RTN_UNICAST, "10.43.0.0/16", 4), false},
		{"out of what the tunnel carries", entry(77, unix.RTN_UNICAST, "172.16.9.0/24", 1), true},
		{"wider than what it carries", entry(77, unix.RTN_UNICAST, "172.0.0.0/8", 1), false},
		{"to a node that was asked about", entry(main, unix.RTN_UNICAST, "192.0.2.11/32", 1), true},
		{"to the network of nodes", entry(main, unix.RTN_UNICAST, "192.0.2.0/24", 1), true},
		{"to an address before them", entry(main, unix.RTN_UNICAST, "192.0.2.10/32", 1), false},
		{"to an address behind them", entry(main, unix.RTN_UNICAST, "192.0.2.13/32", 1), false},
		{"multicast", entry(main, unix.RTN_UNICAST, "224.0.0.0/4", 2), false},
		{"link-local addresses", entry(main, unix.RTN_UNICAST, "fe80::/64", 2), false},
		{"a broadcast in another table", entry(main, unix.RTN_BROADCAST, "192.0.2.11/32", 1), false},
		{"a local address in another table", entry(main, unix.RTN_LOCAL, "192.0.2.11/32", 1), false},
		{"multicast kinds", entry(main, unix.RTN_MULTICAST, "192.0.2.11/32", 1), false},
		{"anycast", entry(main, unix.RTN_ANYCAST, "192.0.2.11/32", 1), false},
		{"a broadcast to pods", entry(main, unix.RTN_BROADCAST, "10.42.1.255/32", 1), true},
		{"local: this node's pods", entry(local, unix.RTN_LOCAL, "10.42.0.1/32", 4), false},
		{"local: another node's pods", entry(local, unix.RTN_LOCAL, "10.42.1.7/32", 1), true},
		{"local: another's in IPv6", entry(local, unix.RTN_LOCAL, "fd42:1::7/128", 1), true},
		{"local: something else in the tunnel", entry(local, unix.RTN_LOCAL, "172.16.0.1/32", 2), false},
	} {
		b := threeNodes()
		b.carry(carried)
		if got := b.on(test.entry); got != test.want {
			t.Errorf("%s: bears on the pods: %v", test.name, got)
		}
	}
}

// What a tunnel carries is bounded, so that no node's table makes it slow.
func TestCarriedIsBounded(t *testing.T) {
	var all []fibEntry
	for n := range maxPerLink + 1 {
		one := entry(unix.RT_TABLE_MAIN, unix.RTN_UNICAST, "0.0.0.0/0", 2)
		one.destination = netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)}), 32)
		all = append(all, one)
	}
	b := threeNodes()
	b.carry(all)
	if len(b.carried) != maxPerLink {
		t.Errorf("%d are kept, want %d", len(b.carried), maxPerLink)
	}
}

// An entry with several next hops is reported once for each, numbered from 1;
// one with a single hop or with none has no number.
func TestEntryMessages(t *testing.T) {
	name := func(index int) string { return map[int]string{1: "eth0", 2: "wg0"}[index] }
	to := netip.MustParsePrefix("10.42.1.0/24")
	gateway := netip.MustParseAddr("192.0.2.1")
	one := fibEntry{destination: to, table: 77, kind: unix.RTN_UNICAST, metric: 5, mtu: 1400, tos: 16}
	route := evidence.Route{Destination: to, Table: 77, Type: "unicast", Metric: 5, MTU: 1400, TOS: 16}
	by := func(change func(*evidence.Route)) evidence.Route {
		r := route
		change(&r)
		return r
	}
	for _, test := range []struct {
		name string
		hops []fibHop
		want []evidence.Route
	}{
		{"no hop", nil, []evidence.Route{route}},
		{"a link", []fibHop{{link: 1, gateway: gateway}}, []evidence.Route{
			by(func(r *evidence.Route) { r.Link, r.Gateway = "eth0", gateway })}},
		{"a link that has no name", []fibHop{{link: 9}},
			[]evidence.Route{by(func(r *evidence.Route) { r.Link = "link 9" })}},
		{"two hops", []fibHop{{link: 1}, {link: 2, encap: "bpf"}}, []evidence.Route{
			by(func(r *evidence.Route) { r.Link, r.Hop = "eth0", 1 }),
			by(func(r *evidence.Route) { r.Link, r.Hop, r.Encap = "wg0", 2, "bpf" })}},
	} {
		e := one
		e.hops = test.hops
		if got := e.messages(name); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// Ranges that lie in each other, or that are not valid, make no entry bear that
// would not otherwise.
func TestRangesOfAnyOrder(t *testing.T) {
	list := newRanges([]netip.Prefix{
		{}, netip.MustParsePrefix("10.42.9.9/24"), netip.MustParsePrefix("10.42.0.0/25"),
		netip.MustParsePrefix("10.42.0.0/24"),
		netip.MustParsePrefix("10.42.0.128/25"),
	})
	for text, want := range map[string]bool{
		"10.42.0.0/32": true, "10.42.0.255/32": true, "10.42.1.0/32": false, "10.41.255.255/32": false,
		"10.42.9.0/32": true, "10.42.9.255/32": true, "10.42.8.0/24": false, "10.42.10.0/24": false,
		"10.42.8.0/23": true, "10.0.0.0/8": true, "0.0.0.0/0": true, "::/0": false,
	} {
		if got := list.overlap(netip.MustParsePrefix(text)); got != want {
			t.Errorf("%s overlaps: %v", text, got)
		}
	}
	if newRanges(nil).overlap(netip.MustParsePrefix("0.0.0.0/0")) {
		t.Error("something overlaps nothing")
	}
}
