package graph

import (
	"maps"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Seen counts what was seen of an edge on one link: canaries and answers by
// transport, first packets of new pods and controls, see evidence.Seen. Its nodes
// are not set.
type Seen evidence.Seen

// notSeen stands for an edge of which nothing was seen.
var notSeen = &Seen{}

// Total counts all canaries and answers.
func (s *Seen) Total() uint64 { return uint64(s.UDP) + uint64(s.TCP) + uint64(s.ICMP) }

// where marked packets were seen. The other node is the target of what left here
// and the source of what arrived.
type where struct {
	link     string
	received bool
	family   int
}

// maxWhere bounds the places of one node: two directions and families of more
// links than any host has.
const maxWhere = 1024

// addSeen keeps what concerns the node's own traffic: what it sent leaving and
// what is for it arriving.
func (g *Graph) addSeen(n *Node, w *evidence.Witness) {
	at := where{w.Link, w.Direction == evidence.DirectionRX, w.Family}
	if !at.received && w.Direction != evidence.DirectionTX {
		return
	}
	for _, s := range w.Seen {
		own, index := s.Source, s.Target
		if at.received {
			own, index = s.Target, s.Source
		}
		other := g.byIndex[index]
		if own != n.Index || other == nil || !n.makeSeen(at, len(g.Nodes)) {
			continue
		}
		count := Seen(s)
		count.Source = 0
		count.Target = 0
		before := n.seen[at][other.place]
		if before != nil && *before != count {
			conflict(&n.conflicts.probe, "the marked packets on "+w.Link)
		}
		n.seen[at][other.place] = g.seen.one(count)
	}
}

// makeSeen makes a place for what is seen of others, and reports whether there is one.
func (n *Node) makeSeen(at where, nodes int) bool {
	if n.seen[at] != nil {
		return true
	}
	if len(n.seen) == maxWhere {
		return false
	}
	if n.seen == nil {
		n.seen = map[where][]*Seen{}
	}
	n.seen[at] = make([]*Seen, nodes)
	return true
}

// SeenOn returns what was seen on a link of a node of the marked packets that it
// sent to another, or if received is set of those that came from there.
func (n *Node) SeenOn(link string, other *Node, received bool, family int) *Seen {
	if all := n.seen[where{link, received, family}]; all != nil && all[other.place] != nil {
		return all[other.place]
	}
	return notSeen
}

// MarkedLinks returns the names of all links on which marked packets of the
// node's edges were seen, controls included, sorted.
func (n *Node) MarkedLinks() []string {
	links := map[string]bool{}
	for at := range n.seen {
		links[at.link] = true
	}
	return slices.Sorted(maps.Keys(links))
}

// MarkedOn counts the marked packets of all edges, families and directions that
// were seen on a link of the node, those of classes included.
func (n *Node) MarkedOn(link string) (sum uint64) {
	sum = n.classesOn(link)
	for at := range n.seen {
		if at.link == link {
			sum += n.marksAt(at)
		}
	}
	return sum
}

// marksAt counts the marked packets of pods that were seen at one place.
func (n *Node) marksAt(at where) (sum uint64) {
	for _, s := range n.seen[at] {
		if s != nil {
			sum += s.Total() + uint64(s.First)
		}
	}
	return sum
}

func (g *Graph) addControl(n *Node, c *evidence.Control) {
	to := g.byIndex[c.Peer]
	if to == nil {
		return
	}
	if n.controlsTo == nil {
		n.controlsTo = make([]bool, len(g.Nodes))
		n.refused = map[int]string{}
	}
	n.controlsTo[to.place] = n.controlsTo[to.place] || c.Sent > 0
	if c.Error != "" && n.refused[to.place] == "" {
		n.refused[to.place] = c.Error
	}
}
