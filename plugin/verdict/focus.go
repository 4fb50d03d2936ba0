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
	// them; Fastest is the sender's shortest round trip in microseconds.
	Sender, Receiver *Canaries
	Fastest          uint32

	holder Peer
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
	Beside [evidence.Readings]uint64
	Out    Flow // what left From towards To
	In     Flow // what arrived at To from From
	// OutLinks and InLinks are where these were seen, nil if nothing was.
	OutLinks, InLinks []string

	peer               Peer
	sent, received     Count
	outTrail, inTrail  uint32
	fromToward, toward *toward // From's of To, To's of From
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
	f.Node, f.Peer, f.Family = from, to, family
	at := slot(family)
	f.Sender, f.Receiver = f.Canaries(from, to, family)
	f.Fastest = 0
	if rows := from.canaries[at]; rows != nil {
		f.Fastest = rows[to.at].fastest
	}
	f.onTunnel(at)
}

// Canaries returns the canaries from one node's pod to another's as each end
// knows them.
func (c *Case) Canaries(from, to *Node, family int) (sender, receiver *Canaries) {
	sender, receiver = none, none
	at := slot(family)
	if at < 0 {
		return sender, receiver
	}
	if rows := from.canaries[at]; rows != nil && rows[to.at].rows != 0 {
		sender = c.canaries.value(rows[to.at].rows)
	}
	if rows := to.canaries[at]; rows != nil && rows[from.at].rows != 0 {
		receiver = c.canaries.value(rows[from.at].rows)
	}
	return sender, receiver
}

func (f *Focus) onTunnel(at int) {
	c, from, to, t := f.Case, f.Node, f.Peer, &f.Tunnel
	here, there := &from.carriers[at], &to.carriers[at]
	t.From, t.To, t.Family = from, to, f.Family
	t.FromLink, t.ToLink, t.FromDev, t.ToDev = here.Name, there.Name, here.Device, there.Device
	t.fromToward, t.toward = &from.toward[at][to.at], &to.toward[at][from.at]
	t.Peer, t.Sent, t.Received = nil, nil, nil
	t.Out, t.In, t.OutLinks, t.InLinks, t.outTrail, t.inTrail = nothing, nothing, nil, nil, 0, 0
	t.Beside = [evidence.Readings]uint64{}
	if t.FromDev == nil || t.ToDev == nil {
		return
	}
	if t.fromToward.far >= 0 {
		far := &from.far[t.fromToward.far]
		if far.flags&isPeer != 0 {
			t.peer = c.peer(from, far)
			t.Peer = &t.peer
		}
		if far.flags&counted != 0 {
			c.count(from, far, &t.sent)
			t.Sent = &t.sent
			if from.beside != nil && far.allowed != 0 {
				t.Beside = from.beside[place{far.device, far.countEnd}]
			}
			if far.captured >= 0 {
				seen := &from.captured[far.captured]
				t.Out, t.outTrail, t.OutLinks = c.unpackFlow(from, &seen.tx), seen.links, c.links.value(seen.links)
			}
		}
	}
	if t.toward.far >= 0 {
		if far := &to.far[t.toward.far]; far.flags&counted != 0 {
			c.count(to, far, &t.received)
			t.Received = &t.received
			if far.captured >= 0 {
				seen := &to.captured[far.captured]
				t.In, t.inTrail, t.InLinks = c.unpackFlow(to, &seen.rx), seen.links, c.links.value(seen.links)
			}
		}
	}
}

// Back returns From as To's device has it, nil if it does not.
func (f *Focus) Back() *Peer {
	t := &f.Tunnel
	if t.toward.far < 0 || t.To.far[t.toward.far].flags&isPeer == 0 {
		return nil
	}
	peer := f.peer(t.To, &t.To.far[t.toward.far])
	return &peer
}

// Route is the kernel's route from Node to the pod on Peer, nil if it was not
// asked. Its For is not set.
func (f *Focus) Route() *evidence.Route { return f.routes.value(f.Tunnel.fromToward.route) }

// Way is the kernel's route from Node to the endpoint that it sends to, with
// the device's mark if it was not asked without. Nil if it was not asked.
func (f *Focus) Way() *evidence.Route {
	if f.Tunnel.Sent == nil {
		return nil
	}
	return f.routes.value(f.Tunnel.From.far[f.Tunnel.fromToward.far].way)
}

// Holder is the peer of Node's device whose allowed IPs match the pod on Peer
// longest, as the kernel chooses it, nil if none does.
func (f *Focus) Holder() (holder *Peer, prefix netip.Prefix) {
	at := f.Tunnel.fromToward.holder
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

// FirstArrived is how many first packets of the new pod on Node arrived at the
// pod on Peer.
func (f *Focus) FirstArrived() uint32 {
	if rows := f.Peer.canaries[slot(f.Family)]; rows != nil {
		return rows[f.Node.at].first
	}
	return 0
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
	for _, column := range f.Node.trails[f.Tunnel.outTrail].sent {
		seen += f.seen.value(column[f.Peer.at]).control
	}
	return seen
}

// ControlArrived is the same for their arrival at Peer.
func (f *Focus) ControlArrived() (seen uint32) {
	for _, column := range f.Peer.trails[f.Tunnel.inTrail].received {
		seen += f.seen.value(column[f.Node.at]).control
	}
	return seen
}
