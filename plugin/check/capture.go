package check

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) captureVerified(e *graph.Edge) verdict.Outcome {
	out := v.captures(e)
	if out.Variant == "" || out.Variant == "unread" { // due to no endpoint and no firewall
		out.After = []string{"WG0103", "WG0101"}
	}
	return out
}

func (v *view) captures(e *graph.Edge) verdict.Outcome {
	from, to := e.From, e.To
	for _, n := range [...]*graph.Node{from, to} {
		switch {
		case n.Unverified != "":
			out := unknown("%s", n.Unverified)
			if !lostFrames(n) {
				out.Variant = "unread"
				out.Facts = map[string]string{"node": n.Name}
			}
			return out
		case n.Uncontrolled != "":
			return unknown("no control packet was seen on %s of %s: a leak there could have been missed",
				n.Uncontrolled, n.Name)
		}
	}
	if !e.ControlSent {
		text := ""
		if why := e.ControlError; why != "" {
			text = ": " + why
		}
		return unknown("%s sent no control packet to %s%s", from.Name, to.Name, text)
	}
	// Where several cards share the ciphertext the control may take another one
	// than it does. Each must have shown some control, and one of this pair must
	// have gone all the way.
	// Of what goes inside of another tunnel these are that one's cards, or all.
	flows := flowEnds(e)
	sent, received := flows[0].cards(), flows[1].cards()
	unseen := unseenOn(e, from, sent)
	if unseen == "" {
		unseen = unseenOn(e, to, received)
	}
	switch {
	case unseen != "":
		return unknown("%s", unseen)
	case !e.ControlLeft && outerTunnel(e) != nil:
		return insideOuter(e, outerTunnel(e), "the control packet went the same way, so none was seen in clear on a "+
			"network card, where a leak would be")
	case !e.ControlLeft && toItself(e):
		out := unknown("%s takes the endpoint of %s for an address of its own, so the control packet did not leave",
			from.Name, to.Name)
		out.Variant = "itself"
		out.Facts = map[string]string{"node": from.Name, "peer": to.Name}
		return out
	case !e.ControlLeft:
		return unknown("the control packet from %s to %s was not seen leaving on %s",
			from.Name, to.Name, list(took(from, sent)))
	case e.ControlArrived:
	case roamed(e) != "":
		out := unknown("%s, and so did the control packet", roamed(e))
		out.Variant = "roamed"
		return out
	case natted(e):
		// A NAT lets in what its inside has sent to, port by port: the tunnel and
		// no control. A leak would be seen where it leaves, as the control was.
	default:
		out := unknown("the control packet of %s was not seen arriving on %s of %s",
			from.Name, list(took(to, received)), to.Name)
		out.Variant = "kept"
		out.Facts = map[string]string{"node": from.Name, "peer": to.Name, "endpoint": sendsTo(e)}
		return out
	}
	return pass("%s", verdict.Late(func() string {
		frames := uint64(0)
		for _, n := range []*graph.Node{from, to} {
			for _, capture := range n.Captures {
				frames += capture.Frames
			}
		}
		arrived := "and arriving on " + list(took(to, received))
		if !e.ControlArrived {
			arrived = fmt.Sprintf("and blocked by the NAT of %s, which lets the tunnel in at %s",
				to.Name, e.Sent.Endpoint)
		}
		return fmt.Sprintf("plaintext control packet captured leaving on %s %s; %s captured, 0 dropped, 0 truncated",
			list(took(from, sent)), arrived+v.markedControl(e), plural(frames, "frame"))
	}))
}

// lostFrames reports whether a capture of the node had more frames than it could read.
func lostFrames(n *graph.Node) bool {
	return slices.ContainsFunc(n.Captures, func(c *evidence.Capture) bool { return c.Drops+c.Truncated > 0 })
}

// took returns the links on which ciphertext was seen, all outside links if it
// was on none.
func took(n *graph.Node, links []string) []string {
	if len(links) > 0 {
		return links
	}
	for _, l := range n.Outside() {
		links = append(links, l.Name)
	}
	return links
}

// unseenOn says on which of the links that ciphertext took no control could be
// seen, empty if each of them showed one.
func unseenOn(e *graph.Edge, n *graph.Node, links []string) string {
	for _, name := range links {
		l := n.Link(name)
		if !controlled(n, name) && (l == nil || !ownFrames(e.Graph().Run.Minor, n, l)) {
			return fmt.Sprintf("no control packet was seen on %s of %s, which ciphertext crosses", name, n.Name)
		}
	}
	return ""
}

// uncontrolled returns the first outside link on which a control could have
// been seen and was not.
func uncontrolled(minor int, n *graph.Node) string {
	for _, l := range n.Outside() {
		if !controlled(n, l.Name) && !dead(n, l) && !ownFrames(minor, n, l) && !ended(n, l.Name) && !goneBefore(n, l) {
			return l.Name
		}
	}
	return ""
}

// ethernet is the type of links that take a looped control, see evidence.Link.
const ethernet = "ether"

// ownFrames reports whether a link that takes no looped control, since it is not
// Ethernet or not in use by its bond, is proven by what else crosses it: what was
// captured is no less than what the link itself counted while canaries travelled.
// Offloads make several frames one, which changes their bytes by their headers:
// a tenth is what those of full size are below.
func ownFrames(minor int, n *graph.Node, l *evidence.Link) bool {
	capture := n.Capture(l.Name)
	if minor < 1 || capture == nil || !l.Backup && (l.Type == ethernet || l.Type == "") {
		return false
	}
	at := slices.IndexFunc(n.LinkCounts, func(c *evidence.LinkCount) bool {
		return c.Index == l.Index && c.Link == l.Name
	})
	if at < 0 {
		return false
	}
	count := n.LinkCounts[at]
	for _, readings := range [][]uint64{count.TXPackets[:], count.RXPackets[:], count.TXBytes[:], count.RXBytes[:]} {
		if count.Readings < evidence.Readings || !slices.IsSorted(readings) {
			return false
		}
	}
	packets, bytes := moved(count.TXPackets)+moved(count.RXPackets), moved(count.TXBytes)+moved(count.RXBytes)
	return capture.Frames >= packets || capture.Frames > 0 && capture.Bytes >= bytes-bytes/10
}

// dead reports whether a link had no carrier and nothing crossed it: no control
// can be sent there and nothing else either.
func dead(n *graph.Node, l *evidence.Link) bool {
	capture := n.Capture(l.Name)
	return l.NoCarrier && capture != nil && capture.Frames == 0
}

// controlled reports whether the link's capture saw any control.
func controlled(n *graph.Node, link string) bool {
	capture := n.Capture(link)
	return capture != nil && capture.ControlTX+capture.ControlRX > 0
}
