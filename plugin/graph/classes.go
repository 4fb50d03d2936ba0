package graph

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// ClassEdge is all that is known of the packets of one class from one node to
// another in a family, and of the answers to them, see evidence.Class. Counts are
// of different packets.
type ClassEdge struct {
	Class    evidence.Class
	From, To *Node
	Addr     netip.AddrPort // to which From sent, the zero AddrPort if it sent nothing
	Sent     uint32
	Answered uint32 // answers that came back to From
	Received uint32 // requests that came to To
	Error    string // why From could not send, empty if it could
	Ended    bool   // of ClassEnded: the pod that it is for had ended before it was sent
	// Requests and answers that were seen entering a WireGuard link at their sender's
	// node and leaving one at the other's.
	Into, OutOf, AnswersInto, AnswersOutOf uint32
	// IntoOther are requests that were seen entering another tunnel at their sender's node.
	IntoOther uint32
	// Clear are those that were seen on a link that leaves a host.
	Clear []Leak
}

// classKey names packets of a class by the way they go: an answer by the nodes of
// the packet that it answers.
type classKey struct {
	class            evidence.Class
	from, to, family int // indexes of nodes
}

// requestOf returns of a packet of a class which requests it belongs to.
func requestOf(class evidence.Class, source, target, family int, answer bool) classKey {
	if answer {
		source, target = target, source
	}
	return classKey{class, source, target, family}
}

// Class returns what is known of a class of packets between the nodes of an edge.
func (e *Edge) Class(class evidence.Class) *ClassEdge {
	c := &ClassEdge{Class: class, From: e.From, To: e.To}
	for _, s := range e.From.Classed {
		if s.Class == class && s.Peer == e.To.Index && s.Family == e.Family && s.Addr.IsValid() {
			c.Addr = s.Addr
			c.Error = s.Error
			c.Sent = max(c.Sent, s.Sent)
			c.Answered = max(c.Answered, s.Answered)
		}
	}
	for _, s := range e.To.Classed {
		if s.Class == class && s.Peer == e.From.Index && s.Family == e.Family {
			c.Received = max(c.Received, s.Received)
		}
	}
	tx, rx := evidence.DirectionTX, evidence.DirectionRX
	switch class {
	case evidence.ClassDNS: // who answers is none of the run's and counts nothing
		c.Received = c.Answered
	case evidence.ClassEnded:
		newPod := e.To.Pods["newcomer"]
		c.Ended = newPod != nil && newPod.Ended
	}
	c.Into, c.IntoOther = e.From.classSeen(e, class, tx, false)
	c.OutOf, _ = e.To.classSeen(e, class, rx, false)
	c.AnswersInto, _ = e.To.classSeen(e, class, tx, true)
	c.AnswersOutOf, _ = e.From.classSeen(e, class, rx, true)
	c.Clear = e.graph.clear[classKey{class, e.From.Index, e.To.Index, e.Family}]
	return c
}

// classSeen counts what was seen of an edge's requests, or of the answers to them,
// on that of the node's WireGuard links on which most was: what one of them sends
// through another is ciphertext there. The same of its other tunnels.
func (n *Node) classSeen(e *Edge, class evidence.Class, direction string, answer bool) (most, other uint32) {
	want := classKey{class, e.From.Index, e.To.Index, e.Family}
	for _, s := range n.ClassSeen {
		if s.Direction != direction || s.Answer != answer ||
			requestOf(s.Class, s.Source, s.Target, s.Family, s.Answer) != want {
			continue
		}
		if l := n.Link(s.Link); l != nil && l.Role == evidence.RoleWireGuard {
			most = max(most, s.Count)
		} else {
			other = max(other, s.Count)
		}
	}
	return most, other
}

// classesOn counts the packets of classes that were seen on a link.
func (n *Node) classesOn(link string) (sum uint64) {
	for _, s := range n.ClassSeen {
		if s.Link == link {
			sum += uint64(s.Count)
		}
	}
	return sum
}

// attributeClass keeps a packet of a class that was seen in clear apart from leaks,
// if it is of one that was asked for: it is for the profile to say what it is. It
// reports whether it was.
func (g *Graph) attributeClass(leak Leak) bool {
	if leak.Class.Number() == 0 || !g.asked(leak.Class) || g.At(leak.Source) == nil || g.At(leak.Target) == nil {
		return false
	}
	key := requestOf(leak.Class, leak.Source, leak.Target, leak.Family, leak.Answer)
	if leak.Class == evidence.ClassDNS && !g.answersDNS(key.to, key.family) {
		return false
	}
	g.clear[key] = append(g.clear[key], leak)
	return true
}

// asked reports whether the run sent packets of a class.
func (g *Graph) asked(class evidence.Class) bool {
	for _, scope := range g.Run.Scope {
		if evidence.Classes[class.Number()-1].Scope == scope {
			return true
		}
	}
	return false
}

// AskedClasses are those of an edge: a pod of the cluster's DNS is not on every node,
// nor is a new pod of the run. Where none is known at all, it is of every edge that
// nothing is known.
func (e *Edge) AskedClasses() []evidence.Class {
	return slices.DeleteFunc(e.graph.AskedClasses(), func(class evidence.Class) bool {
		return class == evidence.ClassDNS && !e.graph.answersDNS(e.To.Index, e.Family) ||
			class == evidence.ClassEnded && len(e.graph.Run.Newcomers) > 0 && e.To.Newcomer == nil
	})
}

// answersDNS reports whether a node has a pod of the cluster's DNS, or none is known.
func (g *Graph) answersDNS(node, family int) bool {
	return len(g.Run.DNS) == 0 || slices.ContainsFunc(g.Run.DNS, func(s evidence.DNSServer) bool {
		return s.Node == node && s.Addr.Addr().Is4() == (family == 4)
	})
}

// AskedClasses are the classes that the run was asked for, in order.
func (g *Graph) AskedClasses() (classes []evidence.Class) {
	for _, one := range evidence.Classes {
		if g.asked(one.Class) {
			classes = append(classes, one.Class)
		}
	}
	return classes
}
