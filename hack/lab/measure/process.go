package measure

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// guard ends a process that has more than so many bytes resident, or lives longer, and says so.
func guard(process *os.Process, memory int64, life time.Duration, ended <-chan struct{}) string {
	over := time.After(life)
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for {
		why := ""
		select {
		case <-ended:
			return ""
		case <-over:
			why = fmt.Sprintf("ended by the rig after %s", life)
		case <-ticks.C:
			if has := resident(process.Pid); has > memory {
				why = fmt.Sprintf("ended by the rig at %d MB", has/1e6)
			}
		}
		if why != "" {
			_ = process.Kill() // it may have ended
			<-ended
			return why
		}
	}
}

// resident is the second field of /proc/PID/statm, in pages; 0 for a process that has ended.
func resident(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// maxResident is the most that a process that has ended ever had resident, in bytes; getrusage(2) gives kilobytes.
func maxResident(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}

// ticks is USER_HZ, which is 100 on every architecture that Go runs on.
const ticks = 100

// processorTimes reads fields 14 and 15 of /proc/PID/stat, the time in user space and in the kernel.
func processorTimes(pids map[string]int) (map[string]time.Duration, error) {
	times := map[string]time.Duration{}
	for role, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return nil, fmt.Errorf("reading the processor time of %s: %w", role, err)
		}
		fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if len(fields) < 13 {
			return nil, fmt.Errorf("reading the processor time of %s: malformed stat", role)
		}
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(string(field), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("reading the processor time of %s: %w", role, err)
			}
			times[role] += time.Duration(n) * time.Second / ticks
		}
	}
	return times, nil
}
