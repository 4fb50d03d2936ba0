//go:build linux

package hostlog

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Messages is the kernel's log.
type Messages struct {
	Text string        // a line for each message, as syslog(2) gives it
	Up   time.Duration // how long the kernel had been running then
}

// maxKernelLog bounds how much of the kernel's log is read, in bytes.
const maxKernelLog = 16 << 20

// kernelMessages reads the kernel's log by syslog(2), which needs CAP_SYSLOG and no file.
// /dev/kmsg has the same, but a container that is not privileged may not open it,
// whatever is mounted: its cgroup admits no such device.
func kernelMessages() (Messages, error) {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	if err != nil {
		return Messages{}, fmt.Errorf("reading the kernel's log: %w", err)
	}
	buffer := make([]byte, min(size, maxKernelLog))
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buffer)
	if err != nil {
		return Messages{}, fmt.Errorf("reading the kernel's log: %w", err)
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &up); err != nil {
		return Messages{}, fmt.Errorf("reading the kernel's clock: %w", err)
	}
	return Messages{Text: string(buffer[:n]), Up: time.Duration(up.Nano())}, nil
}

// kernelLine matches a line: its level, its time in seconds since the kernel's start if
// it has one (printk.time), and perhaps who wrote it (CONFIG_PRINTK_CALLER).
var kernelLine = regexp.MustCompile(`^(?:<\d+>)?(?:\[ *(\d+)\.(\d{6})\])?(?:\[ *[TC]\d+\])? ?(.*)$`)

// readKernel reads the kernel's log.
func (r *reading) readKernel(read func() (Messages, error), clock func() time.Time) {
	log := evidence.HostLog{Name: kernelSource}
	messages, err := read()
	if err != nil {
		log.Error = err.Error()
	}
	started := clock().Add(-messages.Up)
	for line := range strings.Lines(messages.Text) {
		parts := kernelLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if parts == nil {
			continue
		}
		var when time.Time
		if seconds, err := strconv.ParseInt(parts[1], 10, 32); err == nil {
			micros, _ := strconv.ParseInt(parts[2], 10, 32) // six digits
			when = started.Add(time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond)
		}
		r.keep(&log, when, kernelSource, parts[3])
	}
	r.logs = append(r.logs, log)
}
