package node

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// services starts a node's processes and reaps all that end in it, as the first process has to: those that it started,
// and those that were orphaned to it. Nothing else in this process may wait for children.
type services struct {
	mutex   sync.Mutex
	waiting map[int]chan syscall.WaitStatus
}

func newServices() *services { return &services{waiting: map[int]chan syscall.WaitStatus{}} }

// reap serves until the process ends.
func (s *services) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil { // no children yet, or interrupted
			time.Sleep(20 * time.Millisecond)
			continue
		}
		s.mutex.Lock()
		waiter := s.waiting[pid]
		delete(s.waiting, pid)
		s.mutex.Unlock()
		if waiter != nil {
			waiter <- status
		}
	}
}

// start runs argv with its output in the file.
func (s *services) start(output *os.File, argv ...string) (pid int, ended <-chan syscall.WaitStatus, err error) {
	path, err := lookPath(argv[0])
	if err != nil {
		return 0, nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	defer null.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Dir:   "/",
		Env:   environment(),
		Files: []uintptr{null.Fd(), output.Fd(), output.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	waiter := make(chan syscall.WaitStatus, 1)
	s.waiting[pid] = waiter
	return pid, waiter, nil
}

// run waits for the command to end well.
func (s *services) run(output *os.File, argv ...string) error {
	_, ended, err := s.start(output, argv...)
	if err != nil {
		return err
	}
	if status := <-ended; status != 0 {
		return fmt.Errorf("%v: exit status %d, signal %d", argv, status.ExitStatus(), status.Signal())
	}
	return nil
}

// keep runs a service for the life of the node: one that ends is started again, so that killing it is restarting it. As
// long as /run/lab/NAME.hold exists it is not started.
func (s *services) keep(ctx context.Context, name string, output *os.File, argv ...string) {
	for ctx.Err() == nil {
		for exists("/run/lab/" + name + ".hold") {
			time.Sleep(50 * time.Millisecond)
		}
		began := time.Now()
		pid, ended, err := s.start(output, argv...)
		if err != nil {
			slog.Error("service", "name", name, "error", err)
			time.Sleep(time.Second)
			continue
		}
		pidFile := "/run/lab/" + name + ".pid"
		if err := os.WriteFile(pidFile, fmt.Appendln(nil, pid), 0o644); err != nil {
			slog.Error("service", "name", name, "error", err)
		}
		slog.Info("service started", "name", name, "pid", pid)
		status := <-ended
		slog.Warn("service ended", "name", name, "status", status.ExitStatus(), "signal", status.Signal())
		if time.Since(began) < 2*time.Second {
			time.Sleep(500 * time.Millisecond)
		}
	}
}

func lookPath(name string) (string, error) {
	if name[0] == '/' {
		return name, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", name, err)
	}
	return path, nil
}
