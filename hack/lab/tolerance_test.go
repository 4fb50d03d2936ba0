package main

import (
	"errors"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/scenario"
)

func TestTolerance(t *testing.T) {
	wrong := errors.New("got INCONCLUSIVE, want PASS")
	undecided := scenario.Outcome{Scenario: scenario.Scenario{Name: "lossy"}, Problem: wrong, Undecided: true, Got: scenario.Want{Verdict: "INCONCLUSIVE"}}
	failed := scenario.Outcome{Scenario: scenario.Scenario{Name: "lossy"}, Problem: wrong, Got: scenario.Want{Verdict: "FAIL"}}
	forgiving := tolerance{times: 1}
	for i, test := range []struct {
		outcome scenario.Outcome
		ok      bool
	}{{failed, false}, {undecided, true}, {undecided, false}} {
		if got := forgiving.judge(test.outcome); (got.Problem == nil) != test.ok {
			t.Errorf("%d: %v", i, got.Problem)
		}
	}
	want := "lossy: 3 runs, 2 INCONCLUSIVE, 1 FAIL\n"
	if got := repeats([]scenario.Outcome{failed, undecided, undecided}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
