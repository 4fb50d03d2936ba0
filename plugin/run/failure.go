package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// ErrTime is the cause when --timeout was over.
var ErrTime = errors.New("the time given by --timeout is over")

// Failure is the error of a phase that kept the run from a verdict.
type Failure struct {
	Phase string
	Err   error
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %v", f.Phase, f.Err) }
func (f *Failure) Unwrap() error { return f.Err }

// NotPlaced is the error when no probe became Ready, so that there is nothing
// to judge.
type NotPlaced struct{ Problems []evidence.Problem }

func (e *NotPlaced) Error() string {
	// The same reason on many nodes is said once.
	var reasons []string
	on := map[string][]string{}
	for _, p := range e.Problems {
		if on[p.Text] == nil {
			reasons = append(reasons, p.Text)
		}
		if !slices.Contains(on[p.Text], p.On) {
			on[p.Text] = append(on[p.Text], p.On)
		}
	}
	if len(reasons) == 0 {
		return "no probe became Ready"
	}
	lines := make([]string, len(reasons))
	for i, reason := range reasons {
		lines[i] = some(on[reason]) + ": " + reason
	}
	return "no probe became Ready:\n  " + strings.Join(lines, "\n  ")
}

// Hint is that of the first problem which has one.
func (e *NotPlaced) Hint() string {
	for _, p := range e.Problems {
		if p.Hint != "" {
			return p.Hint
		}
	}
	return ""
}

// some names a few of many.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
