package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

// Interrupted is the cause when a signal ended the run.
type Interrupted struct{ Signal os.Signal }

func (i *Interrupted) Error() string {
	if i.Signal == os.Interrupt {
		return "interrupted"
	}
	return fmt.Sprintf("interrupted (%v)", i.Signal)
}

// ExitCode is the shell's for a program that a signal ended: 130 for Ctrl-C, 143
// for SIGTERM.
func (i *Interrupted) ExitCode() int {
	const bySignal = 128
	if number, ok := i.Signal.(syscall.Signal); ok {
		return bySignal + int(number)
	}
	return exitCouldNotRun
}

// Interrupts turns the first signal into the end of a context, so that the run
// cleans up, and the second into the end of the program.
type Interrupts struct{ left atomic.Pointer[string] }

// Left sets the command that removes what the program would leave if it ended
// now, empty for nothing.
func (i *Interrupts) Left(command string) { i.left.Store(&command) }

// Watch returns a context that ends with the first signal, whose cause is
// Interrupted. At the second signal it reports what is left and calls exit.
func (i *Interrupts) Watch(ctx context.Context, signals <-chan os.Signal, w io.Writer, exit func(int)) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		cancel(&Interrupted{<-signals})
		again := &Interrupted{<-signals}
		if left := i.left.Load(); left != nil && *left != "" {
			fmt.Fprintf(w, "\nerror: interrupted twice; what the run created may be left\nhint: %s\n", *left)
		}
		exit(again.ExitCode())
	}()
	return ctx
}

// created is what may have created something in the cluster.
type created interface{ Created() bool }

// interruption returns the error of a run that a signal ended: when, and what
// became of what the run created. Other errors it returns as they are.
func interruption(err error, r created, left error, kept bool) error {
	var interrupted *Interrupted
	if !errors.As(err, &interrupted) {
		return err
	}
	consequence := "what the run created was removed"
	switch {
	case !r.Created():
		consequence = "nothing was created"
	case left != nil:
		consequence = "not all that the run created could be removed"
	case kept:
		consequence = "what the run created is kept"
	}
	var failure *run.Failure
	if errors.As(err, &failure) {
		return fmt.Errorf("%w while %s; %s", interrupted, failure.Phase, consequence)
	}
	return fmt.Errorf("%w; %s", interrupted, consequence)
}
