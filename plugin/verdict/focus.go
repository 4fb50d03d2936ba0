package verdict

import (
	"cmp"
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
	beside   *[evidence.Readings]uint64
	tx, rx   Flow
	trail    *trail // of the ciphertext

	ofPeer  Peer
	ofCount Count
}

// none stands for canaries that nobody reported, the others for what a node does
// not hold of another.
var (
	none       = &Canaries{}
	noneBeside [evidence.Readings]uint64
	noFar      far
	noWire     wire
)

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
	here, there, t := f.here, f.there, &f.Tunnel
	f.Node, f.Peer, f.Sender, f.Receiver = here.node, there.node, here.canaries, there.canaries
	t.From, t.To, t.Family = here.node, there.node, f.Family
	t.FromLink, t.ToLink, t.FromDev, t.ToDev = here.carrier.Name, there.carrier.Name, here.carrier.Device, there.carrier.Device
	t.Peer, t.Sent, t.Received, t.Beside = here.peer, here.count, there.count, here.beside
	t.Out, t.In, t.OutLinks, t.InLinks = &here.tx, &there.rx, here.trail.links, there.trail.links
}

// unpack fills a node's end with what it holds of another. Values are written
// field by field: millions are, and copying whole structs takes longer.
func (f *Focus) unpack(e *end, n, other *Node) {
	c, at := f.Case, slot(f.Family)
	e.node, e.carrier, e.toward = n, &n.carriers[at], &n.toward[at][other.at]
	e.canaries = c.canariesOf(e.toward.canaries)
	e.peer, e.count, e.beside = nil, nil, &noneBeside
	far, wire := &noFar, &noWire
	if at := e.toward.far; at >= 0 {
		far, wire = &n.far[at], &n.wire[at]
	}
	c.unpackFlow(n, &wire.tx, &e.tx)
	c.unpackFlow(n, &wire.rx, &e.rx)
	e.trail = &n.trails[far.trail]
	if far.flags&isPeer != 0 {
		c.peer(n, far, &e.ofPeer)
		e.peer = &e.ofPeer
	}
	if far.flags&counted == 0 {
		return
	}
	c.count(n, far, &e.ofCount)
	e.count = &e.ofCount
	if n.beside != nil && far.allowed != 0 {
		e.beside = cmp.Or(n.beside[place{far.device, far.countEnd}], &noneBeside)
	}
}

// Canaries returns the canaries from one node's pod to another's as each end
// knows them.
func (c *Case) Canaries(from, to *Node, family int) (sender, receiver *Canaries) {
	at := slot(family)
	if at < 0 {
		return none, none
	}
	return c.canariesOf(at32(from.canaries[at].rows, to.at)), c.canariesOf(at32(to.canaries[at].rows, from.at))
}

func (c *Case) canariesOf(number uint32) *Canaries {
	if number == 0 {
		return none
	}
	return c.canaries.value(number)
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
func (f *Focus) Holder() *Peer {
	switch at := f.here.toward.holder; {
	case at < 0:
		return nil
	case at != f.here.toward.far:
		f.peer(f.Node, &f.Node.far[at], &f.holder)
		return &f.holder
	}
	return f.here.peer
}

// Held is the longest of Holder's allowed IPs that match the pod on Peer, the
// zero Prefix if there is no holder.
func (f *Focus) Held() (prefix netip.Prefix) {
	holder, ip := f.Holder(), f.Peer.PodIP(f.Family)
	if holder == nil {
		return prefix
	}
	for _, allowed := range holder.AllowedIPs {
		if allowed.Contains(ip) && (!prefix.IsValid() || allowed.Bits() > prefix.Bits()) {
			prefix = allowed
		}
	}
	return prefix
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
	rival = &Peer{}
	f.peer(f.Node, &f.Node.far[rivals[0]], rival)
	part, _ = overlap(rival.AllowedIPs, f.Peer, f.Held().Bits())
	return rival, part
}

// Into and OutOf are how many canaries were seen entering the tunnel on Node
// and leaving it on Peer.
func (f *Focus) Into() Sightings { return f.sightings(f.here.toward.into) }

// OutOf is Into's other end.
func (f *Focus) OutOf() Sightings { return f.sightings(f.there.toward.outOf) }

// Fastest is the shortest round trip of the canaries from Node to Peer in
// microseconds, 0 if none came back.
func (f *Focus) Fastest() uint32 {
	return at32(f.Node.canaries[slot(f.Family)].fastest, f.Peer.at)
}

// FirstArrived is how many first packets of the new pod on Node arrived at the
// pod on Peer.
func (f *Focus) FirstArrived() uint32 {
	return f.Peer.canaries[slot(f.Family)].first[f.Node.at]
}

// Sightings counts what was seen of a pair on a WireGuard link: canaries and
// answers by transport, and first packets of new pods, see evidence.Seen. Its
// nodes are not set.
type Sightings evidence.Seen

// Total counts all canaries and answers.
func (s Sightings) Total() uint64 { return uint64(s.UDP) + uint64(s.TCP) + uint64(s.ICMP) }

func (f *Focus) sightings(number uint32) Sightings { return Sightings(f.seen.value(number)) }

// ControlSent says that Node's probe sent a control to Peer.
func (f *Focus) ControlSent() bool { return f.here.toward.controls&controlSent != 0 }

// ControlLeft says that a control for Peer was seen leaving Node on an outside
// link. Whatever its own family, it stands for the way.
func (f *Focus) ControlLeft() bool { return f.here.toward.controls&controlLeft != 0 }

// ControlArrived is the same for its arrival at Peer.
func (f *Focus) ControlArrived() bool { return f.there.toward.controls&controlArrived != 0 }
