package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// agent is the agent in one pod and the conversation with it.
type agent struct {
	role      string
	node      *evidence.Node
	pod       evidence.Pod
	session   *cluster.Session
	recording *recording.Recording
	ports     map[string]uint16 // a pod's listeners, once it listens
	lost      error
	took      time.Duration // that the agent itself worked on the last request

	mu     sync.Mutex
	stream string
	named  bool                // the stream has its name
	ways   bool                // which way its node sends to each of the others matters
	seen   []*evidence.Message // until it has, what a run depends on but peers
	peers  []peerEnd
	report func(string)
}

// early is the name of an agent's stream until it is known as what it counts.
func early(pod evidence.Pod) string {
	return "early/" + pod.Name + "/" + evidence.StreamName(pod.Role, pod.Node)
}

// deliver keeps a message.
func (a *agent) deliver(m *evidence.Message) {
	if m.Progress != nil {
		a.report(a.node.Name + ": " + m.Progress.Text)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.named {
		a.look(m)
	}
	m.Stream = a.stream
	a.recording.Add(m)
}

// look keeps of a message what a run depends on. What makes no sense in it the
// judge will find.
func (a *agent) look(m *evidence.Message) {
	switch {
	case m.Peer != nil:
		a.peers = append(a.peers, newPeerEnd(m.Peer.PublicKey, m.Peer.Endpoint))
	case m.Peers != nil:
		for i := range min(len(m.Peers.Keys), len(m.Peers.Endpoints)) {
			a.peers = append(a.peers, newPeerEnd(m.Peers.Keys[i], m.Peers.Endpoints[i]))
		}
	case m.Routes == nil || a.ways:
		a.seen = append(a.seen, m)
	}
}

// looked returns what a run depends on of what the agent said.
func (a *agent) looked() ([]*evidence.Message, []peerEnd) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen, a.peers
}

// name says what the agent's evidence counts as.
func (a *agent) name(stream string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recording.Rename(a.stream, stream)
	a.stream, a.named, a.seen, a.peers = stream, true, nil, nil
}

// senders bounds how many requests are made and sent at a time: one for each of
// a thousand nodes, with something for each of the others in it, takes much
// memory. An agent that does not listen is waited for, but keeps no other from
// its turn for longer than sendTime.
const (
	senders  = 64
	sendTime = time.Second
)

// openers bounds how many sessions are opened at a time; each costs a TLS
// handshake on both sides.
const openers = 64

// greet opens a session with the agent in a pod that became Ready, without
// waiting for it.
func (v *verification) greet(ctx context.Context, pod evidence.Pod) *agent {
	a := &agent{role: pod.Role, node: v.node(pod.Node), pod: pod, recording: v.recording, stream: early(pod), report: v.Progress.Detail, ways: v.overlaid != nil}
	v.opening.Go(func() {
		v.openers <- struct{}{}
		defer func() { <-v.openers }()
		a.session = v.placement.Session(ctx, pod.Name, a.deliver)
		v.ask(ctx, "start", a, func(a *agent) evidence.Request {
			return evidence.Request{Start: &evidence.StartRequest{
				Schema: evidence.Schema, Role: a.role, Node: a.node.Name, Index: a.node.Index, Mark: v.mark, Key: v.key,
			}}
		})
	})
	v.greeted = append(v.greeted, a)
	return a
}

// each makes a request of every agent that is still there, of all at the same
// time, and returns when all have answered.
func (v *verification) each(ctx context.Context, what string, agents []*agent, request func(*agent) evidence.Request) {
	v.Progress.Detail(what)
	began := time.Now()
	var asking sync.WaitGroup
	var last atomic.Pointer[agent]
	for _, a := range agents {
		if a.lost == nil {
			asking.Go(func() {
				v.ask(ctx, what, a, request)
				last.Store(a)
			})
		}
	}
	asking.Wait()
	step := []any{"name", what, "took", time.Since(began)}
	if a := last.Load(); a != nil {
		step = append(step, "last", a.role+"/"+a.node.Name, "itself", a.took)
	}
	v.Log.Debug("step", step...)
}

func (v *verification) ask(ctx context.Context, what string, a *agent, request func(*agent) evidence.Request) {
	limit := stepTime + time.Duration(len(v.nodes))*stepTimePer
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	var ready *evidence.Ready
	err := v.send(ctx, a, request)
	if err == nil {
		ready, err = a.session.Answer(ctx)
	}
	if err != nil {
		a.lost = err
		class := evidence.ProblemLost
		if errors.Is(err, ErrTime) || errors.Is(err, context.DeadlineExceeded) {
			class = evidence.ProblemTimeout
		}
		v.Log.Debug("agent lost", "role", a.role, "node", a.node.Name, "step", what, "error", err)
		v.account.problem(evidence.Problem{
			Class: class, What: "session " + a.role, On: a.node.Name,
			Text: cluster.Line(fmt.Sprintf("the %s on %s was lost at the step %q: %v", a.role, a.node.Name, what, err)),
		})
		return
	}
	a.took = time.Duration(ready.Took) * time.Millisecond
	if ready.Ports != nil {
		a.ports = ready.Ports
	}
}

// send makes a request and sends it, when it is the agent's turn.
func (v *verification) send(ctx context.Context, a *agent, request func(*agent) evidence.Request) error {
	v.senders <- struct{}{}
	sent := sync.OnceFunc(func() { <-v.senders })
	defer sent()
	defer time.AfterFunc(sendTime, sent).Stop()
	return a.session.Send(ctx, request(a))
}

// hangUp closes all sessions, at the same time.
func (v *verification) hangUp() {
	v.opening.Wait()
	var closing sync.WaitGroup
	for _, a := range v.greeted {
		closing.Go(a.session.Close)
	}
	closing.Wait()
}
