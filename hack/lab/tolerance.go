package main

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/scenario"
)

// tolerance lets each scenario that wants PASS be INCONCLUSIVE some times, as a network that loses packets can make it.
// Never does it let a FAIL be.
type tolerance struct {
	times int
	used  map[string]int // by scenario
}

// judge takes the problem from an outcome that is tolerated. It stays undecided, and is counted and shown as that.
func (t *tolerance) judge(outcome scenario.Outcome) scenario.Outcome {
	if !outcome.Undecided || t.used[outcome.Scenario.Name] >= t.times {
		return outcome
	}
	if t.used == nil {
		t.used = map[string]int{}
	}
	t.used[outcome.Scenario.Name]++
	outcome.Notes = append(outcome.Notes, strings.ReplaceAll(outcome.Problem.Error(), "\n", "; "))
	outcome.Problem = nil
	return outcome
}

// repeats counts the verdicts of the scenarios that ran more than once.
func repeats(outcomes []scenario.Outcome) string {
	var names []string
	runs := map[string]int{}
	verdicts := map[string]map[string]int{}
	for _, outcome := range outcomes {
		name := outcome.Scenario.Name
		if runs[name] == 0 {
			names = append(names, name)
			verdicts[name] = map[string]int{}
		}
		runs[name]++
		verdicts[name][orDash(outcome.Got.Verdict)]++
	}
	var text strings.Builder
	for _, name := range names {
		if runs[name] == 1 {
			continue
		}
		fmt.Fprintf(&text, "%s: %d runs", name, runs[name])
		for _, verdict := range []string{"PASS", "INCONCLUSIVE", "FAIL", "-"} {
			if n := verdicts[name][verdict]; n > 0 {
				fmt.Fprintf(&text, ", %d %s", n, verdict)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// again has all scenarios once, and then again until the time is over.
func again(chosen []scenario.Scenario, lasting time.Duration) iter.Seq[scenario.Scenario] {
	return func(yield func(scenario.Scenario) bool) {
		for end := time.Now().Add(lasting); ; {
			for _, s := range chosen {
				if !yield(s) {
					return
				}
			}
			if len(chosen) == 0 || !time.Now().Before(end) {
				return
			}
		}
	}
}
