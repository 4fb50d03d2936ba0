//go:build linux

package host

import (
	"cmp"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// LinkStats are a link's own counters (IFLA_STATS64).
type LinkStats struct {
	Link                 string
	Index                int
	TXBytes, RXBytes     uint64
	TXPackets, RXPackets uint64
}

// counts reports whether the counters of a link are worth reporting: those of
// links that frames leave by, and of tunnels.
func counts(link evidence.Link) bool {
	return link.Role != evidence.RoleInside || again[link.Kind] == overlay || link.Kind == "tun"
}

// LinkCounter remembers the four readings of every link's counters. The zero
// value is ready.
type LinkCounter struct {
	counts map[linkKey]*linkCount
}

type linkKey struct {
	index int
	name  string
}

type linkCount struct {
	evidence.LinkCount
	taken [evidence.Readings]bool
}

// Take remembers one reading. A reading taken twice counts once.
func (c *LinkCounter) Take(reading int, stats []LinkStats) {
	if reading < 0 || reading >= evidence.Readings {
		return
	}
	if c.counts == nil {
		c.counts = map[linkKey]*linkCount{}
	}
	for _, s := range stats {
		key := linkKey{s.Index, s.Link}
		count := c.counts[key]
		if count == nil {
			count = &linkCount{LinkCount: evidence.LinkCount{Link: s.Link, Index: s.Index}}
			c.counts[key] = count
		}
		count.TXBytes[reading] = s.TXBytes
		count.RXBytes[reading] = s.RXBytes
		count.TXPackets[reading] = s.TXPackets
		count.RXPackets[reading] = s.RXPackets
		if !count.taken[reading] {
			count.taken[reading] = true
			count.Readings++
		}
	}
}

// maxLinkCounts bounds the links that are reported.
const maxLinkCounts = 1024

// Messages returns a LinkCount per link, in a stable order.
func (c *LinkCounter) Messages() (messages []evidence.Message) {
	for _, count := range c.counts {
		messages = append(messages, evidence.Message{LinkCount: &count.LinkCount})
	}
	slices.SortFunc(messages, func(m, n evidence.Message) int {
		a, b := m.LinkCount, n.LinkCount
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Link, b.Link))
	})
	return messages[:min(len(messages), maxLinkCounts)]
}
