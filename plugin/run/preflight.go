package run

import (
	"context"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Preflight has the nodes tried without a tunnel: the state of the hosts, a
// WireGuard link in a pod of each node that has one for it, and datagrams from
// every node to the ports of every other, all at once. Each node is asked once for
// all others. Agents that are lost on the way are recorded, and no error. Without
// ports they are those that the network plugin has by default.
func (o *Observation) Preflight(ctx context.Context, ports []evidence.Port) error {
	if len(ports) == 0 {
		ports = defaultPorts(o.run.runsAs)
	}
	for _, port := range ports {
		o.run.ports = append(o.run.ports, port.Port)
	}
	if err := o.Read(ctx); err != nil {
		return err
	}
	return o.run.phase(ctx, "trying the nodes", func(ctx context.Context) error {
		agents := o.run.agents
		agents.each(ctx, "making and removing a WireGuard link in a pod of each node", agents.trials, o.run.trial)
		agents.each(ctx, "binding UDP ports", agents.probes, func(place) evidence.Request {
			return evidence.Request{PortListen: &evidence.PortListenRequest{Ports: ports}}
		})
		sizes := o.run.packetSizes()
		agents.each(ctx, "sending to the ports of all nodes", agents.probes, func(at place) evidence.Request {
			return evidence.Request{PortSend: &evidence.PortSendRequest{
				Targets: o.run.portTargets(at.node.Index, ports), Sizes: sizes, Attempts: portAttempts,
			}}
		})
		wait(ctx, drainTime)
		agents.each(ctx, "counting what arrived", agents.probes, stop)
		agents.each(ctx, "stopping probes", agents.all(), end)
		return nil
	})
}

// defaultPorts are the UDP ports of a network plugin's WireGuard: of Flannel and Calico,
// and of Cilium.
func defaultPorts(runsAs string) []evidence.Port {
	if runsAs == "cilium" {
		return []evidence.Port{{Family: 4, Port: 51871}, {Family: 6, Port: 51871}}
	}
	return []evidence.Port{{Family: 4, Port: 51820}, {Family: 6, Port: 51821}}
}

// portAttempts is how often each datagram is sent: that all are lost by chance is
// unlikely even on a bad link.
const portAttempts = 4

// trial asks for a link. The agent refuses to make it in the namespace of its node,
// which the probe there has named.
func (r *Run) trial(at place) evidence.Request {
	trial := &evidence.TrialRequest{}
	for _, probe := range r.agents.probes {
		if probe.node == at.node {
			trial.HostNetNS = probe.namespace()
		}
	}
	return evidence.Request{Trial: trial}
}

// portTargets are the ports of all other nodes, where they say that a tunnel ends.
func (r *Run) portTargets(from int, ports []evidence.Port) (targets []evidence.PortTarget) {
	for _, to := range r.nodes.list {
		for _, addr := range r.ends[to.Index] {
			for _, port := range ports {
				if to.Index != from && addr.Is4() == (port.Family == 4) {
					targets = append(targets, evidence.PortTarget{Index: to.Index, Addr: netip.AddrPortFrom(addr, port.Port)})
				}
			}
		}
	}
	return targets
}

// The sizes of IP packets that are sent, in bytes, besides those that the nodes'
// links suggest. The smallest fits every link; 1280 is the least MTU of IPv6, and
// steps of 20 are finer than an operator sets an MTU.
const (
	smallestPacket = 128
	smallMTU       = 1000
	leastMTU       = 1280
	mostMTU        = 1500
	stepMTU        = 20
	maxLinkSizes   = 8
)

// packetSizes are the sizes to send, in order: of each MTU of a link that leaves a
// host also what a tunnel makes of it over IPv4, whose header is 20 bytes less than
// the 40 that Flannel reckons with.
func (r *Run) packetSizes() []int {
	var mtus []int
	for _, a := range r.agents.probes {
		for _, m := range a.heard().messages {
			if m.Link != nil && m.Link.Role == evidence.RoleOutside && m.Link.Up {
				mtus = append(mtus, m.Link.MTU)
			}
		}
	}
	sizes := []int{smallestPacket, smallMTU}
	for size := leastMTU; size <= mostMTU; size += stepMTU {
		sizes = append(sizes, size)
	}
	mtus = set(mtus)
	for _, mtu := range mtus[max(len(mtus)-maxLinkSizes, 0):] {
		sizes = append(sizes, mtu, mtu-stepMTU)
	}
	return set(sizes)
}

// ends returns where each node says that a tunnel to it ends, by its index: of each
// family the address that its network plugin publishes, else its internal one.
func ends(decided profile.Profile, surveyed *graph.Graph) map[int][]netip.Addr {
	all := map[int][]netip.Addr{}
	for _, n := range surveyed.Nodes {
		for _, family := range []int{4, 6} {
			addr := decided.Endpoint(n, family)
			if !addr.IsValid() {
				addr = internal(&n.Node, family)
			}
			if addr.IsValid() {
				all[n.Index] = append(all[n.Index], addr)
			}
		}
	}
	return all
}

// internal is a node's first internal address of a family, the zero Addr if it has
// none.
func internal(n *evidence.Node, family int) netip.Addr {
	for _, a := range n.Addresses {
		addr, err := netip.ParseAddr(a.Addr)
		if err == nil && a.Type == "InternalIP" && addr.Is4() == (family == 4) {
			return addr
		}
	}
	return netip.Addr{}
}
