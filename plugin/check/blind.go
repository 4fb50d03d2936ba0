package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// blind judges a node: the first blind spot that was found counts, all are shown.
func (v *view) blind(n *graph.Node) verdict.Outcome {
	if v.Run.Minor < 1 {
		return skip("recorded by an earlier version, which did not look for what captures miss on %s", n.Name)
	}
	var spots []spot
	for _, look := range []func(*graph.Node) []spot{v.programs, v.passages, v.changes, v.linkCounters, v.unread} {
		spots = append(spots, look(n)...)
	}
	if len(spots) == 0 {
		return v.nothingUnseen(n)
	}
	first := spots[0]
	out := unknown("on %s, %s", n.Name, first.text)
	out.Variant = first.variant
	out.Facts = map[string]string{"node": n.Name, "link": first.link,
		"program": first.program}
	for _, s := range spots[:min(len(spots), maxSpots)] {
		out.Readings = append(out.Readings, verdict.Reading{Node: n.Name, What: s.what, Text: s.text})
	}
	return out
}

// maxSpots bounds the blind spots of one node that are shown.
const maxSpots = 12

// spot is a blind spot, or what keeps one from being excluded.
type spot struct {
	variant       string // xdp, program, redirect, offload, link, counters, unread
	what, text    string
	link, program string
}

// programs are XDP programs, on any link that is up: they take and send frames
// before a packet socket sees them, on the link itself and on any other.
func (v *view) programs(n *graph.Node) (spots []spot) {
	for _, l := range n.Links {
		if l.XDP == nil || !l.Up {
			continue
		}
		spots = append(spots, spot{
			variant: "xdp", what: "link " + l.Name, link: l.Name, program: fmt.Sprint(l.XDP.ID),
			text: fmt.Sprintf("the XDP program %d (%s) on %s can take and send frames that no capture sees", l.XDP.ID,
				l.XDP.Mode, l.Name),
		})
	}
	return spots
}

// passages are filters of traffic control that give frames another way, and
// flows that pass a link's hardware or a flow table.
func (v *view) passages(n *graph.Node) (spots []spot) {
	for _, d := range n.Diversions {
		switch {
		case d.By == "tc" && d.Effect == evidence.EffectBPF && !profile.OwnProgram(n, d):
			name := "without a name"
			if d.Program != "" {
				name = d.Program
			}
			spots = append(spots, spot{variant: "program", what: "tc " + d.Hook + " of " + d.Link, link: d.Link,
				program: d.Program,
				text: fmt.Sprintf("the BPF program %d (%s) at %s of %s decides where frames go, and is not one of %s",
					d.ID, name, d.Hook, d.Link, v.Title)})
		case d.By == "tc" && redirects(d) && !staysInside(n, d.To):
			spots = append(spots, spot{variant: "redirect", what: "tc " + d.Hook + " of " + d.Link, link: d.Link,
				text: fmt.Sprintf("a filter at %s of %s sends frames to %s, bypassing the routes: %s",
					d.Hook, d.Link, d.To, d.Rule)})
		case d.By == "nftables" && d.Effect == evidence.EffectForward && strings.Contains(d.Rule, "flow add"):
			spots = append(spots, spot{variant: "offload", what: "nftables " + d.Table + " " + d.Chain,
				text: fmt.Sprintf("a flow table lets connections bypass the packet filter, and the captures "+
					"where a card does it: %s", d.Rule)})
		}
	}
	return spots
}

func redirects(d *evidence.Diversion) bool {
	return d.Effect == evidence.EffectForward || d.Effect == evidence.EffectCopy
}

// staysInside reports whether frames that are sent to a link stay on the host,
// or are encrypted there: to a queueing device, to a pod, into WireGuard. An
// overlay, a tun and a pair that ends on this host lead on from there, a bridge
// where its ports do. What is sent to the loopback comes in again by it, and rules
// can be for that; a queueing device can have filters of its own.
func staysInside(n *graph.Node, to string) bool {
	l := n.Link(to)
	switch {
	case l == nil || l.Role == evidence.RoleOutside:
		return false
	case l.Role == evidence.RoleWireGuard:
		return true
	case l.Kind == "ifb", l.Kind == "dummy":
		return !slices.ContainsFunc(n.Diversions, func(d *evidence.Diversion) bool {
			return slices.Contains(strings.Fields(d.Link), to) && (redirects(d) || d.Effect == evidence.EffectBPF)
		})
	case l.Kind == "bridge":
		return !slices.ContainsFunc(n.Links, func(port *evidence.Link) bool {
			return port.Master == l.Name && (port.Kind == "bridge" || !staysInside(n, port.Name))
		})
	}
	return slices.Contains(podPipes, l.Kind) && l.PeerNS
}

// changes are links that began to lead out of the host while all was watched,
// and carried something, and programs that came or went.
func (v *view) changes(n *graph.Node) (spots []spot) {
	for _, e := range n.LinkEvents {
		text := ""
		switch {
		case e.What == "xdp":
			text = fmt.Sprintf("an XDP program was attached to or taken from %s while the captures ran", e.Link)
		case e.What == "removed" && e.Role == evidence.RoleOutside && captured(n, e.Link) && !ended(n, e.Link):
			text = fmt.Sprintf("%s was removed while it was captured", e.Link)
		case !slices.Contains(linkChanges, e.What):
			text = fmt.Sprintf("%s changed in an unknown way: %q", e.Link, e.What)
		case e.What != "added" && e.What != "role" || e.Role == evidence.RoleInside:
			continue
		default:
			text = appeared(n, e)
		}
		if text != "" {
			spots = append(spots, spot{variant: "link", what: "change of " + e.Link, link: e.Link, text: text})
		}
	}
	return spots
}

// linkChanges are what a LinkEvent can be about.
var linkChanges = []string{"added", "removed", "up", "down", "xdp", "role"}

// appeared reports what became of a link that appeared, "" if nothing crossed it.
func appeared(n *graph.Node, e *evidence.LinkEvent) string {
	gone, sent, received := false, uint64(0), uint64(0)
	for _, other := range n.LinkEvents {
		if other.Index == e.Index && other.What == "removed" {
			gone, sent, received = true, max(sent, other.TXPackets), max(received, other.RXPackets)
		}
	}
	switch {
	case !gone:
		return fmt.Sprintf("%s began to lead out of the host while the captures ran: nothing was captured on it",
			e.Link)
	case sent == 0 && received == 0:
		return ""
	}
	return fmt.Sprintf("%s appeared while the captures ran, sent %s, received %d and was removed: nothing was "+
		"captured on it",
		e.Link, plural(sent, "frame"), received)
}

func captured(n *graph.Node, link string) bool { return n.Capture(link) != nil }

// unread is what of the evidence for this check is missing.
func (v *view) unread(n *graph.Node) (spots []spot) {
	for what, text := range map[string]string{
		evidence.InventoryLinks: "changes of links were not all noticed", evidence.InventoryTC: "the filters of " +
			"traffic control were not all read",
	} {
		if why, whole := inventory(n, what); !whole {
			spots = append(spots, spot{variant: "unread", what: what, text: strings.TrimSuffix(text+": "+why, ": ")})
		}
	}
	slices.SortFunc(spots, func(a, b spot) int { return strings.Compare(a.what, b.what) })
	return spots
}

// inventory reports whether a collector read all of one kind, and why it did
// not. Of several the worst counts.
func inventory(n *graph.Node, what string) (why string, whole bool) {
	found := false
	for _, i := range n.Inventories {
		if i.What != what {
			continue
		}
		if found = true; !i.Complete {
			return i.Text, false
		}
	}
	return "", found
}

// nothingUnseen passes, or warns of what is on and no rule uses.
func (v *view) nothingUnseen(n *graph.Node) verdict.Outcome {
	for _, l := range n.Outside() {
		if len(l.Offloads) > 0 {
			out := warn("%s of %s can let flows bypass the captures: %s is on, though nothing was found that uses it",
				l.Name, n.Name, list(l.Offloads))
			out.Variant = "offload"
			out.Facts = map[string]string{"node": n.Name, "link": l.Name}
			return out
		}
	}
	note := ""
	for _, i := range n.Inventories {
		if i.What == evidence.InventoryTC && i.Text != "" {
			note = "; " + i.Text
		}
	}
	return pass("%s: no program, offload or new link found that hides frames, and no link sent more than was "+
		"captured%s", n.Name, note)
}
