package check

import (
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// instrumentChecks is P6. It comes before everything that rests on what was
// not seen.
func (v view) instrumentChecks() []verdict.Check {
	return []verdict.Check{{
		Code: "WG0604", Title: "a leak would have been seen",
		Why:   "That nothing was seen in clear means something only if the same capture, in the same window, saw a cleartext datagram that was sent on purpose along the same way, and lost nothing.",
		Reads: "captures: life span, drops, truncation; controls sent, seen leaving and seen arriving",
		Proof: verdict.P6Sound, Scope: verdict.PerPair,
		Needs: []verdict.Need{verdict.NeedProbe}, After: []string{"WG0103"}, Judge: v.sound,
	}}
}

func (v view) sound(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	from, to := c.Node(s.Node), c.Node(s.Peer)
	for _, n := range []*verdict.Node{from, to} {
		if why := unsound(n); why != "" {
			return unknown("%s", why)
		}
		for _, l := range n.Outside() {
			if !controlled(n, l.Name) && !dead(n, l) {
				return unknown("no control was seen on %s of %s: a leak there might have been missed", l.Name, n.Name)
			}
		}
	}
	t := v.tunnel(c, s)
	sent := controlSent(from, to.Index)
	if sent == 0 {
		return unknown("%s sent no control to %s%s", from.Name, to.Name, controlError(from, to.Index))
	}
	// The way the ciphertext took must be the way the control took.
	links := func(t *evidence.Tunnel, n *verdict.Node) []string {
		if t != nil && len(t.Links) > 0 {
			return t.Links
		}
		var all []string
		for _, l := range n.Outside() {
			all = append(all, l.Name)
		}
		return all
	}
	out, in := links(t.tx, from), links(t.rx, to)
	switch {
	case seenControl(from, to, from, out, evidence.DirectionTX) == 0:
		return unknown("the control of %s for %s was not seen leaving on %s", from.Name, to.Name, list(out))
	case seenControl(from, to, to, in, evidence.DirectionRX) == 0 && t.roamed() != "":
		return unknown("%s, and so did the control", t.roamed())
	case seenControl(from, to, to, in, evidence.DirectionRX) == 0:
		return unknown("the control of %s was not seen arriving on %s of %s", from.Name, list(in), to.Name)
	}
	frames := uint64(0)
	for _, n := range []*verdict.Node{from, to} {
		for _, capture := range n.Captures {
			frames += capture.Frames
		}
	}
	return pass("control seen leaving on %s and arriving on %s; %s captured, 0 lost, 0 cut", list(out), list(in), plural(frames, "frame"))
}

// dead says that a link had no carrier and that nothing crossed it: no control
// can be sent there and nothing else either.
func dead(n *verdict.Node, l *evidence.Link) bool {
	return l.NoCarrier && n.Capture(l.Name).Frames == 0
}

// controlled says whether the link's capture saw any control.
func controlled(n *verdict.Node, link string) bool {
	capture := n.Capture(link)
	return capture != nil && capture.ControlTX+capture.ControlRX > 0
}

// seenControl returns how many controls of a pair a node's captures saw on some
// of its links. Whatever their own family, they stand for the way.
func seenControl(from, to, on *verdict.Node, links []string, direction string) (seen uint32) {
	for _, link := range links {
		for _, family := range []int{4, 6} {
			seen += on.Witnessed[verdict.Witnessed{
				Link: link, Direction: direction, Family: family, Source: from.Index, Target: to.Index,
			}].Control
		}
	}
	return seen
}

func controlSent(n *verdict.Node, peer int) (sent uint32) {
	for _, control := range n.Controls {
		if control.Peer == peer {
			sent += control.Sent
		}
	}
	return sent
}

func controlError(n *verdict.Node, peer int) string {
	for _, control := range n.Controls {
		if control.Peer == peer && control.Error != "" {
			return fmt.Sprintf(": %s", control.Error)
		}
	}
	return ""
}
