package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) arrives(e *graph.Edge) verdict.Outcome {
	out := v.arrival(e)
	if out.Status < verdict.Inconclusive || slices.Equal(out.After, ofTheRun) {
		return out
	}
	if kept, found := v.keptOut(e); found {
		return kept // next to whatever explains the other
	}
	return out
}

// arrival judges what was sent, and where it was last seen.
func (v *view) arrival(e *graph.Edge) verdict.Outcome {
	switch {
	case e.FromLink() == "" && !v.Encrypts:
		return skip(untunnelled)
	case v.clear(e) != "":
		return skip("%s", v.clear(e))
	case e.FromCarrier.Device == nil || e.ToCarrier.Device == nil || e.Sent == nil || e.Received == nil:
		return unknown("the counters of both devices were not read")
	case e.Received.RX.Least > 0:
		return pass("%s authenticated %d bytes from %s", e.To.Name, e.Received.RX.Least, e.From.Name)
	case e.Receiver.UDP.Received > 0 && e.Sender.UDP.Sent > 0 && !lostAlso(e):
		return unknown("WireGuard on %s received nothing from %s, but the test packets arrived: they "+
			"bypassed the tunnel", e.To.Name, e.From.Name)
	}
	for _, n := range []*graph.Node{e.From, e.To} {
		if n.Unverified != "" {
			return unknown("WireGuard on %s received nothing from %s, and where it was lost is not known: %s",
				e.To.Name, e.From.Name, n.Unverified)
		}
	}
	left, arrived := e.Out.Messages(), e.In.Messages()
	unused := left == 0 && arrived == 0 && e.Sent.TX.Least == 0 && e.Into.Total() == 0
	if unused && !lostControl(e) {
		return unknown("nothing for %s entered %s of %s, so nothing can be said of the way",
			e.To.Name, e.FromLink(), e.From.Name)
	}
	return v.lastSeen(e, left, arrived)
}

// keptOut returns what would keep the sender's messages from the receiver even if
// nothing else were wrong. To find it, none needs to be sent.
func (v *view) keptOut(e *graph.Edge) (verdict.Outcome, bool) {
	here, there := listens(e.From, e.Family), listens(e.To, e.Family)
	if !there.IsValid() {
		return verdict.Outcome{}, false
	}
	u := toReceiver(e, here.Addr(), there.Addr())
	if out, found := u.rule(); found {
		return out, true
	}
	s := toSend(e, here.Addr(), there)
	if out, found := s.rule(s.found.certain); found {
		return out, true
	}
	return u.onePreshared()
}

// listens is where a node says that its tunnel is to be reached, at the port that its
// device has; the zero AddrPort if it is not known.
func listens(n *graph.Node, family int) netip.AddrPort {
	carrier := n.Carrier(family)
	if carrier.Device == nil || !carrier.Endpoint.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(carrier.Endpoint, carrier.Device.Port)
}

// lastSeen reports where the tunnel's datagrams were last seen, and what drops them
// there, as far as it was found.
func (v *view) lastSeen(e *graph.Edge, left, arrived uint64) verdict.Outcome {
	readings := []verdict.Reading{
		{Node: e.From.Name, What: e.FromLink() + " sent to " + sendsTo(e), Text: fmt.Sprintf("%d bytes",
			e.Sent.TX.Least)},
		{Node: e.From.Name, What: "captured leaving", Text: describeFlow(e.Out)},
		{Node: e.To.Name, What: "captured arriving", Text: describeFlow(e.In)},
		{Node: e.To.Name, What: e.ToLink() + " authenticated", Text: "0 bytes"},
	}
	var out verdict.Outcome
	switch {
	case arrived > 0:
		out = notAccepted(e)
		out.Failed = "the other node does not accept WireGuard's UDP packets"
	case left > 0:
		out = v.lostBetween(e, "it leaves "+e.From.Name+" and does not arrive")
	case e.Sent.TX.Least == 0 && lostControl(e):
		out = v.lostBetween(e, "the tunnel sent nothing, and a test packet to this port left "+e.From.Name+
			" and did not arrive")
	default:
		if out = notSent(e); out.Variant != "source-port" && out.Variant != "vpn" {
			out.Failed = "WireGuard's UDP packets do not leave the sending node"
		}
	}
	out.Readings = append(out.Readings, readings...)
	return out
}

// lostControl reports whether a control, which goes to the tunnel's own port, left
// the sender and did not arrive: what it shows of the path holds without the tunnel.
func lostControl(e *graph.Edge) bool {
	return e.Sent.Endpoint.IsValid() && e.ControlLeft && !e.ControlArrived && e.In.Messages() == 0
}

// lostAlso reports whether the tunnel's port is lost too where test packets arrived by
// another way: the control was, on the way to an address of the receiver's own. A NAT
// in front of it may let in the tunnel and no control.
func lostAlso(e *graph.Edge) bool {
	return lostControl(e) && ownAddress(e.To, e.Sent.Endpoint.Addr()).IsValid()
}

// lostBetween reports that the tunnel's port is lost between the nodes, and how that
// was seen.
func (v *view) lostBetween(e *graph.Edge, seen string) verdict.Outcome {
	port, addr := e.Sent.Endpoint.Port(), e.Sent.Endpoint.Addr()
	out := fail("UDP port %d from %s to %s is lost between the nodes: %s", port, e.From.Name, e.To.Name, seen)
	out.Variant = "network"
	out.After = []string{"WG0103", "WG0107", "WG0101", "WG0104", "WG0202"}
	if v.endpoint(e).Status != verdict.Pass {
		out.After = append(out.After, "WG0106", "WG0306") // lost because of where it is sent to
	}
	out.Facts = map[string]string{
		"node": e.To.Name, "peer": e.From.Name, "port": fmt.Sprint(port), "address": addr.String(),
	}
	byNAT(&out, e, addr)
	v.byTwin(&out, e)
	byXDP(&out, e.To)
	return out
}

// byTwin adds that the receiver's card has the hardware address of another node's,
// as cloned machines have: switches send what is for one to the other.
func (v *view) byTwin(out *verdict.Outcome, e *graph.Edge) {
	for _, link := range e.To.Outside() {
		for _, n := range v.cards.ethers[link.Ether] {
			if ofItsOwn(link) && n != e.To {
				out.Add("; %s of %s has the hardware address %s, which %s has as well",
					link.Name, e.To.Name, link.Ether, n.Name)
				out.Variant = "twin"
				out.Facts["link"] = link.Name
				out.Facts["holder"] = n.Name
				return
			}
		}
	}
}

// byNAT adds that the address belongs to no card of the receiver: something in
// front of it has to forward the datagrams, for nodes behind the same NAT back to
// where they came from.
func byNAT(out *verdict.Outcome, e *graph.Edge, addr netip.Addr) {
	if cardAddresses(e.To, addr.Is4()) == "" || ownAddress(e.To, addr).IsValid() {
		return
	}
	out.Add("; %s itself does not have %s, so a NAT has to forward it", e.To.Name, addr)
	out.Variant = "forwarded"
	if e.FromCarrier.Endpoint == addr {
		out.Add(", back inside, since %s is behind the same address", e.From.Name)
		out.Variant = "hairpin"
	}
}

// byXDP adds a program that can drop what arrives before any capture sees it.
func byXDP(out *verdict.Outcome, n *graph.Node) {
	for _, link := range n.Outside() {
		if link.XDP == nil {
			continue
		}
		out.Add(", or the XDP program on %s of %s drops it before a capture sees it", link.Name, n.Name)
		out.Variant = "xdp"
		out.Facts["link"] = link.Name
		out.Readings = programsAt(n, []string{link.Name})
		return
	}
}

func describeFlow(f *graph.Flow) string {
	return fmt.Sprintf("%s, %s, %s, %s, %d bytes", plural(f.Initiations, "initiation"), plural(f.Responses, "response"),
		plural(f.Data, "data message"), plural(f.Keepalives, "keepalive"), f.Bytes)
}

// ruleReadings show rules whole, with where they are.
func ruleReadings(n *graph.Node, rules ...*evidence.Firewall) (readings []verdict.Reading) {
	const most = 3
	for _, f := range rules[:min(len(rules), most)] {
		text := f.Rule
		if f.Packets > 0 {
			text += fmt.Sprintf(" (%s)", plural(f.Packets, "packet"))
		}
		readings = append(readings, verdict.Reading{Node: n.Name, What: f.Tool + " " + whereIs(f), Text: text})
	}
	return readings
}

// whereIs names the chain of a rule, or the hook of a filter of traffic control.
func whereIs(f *evidence.Firewall) string {
	words := []string{f.Family, f.Table, f.Chain}
	if f.Link != "" {
		words = append(words, "on", f.Link)
	}
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	return strings.Join(words, " ")
}
