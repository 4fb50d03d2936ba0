// Command testcount runs test commands one after the other and ends with one
// line that counts their tests:
//
//	testcount [-timeout DURATION] KIND:COMMAND...
//
// KIND "tests" is a command whose results are counted, "check" one that only
// has to succeed. A COMMAND is for sh. Results are the events of
// `go test -json`, lines of the form of `go test -v`, or rows of the table that
// `lab run` ends with:
//
//	--- PASS: name (1.5s)
//	name  pass  0  …
//
// The output of `go test -json` is shown for failing tests only; what is not
// an event is shown as it comes. A command that fails without a failed test is
// itself one failed test, and so is a "tests" command without any test: no
// result is never a good result. The exit status is that of the first command
// that failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	timeout := flag.Duration("timeout", 0, "end all commands after this time, 0 for never")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: testcount [-timeout DURATION] {tests|check}:COMMAND...")
		flag.PrintDefaults()
	}
	flag.Parse()
	var steps []step
	for _, argument := range flag.Args() {
		kind, command, ok := strings.Cut(argument, ":")
		if !ok || kind != "tests" && kind != "check" {
			fmt.Fprintf(os.Stderr, "testcount: %q: want tests:COMMAND or check:COMMAND\n", argument)
			os.Exit(2)
		}
		steps = append(steps, step{command: strings.TrimSpace(command), tests: kind == "tests"})
	}
	if len(steps) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("not ended after %s", *timeout))
		defer cancel()
	}
	os.Exit(all(ctx, steps))
}

// all runs the steps, prints the closing line and returns the exit status.
func all(ctx context.Context, steps []step) int {
	start, status, total := time.Now(), 0, newTally()
	for _, s := range steps {
		code := s.run(ctx, os.Stdout, total)
		if status == 0 {
			status = code
		}
	}
	fmt.Println()
	for _, skipped := range total.skips() {
		fmt.Println("skipped:", skipped)
	}
	for _, failed := range total.fails() {
		fmt.Println("failed:", failed)
	}
	passed, failed, skipped := total.counts()
	fmt.Printf("took %s\n%d passed, %d failed, %d skipped\n", time.Since(start).Round(time.Second), passed, failed, skipped)
	if status == 0 && failed > 0 {
		status = 1
	}
	return status
}
