package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// examine holds the report against what the scenario asks of it besides the verdict.
func (s Scenario) examine(r report) error {
	var problems []error
	if s.Pairs != nil || s.Want.Verdict == "PASS" && r.Verdict == "PASS" {
		var unproven, want []string
		for _, pair := range r.Pairs {
			both := pair.Node + ">" + pair.Peer
			one := fmt.Sprintf("%s/%d", both, pair.Family)
			if pair.Status != "pass" {
				unproven = append(unproven, one)
			}
			if slices.Contains(s.Pairs, both) || slices.Contains(s.Pairs, one) {
				want = append(want, one)
			}
		}
		if !slices.Equal(unproven, want) || len(s.Pairs) > len(want) {
			problems = append(problems, fmt.Errorf("not proven: %s, want %s", list(unproven), list(s.Pairs)))
		}
	}
	if s.Tested != 0 && len(r.Pairs) != s.Tested {
		problems = append(problems, fmt.Errorf("%d pairs and families were tested, want %d", len(r.Pairs), s.Tested))
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
	problems = append(problems, s.examineClasses(r))
	for _, code := range s.Causes {
		if roots := r.roots(); !slices.Contains(roots, code) {
			problems = append(problems, fmt.Errorf("the root causes are %s, want %s", list(roots), list(s.Causes)))
			break
		}
	}
	return errors.Join(problems...)
}

// examineClasses compares the cells of the matrix of classes with those that are wanted.
func (s Scenario) examineClasses(r report) error {
	had, why := map[string]string{}, map[string]string{}
	for _, row := range r.Classes {
		had[row.Class], why[row.Class] = row.Cell, row.Why
	}
	var problems []error
	for _, class := range slices.Sorted(maps.Keys(s.Classes)) {
		if want := s.Classes[class]; had[class] != want {
			problems = append(problems, fmt.Errorf("%s is %q (%s), want %q", class, had[class], why[class], want))
		}
	}
	return errors.Join(problems...)
}

// maxMemory is what the command may take, in bytes: a node may say much, and two cannot say more than is bounded.
const maxMemory = 400 << 20

// bounded reports whether the command kept within its bounds: of memory, and of what it may write to a terminal.
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
