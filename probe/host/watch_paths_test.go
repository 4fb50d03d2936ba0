//go:build linux

package host

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Changes of what leads to pods of other nodes, and of what does not.
//
//	own pods 10.42.0.0/24 ── this host ── eth0 ── pods 10.42.1.0/24
func TestWatchPaths(t *testing.T) {
	request := evidence.ReadRequest{Ranges: []evidence.PodRange{
		{Index: 0, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")}},
		{Index: 1, Prefixes: []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")}},
	}, Destinations: []netip.Addr{netip.MustParseAddr("10.42.1.9"), netip.MustParseAddr("198.18.0.12")}}
	for _, test := range []struct {
		name          string
		before, after []string // the watch begins
		what, says    string
	}{
		{"nothing", nil, nil, "", ""},
		{"a route of another node's pods", nil, []string{"ip route add 10.42.1.7/32 via 192.0.2.9"}, "routes",
			"10.42.1.7/32 via 192.0.2.9 dev eth0 was added"},
		{"for a moment", nil, []string{"ip route add 10.42.1.7/32 dev eth0", "ip route del 10.42.1.7/32"}, "routes",
			"was added"},
		{"in another table", nil, []string{"ip route add 10.42.0.0/23 dev eth0 table 7"}, "routes",
			"table 7 was added"},
		{"a default route", nil, []string{"ip route add default via 192.0.2.9"}, "routes", "was added"},
		{"a route that goes", nil, []string{"ip route del 10.42.1.0/24"}, "routes",
			"10.42.1.0/24 dev eth0 was removed"},
		{"before the watch", []string{"ip route add 10.42.1.7/32 dev eth0"}, nil, "routes", "is new"},
		{"gone before the watch", []string{"ip route del 10.42.1.0/24"}, nil, "routes",
			"10.42.1.0/24 dev eth0 is gone"},
		{"a rule that is gone before the watch", []string{"ip rule del pref 32767"}, nil, "rules", "is gone"},
		{"the same again", nil, []string{"ip route replace 10.42.1.0/24 dev eth0"}, "", ""},
		{"a route of an own pod", nil, []string{"ip route add 10.42.0.7/32 dev eth0"}, "", ""},
		{"a route of something else", nil, []string{"ip route add 10.99.0.0/24 dev eth0"}, "", ""},
		{"a rule", nil, []string{"ip rule add pref 50 to 10.42.1.7 lookup 7"}, "rules", "50 of IPv4"},
		{"a rule of IPv6 that goes", nil, []string{"ip -6 rule add pref 50 lookup 7", "ip -6 rule del pref 50"},
			"rules", "50 of IPv6"},
		{"a filter for a moment", nil, []string{"tc qdisc add dev eth0 clsact",
			"tc filter add dev eth0 ingress protocol ip u32 match u32 0 0 action mirred egress redirect dev wan",
			"tc filter del dev eth0 ingress"}, "tc", "the filter u32 at eth0 was removed while"},
		{"filters that go", []string{"tc qdisc add dev eth0 clsact"}, []string{"tc qdisc del dev eth0 clsact"}, "tc",
			"the discipline clsact at eth0 was removed"},
		{"a filter that stays", nil, []string{"tc qdisc add dev eth0 clsact"}, "", ""},
		{"filters that go with their link", nil, []string{"ip link add pod type veth peer name eth1",
			"tc qdisc add dev pod clsact", "tc qdisc del dev pod clsact", "ip link del pod"}, "", ""},
		{"an object behind a number",
			[]string{"sysctl -q -w net.ipv4.nexthop_compat_mode=0", "ip nexthop add id 5 dev eth0",
				"ip route add 10.42.1.128/25 nhid 5"}, []string{"ip nexthop replace id 5 dev wan",
				"ip nexthop replace id 5 dev eth0"}, "routes",
			"the nexthop object 5 was changed"},
		{"a member of a group", []string{"sysctl -q -w net.ipv4.nexthop_compat_mode=0", "ip nexthop add id 5 dev eth0",
			"ip nexthop add id 6 group 5", "ip route add 10.42.1.128/25 nhid 6"},
			[]string{"ip nexthop replace id 5 dev wan"}, "routes", "the nexthop object 5 was changed"},
		{"an object of something else", nil, []string{"ip nexthop add id 5 dev eth0", "ip nexthop replace id 5 dev wan",
			"ip nexthop del id 5"}, "", ""},
		{"past the tunnel to where an overlay sends", nil,
			[]string{"ip route add 198.18.0.12/32 dev eth0", "ip route del 198.18.0.12/32"}, "routes",
			"198.18.0.12/32 dev eth0 was added"},
		{"into the tunnel to where an overlay sends", nil, []string{"ip route add 198.18.0.12/32 dev wg0"}, "", ""},
		{"no longer into the tunnel", []string{"ip route add 198.18.0.12/32 dev wg0"},
			[]string{"ip route del 198.18.0.12/32"}, "routes", "was removed"},
		{"a rule for where an overlay sends", nil,
			[]string{"ip rule add pref 50 to 198.18.0.0/24 lookup 7", "ip rule del pref 50"}, "rules", "50 of IPv4"},
		{"a rule before the watch", []string{"ip rule add pref 50 lookup 7"}, nil, "rules", "is new"},
	} {
		t.Run(test.name, func(t *testing.T) {
			enter(t)
			for _, line := range []string{
				"ip link set lo up", "ip link add eth0 type veth peer name wan", "ip link set eth0 up",
				"ip link set wan up", "ip link add wg0 type dummy", "ip link set wg0 up",
				"ip addr add 192.0.2.1/24 dev eth0", "ip route add 10.42.1.0/24 dev eth0",
			} {
				run(t, line)
			}
			links, _ := Reader{}.Links(nil)
			for i := range links.Links {
				if links.Links[i].Name == "wg0" { // as if it were
					links.Links[i].Role = evidence.RoleWireGuard
				}
			}
			entries, _, _ := Reader{}.Tables(links.Links, request, 0)
			rules, _, _ := Reader{}.Rules()
			for _, line := range test.before {
				run(t, line)
			}
			watch, err := Reader{}.Watch(nil)
			if err != nil {
				t.Fatal(err)
			}
			watch.Known(links)
			watch.Paths(links.Links, request, 0, entries, rules)
			for _, line := range test.after {
				run(t, line)
			}
			watch.Close()
			entries, _, _ = Reader{}.Tables(links.Links, request, 0)
			rules, _, _ = Reader{}.Rules()
			watch.Changed(entries, rules)
			inventories := watch.Inventories()
			if test.what == "" && len(inventories) > 0 {
				t.Fatalf("%+v", inventories)
			}
			if test.what != "" && (len(inventories) == 0 || inventories[0].Complete ||
				inventories[0].What != test.what || !strings.Contains(inventories[0].Text, test.says)) {
				t.Errorf("%+v", inventories)
			}
		})
	}
}

// What is notified again as it was is not a change; the first change is kept.
func TestNotifiedEntries(t *testing.T) {
	request := evidence.ReadRequest{Ranges: []evidence.PodRange{{Index: 1, Prefixes: prefixes("10.42.1.0/24")}}}
	names := &state{links: map[int]*link{2: {Link: evidence.Link{Name: "eth0"}}}}
	entry := fibEntry{
		family: 4, destination: netip.MustParsePrefix("10.42.1.0/24"), table: 254, kind: 1, hops: []fibHop{{link: 2}},
	}
	other := entry
	other.tos = 16
	for _, test := range []struct {
		entries []fibEntry
		removed bool
		want    string
	}{
		{[]fibEntry{entry}, false, ""},
		{[]fibEntry{entry}, true, "the route 10.42.1.0/24 dev eth0 was removed while packets were watched"},
		{[]fibEntry{entry, other}, false,
			"the route 10.42.1.0/24 tos 0x10 dev eth0 was added while packets were watched"},
		{[]fibEntry{other, entry}, true,
			"the route 10.42.1.0/24 tos 0x10 dev eth0 was removed while packets were watched"},
	} {
		var watch Watch
		watch.paths.entry(entry, true, names) // before anything was read
		watch.Paths(nil, request, 0, entry.messages(names.name), nil)
		for _, e := range test.entries {
			watch.paths.entry(e, test.removed, names)
		}
		got := ""
		if inventories := watch.Inventories(); len(inventories) > 0 {
			got = inventories[0].Text
		}
		if got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
