package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Process is a process that the lab started. Its start time, in clock ticks since boot, sets it apart from a later one that
// was given the same number.
type Process struct {
	Role  string `json:"role"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// Identify notes a living process.
func Identify(role string, pid int) (Process, error) {
	start, err := startTime(pid)
	if err != nil {
		return Process{}, fmt.Errorf("identifying %s: %w", role, err)
	}
	return Process{Role: role, PID: pid, Start: start}, nil
}

// Alive reports whether this very process still exists, and is not a zombie.
func (p Process) Alive() bool {
	start, err := startTime(p.PID)
	return err == nil && start == p.Start && p.PID > 0
}

// Signal sends a signal to this very process; one that has ended is not an error.
func (p Process) Signal(signal syscall.Signal) error {
	if !p.Alive() {
		return nil
	}
	if err := syscall.Kill(p.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %s to %s (%d): %w", signal, p.Role, p.PID, err)
	}
	return nil
}

// WaitGone waits until the process has ended.
func (p Process) WaitGone(patience time.Duration) bool {
	for deadline := time.Now().Add(patience); p.Alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// startTime reads field 22 of /proc/PID/stat; the second one, the name, may hold anything between its parentheses.
func startTime(pid int) (uint64, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return 0, fmt.Errorf("process %d: malformed stat", pid)
	}
	fields := bytes.Fields(data[end+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("process %d: malformed stat", pid)
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}
