package routing

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What several statements make of one mark hangs on their order, and on what
// each asks of the mark that the packet has by then.
func TestOrderOfMarks(t *testing.T) {
	const database = 5432
	to := evidence.Selector{Protocol: []uint8{protocolTCP}, Target: []evidence.Ports{{From: database, To: database}}}
	unmarked := evidence.Selector{MarkMask: 1<<32 - 1}
	set := func(by, family, hook, link string, mark uint32, s evidence.Selector) *evidence.Diversion {
		return &evidence.Diversion{By: by, Effect: evidence.EffectMark, Family: family, Hook: hook, Link: link,
			Mark: mark, Mask: 1<<32 - 1, Selector: s}
	}
	filter := func(mark uint32, s evidence.Selector) *evidence.Diversion {
		return set("nftables", "ip", "prerouting", "", mark, s)
	}
	all := evidence.Selector{}
	for _, test := range []struct {
		name string
		list []*evidence.Diversion
		want string // how certain a way past the tunnel is, empty if there is none
	}{
		{"set", []*evidence.Diversion{filter(0x77, to)}, "selective"},
		{"set, then cleared", []*evidence.Diversion{filter(0x77, to), filter(0, all)}, ""},
		{"cleared, then set", []*evidence.Diversion{filter(0, all), filter(0x77, to)}, "selective"},
		{"set, cleared, set again",
			[]*evidence.Diversion{filter(0x77, evidence.Selector{Protocol: []uint8{protocolSCTP}}), filter(0, all),
				filter(0x77, to)}, "selective"},
		{"another mark for what has none", []*evidence.Diversion{filter(0x77, to), filter(1, unmarked)}, "doubtful"},
		{"the mark for what has none", []*evidence.Diversion{filter(0x77, unmarked)}, "certain"},
		{"traffic control clears before the filter sets",
			[]*evidence.Diversion{filter(0x77, to), set("tc", "", "ingress", "cni0", 0, all)}, "selective"},
		{"a port's mark is cleared by the filter",
			[]*evidence.Diversion{filter(0, all), set("tc", "", "ingress", "veth1", 0x77, all)}, ""},
		{"a bridge's mark is cleared by the filter",
			[]*evidence.Diversion{filter(0, all), set("nftables", "bridge", "prerouting", "", 0x77, all)}, ""},
		{"two tools, of which either may come first",
			[]*evidence.Diversion{filter(0x77, to), set("iptables-legacy", "ip", "prerouting", "", 0, all)},
			"doubtful"},
	} {
		h := Host{Family: 4, Pods: []netip.Prefix{pods}, MarksRead: true, Diversions: test.list,
			Links: []*evidence.Link{
				{Name: "cni0", Kind: "bridge", Role: evidence.RoleInside}, {Name: "veth1", Kind: "veth", Master: "cni0",
					Role: evidence.RoleInside},
				{Name: "eth0", Role: evidence.RoleOutside}},
			Rules: []*evidence.Rule{{Family: 4, Priority: 50, Mark: 0x77, Mask: 1<<32 - 1, Table: 77}},
			Entries: []*evidence.Route{{Destination: pods, Link: "cni0", Table: TableMain},
				{Destination: remote, Link: "flannel-wg", Table: TableMain}, {Destination: remote,
					Link: "eth0", Table: 77}}}
		ways, _ := Compile(h).Ways(remote)
		got := ""
		for _, w := range ways {
			if w.Link == "eth0" {
				got = [...]string{"certain", "selective", "doubtful"}[w.Certainty]
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
