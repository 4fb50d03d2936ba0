package graph

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Carrier is what carries a node's pod traffic of one family.
type Carrier struct {
	Name     string           // of the WireGuard device, empty if none should and none did
	Expected string           // what the profile names, which is Name unless another one carried the traffic
	Endpoint netip.Addr       // where the node says that its tunnel ends
	Device   *evidence.Device // nil if it was not read
	Link     *evidence.Link   // nil if there is none
	// Assigned: the pods on the node have addresses of its PodCIDRs. Some networks
	// assign ranges that the API does not show.
	Assigned bool
	// Borrows: they can also have single addresses of another node's PodCIDRs.
	Borrows bool
}

// half is what one node knows of its traffic with another. An edge is made of two.
type half struct {
	peer          *Peer           // the other, nil if its key is not one of the carrier's peers
	holder, rival *Peer           // see Edge
	route         *evidence.Route // see Edge
	controlLeft   bool
	controlCame   bool
}

// Resolve finds what carries the traffic of each node, and with it what its edges
// are made of. What should carry it is the profile's to say: expected returns a
// carrier's name and endpoint. What did is known by evidence, see carriedBy.
func (g *Graph) Resolve(expected func(n *Node, family int) Carrier) {
	g.each(func(n *Node) {
		for _, family := range g.Run.Families {
			carrier := expected(n, family)
			carrier.Expected = carrier.Name
			carrier.Name = n.carriedBy(carrier.Expected, family)
			carrier.Device, carrier.Link = n.Device(carrier.Name), n.Link(carrier.Name)
			n.carriers[slot(family)] = carrier
		}
	})
	g.each(func(n *Node) {
		for _, family := range g.Run.Families {
			g.resolve(n, family)
		}
	})
}

// carriedBy returns the WireGuard link that saw the marked packets of a node:
// the expected one if it saw any, else the one that saw most of them, bare or
// inside an overlay. If none did it is the expected one, whose absence is then
// to be judged.
func (n *Node) carriedBy(expected string, family int) string {
	best, most := expected, n.marks(expected, family)
	if most > 0 {
		return expected
	}
	for _, d := range n.Devices {
		link := n.Link(d.Name)
		if link == nil || link.Role != evidence.RoleWireGuard {
			continue
		}
		seen := n.marks(d.Name, family)
		if seen > most || seen == most && seen > 0 && d.Name < best {
			best, most = d.Name, seen
		}
	}
	return best
}

// marks counts the marked packets of pods that a link of the node saw.
func (n *Node) marks(link string, family int) uint64 {
	return n.marksAt(where{link, false, family}) + n.marksAt(where{link, true, family})
}

// resolve finds what one node knows of all others in one family.
func (g *Graph) resolve(n *Node, family int) {
	at := slot(family)
	carrier := &n.carriers[at]
	byKey := map[string]*Peer{}
	for _, p := range n.Peers {
		if p.Device == carrier.Name {
			byKey[p.PublicKey] = p
		}
	}
	allowed := newAllowed(n, carrier.Name)
	n.halves[at] = make([]half, len(g.Nodes))
	for i, other := range g.Nodes {
		if other == n {
			continue
		}
		h := &n.halves[at][i]
		if device := other.carriers[at].Device; device != nil && device.PublicKey != "" && carrier.Device != nil {
			h.peer = byKey[device.PublicKey]
		}
		ip := other.PodIP(family)
		h.holder = allowed.holder(ip)
		h.route = n.RouteTo(ip)
		h.rival = allowed.rival(n.rangesOf(other, family), h.holder, carrier.Borrows)
		h.controlLeft, h.controlCame = n.controlled(other)
	}
}

// DropRanges removes the pod ranges of nodes that are not known to be where their
// pods are, where the test pod shows that they are not: networks with an IPAM of
// their own leave what Kubernetes assigned to a node unused. No address of such a
// range stands for the pods.
func (g *Graph) DropRanges(assigned func(*Node) bool) {
	for _, n := range g.Nodes {
		if assigned(n) {
			continue
		}
		if n.Sampled {
			n.PodIPs = nil
		}
		kept := n.PodCIDRs[:0:0]
		for _, podRange := range n.PodCIDRs {
			ip := n.PodIP(familyOf(podRange.Addr()))
			if !ip.IsValid() || podRange.Contains(ip) {
				kept = append(kept, podRange)
			}
		}
		n.PodCIDRs = kept
	}
}

// rangesOf are where the pods of another node are, as far as a node sends all of
// that to it. Where the API does not say so they are where its test pod is: the
// destination of the route to that.
func (n *Node) rangesOf(other *Node, family int) (ranges []netip.Prefix) {
	ip := other.PodIP(family)
	route := n.RouteTo(ip)
	for _, podRange := range other.PodCIDRs {
		if familyOf(podRange.Addr()) != family {
			continue
		}
		switch own := podRange.Contains(ip); {
		case other.Carrier(family).Assigned, own && route == nil:
		case !own:
			continue
		case route.Destination.Bits() > podRange.Bits() && route.Destination.Contains(ip):
			podRange = route.Destination
		}
		ranges = append(ranges, podRange)
	}
	return ranges
}

// controlled reports whether controls for another node were seen leaving on an
// outside link, and controls from there arriving. Whatever its family, a control
// stands for the way.
func (n *Node) controlled(other *Node) (left, came bool) {
	for _, l := range n.Outside() {
		for _, family := range []int{4, 6} {
			left = left || n.SeenOn(l.Name, other, false, family).Control > 0
			came = came || n.SeenOn(l.Name, other, true, family).Control > 0
		}
	}
	return left, came
}
