package check

import (
	"fmt"

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
func (v *view) sizeChecks() []verdict.Check {
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

func (v *view) fits(f *verdict.Focus) verdict.Outcome {
	t, link := &f.Tunnel, f.Node.Carrier(f.Family).Link
	if link == nil || t.Sent == nil {
		return f.Say(verdict.NotApplicable, func() string { return "no WireGuard tunnel was read between the nodes" })
	}
	endpoint := t.Sent.Endpoint.Addr()
	answer := f.Way()
	if answer == nil {
		return skip("the route to the endpoint %s was not read", endpoint)
	}
	room := answer.MTU
	if room == 0 {
		if below := t.From.Link(answer.Link); below != nil {
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
		return f.Say(verdict.Pass, func() string {
			return fmt.Sprintf("%d + %d bytes fit %d of %s", link.MTU, need-link.MTU, room, answer.Link)
		})
	}
	status := verdict.Warn
	if v.fullSize(f).Status == verdict.Fail {
		status = verdict.Fail
	}
	if f.Quiet {
		return verdict.Outcome{Status: status}
	}
	out := fail("%s of %s has an MTU of %d, encrypted packets of up to %d bytes, and %s takes %d", t.FromLink, t.From.Name, link.MTU, need, answer.Link, room)
	out.Status, out.Facts = status, map[string]string{"node": t.From.Name, "device": t.FromLink, "link": answer.Link}
	return out
}

func (v *view) oldPods(f *verdict.Focus) verdict.Outcome {
	n := f.Node
	if !v.Encrypts || len(f.Run.Families) == 0 {
		return skip("%s has no tunnel of its own", v.Title)
	}
	tunnel := n.Carrier(f.Run.Families[0]).Link
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
