package check

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// exactKinds are the kinds of links whose driver counts a frame as it hands it
// on, with the length that a packet socket sees: drivers/net/veth.c, macvlan.c,
// netkit.c and net/8021q/vlan_dev.c of Linux.
var exactKinds = []string{"veth", "netkit", "vlan", "macvlan"}

// Of any other link the counters are the hardware's. It counts the checksum of
// each frame (4 bytes), the headers that the card repeats when it cuts a
// super-packet (at most 70 of each 604 bytes: Ethernet, IPv6 and TCP above the
// least segment of 536 bytes), and it may count late what was in its ring.
const (
	checksumBytes = 4
	repeatedOf    = 8 // at most one byte in 8
	ringBytes     = 256 << 10
)

// linkCounters compares the counters of captured outside links with what was
// captured: from ReadingReady to ReadingDrained every capture was alive, so what
// a link sent meanwhile cannot be more. What arrives is counted before the
// kernel can drop it under load, so more of it is not a sign of a leak; whoever
// sent it is watched where it left.
func (v *view) linkCounters(n *graph.Node) (spots []spot) {
	if n.Unverified != "" {
		return nil // that is said by WG0604, and explains any difference
	}
	for _, l := range n.Outside() {
		c := n.Capture(l.Name)
		if c == nil || dead(n, l) || ended(n, l.Name) {
			continue
		}
		if text := exceeds(n, l, c); text != "" {
			spots = append(spots, spot{variant: "counters", what: "counters of " + l.Name, link: l.Name, text: text})
		}
	}
	return spots
}

// exceeds reports by how much a link sent more than was captured, or why that
// is not known; "" if it did not.
func exceeds(n *graph.Node, l *evidence.Link, c *evidence.Capture) string {
	count, conflict := countOf(n, l)
	switch {
	case conflict:
		return fmt.Sprintf("the counters of %s were reported twice, and differ", l.Name)
	case count == nil || count.Readings != evidence.Readings:
		return fmt.Sprintf("the counters of %s were not read at all four readings", l.Name)
	}
	packets, ok := advanced(count.TXPackets)
	bytes, alsoOk := advanced(count.TXBytes)
	if !ok || !alsoOk {
		return fmt.Sprintf("the counters of %s went backwards", l.Name)
	}
	exact := slices.Contains(exactKinds, l.Kind)
	allowed := c.TXBytes
	if !exact {
		allowed += c.TXBytes/repeatedOf + checksumBytes*c.TXFrames + ringBytes
	}
	if bytes <= allowed && (!exact || packets <= c.TXFrames) {
		return ""
	}
	return fmt.Sprintf("%s sent %s of %d bytes, and %s of %d bytes were captured leaving it", l.Name,
		plural(packets, "frame"), bytes, plural(c.TXFrames, "frame"), c.TXBytes)
}

// advanced is by how much a counter moved between ReadingReady and
// ReadingDrained; false if it went backwards. On 32-bit hosts many drivers count
// in 32 bits: such a counter begins again, every half minute of a busy card.
func advanced(readings [evidence.Readings]uint64) (moved uint64, ok bool) {
	const width = 1 << 32
	for i := 1; i < evidence.Readings; i++ {
		step := readings[i] - readings[i-1]
		if readings[i] < readings[i-1] {
			step += width
			if readings[i-1] >= width || step >= width/2 {
				return 0, false
			}
		}
		if i > evidence.ReadingReady && i <= evidence.ReadingDrained {
			moved += step
		}
	}
	return moved, true
}

func countOf(n *graph.Node, l *evidence.Link) (found *evidence.LinkCount, conflict bool) {
	for _, c := range n.LinkCounts {
		if c.Link != l.Name || c.Index != l.Index {
			continue
		}
		if found != nil && *found != *c {
			return nil, true
		}
		found = c
	}
	return found, false
}
