package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Observation is a set of agents for a command that reads or measures without
// proving anything: one probe on each selected node, and a pod in the pod
// network where Options.Roles says so. Its methods are called in this order:
//
//	Observe → Read → Ask, as often as needed → Evidence → Close
//
// What the agents say is recorded as in a verification, and can be judged.
type Observation struct {
	run  *Run
	plan *plan // of Read
}

// Observe surveys the cluster, places the agents and opens a session with each.
// The observation is to be closed even if there is an error, which is a *Failure.
func Observe(ctx context.Context, o Options) (*Observation, error) {
	if len(o.Roles) == 0 {
		o.Roles = []string{RoleProbe}
	}
	run, err := Open(ctx, o)
	return &Observation{run: run}, err
}

// Agent is one agent of an observation, as a request is made for it.
type Agent struct {
	Role string // RoleProbe, RolePod, RoleTrial or RoleLogs
	Node *evidence.Node
	Pod  *evidence.Pod // in which it runs
}

// Agents returns the agents with which there is a session, by node.
func (o *Observation) Agents(role string) (agents []Agent) {
	for _, a := range o.run.agents.in(role) {
		if a.lost == nil {
			agents = append(agents, a.public())
		}
	}
	return agents
}

// Nodes returns all nodes that take part, with or without an agent.
func (o *Observation) Nodes() []evidence.Node { return o.run.nodes.list }

// Surveyed returns all nodes of the cluster, those included that take no part,
// which have index -1.
func (o *Observation) Surveyed() []evidence.Node { return o.run.surveyed }

// Read has all probes report the state of their hosts and devices. A node whose
// WireGuard runs in userspace gets a second probe that sees its control socket.
func (o *Observation) Read(ctx context.Context) error {
	return o.run.phase(ctx, "reading the nodes", func(ctx context.Context) error {
		run := o.run
		o.plan = &plan{
			nodes: &run.nodes, about: &run.about, pods: testPodsOf(run.agents.pods), overlay: run.overlay,
			ports: run.ports, samples: run.options.Samples,
		}
		run.agents.each(ctx, "reading the nodes", run.agents.probes, o.plan.read)
		if err := run.secondPass(ctx, o.plan); err != nil {
			return err
		}
		run.record.pods(run.placement)
		return nil
	})
}

// ReadRequest is what Read asks of a probe, to be asked again after it.
func (o *Observation) ReadRequest(of Agent) evidence.Request {
	return o.plan.read(place{role: of.Role, node: of.Node})
}

// Survey asks the API server for the cluster and its nodes again. Nodes that take
// part keep their indexes, also those that the server no longer knows; one that
// came later takes no part.
func (o *Observation) Survey(ctx context.Context) ([]*evidence.Message, error) {
	survey, err := o.run.options.Cluster.Survey(ctx, o.run.options.Selection)
	if err != nil {
		return nil, err
	}
	now := map[string]*evidence.Node{}
	for i := range survey.Nodes {
		now[survey.Nodes[i].Name] = &survey.Nodes[i]
	}
	messages := []*evidence.Message{{Cluster: &survey.Cluster}}
	for i := range o.run.nodes.list {
		n := &o.run.nodes.list[i]
		if is := now[n.Name]; is != nil {
			is.Index, is.Excluded = n.Index, ""
			n = is
		}
		delete(now, n.Name)
		messages = append(messages, &evidence.Message{Node: n})
	}
	for i := range survey.Nodes {
		n := &survey.Nodes[i]
		if now[n.Name] == nil {
			continue
		}
		if n.Index >= 0 {
			n.Index, n.Excluded = -1, "it came after this began"
		}
		messages = append(messages, &evidence.Message{Node: n})
	}
	return messages, nil
}

// Ask makes a request of every agent of a role, of all at the same time, and
// returns when all have answered or are lost, which is recorded. What they say
// is recorded, and goes to hear before; nil for nobody. A message for which hear
// returns false is not recorded: frames, or what is asked again and again.
// Both may be called from several goroutines.
func (o *Observation) Ask(
	ctx context.Context, what, role string, request func(Agent) evidence.Request,
	hear func(Agent, *evidence.Message) bool,
) {
	agents := o.run.agents.in(role)
	for _, a := range agents {
		a.listen(hear)
	}
	o.run.agents.each(ctx, what, agents, func(at place) evidence.Request {
		for _, a := range agents {
			if a.node == at.node {
				return request(a.public())
			}
		}
		return evidence.Request{}
	})
}

// Recorded returns what was recorded so far, to be read while the observation goes
// on. From then on no second probe takes the place of a first one.
func (o *Observation) Recorded() *recording.Recording {
	o.nameStreams()
	return o.run.recording
}

// Lost returns why there is no session with the agent of a role on a node; nil
// if there is one.
func (o *Observation) Lost(role, node string) error {
	for _, a := range o.run.agents.in(role) {
		if a.node.Name == node {
			return a.lost
		}
	}
	for _, p := range o.run.placement.Problems() {
		if p.On == node && p.What == "place "+role {
			return errors.New(named(p).Text)
		}
	}
	return fmt.Errorf("there is no %s on %s", role, node)
}

// Evidence ends the record and returns it. It is called once.
func (o *Observation) Evidence() *recording.Recording {
	o.nameStreams()
	return o.run.Evidence()
}

// nameStreams gives each agent's stream the name under which it is judged.
func (o *Observation) nameStreams() {
	if o.run.agents == nil {
		return
	}
	for _, a := range o.run.agents.opened {
		if !a.named {
			a.name(evidence.StreamName(a.role, a.node.Name))
		}
	}
}

// Created reports whether something was created in the cluster.
func (o *Observation) Created() bool { return o.run.Created() }

// Close ends all sessions and removes what was created, see Run.Close.
func (o *Observation) Close(ctx context.Context) error { return o.run.Close(ctx) }
