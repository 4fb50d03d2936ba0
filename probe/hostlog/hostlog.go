//go:build linux

// Package hostlog reads the logs of a host that may be about WireGuard: systemd's
// journal, the logs that K3s writes where there is no systemd, and the kernel's. The
// host's folders are mounted to it, read-only; it opens nothing else there, writes
// nothing, and consumes no message of the kernel.
package hostlog

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Folder is where the host's folders are mounted, each under its own path.
const Folder = "/host"

// Reader reads the logs of a host. The zero value is the real one.
type Reader struct {
	Folder string                   // where the host's folders are mounted, Folder if empty
	Kernel func() (Messages, error) // reads the kernel's log, nil for the real one
	Now    func() time.Time         // the host's clock, nil for the real one
}

// reading is one reading of all logs of a host.
type reading struct {
	folder string
	since  time.Time
	now    time.Time
	words  []string
	match  *regexp.Regexp // nil for all lines
	kept   newest
	logs   []evidence.HostLog
	kernel bool // the journal has lines of the kernel
}

// Read returns the wanted lines in the order of time, and what was read. Its error is
// that of a request that cannot be carried out.
func (r Reader) Read(
	ctx context.Context, request evidence.HostLogsRequest,
) ([]evidence.HostLine, evidence.HostLogs, error) {
	if r.Folder == "" {
		r.Folder = Folder
	}
	if r.Kernel == nil {
		r.Kernel = kernelMessages
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	now := r.Now()
	last := time.Duration(request.Last) * time.Millisecond
	this := reading{folder: r.Folder, now: now, since: now.Add(-last), words: request.Words}
	if request.Match != "" {
		match, err := regexp.Compile(request.Match)
		if err != nil {
			return nil, evidence.HostLogs{}, fmt.Errorf("which lines are wanted cannot be read: %w", err)
		}
		this.match = match
	}
	this.readJournal(ctx)
	for _, path := range files {
		this.readFile(path)
	}
	if !this.kernel {
		this.readKernel(r.Kernel, r.Now)
	}
	lines := this.kept.take()
	return lines, evidence.HostLogs{Logs: this.logs, Left: this.kept.left}, nil
}

// keep keeps a line if it is wanted, and counts it in its log.
func (r *reading) keep(log *evidence.HostLog, when time.Time, source, text string) {
	if when.Before(r.since) && !when.IsZero() || !r.wants(text) {
		return
	}
	line := evidence.HostLine{Source: source, Text: plain(text)}
	if !when.IsZero() {
		line.Time = when.UnixNano()
	}
	log.Lines++
	r.kept.add(line)
}

// wants reports whether a line is one that was asked for.
func (r *reading) wants(text string) bool {
	if len(r.words) > 0 {
		lower := strings.ToLower(text)
		if !slices.ContainsFunc(r.words, func(word string) bool { return strings.Contains(lower, word) }) {
			return false
		}
	}
	return r.match == nil || r.match.MatchString(text)
}
