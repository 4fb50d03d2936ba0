package run

import (
	"runtime"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// account is the plugin's own stream: what it saw of the cluster and did.
type account struct {
	mu        sync.Mutex
	last      uint32 // number of the last message
	recording *recording.Recording
}

func newAccount(version string, into *recording.Recording) *account {
	a := &account{recording: into}
	a.add(evidence.Message{Hello: &evidence.Hello{
		Schema: evidence.Schema, Version: version, Role: evidence.PluginStream, Arch: runtime.GOARCH, OS: runtime.GOOS,
		Clock: time.Now().UnixNano(),
	}})
	return a
}

func (a *account) add(m evidence.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	if m.Bye != nil {
		m.Bye.Messages = a.last
	}
	m.Stream, m.Seq = evidence.PluginStream, a.last
	// What does not fit a message is not known: a Problem in its place makes the
	// whole run inconclusive, and says why.
	if _, err := evidence.Encode(&m); err != nil {
		m = evidence.Message{Stream: m.Stream, Seq: m.Seq, Problem: &evidence.Problem{
			Class: evidence.ProblemInternal, What: evidence.ProblemAccount, Text: err.Error(),
		}}
	}
	a.recording.Add(&m)
}

func (a *account) problem(p evidence.Problem) { a.add(evidence.Message{Problem: &p}) }

func (a *account) bye() { a.add(evidence.Message{Bye: &evidence.Bye{}}) }
