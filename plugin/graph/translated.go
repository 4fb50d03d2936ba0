package graph

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A node can translate its tunnel's own datagrams: a source port that a masquerade
// or connection tracking chooses, a target port or address that it redirects. On the
// wire they are then not between the device's port and the endpoint that it has.
//
//	wg0 :51820 — masquerade :40000 — wire — redirect :51999 to :51820 — wg0
//
// Such datagrams are of a tunnel if the captures of both nodes prove it, see facing.

// loose is what was captured between two ends that are not together what a device
// of the node has as its port and the endpoint of a peer.
type loose struct {
	at tunnelKey
	*tunnel
}

// wireEnd is what another node captured of what may be a loose tunnel.
type wireEnd struct {
	node *Node
	at   tunnelKey
	peer *Peer // whose tunnel it is by port and endpoint, nil if it is loose
	*tunnel
}

// seenAs is a session of data messages as a capture saw it.
type seenAs struct {
	session uint32
	sent    bool
}

const (
	// maxAlike is how many tunnels may have a session in common before it says
	// nothing. Sessions are 32 random bits (messages.h), so that even two are rare.
	maxAlike = 4
	// maxPaired is how many devices of a node are tried for a loose tunnel.
	maxPaired = 8
	// leastKnown is how many of the four ends of a tunnel, a port and an endpoint
	// at each node, must be as the devices report them.
	leastKnown = 2
)

// looseTunnels are those with data messages that no peer has by its endpoint, those
// with data messages in both directions first.
func (n *Node) looseTunnels() (list []loose) {
	claimed := map[tunnelKey]bool{}
	for _, p := range n.Peers {
		if device := n.Device(p.Device); device != nil && p.Count != nil {
			claimed[tunnelKey{device.Port, p.Count.Endpoint}] = true
		}
	}
	for at, t := range n.tunnels {
		if !claimed[at] && t.sent.Data+t.received.Data > 0 {
			list = append(list, loose{at, t})
		}
	}
	slices.SortFunc(list, func(a, b loose) int {
		if both := a.bothWays(); both != b.bothWays() {
			if both {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.at.port, b.at.port), a.at.remote.Compare(b.at.remote))
	})
	return list
}

// fromOtherPorts are tunnels with messages that left from a local port which none of
// the node's devices has, by where they went.
func (n *Node) fromOtherPorts() map[netip.AddrPort][]loose {
	found := map[netip.AddrPort][]loose{}
	for at, t := range n.tunnels {
		own := slices.ContainsFunc(n.Devices, func(d *evidence.Device) bool { return d.Port == at.port })
		if !own && t.sent.Messages() > 0 {
			found[at.remote] = append(found[at.remote], loose{at, t})
		}
	}
	return found
}

// rewrittenPort is the least of the ports from which messages for a peer left in the
// place of its device's, 0 if there is none. Anyone can send what has the shape of a
// message to an endpoint: these are the tunnel's own if their handshakes were made for
// the peer's key, as mac1 shows. A device that gets no answer makes one every 5 s
// (messages.h: REKEY_TIMEOUT).
func (p *Peer) rewrittenPort(fromOthers []loose) (port uint16) {
	for _, l := range fromOthers {
		made := l.sent.Handshakes > 0 && l.sent.For == p.PublicKey
		if made && (port == 0 || l.at.port < port) {
			port = l.at.port
		}
	}
	return port
}

// joinLoose gives loose tunnels to the peers that they belong to.
func (g *Graph) joinLoose() {
	ends := g.endsOfLoose()
	g.each(func(n *Node) {
		for _, l := range n.loose {
			if p := g.loosePeer(n, l, ends); p != nil && (l.bothWays() || l.continues(p.tunnel)) {
				p.tunnel = p.tunnel.with(l.tunnel)
				if l.at.port != n.Device(p.Device).Port {
					p.translated = l.at.port
				}
			}
		}
	})
	g.each(func(n *Node) { n.loose = nil })
}

// otherEnd calls do for each session as the other end of a tunnel must have seen it.
func (t *tunnel) otherEnd(do func(seenAs)) {
	for _, session := range t.sent.Sessions {
		do(seenAs{session, false})
	}
	for _, session := range t.received.Sessions {
		do(seenAs{session, true})
	}
}

// endsOfLoose are the tunnels in which sessions of loose ones were seen at the other
// end.
func (g *Graph) endsOfLoose() map[seenAs][]wireEnd {
	ends := map[seenAs][]wireEnd{}
	for _, n := range g.Nodes {
		for _, l := range n.loose {
			l.otherEnd(func(s seenAs) { ends[s] = nil })
		}
	}
	if len(ends) == 0 {
		return nil
	}
	add := func(end wireEnd) {
		end.otherEnd(func(s seenAs) {
			s.sent = !s.sent // as this end saw it
			if known, wanted := ends[s]; wanted && len(known) <= maxAlike {
				ends[s] = append(known, end)
			}
		})
	}
	for _, n := range g.Nodes {
		for _, p := range n.Peers {
			if device := n.Device(p.Device); device != nil && p.tunnel != nil {
				add(wireEnd{n, tunnelKey{device.Port, p.Count.Endpoint}, p, p.tunnel})
			}
		}
		for _, l := range n.loose {
			add(wireEnd{n, l.at, nil, l.tunnel})
		}
	}
	return ends
}

// loosePeer returns the peer of a node that a loose tunnel belongs to, nil if that is
// not known or as much says that it is another one. Of one that is nobody's
// the peers are noted that it can belong to.
func (g *Graph) loosePeer(n *Node, l loose, ends map[seenAs][]wireEnd) (best *Peer) {
	most := leastKnown - 1
	var adrift []*Peer
	l.otherEnd(func(s seenAs) {
		if len(ends[s]) > maxAlike {
			return
		}
		for i := range ends[s] {
			there := &ends[s][i]
			if there.node == n || !l.sameTraffic(there.tunnel) || !l.bothWays() && !l.arrives(n, there) {
				continue
			}
			for _, here := range n.Devices[:min(len(n.Devices), maxPaired)] {
				for _, other := range there.devices() {
					p, known := g.facing(n, l, here, there, other)
					if p != nil {
						adrift = append(adrift, p)
					}
					switch {
					case known < most:
					case p == best, known > most:
						best, most = p, known
					default:
						best = nil
					}
				}
			}
		}
	})
	if best == nil && l.bothWays() {
		for _, p := range adrift {
			p.adrift = true
		}
	}
	return best
}

// devices are those of the node that can have what was seen at a wire's end.
func (e *wireEnd) devices() []*evidence.Device {
	if e.peer != nil {
		return []*evidence.Device{e.node.Device(e.peer.Device)}
	}
	return e.node.Devices[:min(len(e.node.Devices), maxPaired)]
}

// sameTraffic reports whether the data messages of each direction are of sessions
// that the capture at the other end saw too.
func (t *tunnel) sameTraffic(there *tunnel) bool {
	return (t.sent.Data == 0 || shareSession(t.sent.Sessions, there.received.Sessions)) &&
		(t.received.Data == 0 || shareSession(t.received.Sessions, there.sent.Sessions))
}

// bothWays reports whether data messages went in both directions: only who has the
// keys is answered.
func (t *tunnel) bothWays() bool { return t.sent.Data > 0 && t.received.Data > 0 }

// continues reports whether what went in one direction is of a session that a peer's
// tunnel has in that direction, as where the translation begins in its midst.
// Anything can be sent to a node, so no other one-way traffic is a tunnel's.
func (t *tunnel) continues(own *tunnel) bool {
	return own != nil && (shareSession(t.sent.Sessions, own.sent.Sessions) ||
		shareSession(t.received.Sessions, own.received.Sessions))
}

// arrives reports whether what went in one direction was sent to an address of the
// node that received it: a session can also be that of messages which went astray.
func (l *loose) arrives(n *Node, there *wireEnd) bool {
	if l.sent.Data > 0 {
		return there.node.hasAddress(l.at.remote.Addr())
	}
	return n.hasAddress(there.at.remote.Addr())
}

func (n *Node) hasAddress(addr netip.Addr) bool {
	return slices.ContainsFunc(n.Addresses, func(a *evidence.Address) bool { return a.Prefix.Addr() == addr })
}

// facing returns the peer that a device has in another node's device if what the two
// nodes captured can be their tunnel, and how many of its four ends are as the two
// devices report them. That it is the same traffic the sessions say, WireGuard's
// receiver indices. All handshakes must have been made for the keys of the two, and
// both devices have authenticated what they received.
func (g *Graph) facing(n *Node, l loose, here *evidence.Device, there *wireEnd,
	other *evidence.Device) (*Peer, int) {
	p, back := g.Peer(n, here.Name, other.PublicKey), g.Peer(there.node, other.Name, here.PublicKey)
	if !p.authenticated() || !back.authenticated() || there.peer != nil && there.peer != back {
		return nil, 0
	}
	for _, t := range []struct {
		*tunnel
		own, peer string
	}{{l.tunnel, here.PublicKey, other.PublicKey}, {there.tunnel, other.PublicKey, here.PublicKey}} {
		if !t.sent.madeFor(t.peer) || !t.received.madeFor(t.own) {
			return nil, 0
		}
	}
	known := 0
	for _, as := range []bool{
		l.at.port == here.Port, p.sendsTo(l.at.remote), there.at.port == other.Port, back.sendsTo(there.at.remote),
	} {
		if as {
			known++
		}
	}
	return p, known
}

// authenticated reports whether a device received something of a peer meanwhile.
func (p *Peer) authenticated() bool { return p != nil && p.Count != nil && p.Count.RX.Most > 0 }

// madeFor reports whether no handshake message of a flow was made for anyone else.
func (f *Flow) madeFor(key string) bool { return f.Handshakes == 0 || f.For == key }

// sendsTo reports whether an endpoint is one that the device had for a peer.
func (p *Peer) sendsTo(endpoint netip.AddrPort) bool {
	return endpoint == p.Count.Endpoint || endpoint == p.Endpoint
}

func shareSession(a, b []uint32) bool {
	return slices.ContainsFunc(a, func(session uint32) bool { return slices.Contains(b, session) })
}

// with adds what was captured between two other ends to a tunnel, nil if there is
// none yet.
func (t *tunnel) with(other *tunnel) *tunnel {
	if t == nil {
		return other
	}
	links := slices.Concat(t.links, other.links)
	slices.Sort(links)
	return &tunnel{
		sent: t.sent.with(&other.sent), received: t.received.with(&other.received), links: slices.Compact(links),
	}
}

// with sums two flows of one direction of a tunnel.
func (f *Flow) with(other *Flow) Flow {
	a := evidence.Flow{Initiations: f.Initiations, Responses: f.Responses, Cookies: f.Cookies, Data: f.Data,
		Keepalives: f.Keepalives, Malformed: f.Malformed, Bytes: f.Bytes, Sizes: f.Sizes}
	b := evidence.Flow{Initiations: other.Initiations, Responses: other.Responses, Cookies: other.Cookies,
		Data: other.Data, Keepalives: other.Keepalives, Malformed: other.Malformed, Bytes: other.Bytes,
		Sizes: other.Sizes}
	both := addFlows(&a, &b)
	sum := Flow{
		Shape: &Shape{
			Initiations: both.Initiations, Responses: both.Responses, Cookies: both.Cookies, Data: both.Data,
			Keepalives: both.Keepalives, Malformed: both.Malformed, Sizes: both.Sizes,
			Repeats: f.Repeats + other.Repeats, Jumps: f.Jumps || other.Jumps,
			Unmatched:  f.Unmatched || other.Unmatched,
			Handshakes: f.Handshakes + other.Handshakes,
		},
		Bytes: both.Bytes, Sessions: slices.Concat(f.Sessions, other.Sessions), For: cmp.Or(f.For, other.For),
	}
	for _, one := range []*Flow{f, other} {
		if !one.madeFor(sum.For) {
			sum.For = ""
			break
		}
	}
	return sum
}
