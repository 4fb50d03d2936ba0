package verdict

import (
	"fmt"
	"testing"
)

// listed counts the findings of a result by code, status and whether one is explained.
func listed(r *Result) map[string]int {
	count := map[string]int{}
	for _, f := range r.Findings {
		key := f.Code + " " + f.Status.String()
		if f.CausedBy.Code != "" {
			key += " explained"
		}
		count[key]++
	}
	return count
}

// everywhere finds a status on every edge of nodes that chosen picks.
func everywhere(nodes int, s Status, chosen func(from, to int) bool) finds {
	f := finds{}
	for e := range among(nodes).Edges() {
		if chosen(e.From.Place(), e.To.Place()) {
			f[fmt.Sprint(e.From.Name, e.To.Name, 4)] = s
		}
	}
	return f
}

// Of many pairs a result lists what is not fine, a bounded number of each kind.
func TestFindingsAreBounded(t *testing.T) {
	// 30 nodes have 870 edges; half of those from even nodes are explained.
	even := everywhere(30, Fail, func(from, _ int) bool { return from%2 == 0 })
	odd := everywhere(30, Inconclusive, func(from, _ int) bool { return from%2 == 1 })
	mixed := finds{}
	for _, f := range []finds{even, odd} {
		for name, s := range f {
			mixed[name] = s
		}
	}
	warned := everywhere(30, Warn, func(from, to int) bool { return from == 3 && to < 5 })
	nodes := finds{"n000": Fail, "n029": NotApplicable}
	r := Judge(among(30), []Check{
		{Code: "C", Cluster: cluster(Pass)},
		{Code: "c", Cluster: cluster(NotApplicable)},
		{Code: "N", Node: nodes.node},
		{Code: "X", Edge: mixed.edge},
		{Code: "Y", After: []string{"X"}, Edge: mixed.edge},
		{Code: "W", Edge: warned.edge},
		{Code: "fine", Edge: finds{}.edge},
	}, 0)
	same(t, "complete", r.Complete, false)
	same(t, "listed", listed(r), map[string]int{
		"C pass": 1, "c notApplicable": 1, "N fail": 1,
		"X fail": maxFindings, "X inconclusive": maxFindings,
		"Y fail explained": maxExplained, "Y inconclusive explained": maxExplained,
		"W warn": 4, // n003 is not a target of its own
	})
	same(t, "counted", r.Totals.Of("X").Statuses, map[Status]int{Fail: 435, Inconclusive: 435})
}

// As many as may be are listed, and one more is not; the first are.
func TestBoundOfFindings(t *testing.T) {
	for _, more := range []int{-1, 0, 1} {
		count := 0
		f := everywhere(15, Fail, func(int, int) bool { count++; return count <= maxFindings+more })
		r := Judge(among(15), []Check{{Code: "X", Edge: f.edge}}, 0)
		same(t, "findings", listed(r)["X fail"], maxFindings+min(more, 0))
		same(t, "the first", named(&r.Findings[0]), "X ab4")

		count = 0
		f = everywhere(15, Fail, func(int, int) bool { count++; return count <= maxExplained+more })
		r = Judge(among(15),
			[]Check{{Code: "A", Cluster: cluster(Fail)}, {Code: "X", After: []string{"A"}, Edge: f.edge}}, 0)
		same(t, "explained", listed(r)["X fail explained"], maxExplained+min(more, 0))
	}
}

// A result is complete of up to as many pairs as are asked for.
func TestCompleteUpToDetailed(t *testing.T) {
	table := with(Check{Code: "X", Node: finds{"b": Warn}.node})
	for detailed, complete := range map[int]bool{5: false, 6: true, 7: true} {
		r := Judge(among(3), table, detailed)
		same(t, "complete", r.Complete, complete)
		if complete {
			same(t, "findings", len(r.Findings), 3+8*6)
			same(t, "pairs", len(r.Pairs), 6)
		} else {
			same(t, "findings", len(r.Findings), 1)
			same(t, "pairs", len(r.Pairs), 0)
		}
	}
}

// Of pairs that are not proven first those are listed of which the nodes do not
// explain it: of a node that fails with everybody any pair says the same.
func TestUnprovenPairsAreBounded(t *testing.T) {
	const nodes = 40
	// All that n000 to n019 send fails, 780 pairs, and one of n039.
	f := everywhere(nodes, Fail, func(from, to int) bool { return from < 20 || from == 39 && to == 30 })
	r := Judge(among(nodes), append(proving(P1Delivered), Check{Code: "X", Proof: P1Delivered, Edge: f.edge}), 0)
	same(t, "pairs", len(r.Pairs), maxPairs)
	last := r.Pairs[maxPairs-1]
	same(t, "the single one is among them, in its place", short(last.Subject), "n039n0304")
	same(t, "the first", short(r.Pairs[0].Subject), "n000n0014")
	same(t, "the last of the others", short(r.Pairs[maxPairs-2].Subject), "n012n0314") // the 499th
	same(t, "its proof", []Status{last.Status, last.Steps[P1Delivered], last.Steps[P2InTunnel]},
		[]Status{Fail, Fail, Pass})
	same(t, "counted", r.Totals.Statuses, map[Status]int{Fail: 781, Pass: 779})

	// The same of receivers: all that n000 to n019 receive.
	f = everywhere(nodes, Fail, func(from, to int) bool { return to < 20 || from == 39 && to == 30 })
	r = Judge(among(nodes), append(proving(P1Delivered), Check{Code: "X", Proof: P1Delivered, Edge: f.edge}), 0)
	same(t, "pairs", len(r.Pairs), maxPairs)
	same(t, "the single one is among them", short(r.Pairs[maxPairs-1].Subject), "n039n0304")
}

// Pairs that are not proven are in order, each family by itself.
func TestOrderOfUnprovenPairs(t *testing.T) {
	r := Judge(running(2, "all", nil, 6, 4), []Check{{Code: "X", Edge: finds{}.edge}}, 0)
	var order []string
	for _, p := range r.Pairs {
		order = append(order, short(p.Subject))
	}
	same(t, "order", order, []string{"ab4", "ab6", "ba4", "ba6"})
}
