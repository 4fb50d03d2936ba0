package check

import (
	"reflect"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// A run of many pairs is told without what is fine, and every pair of it is
// first judged for its status alone. All runs of the tests are judged that way
// too: verdict, first cause, totals and what is not fine must be the same.
func TestManyPairsAreJudgedLikeFew(t *testing.T) {
	runs := evidenceOf(t)
	for name, streams := range healthyWithout() {
		runs = append(runs, run{name: name, recording: record(t, streams)})
	}
	for _, r := range runs {
		few, many := judgedAs(r, verdict.Detailed), judgedAs(r, 0)
		if !few.Complete || many.Complete && len(few.Pairs) > 0 {
			t.Fatalf("%s: complete %t and %t", r.name, few.Complete, many.Complete)
		}
		if many.Verdict != few.Verdict || !reflect.DeepEqual(many.FirstCause, few.FirstCause) {
			t.Errorf("%s: %s, first cause %+v; want %s, %+v", r.name, many.Verdict, many.FirstCause, few.Verdict, few.FirstCause)
		}
		if !reflect.DeepEqual(many.Totals, few.Totals) {
			t.Errorf("%s: totals %+v, want %+v", r.name, many.Totals, few.Totals)
		}
		if want := countedFrom(few); !reflect.DeepEqual(few.Totals, want) {
			t.Errorf("%s: totals %+v, but the findings make %+v", r.name, few.Totals, want)
		}
		if len(few.Pairs) == 0 {
			continue
		}
		if want := notFine(few); !reflect.DeepEqual(many.Findings, want) {
			t.Errorf("%s: findings %v, want %v", r.name, many.Findings, want)
		}
		if want := unproven(few); !reflect.DeepEqual(many.Pairs, want) {
			t.Errorf("%s: pairs %v, want %v", r.name, many.Pairs, want)
		}
	}
}

func judgedAs(r run, detailed int) *verdict.Result {
	c := verdict.NewCase(r.recording)
	p := profile.Decide(c)
	return judge(c, p, Table(p), detailed)
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
	for _, c := range Table(profile.Profile{}) {
		total := verdict.CheckTotal{Code: c.Code, Statuses: map[verdict.Status]int{}}
		for _, f := range r.Findings {
			if f.Code != c.Code {
				continue
			}
			total.Statuses[f.Status]++
			if f.CausedBy != "" {
				total.Explained++
			}
		}
		t.Checks = append(t.Checks, total)
	}
	return t
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
