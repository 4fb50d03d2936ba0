package check

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// ended reports whether a captured link was removed and nothing left it that was
// not captured, as that of a container which ends: what the link counted when it
// was removed is no more than what was captured on it.
func ended(n *verdict.Node, link string) bool {
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
