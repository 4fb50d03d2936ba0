// Command kubectl-wg is the kubectl plugin: `kubectl wg`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/plugin/command"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	interrupts := &command.Interrupts{}
	ctx := interrupts.Watch(context.Background(), signals, os.Stderr, os.Exit)
	streams := command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(command.Main(ctx, os.Args, streams, interrupts))
}
