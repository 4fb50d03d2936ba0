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

func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
