package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// routeBelow judges the route of a WireGuard below an overlay: what leads into
// it is the other node's address, which the overlay sends to.
func (v *view) routeBelow(f *verdict.Focus) verdict.Outcome {
	from, to, device := f.Node, f.Peer, f.Tunnel.FromLink
	address := to.Carrier(f.Family).Endpoint
	answer := from.RouteTo(address)
	switch {
	case device == "":
		return f.Say(verdict.NotApplicable, func() string { return "no WireGuard device was read on " + from.Name })
	case !address.IsValid():
		return unknown("%s does not say at which address it is to be reached", to.Name)
	case answer == nil:
		return unknown("the kernel of %s was not asked for its route to %s", from.Name, address)
	case answer.Link == device:
		return f.Say(verdict.Pass, func() string { return fmt.Sprintf("%s reaches %s through %s", from.Name, address, device) })
	case f.Quiet:
		return verdict.Outcome{Status: verdict.Fail}
	}
	out := fail("%s sends its overlay's packets for %s to %s through %s and not into %s: they are as readable there as before", from.Name, to.Name, address, answer.Link, device)
	out.Readings = []verdict.Reading{{Node: from.Name, What: "ip route get " + address.String(), Text: describeTo(address, answer)}}
	out.Facts = map[string]string{"node": from.Name, "peer": to.Name, "device": device, "link": answer.Link}
	if theirs := to.Carrier(f.Family).Name; !slices.ContainsFunc(to.Addresses, func(a *evidence.Address) bool {
		return a.Link == theirs && a.Prefix.Addr() == address
	}) { // it publishes an address outside of its own WireGuard
		out.Variant, out.Facts["node"], out.Facts["peer"] = "below", to.Name, from.Name
	}
	return out
}

// overlaid reports whether what the carrier of a pair saw was inside an overlay
// that no profile knows of: WireGuard refuses a pod's packet that no peer's
// allowed IPs cover, and yet these came out at the other end.
func (v *view) overlaid(f *verdict.Focus) bool {
	return !v.intended() && f.Tunnel.FromDev != nil && f.Holder() == nil && f.OutOf().Total() > 0
}

// maxOverhead is how many bytes an overlay adds to a packet at most: Geneve over
// IPv6 with options adds some more than 70, others less.
const maxOverhead = 128

// overhead returns how many bytes an overlay adds to the packets before they
// enter the tunnel. Of one that no profile knows of it is known by the sizes on
// the wire, which must then fit for all canaries.
func (v *view) overhead(f *verdict.Focus, canaries carried) int {
	switch {
	case v.Below != nil:
		return v.Below.Overhead[family(f.Peer.Carrier(f.Family).Endpoint)]
	case v.intended(), f.OutOf().Total() == 0:
		return 0
	}
	lacks := func(size evidence.SizeCount) bool { return f.Tunnel.Out.Sized(size.Size) < size.Count }
	for bytes := 0; bytes <= maxOverhead; bytes += 2 {
		canaries.overhead = bytes
		if expected := v.expectations.of(canaries, expect); !slices.ContainsFunc(expected.sizes, lacks) {
			return bytes
		}
	}
	return 0
}

func leadsInto(route *evidence.Route, device string) bool {
	return route != nil && route.Link == device
}

// rangesBelow judges the allowed IPs of a WireGuard below an overlay: it carries
// packets between the nodes' own addresses, and knows of no pods.
func (v *view) rangesBelow(f *verdict.Focus) verdict.Outcome {
	t, address := &f.Tunnel, f.Peer.Carrier(f.Family).Endpoint
	switch {
	case t.Peer == nil:
		return unknown("%s has no peer for %s", t.From.Name, t.To.Name)
	case !leadsInto(t.From.RouteTo(address), t.FromLink):
		return f.Say(verdict.NotApplicable, func() string { return fmt.Sprintf("%s does not reach %s through %s", t.From.Name, address, t.FromLink) })
	case slices.ContainsFunc(t.Peer.AllowedIPs, func(allowed netip.Prefix) bool { return allowed.Contains(address) }):
		return f.Say(verdict.Pass, func() string { return fmt.Sprintf("%s belongs to it", address) })
	}
	out := fail("on %s the peer of %s does not have %s, the address that its overlay sends to", t.From.Name, t.To.Name, address)
	out.Facts = map[string]string{"node": t.From.Name, "peer": t.To.Name, "device": t.FromLink}
	return out
}
