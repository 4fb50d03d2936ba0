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
// node's tunnel to end, else where that node says it ends, else that node.
func (c *controls) targets(from int) []evidence.ControlTarget {
	var targets []evidence.ControlTarget
	reached := map[int]bool{}
	for _, peer := range c.known.peers[from] {
		index, ok := c.known.owner[peer.key.Value()]
		endpoint := peer.endpoint.Value()
		if ok && c.nodes.pairs.Has(from, index) && endpoint.IsValid() && endpoint.Port() != 0 {
			targets = append(targets, evidence.ControlTarget{Index: index, Endpoint: endpoint})
			reached[index] = true
		}
	}
	for _, to := range c.nodes.pairs.Targets(from) {
		if addr := c.endpointOf(&c.nodes.list[to]); !reached[to] && addr.IsValid() {
			targets = append(targets, evidence.ControlTarget{Index: to, Endpoint: netip.AddrPortFrom(addr,
				defaultPort)})
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
	for _, kind := range []string{"InternalIP", "ExternalIP"} {
		for _, a := range n.Addresses {
			if addr, err := netip.ParseAddr(a.Addr); err == nil && a.Type == kind {
				return addr
			}
		}
	}
	return netip.Addr{}
}
