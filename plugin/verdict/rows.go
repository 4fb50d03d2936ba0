package verdict

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// answer is the kernel's route for an address.
type answer struct{ to, route uint32 }

// settled sorts answers by address. Of several for one address the last counts
// if last is set, else the first.
func settled(answers []answer, last bool) []answer {
	if last {
		slices.Reverse(answers)
	}
	slices.SortStableFunc(answers, func(a, b answer) int { return cmp.Compare(a.to, b.to) })
	return slices.Clone(slices.CompactFunc(answers, func(a, b answer) bool { return a.to == b.to }))
}

// lookup returns the number of the route for an address, 0 if there is none.
func lookup(answers []answer, to uint32) uint32 {
	at, found := slices.BinarySearchFunc(answers, to, func(a answer, to uint32) int { return cmp.Compare(a.to, to) })
	if !found {
		return 0
	}
	return answers[at].route
}

func (c *Case) addRoute(n *Node, r *evidence.Route) {
	route := *r
	to := route.For
	route.For = netip.Addr{}
	number := c.routes.number(route, func() *evidence.Route { return &route })
	switch {
	case !to.IsValid():
		n.Table = append(n.Table, c.route(number))
		return
	case route.Mark == 0:
		n.answers = append(n.answers, answer{c.address(to), number})
	default:
		n.marked = append(n.marked, answer{c.address(to), number})
	}
}

func (c *Case) route(number uint32) *evidence.Route {
	c.routes.mu.RLock()
	defer c.routes.mu.RUnlock()
	return c.routes.value(number)
}

func (c *Case) address(a netip.Addr) uint32 {
	return c.addresses.number(a, func() netip.Addr { return a })
}

// column is where marked traffic was seen: by the place of the other node,
// which is the target of what left here and the source of what arrived.
type column struct {
	link     string
	received bool
	family   int
}

// maxColumns bounds the columns of one node: two directions and families of
// more links than any host has.
const maxColumns = 1024

// seen is what was seen of a pair, without the pair: evidence.Seen of node 0.
type seen evidence.Seen

// addWitness keeps what bears on this node's own traffic: what it sent leaving
// and what is for it arriving.
func (c *Case) addWitness(n *Node, w *evidence.Witness) {
	at := column{w.Link, w.Direction == evidence.DirectionRX, w.Family}
	if !at.received && w.Direction != evidence.DirectionTX {
		return
	}
	for _, s := range w.Seen {
		own, other := s.Source, s.Target
		if at.received {
			own, other = s.Target, s.Source
		}
		far := c.byIndex[other]
		if own != n.Index || far == nil {
			continue
		}
		if n.columns[at] == nil {
			if len(n.columns) == maxColumns {
				return
			}
			if n.columns == nil {
				n.columns = map[column][]uint32{}
			}
			n.columns[at] = make([]uint32, len(c.Nodes))
		}
		count := seen(s)
		count.Source, count.Target = 0, 0
		number := c.seen.number(count, func() seen { return count })
		if before := n.columns[at][far.at]; before != 0 && before != number {
			conflict(&n.conflicts.probe, "the marked packets on "+w.Link)
		}
		n.columns[at][far.at] = number
	}
}

func (c *Case) addControl(n *Node, control *evidence.Control) {
	to := c.byIndex[control.Peer]
	if to == nil {
		return
	}
	if n.controls == nil {
		n.controls = make([]uint32, len(c.Nodes))
	}
	n.controls[to.at] += control.Sent
	if control.Error != "" && n.refused[to.at] == "" {
		if n.refused == nil {
			n.refused = map[int]string{}
		}
		n.refused[to.at] = control.Error
	}
}

// Canaries are what a pod knows of its traffic with another but the round
// trips, which no two pairs have alike. They are the same for most pairs of a
// run, and equal ones are one.
type Canaries struct {
	Rows []evidence.CanaryRow // RTT is 0
	// Sums of the rows of a transport. Nothing is Received of ICMP.
	UDP, TCP, ICMP CanarySum
	Sent           uint64 // over all transports
	Largest        int    // size of UDP that was sent, or tried
}

// CanarySum sums the rows of one transport, see evidence.CanaryRow.
type CanarySum struct{ Sent, Answered, Received uint64 }

func (s *CanarySum) add(row *evidence.CanaryRow) {
	s.Sent += uint64(row.Sent)
	s.Answered += uint64(row.Answered)
	s.Received += uint64(row.Received)
}

// canaries are packed Canaries by the other node's place, with the fastest round
// trips in microseconds.
type canaries struct {
	rows, fastest []uint32
	first         map[int]uint32 // how many first packets of a new pod came
}

func (c *Case) addCanary(n *Node, about *evidence.Canary) {
	family, to := slot(about.Family), c.byIndex[about.Peer]
	if family < 0 || to == nil {
		return
	}
	all := &n.canaries[family]
	if all.rows == nil {
		*all = canaries{make([]uint32, len(c.Nodes)), make([]uint32, len(c.Nodes)), map[int]uint32{}}
	}
	number := c.canaries.number(rowsText(about.Rows), func() *Canaries { return newCanaries(about.Rows) })
	if before := all.rows[to.at]; before != 0 && (before != number || all.first[to.at] != about.First) {
		conflict(&n.conflicts.pod, "the canaries of its pod and that of "+to.Name)
	}
	all.rows[to.at] = number
	all.fastest[to.at] = evidence.Fastest(about.Rows)
	delete(all.first, to.at)
	if about.First > 0 {
		all.first[to.at] = about.First
	}
}

// rowsText is what two equal lists of rows, and only they, have in common, but
// for round trips.
func rowsText(rows []evidence.CanaryRow) string {
	b := make([]byte, 0, 256)
	for _, r := range rows {
		b = append(append(b, r.Transport...), 0)
		b = binary.AppendVarint(b, int64(r.Size))
		for _, value := range []uint32{r.Sent, r.Answered, r.Received, uint32(len(r.Error))} {
			b = binary.AppendUvarint(b, uint64(value))
		}
		b = append(b, r.Error...)
	}
	return string(b)
}

func newCanaries(rows []evidence.CanaryRow) *Canaries {
	c := &Canaries{Rows: slices.Clone(rows)}
	for i := range c.Rows {
		row := &c.Rows[i]
		row.RTT = 0
		c.Sent += uint64(row.Sent)
		switch row.Transport {
		case "udp":
			c.UDP.add(row)
			if row.Sent > 0 || row.Error != "" {
				c.Largest = max(c.Largest, row.Size)
			}
		case "tcp":
			c.TCP.add(row)
		case "icmp":
			c.ICMP.add(row)
		}
	}
	return c
}
