package command

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/logs"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// runHostLogs shows the logs of the network's pods and those of the nodes, which pods
// of the run read.
func (r *root) runHostLogs(ctx context.Context, f logsFlags) error {
	o, err := r.placementOptions(&f.placementFlags)
	if err != nil {
		return err
	}
	o.Roles = []string{run.RoleLogs}
	client, err := r.connect()
	if err != nil {
		return err
	}
	return r.observe(ctx, o, func(ctx context.Context, observation *run.Observation, progress *progress) error {
		read := r.logReader(client, f, progress.Note)
		host := &hostLogs{all: f.all}
		request := evidence.HostLogsRequest{Last: f.since.Milliseconds()}
		if !f.all {
			request.Words = logs.Words
			request.Match = logs.Pattern()
		}
		if err := observation.HostLogs(ctx, request, host.hear); err != nil {
			return err
		}
		for _, note := range host.notesOf(observation) {
			read.note(note)
		}
		lines, err := r.podLines(ctx, client, observation, read, f.timeout)
		if err != nil {
			return err
		}
		progress.pause()
		return read.write(append(lines, host.lines...))
	})
}

// podLines returns the lines of the network's pods on the nodes of an observation. That
// they cannot be read is noted: the nodes' own logs can be.
func (r *root) podLines(
	ctx context.Context, client *cluster.Client, observation *run.Observation, read *logReader, limit time.Duration,
) ([]logs.Line, error) {
	var names []string
	for _, node := range observation.Nodes() {
		names = append(names, node.Name)
	}
	reading, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("they could not be read within %s", limit))
	defer cancel()
	var lines []logs.Line
	sources, err := client.LogSources(reading, "", names)
	if err == nil {
		lines, err = read.read(reading, sources)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		var denied *cluster.NoLogAccess
		if errors.As(err, &denied) {
			err = fmt.Errorf("%w; %s", err, denied.Hint())
		}
		read.note(fmt.Sprintf("the logs of the network's pods are missing: %v", err))
	}
	return lines, nil
}

// hostLogs are the lines of nodes, as agents say them.
type hostLogs struct {
	all bool

	mu    sync.Mutex
	lines []logs.Line
	left  int // lines for which there was no room
	notes []string
	said  map[string]bool // nodes that have said what they read
}

// maxHostNotes bounds what is noted of all nodes.
const maxHostNotes = 200

// hear keeps lines, and notes what is missing of them. Nothing of it is evidence.
func (h *hostLogs) hear(a run.Agent, m *evidence.Message) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch node := a.Node.Name; {
	case m.HostLine != nil && len(h.lines) >= maxLogLines:
		h.left++
	case m.HostLine != nil:
		h.add(node, m.HostLine)
	case m.HostLogs != nil:
		h.note(missingOf(node, m.HostLogs)...)
		if h.said == nil {
			h.said = make(map[string]bool)
		}
		h.said[node] = true
	case m.Problem != nil:
		h.note(node + ": " + m.Problem.Text)
	}
	return false
}

// add keeps a line if it is to be shown, which is decided here, whatever the node sends.
func (h *hostLogs) add(node string, said *evidence.HostLine) {
	var when time.Time
	if said.Time > 0 {
		when = time.Unix(0, said.Time)
	}
	line := logs.New(node, "host "+said.Source, when, said.Text)
	if h.all || logs.Related(line.Text) {
		h.lines = append(h.lines, line)
	}
}

func (h *hostLogs) note(texts ...string) {
	for _, text := range texts {
		if len(h.notes) < maxHostNotes {
			h.notes = append(h.notes, text)
		}
	}
}

// notesOf returns what is missing of the nodes' logs.
func (h *hostLogs) notesOf(observation *run.Observation) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, node := range observation.Nodes() {
		if err := observation.Lost(run.RoleLogs, node.Name); err != nil {
			h.note(fmt.Sprintf("the logs of the node %s are missing: %v", node.Name, err))
		} else if !h.said[node.Name] {
			h.note(fmt.Sprintf("the logs of the node %s are missing: its pod has read none", node.Name))
		}
	}
	if h.left > 0 {
		h.note(fmt.Sprintf("%d lines of nodes are not shown; --since and --nodes make them fewer", h.left))
	}
	return h.notes
}

// missingOf returns what is missing of a node's logs.
func missingOf(node string, read *evidence.HostLogs) (notes []string) {
	found := false
	for _, log := range read.Logs {
		found = found || log.Name != "kernel"
		if log.Error != "" {
			notes = append(notes, fmt.Sprintf("%s: of the log %s not all could be read: %s", node, log.Name, log.Error))
		}
		if log.Compressed > 0 {
			notes = append(notes, fmt.Sprintf(
				"%s: long messages that the journal has compressed and that were not read: %d; on the node: "+
					"journalctl -u k3s -u k3s-agent", node, log.Compressed))
		}
	}
	if !found {
		notes = append(notes, node+": it has neither a journal nor a log of K3s in /var/log or /run/log")
	}
	if read.Left > 0 {
		notes = append(notes,
			fmt.Sprintf("%s: %d older lines are not shown; a shorter --since leaves them out", node, read.Left))
	}
	return notes
}
