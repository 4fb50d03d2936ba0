package check

import (
	"cmp"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// tunnels are the tunnels and TUN devices of a node that are not WireGuard's.
type tunnels struct {
	marked    []string // those on which any of the run's own packets were seen
	unwatched string   // the first of those that are up which was not watched all the time, and why
}

func tunnelsOf(n *graph.Node) (t tunnels) {
	for _, name := range n.MarkedLinks() {
		l := n.Link(name)
		if l == nil || l.Role == evidence.RoleInside {
			t.marked = append(t.marked, name)
		}
	}
	for _, l := range n.Links {
		if why := uncapturedTunnel(n, l); why != "" {
			t.unwatched = fmt.Sprintf("%s of %s %s: traffic could have taken it unseen", l.Name, n.Name, why)
			break
		}
	}
	return t
}

// uncapturedTunnel is why the capture of a link does not prove what did not go through it,
// empty if it does.
func uncapturedTunnel(n *graph.Node, l *evidence.Link) string {
	if !l.Up || !evidence.OtherTunnel(l) {
		return ""
	}
	c := n.Capture(l.Name)
	switch {
	case c == nil:
		return "was not captured"
	case c.Error != "":
		return "was not captured to the end: " + c.Error
	case !c.Started || !c.Alive:
		return "was not captured over the whole window"
	case c.Drops > 0:
		return fmt.Sprintf("was captured, and %d of the run's frames were lost", c.Drops)
	}
	return ""
}

// elsewhere is a finding if a pair's own packets were seen on a tunnel or a TUN
// device that is not the carrier: they took another way. It is empty if there is
// none, and where no WireGuard link is known to carry the pair's traffic.
//
// A TUN device hands packets to a process, which may do anything with them. Of
// the kernel's own tunnels one may be the way into the carrier: where the network
// plugin does not encrypt by itself, an overlay stands above it, and the carrier
// then sees inside it whatever the overlay saw.
func (v *view) elsewhere(e *graph.Edge) string {
	if e.FromLink() == "" || e.ToLink() == "" {
		return ""
	}
	return cmp.Or(v.inOtherTunnel(e, e.From, e.To, e.FromLink(), false),
		v.inOtherTunnel(e, e.To, e.From, e.ToLink(), true))
}

// inOtherTunnel is elsewhere for one end of the edge.
func (v *view) inOtherTunnel(e *graph.Edge, n, other *graph.Node, carrier string, received bool) string {
	for _, name := range v.tunnels[n.Place()].marked {
		seen := n.SeenOn(name, other, received, e.Family)
		if seen.Total() == 0 && seen.First == 0 || name == carrier {
			continue
		}
		if v.above(n.Link(name)) && sawAll(n.SeenOn(carrier, other, received, e.Family), seen) {
			continue
		}
		kind := "an unknown link"
		if l := n.Link(name); l != nil {
			kind = "a " + l.Kind + " link"
		}
		way := "entering"
		if received {
			way = "leaving"
		}
		return fmt.Sprintf("traffic from %s to %s bypasses %s: %s of the run seen %s %s of %s, %s",
			e.From.Name, e.To.Name, carrier, plural(seen.Total()+uint64(seen.First), "packet"), way, name, n.Name, kind)
	}
	return ""
}

// above reports whether a link, nil if it is not known, may be an overlay above
// the carrier.
func (v *view) above(l *evidence.Link) bool {
	return (!v.Encrypts || v.Wraps != nil) && l != nil && evidence.OtherTunnel(l) && l.Kind != "tun"
}

// sawAll reports whether a carrier saw of each transport what an overlay above
// it saw. How much of it is for WG0605 to judge.
func sawAll(carrier, overlay *graph.Seen) bool {
	return (overlay.UDP == 0 || carrier.UDP > 0) && (overlay.TCP == 0 || carrier.TCP > 0) &&
		(overlay.ICMP == 0 || carrier.ICMP > 0) && (overlay.First == 0 || carrier.First > 0)
}

// uncapturedEnd explains why it is not known that a pair's traffic took no other
// tunnel, empty if it is.
func (v *view) uncapturedEnd(e *graph.Edge) string {
	if v.Run.Minor < 1 {
		return "" // nothing was looked for there
	}
	return cmp.Or(v.tunnels[e.From.Place()].unwatched, v.tunnels[e.To.Place()].unwatched)
}
