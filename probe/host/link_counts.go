//go:build linux

package host

import (
	"cmp"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// LinkStats are a link's own counters (IFLA_STATS64).
type LinkStats struct {
	Link                 string
	Index                int
	TXBytes, RXBytes     uint64
	TXPackets, RXPackets uint64
}

func statsOf(attrs *netlink.LinkAttrs) (LinkStats, bool) {
	s := attrs.Statistics
	if s == nil {
		return LinkStats{}, false
	}
	return LinkStats{attrs.Name, attrs.Index, s.TxBytes, s.RxBytes, s.TxPackets, s.RxPackets}, true
}

// counts reports whether the counters of a link are worth reporting: those of
// links that frames leave by, and of tunnels.
func counts(link evidence.Link) bool {
	return link.Role != evidence.RoleInside || again[link.Kind] == overlay || link.Kind == "tun"
}

// LinkCounter remembers the four readings of every link's counters. The zero
// value is ready.
type LinkCounter struct {
	counts map[linkKey]*evidence.LinkCount
	taken  map[linkKey][evidence.Readings]bool
}

type linkKey struct {
	name  string
	index int
}

// Take remembers one reading. A reading taken twice counts once.
func (c *LinkCounter) Take(reading int, stats []LinkStats) {
	if reading < 0 || reading >= evidence.Readings {
		return
	}
	if c.counts == nil {
		c.counts, c.taken = map[linkKey]*evidence.LinkCount{}, map[linkKey][evidence.Readings]bool{}
	}
	for _, s := range stats {
		key := linkKey{s.Link, s.Index}
		count := c.counts[key]
		if count == nil {
			count = &evidence.LinkCount{Link: s.Link, Index: s.Index}
			c.counts[key] = count
		}
		count.TXBytes[reading], count.RXBytes[reading] = s.TXBytes, s.RXBytes
		count.TXPackets[reading], count.RXPackets[reading] = s.TXPackets, s.RXPackets
		taken := c.taken[key]
		if !taken[reading] {
			taken[reading] = true
			c.taken[key] = taken
			count.Readings++
		}
	}
}

// maxLinkCounts bounds the links that are reported.
const maxLinkCounts = 1024

// Messages returns a LinkCount per link, in a stable order.
func (c *LinkCounter) Messages() (messages []evidence.Message) {
	keys := make([]linkKey, 0, len(c.counts))
	for key := range c.counts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b linkKey) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.name, b.name))
	})
	for _, key := range keys[:min(len(keys), maxLinkCounts)] {
		messages = append(messages, evidence.Message{LinkCount: c.counts[key]})
	}
	return messages
}
