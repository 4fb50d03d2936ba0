package check

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// A run of many pairs is reported without what is fine, and every pair of it is
// first judged for its status alone. All runs of the tests are judged that way
// too: verdict, first cause, totals and what is not fine must be the same.
func TestManyPairsAreJudgedLikeFew(t *testing.T) {
	runs := evidenceOf(t)
	for name, streams := range healthyWithout() {
		runs = append(runs, run{name: name, recording: record(t, streams)})
	}
	for _, r := range runs {
		few, many := judgedAs(r.recording, verdict.Detailed), judgedAs(r.recording, 0)
		if !few.Complete || many.Complete && len(few.Pairs) > 0 {
			t.Fatalf("%s: complete %t and %t", r.name, few.Complete, many.Complete)
		}
		compareWithComplete(t, r.name, many, few)
	}
}

// Pairs are judged by several workers, in tiles and in both directions at once.
// Of more nodes than a tile has, each is judged all the same, and listed in order.
func TestTilesAreJudgedLikePairs(t *testing.T) {
	for _, pairs := range []string{"all", "20"} {
		m := mesh.New(45, 4, 6)
		m.Ask(pairs)
		for _, other := range []int{44, 1, 19, 33} {
			m.LoseCanaries(18, other)
			m.LoseCanaries(other, 18)
		}
		m.Leak(3, 40)
		m.Leak(40, 3)
		few, many := judgedAs(m, math.MaxInt), judgedAs(m, 0)
		if want := 45 * 2 * map[string]int{"all": 44, "20": 20}[pairs]; len(few.Pairs) != want || len(many.Pairs) < 4 {
			t.Fatalf("%s: %d pairs, want %d; %d are not proven", pairs, len(few.Pairs), want, len(many.Pairs))
		}
		compareWithComplete(t, pairs, many, few)
	}
}

// compareWithComplete holds a result without what is fine against one with all,
// whose findings were each made by itself.
func compareWithComplete(t *testing.T, name string, many, few *verdict.Result) {
	t.Helper()
	if many.Verdict != few.Verdict || !reflect.DeepEqual(many.FirstCause, few.FirstCause) {
		t.Errorf("%s: %s, first cause %+v; want %s, %+v",
			name, many.Verdict, many.FirstCause, few.Verdict, few.FirstCause)
	}
	if !reflect.DeepEqual(many.Causes, few.Causes) {
		t.Errorf("%s: causes %+v; want %+v", name, many.Causes, few.Causes)
	}
	if !reflect.DeepEqual(many.Totals, few.Totals) {
		t.Errorf("%s: totals %+v, want %+v", name, many.Totals, few.Totals)
	}
	if want := countedFrom(few); !reflect.DeepEqual(few.Totals, want) {
		t.Errorf("%s: totals %+v, but the findings make %+v", name, few.Totals, want)
	}
	if len(few.Pairs) == 0 {
		return
	}
	if want := notFine(few); !reflect.DeepEqual(many.Findings, want) {
		t.Errorf("%s: findings %v, want %v", name, many.Findings, want)
	}
	if want := unproven(few); !reflect.DeepEqual(many.Pairs, want) {
		t.Errorf("%s: pairs %v, want %v", name, many.Pairs, want)
	}
}

func judgedAs(recorded graph.Recorded, detailed int) *verdict.Result {
	c := graph.New(recorded)
	p := profile.Decide(c)
	return judge(c, p, detailed)
}

// countedFrom counts a complete result.
func countedFrom(r *verdict.Result) verdict.Totals {
	t := verdict.Totals{Nodes: r.Totals.Nodes, Pairs: len(r.Pairs), Statuses: map[verdict.Status]int{}}
	for _, p := range r.Pairs {
		t.Statuses[p.Status]++
	}
	for _, proof := range verdict.Proofs {
		step := verdict.StepTotal{Step: proof.Step, Title: proof.Title, Statuses: map[verdict.Status]int{}}
		for _, p := range r.Pairs {
			step.Statuses[p.Steps[proof.Step]]++
		}
		t.Steps = append(t.Steps, step)
	}
	for _, c := range Checks() {
		total := verdict.CheckTotal{Code: c.Code, Statuses: map[verdict.Status]int{}}
		for _, f := range r.Findings {
			if f.Code != c.Code {
				continue
			}
			total.Statuses[f.Status]++
			if f.CausedBy.Code == "" && (f.Status == verdict.Fail || f.Status == verdict.Inconclusive) {
				if total.Causes == nil {
					total.Causes = map[verdict.Status]int{}
				}
				total.Causes[f.Status]++
			}
		}
		if len(total.Statuses) > 0 || c.Code != "WG0621" { // that of classes is judged where it was asked for
			t.Checks = append(t.Checks, total)
		}
	}
	t.Unproven = unprovenNodes(r)
	return t
}

// unprovenNodes counts the pairs of each node.
func unprovenNodes(r *verdict.Result) (some []verdict.NodeTotal) {
	all := map[string]*verdict.NodeTotal{}
	of := func(name string) *verdict.NodeTotal {
		if all[name] == nil {
			all[name] = &verdict.NodeTotal{Node: name}
		}
		return all[name]
	}
	for _, p := range r.Pairs {
		bad := 0
		if p.Status == verdict.Fail || p.Status == verdict.Inconclusive {
			bad = 1
		}
		from, to := of(p.Node), of(p.Peer)
		from.Sends, from.Sending = from.Sends+1, from.Sending+bad
		to.Receives, to.Receiving = to.Receives+1, to.Receiving+bad
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if n := all[name]; n.Sending+n.Receiving > 0 {
			some = append(some, *n)
		}
	}
	return some
}

// notFine are the cluster's findings and those that are not fine.
func notFine(r *verdict.Result) (some []verdict.Finding) {
	for _, f := range r.Findings {
		if f.Subject.Node == "" || f.Status != verdict.Pass && f.Status != verdict.NotApplicable {
			some = append(some, f)
		}
	}
	return some
}

func unproven(r *verdict.Result) []verdict.Pair {
	some := []verdict.Pair{}
	for _, p := range r.Pairs {
		if p.Status == verdict.Fail || p.Status == verdict.Inconclusive {
			some = append(some, p)
		}
	}
	return some
}
