//go:build linux

// wg-probe is what runs on a node. It only ever reads and measures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/agent"
)

// version is set by the linker.
var version = "devel"

const usage = `usage:
  wg-probe agent                              one session on stdin and stdout
  wg-probe wait [--deadline 10m] [--idle 60s] the container's first process
  wg-probe newcomer --index N --to ...        wait, and send from the first moment on, with
                                              the run's mark and key from the environment
  wg-probe version
`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run returns the exit code: 0 done, 1 could not, 2 usage.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	switch flags := flag.NewFlagSet(args[0], flag.ContinueOnError); args[0] {
	case "agent":
		defer endContainer()
		if err := agent.Run(ctx, stdin, stdout, agent.Options{Version: version, Log: log}); err != nil {
			log.Error("the session ended", "cause", err)
			return 1
		}
	case "wait", "newcomer":
		flags.SetOutput(stderr)
		deadline := flags.Duration("deadline", 10*time.Minute, "end after this time at the latest")
		idle := flags.Duration("idle", time.Minute, "end if no agent came within this time")
		var first agent.Newcomer
		if args[0] == "newcomer" {
			flags.IntVar(&first.Index, "index", 0, "number of this pod's node")
			first = agent.NewcomerFrom(os.Getenv)
			flags.Func("to", "a pod to send to, INDEX@ADDRESS:PORT; may be repeated", func(target string) error {
				first.Targets = append(first.Targets, target)
				return nil
			})
		}
		if err := flags.Parse(args[1:]); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return 0
			}
			return 2
		}
		if err := first.Send(ctx); err != nil {
			log.Error("sending the first packets", "cause", err)
			return 1
		}
		log.Info("waiting is over", "cause", wait(ctx, *deadline, *idle))
	case "version":
		fmt.Fprintln(stdout, version)
	default:
		fmt.Fprint(stderr, usage)
		return 2
	}
	return 0
}
