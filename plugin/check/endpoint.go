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
