package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process identifies a process beyond the reuse of its number: with its start time and the host's boot.
type process struct {
	PID   int
	Start uint64 // clock ticks after the host's boot, field 22 of proc(5)'s stat
	Boot  string
}

func identify(pid int) (process, error) {
	start, err := startTime(pid)
	if err != nil {
		return process{}, err
	}
	boot, err := hostBoot()
	return process{PID: pid, Start: start, Boot: boot}, err
}

func startTime(pid int) (uint64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("looking for process %d: %w", pid, err)
	}
	// The name in field 2 may hold anything; the fields after its last parenthesis are plain.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("process %d: %d fields in its stat", pid, len(fields))
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

var errGone = errors.New("the process has ended")

// open returns a descriptor of this very process, or errGone. It becomes readable when the process ends.
func (p process) open() (*os.File, error) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, errGone
	}
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", p.PID, err)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	// Compared after opening: from here on the descriptor cannot come to mean another process.
	if now, err := identify(p.PID); err != nil || now != p {
		return nil, errors.Join(errGone, file.Close())
	}
	return file, nil
}

func (p process) alive() bool {
	file, err := p.open()
	if err != nil {
		return false
	}
	defer file.Close()
	return !ended(file, 0)
}

// ended waits for the process behind a descriptor.
func ended(file *os.File, wait time.Duration) bool {
	polled := []unix.PollFd{{Fd: int32(file.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(polled, int(wait.Milliseconds()))
	return err == nil && n == 1
}

// wait returns when the process has ended, or with ctx's error.
func (p process) wait(ctx context.Context) error {
	file, err := p.open()
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for !ended(file, 100*time.Millisecond) {
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for process %d: %w", p.PID, ctx.Err())
		}
	}
	return nil
}

// stop ends the process: asked first, after the patience by force. A process that is gone already is not an error.
func (p process) stop(patience time.Duration) error {
	file, err := p.open()
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.PidfdSendSignal(int(file.Fd()), signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("signalling process %d: %w", p.PID, err)
		}
		if ended(file, patience) {
			return nil
		}
	}
	return fmt.Errorf("process %d outlived %v after SIGKILL", p.PID, patience)
}
