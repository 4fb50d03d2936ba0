package run

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// defaultPort is WireGuard's usual port, for a control where no device names one.
const defaultPort = 51820

// controls say where probes send their controls.
type controls struct {
	known *known
	nodes *nodes
}

// targets are, for the probe of a node, where its device believes each other
// node's tunnel to end, else where that node says it ends, else that node. Of a
// node whose tunnel ends inside of another tunnel it is also an address outside
// of that: what goes into a tunnel shows nothing of the network cards.
func (c *controls) targets(from int) []evidence.ControlTarget {
	var targets []evidence.ControlTarget
	reached := map[int]bool{}
	hidden := map[int]bool{}
	add := func(index int, endpoint netip.AddrPort) {
		targets = append(targets, evidence.ControlTarget{Index: index, Endpoint: endpoint})
		reached[index] = true
		hidden[index] = hidden[index] || c.known.inTunnel[endpoint.Addr()]
	}
	for _, peer := range c.known.peers[from] {
		index, ok := c.known.owner[peer.key.Value()]
		endpoint := peer.endpoint.Value()
		if ok && c.nodes.pairs.Has(from, index) && endpoint.IsValid() && endpoint.Port() != 0 {
			add(index, endpoint)
		}
	}
	for _, to := range c.nodes.pairs.Targets(from) {
		if addr := c.endpointOf(&c.nodes.list[to]); !reached[to] && addr.IsValid() {
			add(to, netip.AddrPortFrom(addr, defaultPort))
		}
		if addr := c.outsideOf(&c.nodes.list[to]); hidden[to] && addr.IsValid() {
			add(to, netip.AddrPortFrom(addr, defaultPort))
		}
	}
	slices.SortFunc(targets, func(a, b evidence.ControlTarget) int {
		return cmp.Or(a.Index-b.Index, a.Endpoint.Compare(b.Endpoint))
	})
	return slices.Compact(targets)
}

func (c *controls) endpointOf(n *evidence.Node) netip.Addr {
	if addr := c.known.endpoints[n.Index]; addr.IsValid() {
		return addr
	}
	return c.listed(n, func(netip.Addr) bool { return true })
}

// outsideOf is an address of a node that is in no tunnel, the zero Addr if none is
// known: one that the API has, else one of a link that leaves the host.
func (c *controls) outsideOf(n *evidence.Node) netip.Addr {
	addr := c.listed(n, func(addr netip.Addr) bool { return !c.known.inTunnel[addr] })
	if !addr.IsValid() {
		addr = c.known.outside[n.Index]
	}
	return addr
}

// listed is the first of a node's addresses in the API that suits, the zero Addr
// if none does.
func (c *controls) listed(n *evidence.Node, suits func(netip.Addr) bool) netip.Addr {
	for _, kind := range []string{"InternalIP", "ExternalIP"} {
		for _, a := range n.Addresses {
			if addr, err := netip.ParseAddr(a.Addr); err == nil && a.Type == kind && suits(addr) {
				return addr
			}
		}
	}
	return netip.Addr{}
}
