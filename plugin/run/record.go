package run

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// record is the plugin's own stream: what it saw of the cluster and did.
type record struct {
	mu        sync.Mutex
	last      uint32 // number of the last message
	recording *recording.Recording
}

func newRecord(version string, into *recording.Recording) *record {
	r := &record{recording: into}
	r.add(evidence.Message{Hello: &evidence.Hello{
		Schema: evidence.Schema, Version: version, Role: evidence.PluginStream, Arch: runtime.GOARCH, OS: runtime.GOOS,
		Clock: time.Now().UnixNano(),
	}})
	return r
}

func (r *record) add(m evidence.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	if m.Bye != nil {
		m.Bye.Messages = r.last
	}
	m.Stream = evidence.PluginStream
	m.Seq = r.last
	// What does not fit a message is not known: a Problem in its place makes the
	// whole run inconclusive, and says why.
	if _, err := evidence.Encode(&m); err != nil {
		m = evidence.Message{Stream: m.Stream, Seq: m.Seq, Problem: &evidence.Problem{
			Class: evidence.ProblemInternal, What: evidence.ProblemAccount, Text: err.Error(),
		}}
	}
	r.recording.Add(&m)
}

func (r *record) problem(p evidence.Problem) { r.add(evidence.Message{Problem: &p}) }

// pods records what became of each pod, and why of those that did not start.
func (r *record) pods(placement *cluster.Placement) {
	type place struct{ role, node string }
	final := map[place]evidence.Pod{}
	var order []place
	for _, pod := range placement.Pods() {
		at := place{pod.Role, pod.Node}
		before, known := final[at]
		if !known {
			order = append(order, at)
		}
		if !known || pod.Ready || !before.Ready {
			final[at] = pod
		}
	}
	for _, at := range order {
		pod := final[at]
		r.add(evidence.Message{Pod: &pod})
	}
	for _, p := range placement.Problems() {
		r.problem(named(p))
	}
}

// named adds to the reason why a pod did not start which pod that is.
func named(p evidence.Problem) evidence.Problem {
	pod := strings.TrimPrefix(p.What, "place ")
	switch pod {
	case "pod":
		pod = "test pod"
	case manifests.Newcomer:
		pod = "new pod"
	case manifests.Trial:
		pod = "trial's pod"
	case manifests.Logs:
		pod = "pod that reads logs"
	}
	p.Text = cluster.Line(fmt.Sprintf("the %s on %s did not start: %s", pod, p.On, p.Text))
	return p
}

// end records what the run was asked for and did, and ends the stream.
func (r *record) end(about *evidence.Run) {
	for _, m := range runMessages(about) {
		r.add(m)
	}
	r.add(evidence.Message{Bye: &evidence.Bye{}})
}

// runMessages returns the message of a run and, before it, as many as its tries
// need: one message has a bounded length. A reader joins their tries.
func runMessages(about *evidence.Run) (messages []evidence.Message) {
	last := *about
	last.Tries = nil
	rest := about.Tries
	for len(rest) > 0 {
		part := last
		part.Newcomers = nil
		n := 1
		for n < len(rest) && isMessage(part, rest[:n+1]) {
			n++
		}
		part.Tries = rest[:n]
		rest = rest[n:]
		messages = append(messages, evidence.Message{Run: &part})
	}
	return append(messages, evidence.Message{Run: &last})
}

// isMessage reports whether a run with so many tries is short enough for one
// message. Stream and number are still to be added.
func isMessage(run evidence.Run, tries []evidence.Try) bool {
	const stamp = 64
	run.Tries = tries
	line, err := evidence.Encode(&evidence.Message{Run: &run})
	return err == nil && len(line) <= evidence.MaxMessage-stamp
}
