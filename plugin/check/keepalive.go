package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// keptOpen judges whether the tunnels of a node behind a NAT stay open when nobody
// sends: the NAT forgets where it lets the others' datagrams in, after 30 s of
// silence and more, and only what the node itself sends opens it again. A run
// makes both ends send, so that it cannot see this happen.
func (v *view) keptOpen(n *graph.Node) verdict.Outcome {
	var kept string
	var cutOff []*graph.Edge
	known := 0
	for _, family := range v.Run.Families {
		if n.Carrier(family).Device == nil {
			continue
		}
		known++
		for _, other := range v.Nodes {
			if other == n || v.reachesAsPublished(other, n, family) {
				continue
			}
			e := v.Edge(other, n, family)
			translated, inner := v.translated(e), e.Back().Peer
			switch {
			case translated == "" || inner == nil:
			case inner.Keepalive > 0:
				kept = fmt.Sprintf("%s; it sends a keepalive every %d s", translated, inner.Keepalive)
			default:
				cutOff = append(cutOff, e)
			}
		}
	}
	switch {
	case known == 0:
		return skip("no WireGuard device carries this node's pod traffic")
	case len(cutOff) > 0:
		return v.silent(cutOff)
	case kept != "":
		return pass("%s", kept)
	}
	return pass("%s is reached without a NAT in between", n.Name)
}

// reachesAsPublished reports whether a node sends to where another says that its
// tunnel ends, which no NAT in between has changed.
func (v *view) reachesAsPublished(from, to *graph.Node, family int) bool {
	carrier := to.Carrier(family)
	peer := v.Peer(from, from.Carrier(family).Name, carrier.Device.PublicKey)
	return peer == nil || peer.Count == nil ||
		peer.Count.Endpoint == netip.AddrPortFrom(carrier.Endpoint, carrier.Device.Port)
}

// silent reports that a node behind a NAT sends no keepalives to those that reach it
// through the NAT.
func (v *view) silent(cutOff []*graph.Edge) verdict.Outcome {
	first := cutOff[0]
	names := first.From.Name
	if more := len(cutOff) - 1; more > 0 {
		names += " and " + plural(uint64(more), "other node")
	}
	out := warn("%s, and %s sends no keepalives: after some silence %s cannot reach its pods until one of them sends "+
		"something", v.translated(first), first.To.Name, names)
	out.Facts = map[string]string{"node": first.To.Name, "peer": first.From.Name, "device": first.ToLink()}
	out.Readings = []verdict.Reading{
		{Node: first.From.Name, What: first.FromLink() + " sends to", Text: sendsTo(first)},
		{Node: first.To.Name, What: "port of " + first.ToLink(), Text: fmt.Sprint(first.ToCarrier.Device.Port)},
		{Node: first.To.Name, What: "keepalive for " + first.From.Name, Text: "off"},
	}
	if p := first.Peer; p != nil && p.Endpoint.IsValid() && p.Endpoint != first.Sent.Endpoint {
		out.Readings = append(out.Readings, verdict.Reading{
			Node: first.From.Name, What: first.FromLink() + " sent to, before this run's own packets",
			Text: p.Endpoint.String(),
		})
	}
	return out
}

// translated reports that a NAT changes where the receiver's datagrams come from, its
// address or its port, empty if none does. An address that the receiver publishes
// or that the API shows as its external one leads to it by itself.
func (v *view) translated(e *graph.Edge) string {
	if e.Sent == nil || e.Received == nil || e.ToCarrier.Device == nil {
		return ""
	}
	uses := e.Sent.Endpoint
	addr := uses.Addr().Unmap()
	own := slices.ContainsFunc(e.To.Addresses, hasAddress(addr))
	port := e.ToCarrier.Device.Port
	meant := addr == e.ToCarrier.Endpoint || externally(e.To, addr.String())
	switch {
	case natted(e) && !meant:
		return fmt.Sprintf("%s is behind a NAT: %s sends to %s, where %s was last heard", e.To.Name, e.From.Name, uses,
			e.To.Name)
	case (own || meant) && uses.Port() != port && uses.Port() != v.Port(e.To, e.Family) && e.Received.RX.Least > 0:
		return fmt.Sprintf("something between the nodes rewrites the source port of %s: %s sends to %s, where %s was "+
			"last heard, and %s there listens on port %d", e.To.Name, e.From.Name, uses, e.To.Name, e.ToLink(), port)
	}
	return ""
}
