package check

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What WireGuard adds to a packet: IP header, UDP header, 16 bytes of message
// header and 16 of tag. Flannel always subtracts the IPv6 figure.
const (
	overhead4 = 60
	overhead6 = 80
)

// sizeChecks are those of WG05xx that compare sizes.
func (v view) sizeChecks() []verdict.Check {
	probe := []verdict.Need{verdict.NeedProbe}
	return []verdict.Check{
		{
			Code: "WG0504", Title: "an encrypted packet of full size fits the link below the tunnel",
			Why:   "What does not fit is cut into fragments outside, which many networks drop: small packets pass, transfers stall.",
			Reads: "MTU of the WireGuard link and of the link that the kernel reaches the peer's endpoint through",
			Scope: verdict.PerPair, Needs: probe, After: []string{"WG0103", "WG0201", "WG0202"}, Judge: v.fits,
		},
		{
			Code: "WG0505", Title: "no pod has a larger MTU than the tunnel",
			Why:   "Pods keep the MTU they were created with. After a switch to WireGuard the old ones send packets that do not fit the tunnel.",
			Reads: "MTU of the links to local pods and of the WireGuard link",
			Scope: verdict.PerNode, Needs: probe, After: []string{"WG0103", "WG0201"}, Judge: v.oldPods,
		},
	}
}

func (v view) fits(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	t := v.tunnel(c, s)
	link := t.from.Link(t.fromLink)
	if link == nil || t.sent == nil {
		return skip("no WireGuard tunnel was read between the nodes")
	}
	endpoint := t.sent.Endpoint.Addr()
	answer := t.from.Answers[endpoint]
	if answer == nil {
		answer = marked(t.from, endpoint)
	}
	if answer == nil {
		return skip("the route to the endpoint %s was not read", endpoint)
	}
	room := answer.MTU
	if below := t.from.Link(answer.Link); room == 0 && below != nil {
		room = below.MTU
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
	facts := map[string]string{"node": t.from.Name, "device": t.fromLink, "link": answer.Link}
	status := verdict.Warn
	if v.fullSize(c, s).Status == verdict.Fail {
		status = verdict.Fail
	}
	out := fail("%s of %s has an MTU of %d, encrypted packets of up to %d bytes, and %s takes %d", t.fromLink, t.from.Name, link.MTU, need, answer.Link, room)
	out.Status, out.Facts = status, facts
	return out
}

// marked returns the kernel's route for an endpoint with the device's mark.
func marked(n *verdict.Node, endpoint netip.Addr) *evidence.Route {
	for _, r := range n.Table {
		if r.For == endpoint {
			return r
		}
	}
	return nil
}

func (v view) oldPods(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	n := c.Node(s.Node)
	if !v.Encrypts || len(c.Run.Families) == 0 {
		return skip("%s has no tunnel of its own", v.Title)
	}
	tunnel := n.Link(v.Device(n, c.Run.Families[0]))
	if tunnel == nil {
		return skip("the tunnel of %s was not found", n.Name)
	}
	var large []string
	for _, l := range n.Links {
		if l.Kind == "veth" && l.Role == evidence.RoleInside && l.PeerNS && l.Up && l.MTU > tunnel.MTU {
			large = append(large, l.Name)
		}
	}
	if len(large) > 0 {
		out := warn("%s on %s have a larger MTU than %s (%d): made before the switch to WireGuard", plural(uint64(len(large)), "pod link"), n.Name, tunnel.Name, tunnel.MTU)
		out.Facts = map[string]string{"node": n.Name}
		out.Readings = []verdict.Reading{{Node: n.Name, What: "links", Text: list(large[:min(len(large), 8)])}}
		return out
	}
	return pass("no pod link of %s is larger than %d", n.Name, tunnel.MTU)
}
