//go:build linux

package perf

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The columns of a line of /proc/stat, see proc(5).
const (
	user = iota
	nice
	system
	idle
	ioWait
	irq
	softIRQ
	steal
	columns
)

type ticks [columns]uint64

// reading is what the processors of the machine have done, and this program.
type reading struct {
	at        time.Time
	all       ticks
	each      map[string]ticks
	own       time.Duration
	throttled int
}

// read reads /proc/stat. A container sees that of its machine there.
func read() reading {
	text, _ := os.ReadFile("/proc/stat") // without it there is nothing to report
	r := parseStat(text)
	r.at = time.Now()
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) == nil {
		r.own = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	// Only control groups of version 2 are the container's own there.
	limits, _ := os.ReadFile("/sys/fs/cgroup/cpu.stat")
	r.throttled = parseThrottled(limits)
	return r
}

func parseStat(text []byte) reading {
	r := reading{each: map[string]ticks{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(name, "cpu") {
			continue
		}
		var t ticks
		for i, field := range strings.Fields(rest) {
			if i < columns {
				t[i], _ = strconv.ParseUint(field, 10, 64)
			}
		}
		if name == "cpu" {
			r.all = t
		} else {
			r.each[name] = t
		}
	}
	return r
}

func parseThrottled(text []byte) (times int) {
	for line := range strings.Lines(string(text)) {
		if count, found := strings.CutPrefix(strings.TrimSpace(line), "nr_throttled "); found {
			times, _ = strconv.Atoi(count)
		}
	}
	return times
}

// since returns what was done between two readings; nil if nothing was read, or
// less than a tick passed.
func (r reading) since(before reading) *evidence.Busy {
	spent := r.all.since(before.all)
	total := spent.total()
	if len(r.each) == 0 || total == 0 {
		return nil
	}
	share := func(columns ...int) float64 {
		sum := 0.0
		for _, column := range columns {
			sum += float64(spent[column])
		}
		return rounded(sum / total)
	}
	b := &evidence.Busy{
		CPUs: len(r.each), User: share(user, nice), System: share(system), Interrupts: share(irq, softIRQ),
		Stolen: share(steal), Idle: share(idle, ioWait), Throttled: max(r.throttled-before.throttled, 0),
	}
	for name, now := range r.each {
		one := now.since(before.each[name])
		if all := one.total(); all > 0 {
			b.Busiest = max(b.Busiest, rounded(1-float64(one[idle]+one[ioWait])/all))
		}
	}
	if passed := r.at.Sub(before.at); passed > 0 {
		b.Own = rounded(float64(r.own-before.own) / float64(passed))
	}
	return b
}

func (t ticks) since(before ticks) (spent ticks) {
	for i := range t {
		if t[i] > before[i] { // iowait can go backwards, see proc(5)
			spent[i] = t[i] - before[i]
		}
	}
	return spent
}

func (t ticks) total() float64 {
	sum := 0.0
	for _, one := range t {
		sum += float64(one)
	}
	return sum
}

func rounded(share float64) float64 { return math.Round(share*1e4) / 1e4 }
