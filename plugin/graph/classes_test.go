package graph_test

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A packet of a class that was asked for is no leak of the pods; one of a class that
// nobody sent is.
func TestClearPacketsOfClasses(t *testing.T) {
	dns := []evidence.DNSServer{{Node: 1, Addr: netip.MustParseAddrPort("10.0.1.53:53")}}
	for _, test := range []struct {
		name    string
		leak    evidence.Sighting
		classed bool
	}{
		{"asked for", evidence.Sighting{Source: 0, Target: 1, Class: evidence.ClassPodNode}, true},
		{"its answer", evidence.Sighting{Source: 1, Target: 0, Class: evidence.ClassPodNode, Answer: true}, true},
		{"to a server of the cluster", evidence.Sighting{Source: 0, Target: 1, Class: evidence.ClassDNS}, true},
		{"to a node that has none", evidence.Sighting{Source: 1, Target: 0, Class: evidence.ClassDNS}, false},
		{"of no class", evidence.Sighting{Source: 0, Target: 1}, false},
		{"of a class that does not exist", evidence.Sighting{Source: 0, Target: 1, Class: "pod-moon"}, false},
		{"of one that was not asked for", evidence.Sighting{Source: 0, Target: 1, Class: evidence.ClassClusterIP}, false},
		{"from nowhere", evidence.Sighting{Source: 9, Target: 1, Class: evidence.ClassPodNode}, false},
		{"to nowhere", evidence.Sighting{Source: 0, Target: 9, Class: evidence.ClassPodNode}, false},
	} {
		test.leak.Family = 4
		g := resolved(abc().
			say("plugin", &evidence.Run{Families: []int{4}, Scope: []string{evidence.ScopeHosts, evidence.ScopeDNS}, DNS: dns}).
			say("probe/a", &test.leak))
		classed, leaked := 0, len(g.Unattributed)
		for e := range g.Edges() {
			leaked += len(e.Leaks)
			for _, class := range evidence.Classes {
				clear := e.Class(class.Class).Clear
				classed += len(clear)
				if len(clear) > 0 && (e.From.Index != 0 || e.To.Index != 1) {
					t.Errorf("%s: it belongs to requests from %s to %s", test.name, e.From.Name, e.To.Name)
				}
			}
		}
		same(t, test.name+", of a class", classed == 1, test.classed)
		same(t, test.name+", leaked", leaked == 1, !test.classed)
	}
}

// Counts of requests and of answers are of the nodes that sent and received them.
func TestPacketsOfClasses(t *testing.T) {
	const class = evidence.ClassPodNode
	to := netip.MustParseAddrPort("192.0.2.1:4711")
	seen := func(link, direction string, source, target int, answer bool, count uint32) *evidence.ClassSeen {
		return &evidence.ClassSeen{Link: link, Direction: direction, Class: class, Family: 4,
			Source: source, Target: target, Answer: answer, Count: count}
	}
	g := resolved(abc().
		say("plugin", &evidence.Run{Families: []int{4}, Scope: []string{evidence.ScopeHosts}}).
		say("pod/a", &evidence.Classed{Class: class, Family: 4, Peer: 1, Addr: to, Sent: 7, Answered: 5}).
		say("probe/b", &evidence.Classed{Class: class, Family: 4, Peer: 0, Received: 6},
			seen("wg0", "rx", 0, 1, false, 3), seen("wg0", "tx", 1, 0, true, 2),
			seen("wg0", "rx", 2, 1, false, 100)).
		say("probe/a", seen("wg0", "tx", 0, 1, false, 4), seen("wg0", "rx", 1, 0, true, 1)))
	e := g.Edge(g.Nodes[0], g.Nodes[1], 4).Class(class)
	same(t, "to b", *e, graph.ClassEdge{
		Class: class, From: g.Nodes[0], To: g.Nodes[1], Addr: to, Sent: 7, Answered: 5, Received: 6,
		Into: 4, OutOf: 3, AnswersInto: 2, AnswersOutOf: 1,
	})
	back := g.Edge(g.Nodes[1], g.Nodes[0], 4).Class(class)
	same(t, "to a", *back, graph.ClassEdge{Class: class, From: g.Nodes[1], To: g.Nodes[0]})
}
