package status

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// owners are the nodes that peers stand for, as far as that is known.
type owners struct {
	keys      map[string]string     // of devices, and what nodes publish
	endpoints map[netip.Addr]string // what nodes publish, and their addresses
	ranges    map[netip.Prefix]string
}

// newOwners takes them from all nodes that the API shows, those too that were left out.
func newOwners(g *graph.Graph, decided profile.Profile) owners {
	o := owners{keys: map[string]string{}, endpoints: map[netip.Addr]string{}, ranges: map[netip.Prefix]string{}}
	nodes := g.Nodes
	for _, n := range g.Excluded {
		nodes = append(nodes[:len(nodes):len(nodes)], &graph.Node{Node: *n})
	}
	for _, n := range nodes {
		for _, family := range []int{4, 6} {
			set(o.keys, decided.Published(n, family), n.Name)
			set(o.endpoints, decided.Endpoint(n, family), n.Name)
		}
		for _, a := range n.Node.Addresses {
			if addr, err := netip.ParseAddr(a.Addr); err == nil {
				set(o.endpoints, addr, n.Name)
			}
		}
		for _, podRange := range n.PodCIDRs {
			set(o.ranges, podRange.Masked(), n.Name)
		}
	}
	for _, n := range g.Nodes { // what a device holds outweighs what is published
		for _, d := range n.Devices {
			if d.PublicKey != "" {
				o.keys[d.PublicKey] = n.Name
			}
		}
	}
	return o
}

// set keeps the first name of what is not the zero value.
func set[K comparable](names map[K]string, key K, name string) {
	var none K
	if _, known := names[key]; !known && key != none {
		names[key] = name
	}
}

// of returns the node that a peer of another stands for: by its key, else by where
// it is, else by the pod range it has. Empty if none of them says so.
func (o *owners) of(node string, p *evidence.Peer) string {
	if name := o.keys[p.PublicKey]; name != "" {
		return name
	}
	if name := o.endpoints[p.Endpoint.Addr()]; name != "" && name != node {
		return name
	}
	for _, allowed := range p.AllowedIPs {
		if name := o.ranges[allowed.Masked()]; name != "" && name != node {
			return name
		}
	}
	return ""
}
