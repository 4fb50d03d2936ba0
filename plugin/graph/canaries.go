package graph

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Canaries are what a pod knows of its traffic with another but the round
// trips, which no two pairs have alike. They are the same for most pairs of a
// run, and equal ones are mostly one.
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

// noCanaries stand for those that nobody reported.
var noCanaries = &Canaries{}

// reported is what a pod reports of its canaries with another.
type reported struct {
	canaries *Canaries // nil if it reports nothing
	fastest  uint32    // shortest round trip, microseconds, 0 if none came back
	first    uint32    // first packets of a new pod that came from there
}

// Canaries returns the canaries from one node's pod to another's as each end
// knows them.
func (g *Graph) Canaries(from, to *Node, family int) (sender, receiver *Canaries) {
	return from.reported(family, to).canaries, to.reported(family, from).canaries
}

func (n *Node) reported(family int, other *Node) reported {
	at := slot(family)
	if at < 0 || n.canaries[at] == nil || n.canaries[at][other.place].canaries == nil {
		return reported{canaries: noCanaries}
	}
	return n.canaries[at][other.place]
}

func (r *reading) addCanary(about *evidence.Canary) {
	n := r.n
	family, to := slot(about.Family), r.g.byIndex[about.Peer]
	if family < 0 || to == nil {
		return
	}
	if n.canaries[family] == nil {
		n.canaries[family] = make([]reported, len(r.g.Nodes))
	}
	rows := slices.Clone(about.Rows)
	for i := range rows {
		rows[i].RTT = 0
	}
	if r.last == nil || !slices.Equal(r.last.Rows, rows) {
		r.last = newCanaries(rows)
	}
	before := n.canaries[family][to.place]
	if before.canaries != nil && (before.first != about.First || !slices.Equal(before.canaries.Rows, rows)) {
		conflict(&n.conflicts.pod, "the test packets of its pod and that of "+to.Name)
	}
	n.canaries[family][to.place] = reported{r.last, evidence.Fastest(about.Rows), about.First}
}

func newCanaries(rows []evidence.CanaryRow) *Canaries {
	c := &Canaries{Rows: rows}
	for i := range c.Rows {
		row := &c.Rows[i]
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
