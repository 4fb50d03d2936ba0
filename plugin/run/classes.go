package run

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxScopeNodes is among how many nodes more than pods can be tested: each has a
// Service with a node port, of which a cluster has 2768 by default, and every
// class has a line of evidence for each pair of nodes.
const maxScopeNodes = 32

// Classes are sent in so many attempts, one every classPause at least, which is
// longer than a Service's rules mostly take to reach a node (kube-proxy's
// minSyncPeriod is 1 s by default). Nobody waits once all are answered.
const (
	classAttempts = 6
	classPause    = time.Second
)

// tests reports whether a scope was asked for.
func (o Options) tests(scope string) bool { return slices.Contains(o.Scope, scope) }

// reaches reports whether a scope was asked for whose packets are answered.
func (o Options) reaches() bool {
	return slices.ContainsFunc(o.Scope, func(scope string) bool { return scope != evidence.ScopeEnded })
}

// ScopeTooLarge is the error for more nodes than a scope can be tested among.
type ScopeTooLarge struct {
	Scope []string
	Nodes int
}

func (e *ScopeTooLarge) Error() string {
	return fmt.Sprintf("%s can be tested among up to %d nodes, not %d", strings.Join(e.Scope, " and "), maxScopeNodes,
		e.Nodes)
}

// Hint names the options that choose nodes.
func (e *ScopeTooLarge) Hint() string { return "choose nodes with --nodes or --node-selector" }

func (o Options) scopeFits(nodes int) error {
	if len(o.Scope) > 0 && nodes > maxScopeNodes {
		return &ScopeTooLarge{o.Scope, nodes}
	}
	return nil
}

// withServices adds the Services that a run creates to its other objects.
func withServices(run manifests.Run, nodes nodes, objects []any) ([]any, error) {
	if !run.Services {
		return objects, nil
	}
	for _, node := range nodes.list {
		service, err := run.ServiceObject(node.Index, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, service)
	}
	return objects, nil
}

// serve creates the Services of the test pods, if they are asked for. It comes
// before anything is sent, so that nodes know their addresses by then.
func (r *Run) serve(ctx context.Context) error {
	if !r.options.tests(evidence.ScopeServices) {
		return nil
	}
	services, problems, err := r.placement.Serve(ctx, r.nodes.list)
	for _, p := range problems {
		r.record.problem(p)
	}
	r.services = services
	return err
}

// findDNS notes which pods of the cluster's DNS are to be asked, if that is wanted.
// That none is known is for the judgement.
func (r *Run) findDNS(ctx context.Context) {
	if !r.options.tests(evidence.ScopeDNS) {
		return
	}
	servers, problems := r.options.Cluster.DNSServers(ctx, r.nodes.list)
	for _, p := range problems {
		r.record.problem(p)
	}
	r.about.DNS = servers
}

// classTargets are where packets of classes go.
type classTargets struct {
	services []cluster.Service
	hosts    map[int]map[string]uint16 // ports of the probes that answer, by node
}

// answerClasses has pods and probes answer packets of classes, and notes where.
func (r *Run) answerClasses(ctx context.Context, plan *plan) {
	if !r.options.reaches() {
		return
	}
	agents := r.agents
	agents.each(ctx, "answering other endpoints", agents.all(), func(place) evidence.Request {
		return evidence.Request{Answer: &evidence.AnswerRequest{Families: r.about.Families}}
	})
	plan.classes.hosts = map[int]map[string]uint16{}
	for _, a := range agents.probes {
		plan.classes.hosts[a.node.Index] = a.ports
	}
}

// sendClasses has pods and probes send packets of classes to each other, behind the
// canaries, so that they are in nobody's way.
func (r *Run) sendClasses(ctx context.Context, plan *plan) {
	if r.options.reaches() {
		agents := r.agents
		agents.each(ctx, "sending to other endpoints", agents.all(), plan.reach)
	}
}

// sendToEnded has pods send to the new pods on other nodes when these have ended.
// Agents on the nodes forget them meanwhile, and what they do not know they may send
// in clear.
func (r *Run) sendToEnded(ctx context.Context, newPods *newPods, plan *plan) {
	if !r.options.tests(evidence.ScopeEnded) {
		return
	}
	plan.ended = slices.DeleteFunc(newPods.pods(), func(pod evidence.Pod) bool { return !pod.Ended })
	r.agents.each(ctx, "sending to pods that have ended", r.agents.pods, plan.reachEnded)
}

// reach asks a pod or a probe to send packets of all classes that it sends while
// those live whom they are for.
func (p *plan) reach(at place) evidence.Request {
	return p.reachClasses(at, func(class evidence.Class) bool { return class != evidence.ClassEnded })
}

// reachEnded asks a pod to send to pods that have ended.
func (p *plan) reachEnded(at place) evidence.Request {
	return p.reachClasses(at, func(class evidence.Class) bool { return class == evidence.ClassEnded })
}

func (p *plan) reachClasses(at place, chosen func(evidence.Class) bool) evidence.Request {
	reach := &evidence.ReachRequest{Attempts: classAttempts, Timeout: int(classAttempts * classPause / time.Millisecond)}
	for _, to := range p.nodes.pairs.Targets(at.node.Index) {
		for _, family := range p.about.Families {
			for _, class := range evidence.Classes {
				sends := class.Class.FromNode() == (at.role == "probe")
				if !sends || !chosen(class.Class) || !slices.Contains(p.about.Scope, class.Scope) {
					continue
				}
				if addr := p.classAddr(class.Class, at.node, &p.nodes.list[to], family); addr.IsValid() {
					reach.Targets = append(reach.Targets, evidence.ReachTarget{
						Class: class.Class, Index: p.nodes.list[to].Index, Addr: addr,
					})
				}
			}
		}
	}
	return evidence.Request{Reach: reach}
}

// classAddr is where packets of a class from one node to another are sent, invalid
// if there is no such place.
func (p *plan) classAddr(class evidence.Class, from, to *evidence.Node, family int) netip.AddrPort {
	var service cluster.Service
	for _, s := range p.classes.services {
		if s.Node == to.Index {
			service = s
		}
	}
	var addr netip.Addr
	var port uint16
	switch class {
	case evidence.ClassClusterIP:
		addr, port = ofFamily(service.IPs, family), service.Port
	case evidence.ClassNodePort:
		addr, port = p.nodeAddr(from, family), service.NodePort
	case evidence.ClassNodePortFar:
		addr, port = p.nodeAddr(to, family), service.NodePort
	case evidence.ClassPodNode, evidence.ClassNodeNode:
		addr, port = p.nodeAddr(to, family), p.classes.hosts[to.Index][fmt.Sprint("udp", family)]
	case evidence.ClassNodePod:
		if pod := p.pods.on(to.Index); pod != nil {
			addr, port = ofFamily(pod.ips, family), evidence.PodClassPort
		}
	case evidence.ClassDNS:
		for _, server := range p.about.DNS {
			if server.Node == to.Index && server.Addr.Addr().Is4() == (family == 4) {
				addr, port = server.Addr.Addr(), server.Addr.Port()
			}
		}
	case evidence.ClassEnded:
		for _, pod := range p.ended {
			if pod.Node == to.Name {
				addr, port = ofFamily(pod.IPs, family), evidence.PodClassPort
			}
		}
	}
	toService := class == evidence.ClassNodePort || class == evidence.ClassNodePortFar
	if !addr.IsValid() || port == 0 || toService && !ofFamily(service.IPs, family).IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, port)
}

// nodeAddr is the address of a node in the API, of a family: that inside of the
// cluster if it has one.
func (p *plan) nodeAddr(n *evidence.Node, family int) netip.Addr {
	c := controls{p.known, p.nodes}
	return c.listed(n, func(addr netip.Addr) bool { return addr.Is4() == (family == 4) })
}

// ofFamily returns the first address of a family, invalid if there is none.
func ofFamily(ips []netip.Addr, family int) netip.Addr {
	for _, ip := range ips {
		if ip.Is4() == (family == 4) {
			return ip
		}
	}
	return netip.Addr{}
}
