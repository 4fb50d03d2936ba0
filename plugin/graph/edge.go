package graph

import (
	"iter"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Edge is all that is known of the traffic from the pods on From to those on To
// in one family. A pointer is nil where something was not read or is not there,
// but for Sender, Receiver, Out, In, Into and OutOf, which are then empty.
type Edge struct {
	From, To *Node
	Family   int // 4 or 6

	// The canaries from From's test pod to To's, as each end knows them.
	Sender, Receiver *Canaries
	Fastest          uint32 // shortest round trip, microseconds, 0 if none came back
	FirstArrived     uint32 // first packets of the new pod on From that arrived at To

	// The carrier at each end.
	FromCarrier, ToCarrier *Carrier
	// Peer is To as From's carrier has it, by the key that To's carrier holds.
	Peer     *Peer
	Sent     *Count // From's counters for To
	Received *Count // To's counters for From
	// StaleSent are the bytes that From's carrier sent to the endpoint of To for
	// stale peers, see addStale.
	StaleSent *Moved
	// Holder is the peer of From's carrier whose allowed IPs match To's test pod
	// longest, Held that prefix. Rival is another peer with a part of To's pods of Family.
	Holder, Rival *Peer
	Held          netip.Prefix

	// WireGuard messages captured leaving From for To and arriving there, and the
	// links on which they were: those that leave the host, or tunnels that carry
	// them inside of their own packets.
	Out, In           *Flow
	OutLinks, InLinks []string
	// OutOuter is what another WireGuard device of From makes of its messages for
	// To, if they go through one, InOuter what To gets. Nil if there is none, or
	// nothing of it was captured.
	OutOuter, InOuter *Outer
	// RewrittenPort is a local port of no device of From from which messages of this
	// tunnel were captured leaving for the endpoint of To, see Peer.rewrittenPort; 0
	// if there is none.
	RewrittenPort uint16
	// LeavesFrom and ArrivesAt are UDP ports that messages of Out and In had on the
	// wire in the place of that of From's and To's device, 0 if all had that.
	LeavesFrom, ArrivesAt uint16
	// OutAdrift, InAdrift: both nodes captured messages of the same sessions, which can
	// be those of Out or of In, between ends of which too few are as the devices report
	// them: too many are translated for it to be said whose they are.
	OutAdrift, InAdrift bool
	// Marked packets seen entering the tunnel on From and leaving it on To.
	Into, OutOf *Seen
	Leaks       []Leak // of this traffic, whoever saw them

	// Route is the kernel's route from From to To's test pod, EndpointRoute that
	// to the endpoint that From sends to, with the device's mark if it was not
	// asked without. Their For is not set.
	Route, EndpointRoute *evidence.Route

	// Controls from From to To.
	ControlSent, ControlLeft, ControlArrived bool
	ControlError                             string // why one was not sent

	graph *Graph
}

// Outer is one direction of another tunnel that carries the messages of one:
// between the same two nodes, or to a third one.
type Outer struct {
	Device string
	Flow   *Flow
	Links  []string // on which it was captured
}

// noStale stands for what was sent to no stale peer.
var noStale Moved

// Edge returns the edge between two different nodes. Resolve was called before.
func (g *Graph) Edge(from, to *Node, family int) *Edge {
	at := slot(family)
	there, here := &to.halves[at][from.place], &from.halves[at][to.place]
	e := &Edge{
		From: from, To: to, Family: family, graph: g,
		FromCarrier: &from.carriers[at], ToCarrier: &to.carriers[at],
		Holder: here.holder, Held: here.holder.longest(to.PodIP(family)), Rival: here.rival, Route: here.route,
		ControlLeft: here.controlLeft, ControlArrived: there.controlCame,
		Out: notCaptured, In: notCaptured, StaleSent: &noStale,
	}
	sender, receiver := from.reported(family, to), to.reported(family, from)
	e.Sender = sender.canaries
	e.Receiver = receiver.canaries
	e.Fastest = sender.fastest
	e.FirstArrived = receiver.first
	e.Into = from.SeenOn(e.FromCarrier.Name, to, false, family)
	e.OutOf = to.SeenOn(e.ToCarrier.Name, from, true, family)
	if from.controlsTo != nil {
		e.ControlSent = from.controlsTo[to.place]
		e.ControlError = from.refused[to.place]
	}
	if from.leaked {
		e.Leaks = g.leaks[edgeKey{from.place, to.place, family}]
	}
	if p := here.peer; p != nil {
		e.sent(p)
	}
	if p := there.peer; p != nil {
		e.received(p)
	}
	return e
}

// sent adds what From knows of To as a peer.
func (e *Edge) sent(p *Peer) {
	if p.Configured {
		e.Peer = p
	}
	e.Sent = p.Count
	e.EndpointRoute = p.route
	e.RewrittenPort = p.rewritten
	e.LeavesFrom = p.translated
	e.OutAdrift = p.adrift
	if p.stale != nil {
		e.StaleSent = p.stale
	}
	if p.tunnel != nil {
		e.Out = &p.tunnel.sent
		e.OutLinks = p.tunnel.links
	}
	if outer := p.outer; outer != nil && outer.tunnel != nil {
		e.OutOuter = &Outer{outer.Device, &outer.tunnel.sent, outer.tunnel.links}
	}
}

// received adds what To knows of From as a peer.
func (e *Edge) received(p *Peer) {
	e.Received = p.Count
	e.ArrivesAt = p.translated
	e.InAdrift = p.adrift
	if p.tunnel != nil {
		e.In = &p.tunnel.received
		e.InLinks = p.tunnel.links
	}
	if outer := p.outer; outer != nil && outer.tunnel != nil {
		e.InOuter = &Outer{outer.Device, &outer.tunnel.received, outer.tunnel.links}
	}
}

// ToRanges are where To's pods are as far as From is known to send all of that to
// them, see Carrier.Assigned.
func (e *Edge) ToRanges() []netip.Prefix { return e.From.rangesOf(e.To, e.Family) }

// Back returns the edge of the other direction.
func (e *Edge) Back() *Edge { return e.graph.Edge(e.To, e.From, e.Family) }

// Graph returns the graph of the edge.
func (e *Edge) Graph() *Graph { return e.graph }

// FromLink and ToLink are the names of the carriers, empty if there are none.
func (e *Edge) FromLink() string { return e.FromCarrier.Name }

// ToLink is FromLink of the other end.
func (e *Edge) ToLink() string { return e.ToCarrier.Name }

// Edges returns all edges of the run in order: by sender, receiver and family.
func (g *Graph) Edges() iter.Seq[*Edge] {
	return func(yield func(*Edge) bool) {
		for _, from := range g.Nodes {
			for e := range g.EdgesFrom(from) {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// EdgesFrom returns the edges of one sender, by receiver and family.
func (g *Graph) EdgesFrom(from *Node) iter.Seq[*Edge] {
	return func(yield func(*Edge) bool) {
		for _, to := range g.Nodes {
			if !g.Pairs.Has(from.place, to.place) {
				continue
			}
			for _, family := range g.Run.Families {
				if !yield(g.Edge(from, to, family)) {
					return
				}
			}
		}
	}
}
