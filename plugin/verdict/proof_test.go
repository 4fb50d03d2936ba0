package verdict

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// proof returns the proof of an edge as finds name it.
func proof(t *testing.T, r *Result, subject string) Pair {
	t.Helper()
	for _, p := range r.Pairs {
		if short(p.Subject) == subject {
			return p
		}
	}
	t.Fatalf("there is no proof of %s", subject)
	return Pair{}
}

// A step is as grave as the gravest of its findings: the cluster's, both nodes'
// and the edge's own. What only passes for nodes proves nothing of an edge.
func TestStepOfProof(t *testing.T) {
	ok := Check{Code: "ok", Proof: P5Counters, Edge: finds{}.edge}
	step := func(c Check) Check {
		c.Code, c.Proof = "X", P5Counters
		return c
	}
	for _, test := range []struct {
		name   string
		checks []Check
		want   Status // of ab4
	}{
		{"its own", []Check{ok}, Pass},
		{"its own is not fine", []Check{ok, step(Check{Edge: finds{"ab4": Warn}.edge})}, Warn},
		{"the gravest counts", []Check{step(Check{Edge: finds{"ab4": Fail}.edge}), ok}, Fail},
		{"the other direction's", []Check{ok, step(Check{Edge: finds{"ba4": Fail}.edge})}, Pass},
		{"another edge's", []Check{ok, step(Check{Edge: finds{"ac4": Fail}.edge})}, Pass},
		{"the cluster's", []Check{ok, step(Check{Cluster: cluster(Fail)})}, Fail},
		{"the sender's", []Check{ok, step(Check{Node: finds{"a": Inconclusive}.node})}, Inconclusive},
		{"the receiver's", []Check{ok, step(Check{Node: finds{"b": Inconclusive}.node})}, Inconclusive},
		{"another node's", []Check{ok, step(Check{Node: finds{"c": Fail}.node})}, Pass},
		{"the sender's of the family", []Check{ok, step(Check{NodeFamily: finds{"a4": Fail}.family})}, Fail},
		{"the receiver's of the family", []Check{ok, step(Check{NodeFamily: finds{"b4": Fail}.family})}, Fail},
		{"the other family's", []Check{ok, step(Check{NodeFamily: finds{"a6": Fail, "b6": Fail}.family})}, Pass},
		{"of another step", []Check{ok, {Code: "X", Edge: finds{"ab4": Fail}.edge},
			{Code: "Y", Proof: "P9", Edge: finds{"ab4": Fail}.edge}}, Pass},
		{"nobody's", nil, Inconclusive},
		{"only the cluster's", []Check{step(Check{Cluster: cluster(Pass)})}, Inconclusive},
		{"only nodes'", []Check{step(Check{Node: finds{}.node})}, Inconclusive},
		{"notApplicable", []Check{step(Check{Edge: finds{"ab4": NotApplicable}.edge})}, Inconclusive},
		{"not applicable, and one passes", []Check{step(Check{Edge: finds{"ab4": NotApplicable}.edge}), ok}, Pass},
		{"a warning only", []Check{step(Check{Edge: finds{"ab4": Warn}.edge})}, Warn},
		{"not applicable, and a node fails", []Check{step(Check{Edge: finds{"ab4": NotApplicable}.edge}),
			{Code: "N", Proof: P5Counters, Node: finds{"a": Fail}.node}}, Fail},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := running(3, "all", nil, 4, 6)
			r := Judge(g, append(proving(P5Counters), test.checks...), all)
			p := proof(t, r, "ab4")
			same(t, "step", p.Steps[P5Counters], test.want)
			same(t, "proof", p.Status, test.want)
			same(t, "another step", p.Steps[P1Delivered], Pass)
			if test.want < Inconclusive {
				return
			}
			bounded := Judge(g, append(proving(P5Counters), test.checks...), 0)
			same(t, "the same where few are listed", proof(t, bounded, "ab4"), p)
		})
	}
}

// The figures behind a step are those of its gravest findings.
func TestNotesOfProof(t *testing.T) {
	says := func(s Status, text string) func(*graph.Edge) Outcome {
		return func(*graph.Edge) Outcome { return Say(s, "%s", text) }
	}
	nodeSays := func(s Status, text string) func(*graph.Node) Outcome {
		return func(n *graph.Node) Outcome { return Say(s, "%s on %s", text, n.Name) }
	}
	for _, test := range []struct {
		name   string
		checks []Check
		want   string
	}{
		{"one", []Check{{Edge: says(Pass, "7 of 7")}}, "7 of 7"},
		{"two", []Check{{Edge: says(Pass, "7 of 7")}, {Edge: says(Pass, "8 of 8")}}, "7 of 7; 8 of 8"},
		{"the same again", []Check{{Edge: says(Pass, "7 of 7")}, {Edge: says(Pass, "7 of 7")}}, "7 of 7"},
		{"a part of it again", []Check{{Edge: says(Pass, "7 of 7 frames")}, {Edge: says(Pass, "7 of 7")}},
			"7 of 7 frames"},
		{"the graver replaces", []Check{{Edge: says(Pass, "7 of 7")}, {Edge: says(Fail, "8 of 9")}}, "8 of 9"},
		{"the lesser is not added", []Check{{Edge: says(Fail, "8 of 9")}, {Edge: says(Warn, "slow")}}, "8 of 9"},
		{"what is not applicable is not added to its like",
			[]Check{{Edge: says(NotApplicable, "none")}, {Edge: says(NotApplicable, "nothing")}}, "none"},
		{"what passes for a node stands elsewhere",
			[]Check{{Node: nodeSays(Pass, "fine")}, {Edge: says(Pass, "7 of 7")}}, "7 of 7"},
		{"nor the cluster", []Check{{Edge: says(Pass, "7 of 7")}, {Cluster: cluster(Pass)}}, "7 of 7"},
		{"nodes in their order", []Check{{Edge: says(Pass, "7 of 7")}, {Node: nodeSays(Warn, "late")}},
			"late on a; late on b"},
		{"an empty text", []Check{{Edge: says(Pass, "")}, {Edge: says(Pass, "7 of 7")}}, "7 of 7"},
		{"nothing", nil, "nothing could be judged"},
		{"nothing but a node", []Check{{Node: nodeSays(Pass, "fine")}}, "nothing could be judged"},
		{"not applicable for a reason", []Check{{Edge: says(NotApplicable, "not encrypted")}}, "not encrypted"},
	} {
		for i := range test.checks {
			test.checks[i].Code, test.checks[i].Proof = string(rune('A'+i)), P6Reliable
		}
		r := Judge(among(2), append(proving(P6Reliable), test.checks...), all)
		same(t, test.name, proof(t, r, "ab4").Notes[P6Reliable], test.want)
		same(t, test.name+", back", proof(t, r, "ba4").Notes[P6Reliable], test.want)
	}
}

// Proofs are of the pairs of the run, in order, each family by itself.
func TestProofsOfPairs(t *testing.T) {
	failing := Check{Code: "X", Proof: P1Delivered, Edge: finds{"bc6": Fail}.edge}
	r := Judge(running(3, "ring", nil, 4, 6), with(failing), all)
	var order []string
	for _, p := range r.Pairs {
		order = append(order, short(p.Subject)+" "+p.Status.String())
	}
	same(t, "pairs", order, []string{"ab4 pass", "ab6 pass", "bc4 pass", "bc6 fail", "ca4 pass", "ca6 pass"})
	none := Judge(among(1), with(), all)
	if none.Pairs == nil || len(none.Pairs) != 0 { // JSON has an empty list
		t.Errorf("pairs of one node: %v", none.Pairs)
	}
}
