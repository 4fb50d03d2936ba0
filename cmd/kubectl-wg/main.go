// Command kubectl-wg is the kubectl plugin: `kubectl wg`.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/plugin/command"
)

// heapGrowth is how many percent the heap may grow between two collections.
// Go's own is 100; what a run among many nodes holds lives long, so that
// collecting it more often costs little compared to the memory that is saved.
const heapGrowth = 20

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		signal.Notify(signals, syscall.SIGHUP) // the terminal is gone
	}
	// A write to a pipe that nobody reads is an error like others then, and does
	// not end the program before its clean-up. Programs that are started for
	// credentials do not inherit this, as they would signal.Ignore.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	interrupts := &command.Interrupts{}
	ctx := interrupts.Watch(context.Background(), signals, os.Stderr, os.Exit)
	streams := command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(command.Main(ctx, os.Args, streams, interrupts))
}
