package check

import (
	"cmp"
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
	case v.another(e):
		return skip("%s of %s saw the traffic, and not %s", device, from.Name, e.FromCarrier.Expected)
	case !address.IsValid():
		return unknown("%s does not say at which address it is to be reached", to.Name)
	case answer == nil:
		return unknown("the kernel of %s was not asked for its route to %s", from.Name, address)
	case answer.Link == device:
		return pass("%s reaches %s through %s", from.Name, address, device)
	case v.Below.Marked:
		return v.markedBelow(e, address)
	}
	out := fail("%s sends its overlay's packets for %s to %s through %s and not into %s: they are as readable there "+
		"as before", from.Name, to.Name, address, answer.Link, device)
	out.Readings = []verdict.Reading{{Node: from.Name, What: "ip route get " + address.String(),
		Text: describeTo(address, answer)}}
	out.Facts = map[string]string{"node": from.Name, "peer": to.Name, "device": device, "link": answer.Link}
	if theirs := to.Carrier(e.Family).Name; !slices.ContainsFunc(to.Addresses, func(a *evidence.Address) bool {
		return a.Link == theirs && a.Prefix.Addr() == address
	}) { // it publishes an address outside of its own WireGuard
		out.Variant = "below"
		out.Facts["node"] = to.Name
		out.Facts["peer"] = from.Name
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
	case v.Below != nil && !v.Below.Unknown:
		return v.Below.Overhead[family(e.To.Carrier(e.Family).Endpoint)]
	case v.Wraps != nil:
		return v.Wraps.Overhead[family(e.To.Carrier(e.Family).Endpoint)]
	case v.Encrypts, e.OutOf.Total() == 0:
	case v.Encrypts, e.OutOf.Total() == 0:
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
	case v.another(e):
		return skip("%s of %s saw the traffic, and not %s", e.FromLink(), e.From.Name, e.FromCarrier.Expected)
	case v.Below.Marked && !allows(e.Peer, address):
	case v.Below.Marked:
		return pass("%s belongs to it", address)
	case !leadsInto(e.From.RouteTo(address), e.FromLink()):
		return skip("%s does not reach %s through %s", e.From.Name, address, e.FromLink())
	case allows(e.Peer, address) && v.Below.Bare():
		return v.podsBelow(e, address)
	}
	return overlayAllowed(e, address)
}

// overlayAllowed reports whether the peer has the address that the overlay sends to.
func overlayAllowed(e *graph.Edge, address netip.Addr) verdict.Outcome {
	switch {
	case !address.IsValid():
		return unknown("%s does not say at which address it is to be reached", e.To.Name)
	case allows(e.Peer, address):
		return pass("%s belongs to it", address)
	}
	out := fail("on %s the peer of %s does not have %s, the address that its overlay sends to",
		e.From.Name, e.To.Name, address)
	out.Facts = map[string]string{"node": e.From.Name, "peer": e.To.Name, "device": e.FromLink()}
	return out
}

// allows reports whether a peer may send from an address, and is sent what is for it.
func allows(p *graph.Peer, address netip.Addr) bool {
	return slices.ContainsFunc(p.AllowedIPs, func(allowed netip.Prefix) bool { return allowed.Contains(address) })
}

// podsBelow judges the allowed IPs where nothing wraps the pods' packets: WireGuard
// refuses those of pods whose addresses the peer does not have.
func (v *view) podsBelow(e *graph.Edge, address netip.Addr) verdict.Outcome {
	for _, podRange := range e.ToRanges() {
		if covers(e.Peer.AllowedIPs, podRange) {
			continue
		}
		out := fail("on %s the peer of %s has its address %s, but not its pods' %s: nothing wraps their packets, "+
			"so that WireGuard refuses them", e.From.Name, e.To.Name, address, podRange)
		out.Variant = "pods"
		out.Kind = verdict.Blocked
		out.Facts = map[string]string{"node": e.From.Name, "peer": e.To.Name, "device": e.FromLink(),
			"range": podRange.String()}
		return out
	}
	return pass("%s and the pods of %s belong to it", address, e.To.Name)
}

// another reports whether another WireGuard than the one below the network plugin
// was seen to carry a pair's traffic.
func (v *view) another(e *graph.Edge) bool {
	return e.FromCarrier.Name != e.FromCarrier.Expected && e.Into.Total() > 0
}

// markedBelow judges a pair of which no route without a mark leads into the WireGuard
// below: that marks lead there is seen by what it carries.
func (v *view) markedBelow(e *graph.Edge, address netip.Addr) verdict.Outcome {
	from, to, device := e.From, e.To, e.FromLink()
	answer := from.RouteTo(address)
	switch {
	case e.Into.Total() > 0:
		return skip("no route without a mark leads from %s to %s through %s, which saw the traffic: "+
			"a mark leads it there", from.Name, address, device)
	case len(leaks(e)) == 0:
		return unknown("no route without a mark leads from %s to %s through %s, and that saw none of the traffic",
			from.Name, address, device)
	}
	out := fail("what %s sends to %s (%s) goes out of %s in clear and not into %s: no mark leads it there",
		from.Name, to.Name, address, answer.Link, device)
	out.Variant = "bypass"
	out.Facts = map[string]string{"node": from.Name, "peer": to.Name, "device": device, "link": answer.Link}
	out.Readings = []verdict.Reading{{Node: from.Name, What: "ip route get " + address.String(),
		Text: describeTo(address, answer)}}
	return out
}

// deviceBelow judges the device of a WireGuard below the network plugin. Without it
// its routes are gone too, and what is for the other nodes goes the way that is left.
func (v *view) deviceBelow(n *graph.Node, carrier *graph.Carrier) verdict.Outcome {
	name := cmp.Or(carrier.Expected, v.Below.Device)
	link := n.Link(name)
	what := "is down"
	switch {
	case carrier.Name != carrier.Expected:
		return skip("%s of %s saw the traffic of the pods, and not %s", carrier.Name, n.Name, carrier.Expected)
	case link == nil:
		what = "is missing"
	case link.Up:
		return pass("%s: %s up, kind %s, MTU %d", n.Name, name, kind(link), link.MTU)
	}
	out := fail("%s of %s, the WireGuard below the network plugin, %s", name, n.Name, what)
	out.Variant = "below"
	out.After = ofTheRun
	out.Facts = map[string]string{"node": n.Name, "device": name}
	return out
}

// addUnusedTunnel adds that the machines have a WireGuard between two nodes that the
// network plugin does not use.
func (v *view) addUnusedTunnel(out *verdict.Outcome, e *graph.Edge) {
	for _, d := range e.From.Devices {
		for _, p := range e.From.Peers {
			address := vpnAddressOf(e.To, p)
			if p.Device != d.Name || d.Name == e.FromLink() || !address.IsValid() {
				continue
			}
			out.Add("; %s of %s, a WireGuard device that reaches %s as %s, is not used for it", d.Name, e.From.Name,
				e.To.Name, address)
			out.Variant = "unused"
			out.Facts["device"] = d.Name
			out.Facts["address"] = address.String()
			out.Facts["peer"] = e.To.Name
			return
		}
	}
}

// vpnAddressOf is the address that a node has on its device with a peer's key, as far
// as the peer is sent what is for it.
func vpnAddressOf(n *graph.Node, p *graph.Peer) netip.Addr {
	for _, d := range n.Devices {
		if d.PublicKey != p.PublicKey || d.PublicKey == "" {
			continue
		}
		for _, a := range n.Addresses {
			if a.Link == d.Name && allows(p, a.Prefix.Addr()) {
				return a.Prefix.Addr()
			}
		}
	}
	return netip.Addr{}
}

// checksums adds to what does not arrive that it goes through an overlay, and that
// ICMP does: the kernel leaves the checksums of UDP and TCP to the link below an
// overlay, and not all of those compute them (flannel-io/flannel issue 1279).
func (v *view) checksums(out verdict.Outcome, e *graph.Edge) verdict.Outcome {
	overlay := ""
	if e.Route != nil {
		if l := e.From.Link(e.Route.Link); l != nil && v.above(l) {
			overlay = l.Name
		}
	}
	known := !slices.Contains([]string{"lost", "behind", "answer"}, out.Variant)
	if known || overlay == "" || e.Sender.ICMP.Answered == 0 || e.Receiver.UDP.Received+e.Receiver.TCP.Received > 0 {
		return out
	}
	out.Add("; those of ICMP do, through %s as well: that is so where the checksums of UDP and TCP are left to the "+
		"link below it, which does not compute them", overlay)
	out.Variant = "checksum"
	out.Facts["node"] = e.From.Name
	out.Facts["peer"] = e.To.Name
	out.Facts["link"] = overlay
	return out
}
