package ground

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// machine is the ground `host`: node-host is a process in the switch's namespace.
type machine struct{}

func (machine) Name() string { return Host }

func (machine) Start(_ context.Context, spec Spec) (Running, error) {
	command := exec.Command(spec.Argv[0], spec.Argv[1:]...)
	command.Stdout, command.Stderr = spec.Output, spec.Output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := topology.In(filepath.Base(spec.Netns), command.Start); err != nil {
		return nil, fmt.Errorf("starting the node host: %w", err)
	}
	self := &child{process: command.Process, done: make(chan struct{})}
	go func() {
		self.err = command.Wait()
		close(self.done)
	}()
	return self, nil
}

type child struct {
	process *os.Process
	done    chan struct{}
	err     error
}

func (c *child) PID() int { return c.process.Pid }

func (c *child) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return c.err
	}
}

func (c *child) Stop() error {
	if err := c.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping the node host: %w", err)
	}
	<-c.done
	return nil
}
