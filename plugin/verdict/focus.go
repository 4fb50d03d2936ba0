package verdict

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Focus is the subject that a check looks at: the cluster, a node, or an
// ordered pair of nodes and a family with the tunnel between them. It is good
// for one call.
type Focus struct {
	*Case
	Node   *Node // nil for the cluster
	Peer   *Node // nil unless it is a pair
	Family int   // 4 or 6 for a pair, and for a node where each family is judged by itself
	// Quiet says that only the status of the outcome is wanted: millions of
	// pairs are judged, a few are spoken of.
	Quiet  bool
	Tunnel Tunnel // of a pair
	// Sender and Receiver are the canaries from Node to Peer as each end knows
	// them.
	Sender, Receiver *Canaries

	here, there *end // of a pair: Node's and Peer's
	holder      Peer
}

// Tunnel is the WireGuard tunnel of an ordered pair, seen from both ends. Any
// pointer in it may be nil: not read, not there.
type Tunnel struct {
	From, To       *Node
	Family         int
	FromLink       string // name of the expected device on each end
	ToLink         string
	FromDev, ToDev *evidence.Device
	Peer           *Peer  // To, as From's device has it
	Sent           *Count // From's counters for To; the first reading is 0
	Received       *Count // To's counters for From
	// Beside are the bytes that From's device sent to the endpoint of To for
	// peers that are none any more; the first reading is 0.
	Beside *[evidence.Readings]uint64
	Out    *Flow // what left From towards To
	In     *Flow // what arrived at To from From
	// OutLinks and InLinks are where these were seen, nil if nothing was.
	OutLinks, InLinks []string
}

// end is what a node holds of another: its half of the tunnels both ways.
type end struct {
	node     *Node
	carrier  *Carrier
	toward   *toward
	canaries *Canaries
	peer     *Peer  // nil if it does not have the other as a peer
	count    *Count // nil if its counters for the other were not read
	beside   [evidence.Readings]uint64
	tx, rx   Flow
	trail    *trail // of the ciphertext

	ofPeer  Peer
	ofCount Count
}

// none stands for canaries that nobody reported.
var none = &Canaries{}

// Subject names the focus.
func (f *Focus) Subject() Subject {
	switch {
	case f.Node == nil:
		return Subject{}
	case f.Peer == nil:
		return Subject{Node: f.Node.Name, Family: f.Family}
	}
	return Subject{Node: f.Node.Name, Peer: f.Peer.Name, Family: f.Family}
}

// Say is an outcome whose text is made only if it is wanted.
func (f *Focus) Say(status Status, text func() string) Outcome {
	if f.Quiet {
		return Outcome{Status: status}
	}
	return Outcome{Status: status, Words: &Words{Text: text()}}
}

// onPair turns the focus to a pair.
func (f *Focus) onPair(from, to *Node, family int) {
	if f.here == nil {
		f.here, f.there = &end{}, &end{}
	}
	f.Family = family
	f.unpack(f.here, from, to)
	f.unpack(f.there, to, from)
	f.onTunnel()
}

// turn turns the focus from a pair to its other direction, for which the same
// evidence counts.
func (f *Focus) turn() {
	f.here, f.there = f.there, f.here
	f.onTunnel()
}

func (f *Focus) onTunnel() {
	here, there := f.here, f.there
	f.Node, f.Peer, f.Sender, f.Receiver = here.node, there.node, here.canaries, there.canaries
	f.Tunnel = Tunnel{
		From: here.node, To: there.node, Family: f.Family,
		FromLink: here.carrier.Name, ToLink: there.carrier.Name, FromDev: here.carrier.Device, ToDev: there.carrier.Device,
		Peer: here.peer, Sent: here.count, Received: there.count, Beside: &here.beside,
		Out: &here.tx, In: &there.rx, OutLinks: here.trail.links, InLinks: there.trail.links,
	}
}

// unpack fills a node's end with what it holds of another.
func (f *Focus) unpack(e *end, n, other *Node) {
	c, at := f.Case, slot(f.Family)
	e.node, e.carrier, e.toward = n, &n.carriers[at], &n.toward[at][other.at]
	e.canaries = c.canariesOf(n, other, at)
	e.peer, e.count, e.tx, e.rx, e.trail = nil, nil, nothing, nothing, &n.trails[0]
	e.beside = [evidence.Readings]uint64{}
	if e.toward.far < 0 {
		return
	}
	far, wire := &n.far[e.toward.far], &n.wire[e.toward.far]
	if far.flags&isPeer != 0 {
		e.ofPeer = c.peer(n, far)
		e.peer = &e.ofPeer
	}
	if far.flags&counted == 0 {
		return
	}
	c.count(n, far, &e.ofCount)
	e.count = &e.ofCount
	if n.beside != nil && far.allowed != 0 {
		e.beside = n.beside[place{far.device, far.countEnd}]
	}
	c.unpackFlow(n, &wire.tx, &e.tx)
	c.unpackFlow(n, &wire.rx, &e.rx)
	e.trail = &n.trails[far.trail]
}

// Canaries returns the canaries from one node's pod to another's as each end
// knows them.
func (c *Case) Canaries(from, to *Node, family int) (sender, receiver *Canaries) {
	at := slot(family)
	if at < 0 {
		return none, none
	}
	return c.canariesOf(from, to, at), c.canariesOf(to, from, at)
}

// canariesOf returns what a node's pod knows of its canaries with another's.
func (c *Case) canariesOf(n, other *Node, at int) *Canaries {
	rows := n.canaries[at].rows
	if rows == nil || rows[other.at] == 0 {
		return none
	}
	return c.canaries.value(rows[other.at])
}

// Back returns From as To's device has it, nil if it does not.
func (f *Focus) Back() *Peer { return f.there.peer }

// Route is the kernel's route from Node to the pod on Peer, nil if it was not
// asked. Its For is not set.
func (f *Focus) Route() *evidence.Route { return f.routes.value(f.here.toward.route) }

// Way is the kernel's route from Node to the endpoint that it sends to, with
// the device's mark if it was not asked without. Nil if it was not asked.
func (f *Focus) Way() *evidence.Route {
	if f.Tunnel.Sent == nil {
		return nil
	}
	return f.routes.value(f.Node.far[f.here.toward.far].way)
}

// Holder is the peer of Node's device whose allowed IPs match the pod on Peer
// longest, as the kernel chooses it, nil if none does.
func (f *Focus) Holder() (holder *Peer, prefix netip.Prefix) {
	at := f.here.toward.holder
	if at < 0 {
		return nil, netip.Prefix{}
	}
	f.holder = f.peer(f.Node, &f.Node.far[at])
	ip := f.Peer.PodIP(f.Family)
	for _, allowed := range f.holder.AllowedIPs {
		if allowed.Contains(ip) && (!prefix.IsValid() || allowed.Bits() > prefix.Bits()) {
			prefix = allowed
		}
	}
	return &f.holder, prefix
}

// Rival is another peer of Node's device that has a part of Peer's pods, and
// that part; nil if there is none.
func (f *Focus) Rival() (rival *Peer, part netip.Prefix) {
	if f.Node.rivals == nil {
		return nil, netip.Prefix{}
	}
	rivals := f.Node.rivals[pair{f.Node.at, f.Peer.at, f.Family}]
	if len(rivals) == 0 {
		return nil, netip.Prefix{}
	}
	_, prefix := f.Holder()
	peer := f.peer(f.Node, &f.Node.far[rivals[0]])
	part, _ = overlap(peer.AllowedIPs, f.Peer, prefix.Bits())
	return &peer, part
}

// Into and OutOf are how many canaries were seen entering the tunnel on Node
// and leaving it on Peer.
func (f *Focus) Into() Sightings { return f.seenIn(f.Node.into[slot(f.Family)], f.Peer) }

// OutOf is Into's other end.
func (f *Focus) OutOf() Sightings { return f.seenIn(f.Peer.outOf[slot(f.Family)], f.Node) }

// Fastest is the shortest round trip of the canaries from Node to Peer in
// microseconds, 0 if none came back.
func (f *Focus) Fastest() uint32 {
	if fastest := f.Node.canaries[slot(f.Family)].fastest; fastest != nil {
		return fastest[f.Peer.at]
	}
	return 0
}

// FirstArrived is how many first packets of the new pod on Node arrived at the
// pod on Peer.
func (f *Focus) FirstArrived() uint32 {
	return f.Peer.canaries[slot(f.Family)].first[f.Node.at]
}

// Sightings counts marked frames by what they carry: canaries by transport,
// and first packets of new pods.
type Sightings struct{ UDP, TCP, ICMP, First uint32 }

// Total counts all canaries.
func (s Sightings) Total() uint32 { return s.UDP + s.TCP + s.ICMP }

func (f *Focus) seenIn(column []uint32, of *Node) Sightings {
	if column == nil {
		return Sightings{}
	}
	s := f.seen.value(column[of.at])
	return Sightings{s.udp, s.tcp, s.icmp, s.first}
}

// ControlLeft is how many controls for Peer were seen leaving Node on the links
// that the ciphertext took, on any outside link if there was none. Whatever
// their own family, they stand for the way.
func (f *Focus) ControlLeft() (seen uint32) {
	for _, column := range f.here.trail.sent {
		seen += f.seen.value(column[f.Peer.at]).control
	}
	return seen
}

// ControlArrived is the same for their arrival at Peer.
func (f *Focus) ControlArrived() (seen uint32) {
	for _, column := range f.there.trail.received {
		seen += f.seen.value(column[f.Node.at]).control
	}
	return seen
}
