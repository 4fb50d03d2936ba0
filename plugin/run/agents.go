package run

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// agents are the agents in the pods of a run and the sessions with them.
type agents struct {
	placement *cluster.Placement
	nodes     *nodes
	identity  wire.Run
	record    *record
	progress  Progress
	log       *slog.Logger
	routes    bool          // which way a node sends to each of the others matters
	timeout   time.Duration // of the whole run

	probes  []*agent // by node, as pods
	pods    []*agent
	trials  []*agent
	logs    []*agent
	opened  []*agent // all, those of the first pass included
	opening sync.WaitGroup
	openers chan struct{}   // tokens, see openers
	senders chan struct{}   // tokens, see senders
	life    context.Context // of the sessions: they outlive the step that opens them
	stop    context.CancelFunc
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

// newAgents returns the agents of a run, of which none is there yet.
func newAgents(ctx context.Context, r *Run) *agents {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	return &agents{
		placement: r.placement, nodes: &r.nodes, identity: r.identity, record: r.record, routes: r.overlay != nil,
		progress: r.options.Progress, log: r.options.Log, timeout: r.options.Timeout,
		openers: make(chan struct{}, openers), senders: make(chan struct{}, senders), life: life, stop: stop,
	}
}

// await waits for all pods, for at most three quarters of the whole time, so
// that those which did start still take part. It opens a session with each as
// soon as it is Ready: the first sessions open while the last pods start. It
// returns the new agents, by node.
func (as *agents) await(ctx context.Context) (probes, pods []*agent) {
	limit := as.timeout * 3 / 4
	waiting, cancel := context.WithTimeoutCause(ctx, limit, timedOutOf(limit, as.timeout))
	defer cancel()
	as.placement.Await(waiting, func(state cluster.Waiting) {
		as.progress.Detail(state.String())
	}, func(pod evidence.Pod) {
		switch a := as.open(ctx, pod); a.role {
		case RoleProbe:
			probes = append(probes, a)
		case RoleTrial:
			as.trials = append(as.trials, a)
		case RoleLogs:
			as.logs = append(as.logs, a)
		default:
			pods = append(pods, a)
		}
	})
	as.opening.Wait()
	byNode := func(a, b *agent) int { return a.node.Index - b.node.Index }
	slices.SortFunc(probes, byNode)
	slices.SortFunc(pods, byNode)
	slices.SortFunc(as.trials, byNode)
	slices.SortFunc(as.logs, byNode)
	return probes, pods
}

// open opens a session with the agent in a pod that became Ready, without
// waiting for it.
func (as *agents) open(ctx context.Context, pod evidence.Pod) *agent {
	a := &agent{
		place: place{pod.Role, as.nodes.named(pod.Node)}, pod: pod, recording: as.record.recording,
		stream: early(pod), report: as.progress.Detail, routes: as.routes,
	}
	as.opening.Go(func() {
		as.openers <- struct{}{}
		defer func() { <-as.openers }()
		a.session = as.placement.Session(as.life, pod.Name, a.deliver)
		as.ask(ctx, "start", a, as.start)
	})
	as.opened = append(as.opened, a)
	return a
}

// start opens a session: it gives an agent its place and the identity of the run.
func (as *agents) start(at place) evidence.Request {
	return evidence.Request{Start: &evidence.StartRequest{
		Schema: evidence.Schema, Role: at.role, Node: at.node.Name, Index: at.node.Index,
		Mark: as.identity.Mark[:], Key: as.identity.Key,
	}}
}

// all returns the probes and the other agents.
func (as *agents) all() []*agent { return slices.Concat(as.probes, as.pods, as.trials, as.logs) }

// in returns the agents of a role, by node; none if nothing was placed.
func (as *agents) in(role string) []*agent {
	switch {
	case as == nil:
		return nil
	case role == RoleProbe:
		return as.probes
	case role == RoleTrial:
		return as.trials
	case role == RoleLogs:
		return as.logs
	}
	return as.pods
}

// each makes a request of every agent that is still there, of all at the same
// time, and returns when all have answered.
func (as *agents) each(ctx context.Context, what string, agents []*agent, request func(place) evidence.Request) {
	as.progress.Detail(what)
	began := time.Now()
	var asking sync.WaitGroup
	var last atomic.Pointer[agent]
	for _, a := range agents {
		if a.lost == nil {
			asking.Go(func() {
				as.ask(ctx, what, a, request)
				last.Store(a)
			})
		}
	}
	asking.Wait()
	step := []any{"name", what, "took", time.Since(began)}
	if a := last.Load(); a != nil {
		step = append(step, "last", a.role+"/"+a.node.Name, "itself", a.took)
	}
	as.log.Debug("step", step...)
}

// ask makes a request of one agent. If it does not answer, it is lost, which is
// recorded.
func (as *agents) ask(ctx context.Context, what string, a *agent, request func(place) evidence.Request) {
	limit := stepTime + time.Duration(len(as.nodes.list))*stepTimePer
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	var ready *evidence.Ready
	err := as.send(ctx, a, request)
	if err == nil {
		ready, err = a.session.Answer(ctx)
	}
	if err != nil {
		as.log.Debug("agent lost", "role", a.role, "node", a.node.Name, "step", what, "error", err)
		as.record.problem(a.lose(what, err))
		return
	}
	a.took = time.Duration(ready.Took) * time.Millisecond
	if ready.Ports != nil {
		a.ports = ready.Ports
	}
}

// send makes a request and sends it, when it is the agent's turn.
func (as *agents) send(ctx context.Context, a *agent, request func(place) evidence.Request) error {
	as.senders <- struct{}{}
	sent := sync.OnceFunc(func() { <-as.senders })
	defer sent()
	defer time.AfterFunc(sendTime, sent).Stop()
	return a.session.Send(ctx, request(a.place))
}

// close closes all sessions, at the same time.
func (as *agents) close() {
	as.opening.Wait()
	as.stop()
	var closing sync.WaitGroup
	for _, a := range as.opened {
		closing.Go(a.session.Close)
	}
	closing.Wait()
}
