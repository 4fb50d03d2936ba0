package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// place is where an agent is: a probe's or a test pod's, on a node.
type place struct {
	role string
	node *evidence.Node
}

// agent is the agent in one pod and the session with it.
type agent struct {
	place
	pod       evidence.Pod
	session   *cluster.Session
	recording *recording.Recording
	ports     map[string]uint16 // a pod's listeners, once it listens
	lost      error
	took      time.Duration // that the agent itself worked on the last request
	report    func(string)
	routes    bool                         // see agents
	hear      func(*evidence.Message) bool // see Observation.Ask; nil records all

	mu     sync.Mutex
	netns  uint64 // that it is in, see evidence.Hello
	stream string
	named  bool // the stream has its name
	said   said // until it has
}

// early is the name of an agent's stream until it is known as what it counts.
func early(pod evidence.Pod) string {
	return "early/" + pod.Name + "/" + evidence.StreamName(pod.Role, pod.Node)
}

// deliver keeps a message, and reports whether it did.
func (a *agent) deliver(m *evidence.Message) bool {
	if m.Progress != nil {
		a.report(a.node.Name + ": " + m.Progress.Text)
		return true
	}
	a.mu.Lock()
	hear := a.hear
	a.mu.Unlock()
	if hear != nil && !hear(m) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.Hello != nil {
		a.netns = m.Hello.NetNS
	}
	if !a.named {
		a.said.keep(m, a.routes)
	}
	m.Stream = a.stream
	a.recording.Add(m)
	return true
}

// public returns the agent as those see it who make requests of it.
func (a *agent) public() Agent { return Agent{Role: a.role, Node: a.node, Pod: &a.pod} }

// namespace is the network namespace that the agent is in, 0 if it is not known.
func (a *agent) namespace() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.netns
}

// listen sets who hears the agent's messages before they are recorded.
func (a *agent) listen(hear func(Agent, *evidence.Message) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hear = nil
	if hear != nil {
		a.hear = func(m *evidence.Message) bool { return hear(a.public(), m) }
	}
}

// heard returns what the agent said so far.
func (a *agent) heard() said {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.said
}

// name decides what the agent's evidence counts as, and returns what it said so
// far, which is not kept decoded any longer.
func (a *agent) name(stream string) said {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recording.Rename(a.stream, stream)
	a.stream = stream
	a.named = true
	heard := a.said
	a.said = said{}
	return heard
}

// lose notes that there is no session with the agent any more, and returns that
// as a problem.
func (a *agent) lose(step string, err error) evidence.Problem {
	a.lost = err
	lost := evidence.Problem{
		Class: evidence.ProblemLost, What: "session " + a.role, On: a.node.Name,
		Text: cluster.Line(fmt.Sprintf("the %s on %s was lost at the step %q: %v", a.role, a.node.Name, step, err)),
	}
	var unreachable *cluster.KubeletUnreachable
	var distrusted *cluster.KubeletDistrusted
	switch {
	case errors.As(err, &unreachable):
		lost.Class = evidence.ProblemUnreachable
		lost.Text = cluster.Line(unreachable.About("the kubelet of " + a.node.Name))
	case errors.As(err, &distrusted):
		lost.Hint = distrusted.Hint()
	case errors.Is(err, ErrTime), errors.Is(err, context.DeadlineExceeded):
		lost.Class = evidence.ProblemTimeout
	}
	return lost
}

// testPodsOf returns what others know of the pods in which the agents are.
func testPodsOf(agents []*agent) testPods {
	var pods testPods
	for _, a := range agents {
		pods = append(pods, testPod{
			node: a.node, ips: a.pod.IPs, ports: a.ports, lost: a.lost != nil,
			wait: time.Duration(a.pod.Wait) * time.Millisecond,
		})
	}
	return pods
}
