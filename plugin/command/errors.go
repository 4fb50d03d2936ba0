package command

import (
	"errors"
	"fmt"
	"io"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// The exit codes, the same in every output format.
const (
	exitVerified     = 0
	exitNotVerified  = 1
	exitUsage        = 2
	exitInconclusive = 3
	exitCouldNotRun  = 4
)

// coded is an error with an exit code.
type coded interface{ ExitCode() int }

// hinted is an error with a hint what to do about it.
type hinted interface{ Hint() string }

// outcome ends the program with a code and without a message: the report has
// everything.
type outcome int

func (o outcome) Error() string { return fmt.Sprintf("exit code %d", int(o)) }

// ExitCode is the outcome itself.
func (o outcome) ExitCode() int { return int(o) }

// after is an error after the verdict, whose exit code stays.
type after struct {
	ends outcome
	err  error
}

func (a *after) Error() string { return a.err.Error() }
func (a *after) Unwrap() error { return a.err }

// ExitCode is the verdict's.
func (a *after) ExitCode() int { return int(a.ends) }

// usage is the error for a command line that is not valid.
type usage struct {
	err  error
	hint string
}

func usageError(err error, hint string) error { return &usage{err, hint} }

func usagef(hint, format string, args ...any) error {
	return usageError(fmt.Errorf(format, args...), hint)
}

func (u *usage) Error() string { return u.err.Error() }
func (u *usage) Unwrap() error { return u.err }

// Hint describes what would be valid.
func (u *usage) Hint() string { return u.hint }

// ExitCode is that of a usage error.
func (u *usage) ExitCode() int { return exitUsage }

// advised is an error with a hint, whose exit code is what it would be without.
type advised struct {
	err  error
	hint string
}

func (a *advised) Error() string { return a.err.Error() }
func (a *advised) Unwrap() error { return a.err }

// Hint describes what to do about it.
func (a *advised) Hint() string { return a.hint }

// fail reports an error and returns its exit code. An error without a code means
// that there is no verdict.
func fail(w io.Writer, err error) int {
	if err == nil {
		return exitVerified
	}
	if ends, ok := err.(outcome); ok { //nolint:errorlint // joined with another error it is to be reported
		return int(ends)
	}
	fmt.Fprintf(w, "error: %s\n", report.Printable(cluster.Redact(err.Error())))
	for _, hint := range hints(err) {
		fmt.Fprintf(w, "hint: %s\n", report.Printable(hint))
	}
	var code coded
	if errors.As(err, &code) {
		return code.ExitCode()
	}
	return exitCouldNotRun
}

// hints collects the hints of an error and of all that it wraps.
func hints(err error) (all []string) {
	if hint, ok := err.(hinted); ok && hint.Hint() != "" { //nolint:errorlint // this walks the tree itself
		return []string{hint.Hint()}
	}
	switch wrapped := err.(type) { //nolint:errorlint // this walks the tree itself
	case interface{ Unwrap() error }:
		return hints(wrapped.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range wrapped.Unwrap() {
			all = append(all, hints(one)...)
		}
	}
	return all
}
