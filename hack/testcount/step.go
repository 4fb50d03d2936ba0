package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// grace is how long a command may clean up after it was asked to end.
const grace = time.Minute

type step struct {
	command string
	tests   bool
}

// run returns the command's exit status, or 1 if the step failed otherwise.
func (s step) run(ctx context.Context, out io.Writer, total *tally) int {
	fmt.Fprintf(out, "\n$ %s\n", s.command)
	if ctx.Err() != nil {
		total.add("fail", s.command, "not run: "+context.Cause(ctx).Error())
		return 1
	}
	part := newTally()
	err := s.execute(ctx, out, part)
	total.merge(part)
	passed, failed, skipped := part.counts()
	code := 0
	if err != nil {
		code = 1
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() > 0 {
			code = exit.ExitCode()
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		if failed == 0 || ctx.Err() != nil {
			total.add("fail", s.command, err.Error())
		}
	} else if s.tests && passed+failed+skipped == 0 {
		total.add("fail", s.command, "it ran no test")
		code = 1
	}
	if s.tests {
		fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	}
	return code
}

// execute runs the command in a process group of its own, so that all of it
// ends when it has to.
func (s step) execute(ctx context.Context, out io.Writer, part *tally) error {
	command := exec.CommandContext(ctx, "sh", "-c", s.command)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error {
		time.AfterFunc(grace, func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
		return syscall.Kill(-command.Process.Pid, syscall.SIGTERM)
	}
	command.WaitDelay = grace + 5*time.Second
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewReader(reader)
		for {
			line, err := lines.ReadString('\n')
			if line != "" {
				part.line(out, line)
			}
			if err != nil {
				return
			}
		}
	}()
	err := command.Run()
	_ = writer.Close()
	<-read
	if err != nil {
		return fmt.Errorf("running %q: %w", s.command, err)
	}
	return nil
}
