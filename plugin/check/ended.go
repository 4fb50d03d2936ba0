package check

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// ended reports whether a captured link was removed and nothing left it that was
// not captured, as that of a container which ends: what the link counted when it
// was removed is no more than what was captured on it.
func ended(n *graph.Node, link string) bool {
	l, c := n.Link(link), n.Capture(link)
	if l == nil || c == nil || l.Role != evidence.RoleOutside || !slices.Contains(exactKinds, l.Kind) {
		return false
	}
	count, conflict := countOf(n, l)
	if conflict || count == nil || count.Readings == evidence.Readings || !c.Started || c.Drops > 0 || c.Truncated > 0 {
		return false
	}
	before := max(count.TXPackets[evidence.ReadingBefore], count.TXPackets[evidence.ReadingReady])
	removed := false
	for _, e := range n.LinkEvents {
		if e.Index != l.Index {
			continue
		}
		if e.What != "removed" && e.What != "down" {
			return false
		}
		if e.What == "removed" {
			removed = true
			if e.Link != link || e.TXPackets < before || e.TXPackets-before > c.TXFrames {
				return false
			}
		}
	}
	return removed
}

// began reports whether an outside link appeared, or began to lead out, between
// the first reading and the captures, and was captured from then on with all that
// it counted.
func began(n *graph.Node, c *evidence.Capture) bool {
	if c.Role != evidence.RoleOutside || !c.Started || !c.Alive || c.ControlTX+c.ControlRX == 0 {
		return false
	}
	count := onlyCount(n, c.Link)
	if count == nil || count.Readings != evidence.Readings-1 || count.TXPackets[evidence.ReadingBefore] != 0 {
		return false
	}
	packets, ok := advanced(count.TXPackets)
	return ok && packets <= c.TXFrames
}

// goneBefore reports whether an outside link was there at the first reading alone:
// it was removed before the captures were ready.
func goneBefore(n *graph.Node, l *evidence.Link) bool {
	count := onlyCount(n, l.Name)
	if count == nil || count.Index != l.Index || count.Readings != 1 || n.Capture(l.Name) != nil {
		return false
	}
	late := slices.Max(count.TXPackets[evidence.ReadingReady:]) + slices.Max(count.RXPackets[evidence.ReadingReady:])
	stays := func(e *evidence.LinkEvent) bool {
		return e.Index == l.Index && e.What != "removed" && e.What != "down"
	}
	return late == 0 && !slices.ContainsFunc(n.LinkEvents, stays)
}

// onlyCount is what was counted on the only link of a name, nil if there are more.
func onlyCount(n *graph.Node, link string) (found *evidence.LinkCount) {
	for _, c := range n.LinkCounts {
		switch {
		case c.Link != link:
		case found != nil && *found != *c:
			return nil
		default:
			found = c
		}
	}
	return found
}
