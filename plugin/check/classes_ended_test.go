package check

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// toEnded has pods of the first node send to the new pods on others after these ended,
// of which all enter the tunnel and arrive nowhere.
func toEnded(s map[string][]evidence.Message) {
	for i := range s[evidence.PluginStream] {
		if run := s[evidence.PluginStream][i].Run; run != nil {
			run.Scope = []string{evidence.ScopeEnded}
			run.Newcomers = []evidence.Newcomer{{Node: 1}}
		}
	}
	ended := podIP(1).Next()
	s[evidence.PluginStream] = append(s[evidence.PluginStream], evidence.Message{Pod: &evidence.Pod{
		Role: "newcomer", Node: "node-2", IPs: []netip.Addr{ended}, Ready: true, Ended: true}})
	s["pod/node-1"] = append(s["pod/node-1"], evidence.Message{Classed: &evidence.Classed{Class: evidence.ClassEnded,
		Peer: 1, Family: 4, Addr: netip.AddrPortFrom(ended, evidence.PodClassPort), Sent: 18}})
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{ClassSeen: &evidence.ClassSeen{
		Class: evidence.ClassEnded, Link: "flannel-wg", Direction: "tx", Source: 0, Target: 1, Family: 4, Count: 18}})
}

// What is for a pod that has ended need not arrive, and must not leave in clear.
func TestCellsOfEndedPods(t *testing.T) {
	seen := func(link string, count uint32) func(s map[string][]evidence.Message) {
		return func(s map[string][]evidence.Message) {
			editClass(s, evidence.ClassEnded, func(m *evidence.Message) bool {
				if m.ClassSeen != nil {
					m.ClassSeen.Link = link
					m.ClassSeen.Count = count
				}
				return count > 0 || m.ClassSeen == nil
			})
		}
	}
	leak := func(at int, direction string) func(s map[string][]evidence.Message) {
		return func(s map[string][]evidence.Message) {
			s[stream("probe", at)] = append(s[stream("probe", at)], evidence.Message{Sighting: &evidence.Sighting{
				Link: "eth0", Direction: direction, Source: 0, Target: 1, Family: 4, By: evidence.LeakedByMark,
				Class: evidence.ClassEnded, Layers: "ethernet ipv4 udp", OuterSource: podIP(0),
				OuterTarget: podIP(1).Next(), Count: 2}})
		}
	}
	for _, row := range []struct {
		name    string
		breaks  func(s map[string][]evidence.Message)
		cell    Cell
		why     string
		verdict verdict.Verdict
	}{
		{"all in the tunnel", nil, CellEncrypted, "18 packets seen entering the tunnel", verdict.Passed},
		{"some in the tunnel", seen("flannel-wg", 7), CellEncrypted,
			"7 of 18 packets seen entering the tunnel, the others did not leave node-1", verdict.Passed},
		{"dropped", seen("", 0), CellDropped, "none of 18 packets left node-1", verdict.Passed},
		{"in another tunnel", seen("tun7", 18), CellNotProven,
			"18 packets seen entering a tunnel of node-1 that is not WireGuard's", verdict.Undecided},
		{"in clear at the sender", leak(0, "tx"), CellLeak, "2 packets seen in clear", verdict.Failed},
		{"in clear behind the receiver", leak(1, "tx"), CellLeak, "2 packets seen in clear", verdict.Failed},
		{"in clear behind the tunnel", func(s map[string][]evidence.Message) {
			leak(1, "tx")(s)
			s["probe/node-2"] = append(s["probe/node-2"], evidence.Message{ClassSeen: &evidence.ClassSeen{
				Class: evidence.ClassEnded, Link: "flannel-wg", Direction: "rx", Source: 0, Target: 1, Family: 4,
				Count: 18}})
		}, CellLeak, "2 packets seen in clear", verdict.Failed},
		{"in clear, seen arriving", leak(1, "rx"), CellLeak, "2 packets seen in clear", verdict.Failed},
		{"in clear at both", func(s map[string][]evidence.Message) {
			leak(0, "tx")(s)
			leak(1, "rx")(s)
		}, CellLeak, "4 packets seen in clear", verdict.Failed},
		{"the pod still ran", func(s map[string][]evidence.Message) {
			each(s[evidence.PluginStream], func(m *evidence.Message) {
				if m.Pod != nil && m.Pod.Role == "newcomer" {
					m.Pod.Ended = false
				}
			})
		}, CellNotProven, "the new pod on node-2 had not ended", verdict.Undecided},
		{"nothing could be sent", func(s map[string][]evidence.Message) {
			each(s["pod/node-1"], func(m *evidence.Message) {
				if m.Classed != nil {
					m.Classed.Sent = 0
					m.Classed.Error = "network is unreachable"
				}
			})
		}, CellNotProven, "nothing could be sent: network is unreachable", verdict.Undecided},
		{"frames were lost", func(s map[string][]evidence.Message) {
			capture(s["probe/node-1"], "eth0", func(c *evidence.Capture) { c.Drops = 40 })
		}, CellNotProven, "the capture on eth0 of node-1 dropped 40 of 140 frames", verdict.Undecided},
	} {
		s := healthy(2)
		toEnded(s)
		if row.breaks != nil {
			row.breaks(s)
		}
		j := Judge(record(t, s))
		one, two := j.Graph.Node("node-1"), j.Graph.Node("node-2")
		want := []ClassCell{{evidence.ClassEnded, row.cell, true, row.why}}
		if cells := j.ClassesOf(j.Graph.Edge(one, two, 4)); !slices.Equal(cells, want) || j.Verdict != row.verdict {
			t.Errorf("%s: %s, %+v", row.name, j.Verdict, cells)
		}
		if variant := map[string]string{"in clear at the sender": "ended", "in clear behind the receiver": "ended",
			"in clear behind the tunnel": "forwarded", "in clear, seen arriving": "ended", "in clear at both": "ended"}[row.name]; variant != "" && j.FirstCause.Variant != variant {
			t.Errorf("%s: variant %q, want %q", row.name, j.FirstCause.Variant, variant)
		}
		if cells := j.ClassesOf(j.Graph.Edge(two, one, 4)); len(cells) > 0 {
			t.Errorf("%s: to a node without a new pod: %+v", row.name, cells)
		}
	}
}
