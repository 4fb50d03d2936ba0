package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// ErrInterrupted is the cause when a signal ended the run.
var ErrInterrupted = errors.New("interrupted")

// Interrupts turns the first signal into the end of a context, so that the run
// cleans up, and the second into the end of the program.
type Interrupts struct{ left atomic.Pointer[string] }

// Left sets the command that removes what the program would leave if it ended
// now, empty for nothing.
func (i *Interrupts) Left(command string) { i.left.Store(&command) }

// Watch returns a context that ends with the first signal. At the second signal
// it reports what is left and calls exit.
func (i *Interrupts) Watch(ctx context.Context, signals <-chan os.Signal, w io.Writer, exit func(int)) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		<-signals
		cancel(ErrInterrupted)
		<-signals
		if left := i.left.Load(); left != nil && *left != "" {
			fmt.Fprintf(w, "\nerror: interrupted twice; what the run created may be left\nhint: %s\n", *left)
		}
		exit(exitCouldNotRun)
	}()
	return ctx
}
