//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// look is how often wait looks for agents. An agent that ends in order says so
// by a signal; looking finds those that were killed.
const look = 500 * time.Millisecond

// wait is the first process of the container: it lives as long as the agent,
// and no longer than deadline, or than idle if no agent comes. It returns why
// it ended. Agents are started by the runtime, outside of this process.
func wait(ctx context.Context, deadline, idle time.Duration) string {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	defer signal.Stop(children)
	over, alone := time.After(deadline), time.After(idle)
	ticks := time.NewTicker(look)
	defer ticks.Stop()
	came := false
	for {
		select {
		case <-ctx.Done():
			return "asked to end"
		case <-over:
			return "deadline"
		case <-alone:
			if !came && !agents() {
				return "no agent came"
			}
		case <-children:
			reap()
		case <-ticks.C:
			switch here := agents(); {
			case came && !here:
				return "the agent is gone"
			case here:
				came = true
			}
		}
	}
}

// reap takes the exit status of orphans, which the first process inherits.
func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

// agents reports whether an agent of this program runs in this container.
func agents() bool {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		if pid, err := strconv.Atoi(filepath.Base(process)); err == nil && pid != os.Getpid() && runs(pid, "agent") {
			return true
		}
	}
	return false
}

// runs reports whether a process is this program with the given subcommand. A
// zombie has no command line and is not.
func runs(pid int, subcommand string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	words := bytes.Split(line, []byte{0})
	return err == nil && len(words) > 1 && filepath.Base(string(words[0])) == "wg-probe" &&
		string(words[1]) == subcommand
}

// endContainer ends the container the agent was started in, so that it does
// not outlive the session. Elsewhere the first process is none of ours.
func endContainer() {
	if os.Getpid() != 1 && runs(1, "wait") {
		_ = syscall.Kill(1, syscall.SIGTERM) // it may be ending already
	}
}
