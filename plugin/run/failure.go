package run

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// ErrTime is what the cause wraps when --timeout was over, or the part of it that
// a step has.
var ErrTime = errors.New("timed out")

// TimedOut is the cause when a command's --timeout was over.
func TimedOut(limit time.Duration) error {
	return &timedOut{fmt.Errorf("%w after %s (--timeout)", ErrTime, limit)}
}

// timedOutOf is the cause when a step had its part of --timeout.
func timedOutOf(limit, timeout time.Duration) error {
	return &timedOut{fmt.Errorf("%w after %s of the %s given by --timeout", ErrTime, limit, timeout)}
}

// timedOut is an error that a longer --timeout may fix.
type timedOut struct{ err error }

func (t *timedOut) Error() string { return t.err.Error() }
func (t *timedOut) Unwrap() error { return t.err }

// Hint names the flag.
func (t *timedOut) Hint() string { return "a longer --timeout gives it more time" }

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
