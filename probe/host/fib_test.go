//go:build linux

package host

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Routes in every shape to the pods of node 2 and next to them:
//
//	eth0 192.0.2.1/24 ── wan      tun0 = a tunnel      own pods 10.42.0.0/24, node 2's 10.42.1.0/24 and 2001:db8:42:1::/64
func TestTables(t *testing.T) {
	enter(t)
	for _, line := range []string{
		"ip link set lo up", "ip link add eth0 type veth peer name wan", "ip link set eth0 up", "ip link set wan up",
		"ip addr add 192.0.2.1/24 dev eth0", "ip -6 addr add 2001:db8:9::1/64 dev eth0 nodad",
		"ip link add tun0 type veth peer name far", "ip link set tun0 up", "ip link set far up",
		"ip route add 10.42.0.0/16 nexthop via 192.0.2.2 dev eth0 weight 3 nexthop dev tun0",
		"ip route add 10.42.1.128/25 via 192.0.2.2 metric 50 table 77",
		"ip route add 10.42.1.0/24 tos 0x10 via 192.0.2.3",
		"ip route add 10.42.0.0/23 via 192.0.2.4 mtu 1400",
		"ip route add throw 10.42.1.7/32 table 78",
		"ip route add local 10.42.1.9/32 dev lo table local",
		"ip route add local 10.42.0.9/32 dev lo table local",
		"ip route add local 10.42.0.0/16 dev lo table 79",
		"ip route add default via 192.0.2.254", "ip route add 10.99.0.0/16 via 192.0.2.2",
		"ip -6 route add 2001:db8:42::/48 nexthop via 2001:db8:9::2 dev eth0 nexthop via 2001:db8:9::3 dev eth0",
		"ip -6 route add 2001:db8:42:1::/64 from 2001:db8:42::/64 via 2001:db8:9::4 dev eth0",
		"ip nexthop add id 1 via 192.0.2.5 dev eth0", "ip nexthop add id 5 dev tun0", "ip nexthop add id 3 group 1/5,2",
		"ip route add 10.42.1.64/26 nhid 3", "ip route add 10.42.1.65/32 nhid 1",
	} {
		run(t, line)
	}
	want := []string{
		"10.42.0.0/16 eth0 192.0.2.2 254 unicast 0 0 1", "10.42.0.0/16 tun0 invalid IP 254 unicast 0 0 2",
		"10.42.1.128/25 eth0 192.0.2.2 77 unicast 50 0 0", "10.42.1.0/24 eth0 192.0.2.3 254 unicast 0 16 0",
		"10.42.0.0/23 eth0 192.0.2.4 254 unicast 0 0 0", "10.42.1.7/32  invalid IP 78 throw 0 0 0",
		"10.42.1.9/32 lo invalid IP 255 local 0 0 0", "10.42.0.0/16 lo invalid IP 79 local 0 0 0",
		"0.0.0.0/0 eth0 192.0.2.254 254 unicast 0 0 0",
		"2001:db8:42::/48 eth0 2001:db8:9::2 254 unicast 1024 0 1",
		"2001:db8:42::/48 eth0 2001:db8:9::3 254 unicast 1024 0 2",
		"2001:db8:42:1::/64 eth0 2001:db8:9::4 254 unicast 1024 0 0 from 2001:db8:42::/64",
		"10.42.1.64/26 eth0 192.0.2.5 254 unicast 0 0 1", "10.42.1.64/26 tun0 invalid IP 254 unicast 0 0 2",
		"10.42.1.65/32 eth0 192.0.2.5 254 unicast 0 0 0",
	}
	request := evidence.ReadRequest{Ranges: []evidence.PodRange{
		{Index: 1, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")}},
		{Index: 2, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24"),
			netip.MustParsePrefix("2001:db8:42:1::/64")}},
	}}
	for _, compatible := range []string{"1", "0"} { // the kernel resolves nexthop objects, or names them only
		runInput(t, "tee /proc/sys/net/ipv4/nexthop_compat_mode", compatible)
		links, _ := Reader{}.Links(nil)
		entries, inventories, problems := Reader{}.Tables(links.Links, request, 1)
		if len(problems) > 0 || len(inventories) != 1 || !inventories[0].Complete ||
			inventories[0].Count <= len(want)/2 {
			t.Errorf("%v %+v", problems, inventories)
		}
		var lines []string
		for _, e := range entries {
			line := fmt.Sprintf("%s %s %s %d %s %d %d %d", e.Destination, e.Link, e.Gateway, e.Table, e.Type, e.Metric,
				e.TOS, e.Hop)
			if e.From.IsValid() {
				line += " from " + e.From.String()
			}
			lines = append(lines, line)
		}
		for _, line := range want {
			if !slices.Contains(lines, line) {
				t.Errorf("compat mode %s: %q is missing in %q", compatible, line, lines)
			}
		}
		for _, line := range lines {
			if !slices.Contains(want, line) {
				t.Errorf("compat mode %s: %q has no bearing", compatible, line)
			}
		}
	}
	_, inventories, _ := Reader{}.Tables(nil, evidence.ReadRequest{}, 1)
	if inventories[0].Complete {
		t.Error("complete without ranges")
	}
}

// A lightweight tunnel is reported of an entry, of one hop, and of a nexthop object.
//
//	own pods 10.42.0.0/24 ── this host ── eth0 ── pods 10.42.1.0/24
func TestLightweightTunnels(t *testing.T) {
	enter(t)
	for _, line := range []string{
		"ip link set lo up", "ip link add eth0 type veth peer name wan", "ip link set eth0 up", "ip link set wan up",
		"ip addr add 192.0.2.1/24 dev eth0",
		"ip route add 10.42.1.0/26 encap ip id 7 dst 192.0.2.9 dev eth0",
		"ip route add 10.42.1.64/26 nexthop dev eth0 nexthop encap ip6 id 7 dst 2001:db8::9 dev eth0",
		"ip nexthop add id 1 encap ip id 7 dst 192.0.2.9 dev eth0", "ip route add 10.42.1.128/26 nhid 1",
	} {
		run(t, line)
	}
	request := evidence.ReadRequest{Ranges: []evidence.PodRange{{Index: 2,
		Prefixes: []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")}}}}
	for _, compatible := range []string{"1", "0"} {
		runInput(t, "tee /proc/sys/net/ipv4/nexthop_compat_mode", compatible)
		links, _ := Reader{}.Links(nil)
		entries, _, _ := Reader{}.Tables(links.Links, request, 1)
		var lines []string
		for _, e := range entries {
			lines = append(lines, fmt.Sprintf("%s %d %s", e.Destination, e.Hop, e.Encap))
		}
		slices.Sort(lines)
		want := []string{"10.42.1.0/26 0 ip", "10.42.1.128/26 0 ip", "10.42.1.64/26 1 ", "10.42.1.64/26 2 ip6"}
		if !slices.Equal(lines, want) {
			t.Errorf("compat mode %s: %q, want %q", compatible, lines, want)
		}
	}
}

// More entries than are reported make the inventory incomplete.
func TestTooManyRoutes(t *testing.T) {
	enter(t)
	run(t, "ip link set lo up")
	var batch []byte
	for n := range maxRoutes + 1 {
		batch = fmt.Appendf(batch, "route add unreachable 10.%d.%d.%d/32\n", 64+n>>16, n>>8&255, n&255)
	}
	runInput(t, "ip -batch -", string(batch))
	entries, inventories, _ := Reader{}.Tables(nil,
		evidence.ReadRequest{
			Ranges: []evidence.PodRange{{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		}, 1)
	if len(entries) != maxRoutes || inventories[0].Complete || inventories[0].Count <= maxRoutes ||
		inventories[0].Text == "" {
		t.Errorf("%d %+v", len(entries), inventories)
	}
}

func TestRangesOverlap(t *testing.T) {
	var list []netip.Prefix
	for _, text := range []string{"10.42.1.0/24", "10.42.0.0/24", "10.42.1.128/25", "10.42.3.0/24", "2001:db8:1::/64"} {
		list = append(list, netip.MustParsePrefix(text))
	}
	sorted := newRanges(list)
	for text, want := range map[string]bool{
		"0.0.0.0/0": true, "::/0": true, "10.42.1.200/32": true, "10.42.2.0/24": false, "10.42.2.0/23": true,
		"10.42.3.255/32": true,
		"10.42.4.0/24":   false, "10.0.0.0/8": true, "10.41.0.0/16": false, "2001:db8::/32": true,
		"2001:db8:2::/64": false, "10.42.0.0/16": true,
	} {
		if got := sorted.overlap(netip.MustParsePrefix(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte{2, 24, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 42, 1, 0, 8, 0, 4, 0, 3, 0, 0, 0})
	f.Add([]byte{2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0, 20, 0, 9, 0, 16, 0, 0, 2, 3, 0, 0, 0, 8, 0, 5, 0, 192, 0, 2, 1})
	f.Fuzz(func(t *testing.T, message []byte) {
		if entry, ok := parseEntry(message); ok {
			for _, route := range entry.messages((&state{}).name) {
				if _, err := evidence.Encode(&evidence.Message{Route: &route}); err != nil {
					t.Error(err)
				}
			}
		}
		parseNexthop(message)
	})
}
