package check

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// routeBelow judges the route of a WireGuard below an overlay: what leads into
// it is the other node's address, which the overlay sends to.
func (v *view) routeBelow(e *graph.Edge) verdict.Outcome {
	from, to, device := e.From, e.To, e.FromLink()
	address := to.Carrier(e.Family).Endpoint
	answer := from.RouteTo(address)
	switch {
	case device == "":
		return skip("no WireGuard device was read on %s", from.Name)
	case !address.IsValid():
		return unknown("%s does not say at which address it is to be reached", to.Name)
	case answer == nil:
		return unknown("the kernel of %s was not asked for its route to %s", from.Name, address)
	case answer.Link == device:
		return pass("%s reaches %s through %s", from.Name, address, device)
	}
	out := fail("%s sends its overlay's packets for %s to %s through %s and not into %s: they are as readable there "+
		"as before", from.Name, to.Name, address, answer.Link, device)
	out.Readings = []verdict.Reading{{Node: from.Name, What: "ip route get " + address.String(),
		Text: describeTo(address, answer)}}
	out.Facts = map[string]string{"node": from.Name, "peer": to.Name, "device": device, "link": answer.Link}
	if theirs := to.Carrier(e.Family).Name; !slices.ContainsFunc(to.Addresses, func(a *evidence.Address) bool {
		return a.Link == theirs && a.Prefix.Addr() == address
	}) { // it publishes an address outside of its own WireGuard
		out.Variant, out.Facts["node"], out.Facts["peer"] = "below", to.Name, from.Name
	}
	return out
}

// overlaid reports whether what the carrier of a pair saw was inside an overlay
// that no profile knows of: WireGuard refuses a pod's packet that no peer's
// allowed IPs cover, and yet these came out at the other end.
func (v *view) overlaid(e *graph.Edge) bool {
	return !v.intended() && e.FromCarrier.Device != nil && e.Holder == nil && e.OutOf.Total() > 0
}

// maxOverhead is how many bytes an overlay adds to a packet at most: Geneve over
// IPv6 with options adds some more than 70, others less.
const maxOverhead = 128

// overhead returns how many bytes an overlay adds to the packets before they
// enter the tunnel. Of one that no profile knows of it is known by the sizes on
// the wire, which must then fit for all canaries.
func (v *view) overhead(e *graph.Edge, canaries carried) int {
	switch {
	case v.Below != nil:
		return v.Below.Overhead[family(e.To.Carrier(e.Family).Endpoint)]
	case v.Wraps != nil:
		return v.Wraps.Overhead[family(e.To.Carrier(e.Family).Endpoint)]
	case v.intended(), e.OutOf.Total() == 0:
		return 0
	}
	lacks := func(size evidence.SizeCount) bool { return e.Out.Sized(size.Size) < size.Count }
	for bytes := 0; bytes <= maxOverhead; bytes += 2 {
		canaries.overhead = bytes
		if expected := expect(canaries); !slices.ContainsFunc(expected.sizes, lacks) {
			return bytes
		}
	}
	return 0
}

func leadsInto(route *evidence.Route, device string) bool {
	return route != nil && route.Link == device
}

// rangesWrapped judges the allowed IPs of a WireGuard that encrypts an overlay of
// the network plugin: what it has to have are the nodes' own addresses.
func (v *view) rangesWrapped(e *graph.Edge) verdict.Outcome {
	if e.Peer == nil {
		return unknown("%s has no peer for %s", e.From.Name, e.To.Name)
	}
	return overlayAllowed(e, e.To.Carrier(e.Family).Endpoint)
}

// rangesBelow judges the allowed IPs of a WireGuard below an overlay: it carries
// packets between the nodes' own addresses, and knows of no pods.
func (v *view) rangesBelow(e *graph.Edge) verdict.Outcome {
	address := e.To.Carrier(e.Family).Endpoint
	switch {
	case e.Peer == nil:
		return unknown("%s has no peer for %s", e.From.Name, e.To.Name)
	case !leadsInto(e.From.RouteTo(address), e.FromLink()):
		return skip("%s does not reach %s through %s", e.From.Name, address, e.FromLink())
	}
	return overlayAllowed(e, address)
}

// overlayAllowed reports whether the peer has the address that the overlay sends to.
func overlayAllowed(e *graph.Edge, address netip.Addr) verdict.Outcome {
	switch {
	case !address.IsValid():
		return unknown("%s does not say at which address it is to be reached", e.To.Name)
	case slices.ContainsFunc(e.Peer.AllowedIPs, func(allowed netip.Prefix) bool { return allowed.Contains(address) }):
		return pass("%s belongs to it", address)
	}
	out := fail("on %s the peer of %s does not have %s, the address that its overlay sends to",
		e.From.Name, e.To.Name, address)
	out.Facts = map[string]string{"node": e.From.Name, "peer": e.To.Name, "device": e.FromLink()}
	return out
}
