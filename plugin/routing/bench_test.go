package routing

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A node of a default cluster: three rules and one route.
func BenchmarkWays(b *testing.B) {
	h := Host{Family: 4, Pods: []netip.Prefix{pods}, MarksRead: true, Entries: []*evidence.Route{
		{Destination: netip.MustParsePrefix("10.42.0.0/16"), Link: "flannel-wg", Table: TableMain},
		{Destination: netip.MustParsePrefix("10.42.0.0/24"), Link: "cni0", Table: TableMain},
		{Destination: netip.MustParsePrefix("0.0.0.0/0"), Link: "eth0", Table: TableMain},
	}}
	plan := Compile(h)
	b.ReportAllocs()
	for b.Loop() {
		if ways, _ := plan.Ways(netip.MustParsePrefix("10.42.1.0/24")); len(ways) != 1 {
			b.Fatal(ways)
		}
	}
}

// Whatever a node says, a walk ends soon: many routes, and rules that each take
// some packets out of those that are left.
func BenchmarkHostile(b *testing.B) {
	for _, marked := range []bool{false, true} {
		h := Host{Family: 4, Pods: []netip.Prefix{pods}, MarksRead: !marked}
		for i := range 16000 {
			h.Entries = append(h.Entries, &evidence.Route{
				Destination: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 42, byte(i >> 8), byte(i)}), 32-i%3).Masked(),
				Link:        "eth0", Table: 1 + i%7, TOS: uint8(i%5) << 2,
			})
		}
		for i := range 1800 {
			r := &evidence.Rule{Family: 4, Priority: i, Table: 1 + i%7,
				Protocol: uint8(i), TargetPorts: &evidence.Ports{From: uint16(i), To: uint16(i + 9)}, Not: i%3 == 0,
				Action: []string{"", "goto"}[i%2], Goto: i + 2}
			if marked {
				r.Mark, r.Mask = 1<<(i%32), 1<<(i%32)
			}
			h.Rules = append(h.Rules, r)
		}
		plan := Compile(h)
		b.Run(map[bool]string{false: "plain", true: "marked"}[marked], func(b *testing.B) {
			for b.Loop() {
				plan.Ways(netip.MustParsePrefix("10.42.1.0/24"))
			}
		})
	}
}
