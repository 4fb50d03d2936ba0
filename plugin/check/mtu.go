package check

import (
	"strconv"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What WireGuard adds to a packet: IP header, UDP header, 16 bytes of message
// header and 16 of tag. A network plugin may subtract the IPv6 figure always.
const (
	overhead4 = 60
	overhead6 = 80
)

func (v *view) fits(e *graph.Edge) verdict.Outcome {
	link := e.FromCarrier.Link
	if link == nil || e.Sent == nil {
		return skip("no WireGuard tunnel was read between the nodes")
	}
	endpoint := e.Sent.Endpoint.Addr()
	answer := e.EndpointRoute
	if answer == nil {
		return skip("the route to the endpoint %s was not read", endpoint)
	}
	if answer.Link == e.FromLink() {
		return skip("the route to the endpoint %s leads into %s itself", endpoint, e.FromLink())
	}
	room := answer.MTU
	if room == 0 {
		if below := e.From.Link(answer.Link); below != nil {
			room = below.MTU
		}
	}
	need := link.MTU + overhead4
	if endpoint.Is6() {
		need = link.MTU + overhead6
	}
	if room == 0 {
		return skip("the MTU of the way to %s was not read", endpoint)
	}
	if need <= room {
		return pass("%d + %d bytes fit %d of %s", link.MTU, need-link.MTU, room, answer.Link)
	}
	// It explains that full packets are lost where small ones pass, and nothing else.
	status := verdict.Warn
	if v.fullSize(e).Status == verdict.Fail && v.reach(e).small.status == verdict.Pass {
		status = verdict.Fail
	}
	out := fail("%s of %s has an MTU of %d, encrypted packets of up to %d bytes, and %s takes %d", e.FromLink(),
		e.From.Name, link.MTU, need, answer.Link, room)
	out.Status = status
	out.Facts = map[string]string{"node": e.From.Name, "device": e.FromLink(), "link": answer.Link}
	return out
}

func (v *view) oldPods(n *graph.Node) verdict.Outcome {
	if !v.Encrypts || len(v.Run.Families) == 0 {
		return skip("%s has no tunnel of its own", v.Title)
	}
	if v.RouteMTU {
		return skip("pods on %s have the MTU of their routes, whatever that of their links is", n.Name)
	}
	tunnel := n.Carrier(v.Run.Families[0]).Link
	if tunnel == nil {
		return skip("the tunnel of %s was not found", n.Name)
	}
	var large []string
	for _, l := range n.Links {
		if l.Kind == "veth" && l.Role == evidence.RoleInside && l.PeerNS && l.Up && l.MTU > tunnel.MTU {
			large = append(large, l.Name)
		}
	}
	newest := v.newPodMTU(n)
	if newest > tunnel.MTU {
		out := warn("on %s new pods get an MTU of %d, and %s takes %d: what is larger arrives only as long as the "+
			"node may tell them so", n.Name, newest, tunnel.Name, tunnel.MTU)
		out.Variant = "new"
		out.Facts = map[string]string{"node": n.Name, "device": tunnel.Name, "mtu": strconv.Itoa(tunnel.MTU)}
		return out
	}
	if len(large) > 0 {
		out := warn("on %s the MTU of %s is larger than that of %s (%d)", n.Name,
			plural(uint64(len(large)), "pod link"), tunnel.Name, tunnel.MTU)
		if newest > 0 { // and new pods have a smaller one
			out.Add("%s", ": made before the switch to WireGuard")
		}
		out.Facts = map[string]string{"node": n.Name}
		out.Readings = []verdict.Reading{{Node: n.Name, What: "links", Text: list(large[:min(len(large), 8)])}}
		return out
	}
	return pass("no pod link of %s is larger than %d", n.Name, tunnel.MTU)
}

// newPodMTU is the MTU of the way from a node's test pod, 0 where it sent nothing.
func (v *view) newPodMTU(n *graph.Node) int {
	for _, other := range v.Nodes {
		for _, family := range v.Run.Families {
			if sender, _ := v.Canaries(n, other, family); sender.Largest > 0 {
				return sender.Largest + headerSize(family)
			}
		}
	}
	return 0
}
