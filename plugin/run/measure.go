package run

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/perf"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Measure measures between the two nodes of an observation with both roles: from
// pod to pod, and from node to node. It reads the nodes before, and ends the
// record: no request is made after it. What cannot be measured is in the result.
func (o *Observation) Measure(ctx context.Context, plan perf.Plan) (*perf.Result, error) {
	m := &measuring{Observation: o, plan: plan, loads: map[string]evidence.Load{}}
	if err := o.Read(ctx); err != nil {
		return nil, err
	}
	if err := m.findEnds(); err != nil {
		return nil, &Failure{"measuring", err}
	}
	if err := m.serve(ctx); err != nil {
		return nil, &Failure{"measuring", err}
	}
	samples, err := m.samples(ctx)
	if err != nil {
		return nil, &Failure{"measuring", err}
	}
	return m.result(samples), nil
}

// measuring is a measurement between two nodes.
type measuring struct {
	*Observation
	plan  perf.Plan
	ends  map[perf.Path][2]measuringEnd
	loads map[string]evidence.Load // the last reading, by node
	links map[string][]string      // whose settings matter, by node
}

// measuringEnd is an agent at one end of a path, and where it is reached.
type measuringEnd struct {
	Agent
	addr  netip.Addr
	ports map[string]uint16
}

// findEnds finds both ends of both paths. The family is the first that all of them
// have, unless it was asked for.
func (m *measuring) findEnds() error {
	roles := map[perf.Path]string{perf.Tunnel: RolePod, perf.Underlay: RoleProbe}
	families := []int{4, 6}
	if m.plan.Family != 0 {
		families = []int{m.plan.Family}
	}
	for _, family := range families {
		m.plan.Family = family
		m.ends = map[perf.Path][2]measuringEnd{}
		for path, role := range roles {
			agents := m.Agents(role)
			if len(agents) != 2 {
				return m.missing(role)
			}
			m.ends[path] = [2]measuringEnd{
				{Agent: agents[0], addr: addressOf(agents[0], family)},
				{Agent: agents[1], addr: addressOf(agents[1], family)},
			}
		}
		pods := m.ends[perf.Tunnel]
		if pods[0].addr.IsValid() && pods[1].addr.IsValid() {
			return nil
		}
	}
	return fmt.Errorf("the pods have no addresses of IPv%d", m.plan.Family)
}

// missing says why there is no agent of a role on one of the nodes.
func (m *measuring) missing(role string) error {
	var reasons []error
	for _, n := range m.Nodes() {
		if err := m.Lost(role, n.Name); err != nil {
			reasons = append(reasons, fmt.Errorf("%s: %w", n.Name, err))
		}
	}
	return errors.Join(reasons...)
}

// addressOf is where an agent is reached: a pod at its own address, a probe at
// that of its node. The zero Addr if it has none of the family.
func addressOf(a Agent, family int) netip.Addr {
	addresses := slices.Clone(a.Pod.IPs)
	if a.Role == RoleProbe {
		addresses = nil
		for _, one := range a.Node.Addresses {
			if addr, err := netip.ParseAddr(one.Addr); err == nil && one.Type == "InternalIP" {
				addresses = append(addresses, addr)
			}
		}
	}
	for _, addr := range addresses {
		if addr.Is4() == (family == 4) {
			return addr
		}
	}
	return netip.Addr{}
}

// serve makes all agents serve.
func (m *measuring) serve(ctx context.Context) error {
	m.run.options.Progress.Phase("measuring")
	request := evidence.Request{Serve: &evidence.ServeRequest{Families: []int{m.plan.Family}}}
	for path, ends := range m.ends {
		for i := range ends {
			ports, err := m.AskOne(ctx, "preparing", ends[i].Agent, request, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", ends[i].Node.Name, err)
			}
			ends[i].ports = ports
		}
		m.ends[path] = ends
	}
	return nil
}

// samples makes all measurements. Both paths take turns, so that what changes
// meanwhile changes both.
func (m *measuring) samples(ctx context.Context) (all []perf.Sample, err error) {
	m.readLoads(ctx)
	for range m.plan.Runs {
		for _, test := range m.plan.Tests() {
			for from := range 2 {
				for _, path := range perf.Paths {
					all = append(all, m.sample(ctx, len(all), test, path, from))
					if ctx.Err() != nil {
						return nil, context.Cause(ctx)
					}
				}
			}
		}
	}
	return all, nil
}

// sample makes one measurement.
func (m *measuring) sample(ctx context.Context, number int, test perf.Test, path perf.Path, from int) perf.Sample {
	ends := m.ends[path]
	sender, receiver := ends[from], ends[1-from]
	s := perf.Sample{From: sender.Node.Name, To: receiver.Node.Name, Path: path, Test: test}
	m.run.options.Progress.Detail(fmt.Sprintf("%d of %d: %s, %s → %s, %s",
		number+1, m.plan.Samples(), test.Title, s.From, s.To, path))
	if !receiver.addr.IsValid() {
		s.Error = fmt.Sprintf("%s has no address of IPv%d", s.To, m.plan.Family)
		return s
	}
	request := m.plan.Request(test)
	request.Addr = receiver.addr
	request.TCP = receiver.ports[fmt.Sprintf("tcp%d", m.plan.Family)]
	request.UDP = receiver.ports[fmt.Sprintf("udp%d", m.plan.Family)]
	s.Error = "the agent gave no result; its image may be older than the plugin"
	hear := func(heard *evidence.Message) bool {
		if heard.Measured != nil {
			s.Measured = *heard.Measured
		}
		return true
	}
	_, err := m.AskOne(ctx, "measuring", sender.Agent, evidence.Request{Measure: &request}, hear)
	if err != nil {
		s.Error = err.Error()
	}
	before := m.loads
	m.readLoads(ctx)
	s.Rose = map[string]evidence.Load{}
	for node, now := range m.loads {
		s.Rose[node] = perf.Rose(before[node], now)
	}
	return s
}

// readLoads reads the counters of both nodes.
func (m *measuring) readLoads(ctx context.Context) {
	if m.links == nil {
		m.links = map[string][]string{}
		for _, a := range m.run.agents.in(RoleProbe) {
			m.links[a.node.Name] = measuredLinks(a.heard())
		}
	}
	loads := map[string]evidence.Load{}
	for _, end := range m.ends[perf.Underlay] {
		request := evidence.Request{Load: &evidence.LoadRequest{Links: m.links[end.Node.Name]}}
		_, _ = m.AskOne(ctx, "reading the counters", end.Agent, request, func(heard *evidence.Message) bool {
			if heard.Load != nil {
				loads[end.Node.Name] = *heard.Load
			}
			return true
		}) // a probe that is lost is one that cannot measure either, which is said there
	}
	m.loads = loads
}

// measuredLinks are those of a node whose settings can matter.
func measuredLinks(s said) (names []string) {
	for _, message := range s.messages {
		link := message.Link
		if link == nil {
			continue
		}
		if link.Role == evidence.RoleOutside || link.Kind == "wireguard" || link.Kind == "tun" {
			names = append(names, link.Name)
		}
	}
	return names
}

// result ends the record and makes the result of it.
func (m *measuring) result(samples []perf.Sample) *perf.Result {
	g := graph.New(m.Evidence())
	p := profile.Decide(g)
	var nodes []perf.Node
	for _, end := range m.ends[perf.Underlay] {
		n := perf.Node{Name: end.Node.Name}
		if known := g.Node(end.Node.Name); known != nil {
			n = perf.NewNode(&p, known, m.plan.Family, end.addr, m.loads[end.Node.Name].Links)
		}
		nodes = append(nodes, n)
	}
	r := perf.New(p.Title, m.plan.Family, nodes, m.plan, samples)
	switch {
	case p.EncryptsHosts:
		r.Notes = append(r.Notes, "This network encrypts what nodes send each other too: what was measured from "+
			"node to node is not without the tunnel.")
	case !p.Encrypts && p.Below == nil && !p.Delegates:
		r.Notes = append(r.Notes, "This network is not known to encrypt: pods' traffic may not go through "+
			"WireGuard at all. See kubectl wg verify.")
	}
	return r
}
