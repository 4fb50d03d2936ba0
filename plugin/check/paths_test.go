package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// brokenPaths are runs of which only the paths that no canary took are wrong.
var brokenPaths = []breakage{
	{"a rule for a part of the other node's pods", onNode1(
		ruled(evidence.Rule{Priority: 50, To: cidr("10.42.1.128/25"), Table: 100}), past("0.0.0.0/0",
			100)), verdict.Failed, "WG0402"},
	{"a rule for a part of the own pods", onNode1(
		ruled(evidence.Rule{Priority: 50, From: cidr("10.42.0.128/25"), Table: 100}), past("0.0.0.0/0",
			100)), verdict.Failed, "WG0402"},
	{"a rule for a mark that nothing sets", onNode1(
		ruled(evidence.Rule{Priority: 50, Mark: 0x4000, Mask: 0x4000, Table: 100}), past("0.0.0.0/0",
			100)), verdict.Passed, ""},
	{"a rule for a port", onNode1(
		ruled(evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}, Table: 77}),
		past("10.42.1.0/24", 77)),
		verdict.Undecided, "WG0402"},
	{"a rule for a port, and it leaks", onNode1(
		ruled(evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}, Table: 77}),
		past("10.42.1.0/24", 77),
		evidence.Message{
			Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Count: 1},
		}),
		verdict.Failed, "WG0402"},
	{"a second next hop", onNode1(
		evidence.Message{
			Route: &evidence.Route{Destination: cidr("10.42.0.0/23"), Link: "flannel-wg", Table: 254, Hop: 1},
		},
		evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.0/23"), Link: "eth0", Table: 254, Hop: 2}}),
		verdict.Failed, "WG0402"},
	{"the routes were not read whole", onNode1(
		evidence.Message{
			Problem: &evidence.Problem{Class: evidence.ProblemUnsupported, What: "route", Text: "there are more"},
		}), verdict.Undecided, "WG0402"},
	{"the rules were not read", onNode1(
		evidence.Message{
			Problem: &evidence.Problem{Class: evidence.ProblemPermission, What: "rule", Text: "not permitted"},
		}), verdict.Undecided, "WG0402"},
	{"a rule of another program that leads into the tunnel", onNode1(
		ruled(evidence.Rule{Priority: 50, Mark: 0x80000, Mask: 0xff0000, Table: 254})), verdict.Passed, ""},
}

func cidr(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func onNode1(messages ...evidence.Message) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) { s["probe/node-1"] = append(s["probe/node-1"], messages...) }
}

func ruled(r evidence.Rule) evidence.Message {
	r.Family = 4
	return evidence.Message{Rule: &r}
}

// past is an entry that leads past the tunnel.
func past(to string, table int) evidence.Message {
	return evidence.Message{
		Route: &evidence.Route{Destination: cidr(to), Link: "eth0", Gateway: netip.MustParseAddr("192.0.2.1"),
			Table: table, Type: "unicast"},
	}
}

func marking(s evidence.Selector, mark uint32) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectMark, Family: "ip",
		Table: "x", Chain: "y", Hook: "prerouting", Mark: mark, Mask: 0xffffffff, Selector: s, Rule: "meta mark set"}}
}

// pathFinding is what WG0402 says of the way from node-1 to node-2.
func pathFinding(t *testing.T, s map[string][]evidence.Message) verdict.Finding {
	t.Helper()
	return pathFindingOf(t, s, "node-1", "node-2")
}

func pathFindingOf(t *testing.T, s map[string][]evidence.Message, from, to string) verdict.Finding {
	t.Helper()
	j := Judge(record(t, s))
	for _, f := range j.Findings {
		if f.Code == "WG0402" && f.Subject.Node == from && f.Subject.Peer == to {
			return f
		}
	}
	t.Fatal("no finding")
	return verdict.Finding{}
}

// What was tried is judged by where it was seen.
func TestPathsByTry(t *testing.T) {
	rule := evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}, Table: 77}
	base := func() map[string][]evidence.Message {
		s := healthy(2)
		onNode1(ruled(rule), past("10.42.1.0/24", 77))(s)
		tries := Tries(graph.New(record(t, s)))
		if len(tries) != 1 || tries[0].Port != 5432 || tries[0].Transport != "tcp" || tries[0].Node != 0 ||
			tries[0].Target != 1 || tries[0].Addr != podIP(1) {
			t.Fatalf("%+v", tries)
		}
		each(s["plugin"], func(m *evidence.Message) {
			if m.Run != nil {
				m.Run.Tries = tries
			}
		})
		return s
	}
	seen := func(s map[string][]evidence.Message, in, out, received uint32) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{TrySeen: &evidence.TrySeen{ID: 1, Link: "flannel-wg", Direction: "tx", Count: in}})
		s["probe/node-2"] = append(s["probe/node-2"],
			evidence.Message{TrySeen: &evidence.TrySeen{ID: 1, Link: "flannel-wg", Direction: "rx", Count: out}})
		s["pod/node-2"] = append(s["pod/node-2"], evidence.Message{Tried: &evidence.Tried{ID: 1, Received: received}})
	}
	for _, test := range []struct {
		name string
		edit func(s map[string][]evidence.Message)
		want verdict.Status
	}{
		{"nothing was seen", func(map[string][]evidence.Message) {}, verdict.Inconclusive},
		{"in the tunnel", func(s map[string][]evidence.Message) { seen(s, 3, 3, 3) }, verdict.Pass},
		{"on one side alone", func(s map[string][]evidence.Message) { seen(s, 3, 0, 0) }, verdict.Inconclusive},
		{"more arrived than came out of the tunnel", func(s map[string][]evidence.Message) { seen(s, 3, 1, 3) },
			verdict.Inconclusive},
		{"what came out is reported twice",
			func(s map[string][]evidence.Message) { seen(s, 3, 2, 4); seen(s, 3, 2, 4) },
			verdict.Inconclusive},
		{"in the tunnel, by one of two next hops", func(s map[string][]evidence.Message) {
			each(s["probe/node-1"], func(m *evidence.Message) {
				if m.Route != nil && m.Route.Table == 77 {
					m.Route.Hop = 1
				}
			})
			onNode1(evidence.Message{
				Route: &evidence.Route{Destination: cidr("10.42.1.0/24"),
					Link: "flannel-wg", Table: 77, Type: "unicast", Hop: 2},
			})(s)
			seen(s, 3, 3, 3)
		}, verdict.Inconclusive},
		{"it arrived past the tunnel", func(s map[string][]evidence.Message) { seen(s, 0, 0, 3) }, verdict.Fail},
		{"in clear",
			onNode1(evidence.Message{
				Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: 0, Target: 1, Family: 4,
					By: "mark", Count: 1},
			}), verdict.Fail},
	} {
		s := base()
		test.edit(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", test.name, f.Status, test.want, f.Text)
		}
	}
}

// What the kernel says of the test pod must follow from what was read.
func TestPathsFitTheAnswer(t *testing.T) {
	s := healthy(2)
	each(s["probe/node-1"], func(m *evidence.Message) {
		if m.Rule != nil && m.Rule.Priority == 32766 {
			m.Rule.Not = true
		}
	})
	onNode1(ruled(evidence.Rule{Priority: 32000, Not: true, Table: 254}),
		ruled(evidence.Rule{Priority: 32001, Action: "unreachable"}))(s)
	if f := pathFinding(t, s); f.Status != verdict.Inconclusive ||
		!strings.Contains(f.Text, "by the rules and tables that were read it is not") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

// A node that lists more rules than it reports has lost some.
func TestLostRules(t *testing.T) {
	for _, count := range []int{4, -1} {
		s := healthy(2)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Inventory != nil && m.Inventory.What == evidence.InventoryRules {
				m.Inventory.Count = count
			}
		})
		if f := pathFinding(t, s); f.Status != verdict.Inconclusive || !strings.Contains(f.Text, "and reported") {
			t.Errorf("%d: %s: %s", count, f.Status, f.Text)
		}
	}
}

// What was not read leaves it open; a run that could not record it does not.
func TestPathsByInventory(t *testing.T) {
	for _, needed := range inventories {
		for _, incomplete := range []bool{false, true} {
			s := healthy(2)
			s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
				if m.Inventory == nil || m.Inventory.What != needed.what {
					return false
				}
				m.Inventory.Complete = false
				return !incomplete
			})
			if f := pathFinding(t, s); f.Status != verdict.Inconclusive || !strings.Contains(f.Text, needed.name) {
				t.Errorf("%s: %s, %s", needed.what, f.Status, f.Text)
			}
		}
	}
	s := healthy(2)
	if f := pathFinding(t, s); f.Status != verdict.Pass ||
		!strings.Contains(f.Text, "3 rules, 1 route, 0 statements that mark or divert: all of 10.42.1.0/24 goes into "+
			"flannel-wg") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
	onNode1(past("0.0.0.0/0", 254))(s)
	if f := pathFinding(t, s); f.Status != verdict.Pass ||
		!strings.Contains(f.Text, "without this route it would leave by eth0 in clear") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}
