package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// sharedSpace is the address space of providers' NATs (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// private reports whether an address means something within one network only.
func private(addr netip.Addr) bool {
	return addr.IsPrivate() || addr.IsLinkLocalUnicast() || sharedSpace.Contains(addr)
}

// privateEndpoint judges an endpoint that is a private address to which the
// sender has no route but its default one: nothing that left arrived. Where
// something arrives the networks are connected, and nothing is wrong with it.
func (v *view) privateEndpoint(e *graph.Edge) (out verdict.Outcome, found bool) {
	route := e.EndpointRoute
	if e.Sent == nil || e.Received == nil || route == nil || !route.Gateway.IsValid() {
		return out, false
	}
	uses := e.Sent.Endpoint.Addr()
	byDefault := route.Destination.IsValid() && route.Destination.Bits() == 0
	arrived := e.In.Messages() > 0 || e.Received.RX.Least > 0
	switch {
	case uses != e.ToCarrier.Endpoint || !private(uses) || !byDefault:
		return out, false
	case e.Out.Messages() == 0 || arrived || e.To.Unverified != "":
		return out, false
	}
	out = fail("%s publishes %s, a private address that %s reaches only through its default gateway %s, and nothing "+
		"of what it sends there arrives", e.To.Name, uses, e.From.Name, route.Gateway)
	if !slices.ContainsFunc(e.To.Addresses, hasAddress(uses)) && len(e.To.Addresses) > 0 {
		out.Add("; %s itself does not have this address", e.To.Name)
	}
	out.Variant = "private"
	if v.servers.externalIP && !external(e.To) {
		out.Variant = "external"
	}
	out.Facts = map[string]string{
		"node": e.To.Name, "peer": e.From.Name, "device": e.ToLink(), "address": uses.String(),
		"port": fmt.Sprint(e.ToCarrier.Device.Port),
	}
	out.Readings = []verdict.Reading{
		{Node: e.From.Name, What: "ip route get " + uses.String(), Text: describeTo(uses, route)},
		{Node: e.From.Name, What: "captured leaving", Text: describeFlow(e.Out)},
		{Node: e.To.Name, What: "captured arriving", Text: describeFlow(e.In)},
	}
	return out, true
}

// external reports whether the API shows an external address of a node.
func external(n *graph.Node) bool {
	return slices.ContainsFunc(n.Node.Addresses, func(a evidence.NodeAddress) bool { return a.Type == "ExternalIP" })
}

// externally reports whether the API shows an address as a node's external one.
func externally(n *graph.Node, addr string) bool {
	return slices.Contains(n.Node.Addresses, evidence.NodeAddress{Type: "ExternalIP", Addr: addr})
}

// wrongEndpoint judges an endpoint that the receiver publishes and does not have,
// and at which nothing arrives: another node has it, as a virtual address that
// moved, or it is of the sender's own network or of IPv6, as one that the receiver
// had before. Elsewhere a NAT may lead to the receiver, see byNAT.
func (v *view) wrongEndpoint(e *graph.Edge) (out verdict.Outcome, found bool) {
	if e.Sent == nil || e.Received == nil || e.To.Unverified != "" {
		return out, false
	}
	uses := e.Sent.Endpoint.Addr()
	cards := cardAddresses(e.To, uses.Is4())
	arrived := e.In.Messages() > 0 || e.Received.RX.Least > 0
	publishes := uses == v.Endpoint(e.To, 4) || uses == v.Endpoint(e.To, 6)
	if cards == "" || arrived || !publishes || ownAddress(e.To, uses).IsValid() {
		return out, false
	}
	facts := map[string]string{
		"node": e.To.Name, "peer": e.From.Name, "device": e.ToLink(), "address": uses.String(),
		"port": fmt.Sprint(e.ToCarrier.Device.Port),
	}
	if holder := v.cards.addresses[uses]; holder != nil {
		out = fail("%s publishes %s, which is an address of %s (on %s) and none of its own",
			e.To.Name, uses, holder.Name, cardOf(holder, uses))
		out.Variant = "elsewhere"
		facts["holder"] = holder.Name
	} else if e.EndpointRoute != nil && (uses.Is6() || toNeighbour(e.From, e.EndpointRoute)) {
		out = fail("%s publishes %s, which is none of its own addresses, and nothing of what %s sends there arrives",
			e.To.Name, uses, e.From.Name)
		out.Variant = "moved"
	} else {
		return out, false
	}
	out.Facts = facts
	out.Readings = []verdict.Reading{{Node: e.To.Name, What: "addresses of its cards", Text: cards}}
	if e.EndpointRoute != nil {
		out.Readings = append(out.Readings, verdict.Reading{
			Node: e.From.Name, What: "ip route get " + uses.String(), Text: describeTo(uses, e.EndpointRoute),
		})
	}
	return out, true
}

// cards are the nodes by what their links that leave the host have: an IP address,
// a hardware address. Of several nodes it is the first two.
type cards struct {
	addresses map[netip.Addr]*graph.Node
	ethers    map[string][]*graph.Node
}

func cardsOf(g *graph.Graph) cards {
	all := cards{map[netip.Addr]*graph.Node{}, map[string][]*graph.Node{}}
	for _, n := range g.Nodes {
		outside := map[string]bool{}
		for _, l := range n.Outside() {
			outside[l.Name] = true
			if owners := all.ethers[l.Ether]; ofItsOwn(l) && len(owners) < 2 && !slices.Contains(owners, n) {
				all.ethers[l.Ether] = append(owners, n)
			}
		}
		for _, a := range n.Addresses {
			if addr := a.Prefix.Addr(); outside[a.Link] && all.addresses[addr] == nil {
				all.addresses[addr] = n
			}
		}
	}
	return all
}

// ofItsOwn reports whether a link's hardware address is meant to be its own, and
// not that of a bridge, a bond or the link below it.
func ofItsOwn(l *evidence.Link) bool { return l.Ether != "" && l.Master == "" && l.Parent == "" }

// toNeighbour reports whether a route leads out of the host to a neighbour, without a
// gateway in between.
func toNeighbour(n *graph.Node, r *evidence.Route) bool {
	link := n.Link(r.Link)
	unicast := r.Type == "" || r.Type == "unicast"
	return link != nil && link.Role == evidence.RoleOutside && !r.Gateway.IsValid() && unicast
}

// cardAddresses lists the addresses of a family of links that leave the host, empty
// if none is known.
func cardAddresses(n *graph.Node, four bool) string {
	var all []string
	for _, l := range n.Outside() {
		if addr := addressOn(n, l.Name, four); addr.IsValid() {
			all = append(all, fmt.Sprintf("%s on %s", addr, l.Name))
		}
	}
	const most = 6
	return list(all[:min(len(all), most)])
}
