package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// examine holds the report against what the scenario asks of it beside the verdict.
func (s Scenario) examine(r report) error {
	var problems []error
	if s.Pairs != nil || s.Want.Verdict == "PASS" && r.Verdict == "PASS" {
		var unproven []string
		for _, pair := range r.Pairs {
			if pair.Status != "pass" {
				unproven = append(unproven, pair.Node+">"+pair.Peer)
			}
		}
		slices.Sort(unproven)
		if want := slices.Sorted(slices.Values(s.Pairs)); !slices.Equal(slices.Compact(unproven), want) {
			problems = append(problems, fmt.Errorf("not proven: %s, want %s", list(unproven), list(want)))
		}
	}
	for code, status := range s.Findings {
		var had []string
		for _, f := range r.Findings {
			if f.Code == code {
				had = append(had, f.Status)
			}
		}
		if !slices.Contains(had, status) {
			problems = append(problems, fmt.Errorf("%s is %s, want %s", code, list(had), status))
		}
	}
	return errors.Join(problems...)
}

// maxMemory is what the command may take, in bytes: a node may say much, and two cannot say more than is bounded.
const maxMemory = 400 << 20

// bounded says whether the command kept within its bounds: of memory, and of what it may write to a terminal.
func (t *Trial) bounded() error {
	var problems []error
	if t.memory > maxMemory {
		problems = append(problems, fmt.Errorf("it took %d MB of memory, %d are allowed", t.memory>>20, maxMemory>>20))
	}
	if said := t.said.String(); strings.ContainsAny(said, "\x1b\x07\u202e") {
		problems = append(problems, fmt.Errorf("it passed on to the terminal what a node said: %q", said))
	}
	return errors.Join(problems...)
}

func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
