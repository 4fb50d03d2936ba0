package verdict

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// counted are the totals that the findings and proofs of a complete result make.
func counted(g *graph.Graph, table []Check, r *Result) Totals {
	want := Totals{Nodes: len(g.Nodes), Pairs: len(r.Pairs), Statuses: map[Status]int{}}
	sends, receives := map[string]int{}, map[string]int{}
	sending, receiving := map[string]int{}, map[string]int{}
	steps := map[Proof]map[Status]int{}
	for _, p := range r.Pairs {
		want.Statuses[p.Status]++
		sends[p.Node]++
		receives[p.Peer]++
		if p.Status >= Inconclusive {
			sending[p.Node]++
			receiving[p.Peer]++
		}
		for step, status := range p.Steps {
			if steps[step] == nil {
				steps[step] = map[Status]int{}
			}
			steps[step][status]++
		}
	}
	for _, p := range Proofs {
		statuses := steps[p.Step]
		if statuses == nil {
			statuses = map[Status]int{}
		}
		want.Steps = append(want.Steps, StepTotal{Step: p.Step, Title: p.Title, Statuses: statuses})
	}
	for _, check := range table {
		total := CheckTotal{Code: check.Code, Statuses: map[Status]int{}}
		for _, f := range r.Findings {
			if f.Code != check.Code {
				continue
			}
			total.Statuses[f.Status]++
			if f.Status >= Inconclusive && f.CausedBy.Code == "" {
				if total.Causes == nil {
					total.Causes = map[Status]int{}
				}
				total.Causes[f.Status]++
			}
		}
		want.Checks = append(want.Checks, total)
	}
	for _, n := range g.Nodes {
		total := NodeTotal{
			Node: n.Name, Sending: sending[n.Name], Sends: sends[n.Name],
			Receiving: receiving[n.Name], Receives: receives[n.Name],
		}
		if total.Sending+total.Receiving > 0 {
			want.Unproven = append(want.Unproven, total)
		}
	}
	for _, p := range r.Pairs {
		explains := func(f Finding) bool { return f.Status >= Inconclusive && bearsOn(f.Subject, p.Subject) }
		if p.Status >= Inconclusive && !slices.ContainsFunc(r.Findings, explains) {
			want.Unexplained++
		}
	}
	return want
}

// bearsOn reports whether a subject is the cluster, a node of a pair, or the pair.
func bearsOn(s, pair Subject) bool {
	ofNode := s.Peer == "" && (s.Node == pair.Node || s.Node == pair.Peer) && (s.Family == 0 || s.Family == pair.Family)
	return s.Node == "" || ofNode || s == pair
}

// Law: whatever is found, totals are exact, and the same where few findings are
// listed; so are verdict and first cause.
func TestTotalsAreExact(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		outcome := func(f finds, name string) {
			if random.IntN(4) == 0 {
				f[name] = NotApplicable + Status(random.IntN(int(Fail)))
			}
		}
		pairs := []string{"all", "ring", "2"}[random.IntN(3)]
		families := [][]int{{4}, {6}, {4, 6}}[random.IntN(3)]
		g := running(2+random.IntN(3), pairs, nil, families...)
		node, family, edge, other := finds{}, finds{}, finds{}, finds{}
		for _, n := range g.Nodes {
			outcome(node, n.Name)
			for _, f := range families {
				outcome(family, short(Subject{Node: n.Name, Family: f}))
			}
		}
		for e := range g.Edges() {
			outcome(edge, short(Subject{Node: e.From.Name, Peer: e.To.Name, Family: e.Family}))
			outcome(other, short(Subject{Node: e.From.Name, Peer: e.To.Name, Family: e.Family}))
		}
		table := append([]Check{
			{Code: "C", Cluster: cluster(NotApplicable + Status(random.IntN(int(Warn))))},
			{Code: "N", Proof: P6Reliable, After: []string{"C"}, Node: node.node},
			{Code: "F", Proof: P7Keys, After: []string{"N"}, NodeFamily: family.family},
			{Code: "E", Proof: P1Delivered, After: []string{"F", "N"}, Outage: true, Edge: edge.edge},
			{Code: "L", Proof: P3NoPlaintext, After: []string{"E", "C"}, Seen: true, Edge: other.edge},
		}, proving(P1Delivered, P3NoPlaintext)...)
		r, bounded := Judge(g, table, all), Judge(g, table, 0)
		same(t, "totals", r.Totals, counted(g, table, r))
		same(t, "bounded totals", bounded.Totals, r.Totals)
		same(t, "verdict", bounded.Verdict, r.Verdict)
		same(t, "first cause", named(bounded.FirstCause), named(r.FirstCause))
		same(t, "causes", bounded.Causes, r.Causes)
		holdsTogether(t, r)
		same(t, "again", Judge(g, table, all), r)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A node explains what it sends only where it sends to several and none is proven.
func TestNodesThatExplainTheirPairs(t *testing.T) {
	for _, test := range []struct {
		total            NodeTotal
		sender, receiver bool
	}{
		{NodeTotal{}, false, false},
		{NodeTotal{Sending: 2, Sends: 2}, true, false},
		{NodeTotal{Sending: 1, Sends: 2}, false, false},
		{NodeTotal{Sending: 1, Sends: 1, Receiving: 1, Receives: 1}, false, false},
		{NodeTotal{Sends: 3, Receiving: 3, Receives: 3}, false, true},
		{NodeTotal{Sends: 3, Receiving: 2, Receives: 3}, false, false},
	} {
		same(t, "sender", test.total.Sender(), test.sender)
		same(t, "receiver", test.total.Receiver(), test.receiver)
	}
}

func TestTotalOfCheck(t *testing.T) {
	r := Judge(among(2), with(Check{Code: "X", Node: finds{"a": Fail}.node}), all)
	same(t, "known", r.Totals.Of("X"), CheckTotal{
		Code: "X", Statuses: map[Status]int{Fail: 1, Pass: 1}, Causes: map[Status]int{Fail: 1},
	})
	same(t, "unknown", r.Totals.Of("Y"), CheckTotal{})
}
