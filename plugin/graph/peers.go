package graph

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Peer is what a node's device reports of one of its peers.
type Peer struct {
	*PeerConfig
	Count *Count // nil if its counters were not read

	stale     *Moved // see Edge.StaleSent
	rewritten uint16 // see Edge.RewrittenPort
	// translated is the node's port on the wire in the place of its device's, see
	// Edge.LeavesFrom.
	translated uint16
	adrift     bool            // see Edge.OutAdrift
	tunnel     *tunnel         // nil if nothing of it was captured
	route      *evidence.Route // see Edge.EndpointRoute
	device     int32           // in the order in which the node's devices were named
	rank       int32           // in Node.Peers
	outer      *Peer           // see Outer
}

// PeerConfig is a peer at the first reading. The same peer of many nodes is one.
type PeerConfig struct {
	Device, PublicKey string
	// Configured: the device had it then. Otherwise only its counters were read,
	// later.
	Configured bool
	Endpoint   netip.AddrPort
	AllowedIPs []netip.Prefix
	Keepalive  int  // seconds between keepalives, 0 for none
	Preshared  bool // a preshared key is set
}

func (p *PeerConfig) equal(other *PeerConfig) bool {
	return p.Device == other.Device && p.PublicKey == other.PublicKey && p.Configured == other.Configured &&
		p.Endpoint == other.Endpoint && p.Keepalive == other.Keepalive && p.Preshared == other.Preshared &&
		slices.Equal(p.AllowedIPs, other.AllowedIPs)
}

// peerConfigs keeps the last configuration that was read of each key, which is
// mostly what the next node says of it too.
type peerConfigs struct {
	mu   sync.Mutex
	last map[string]*PeerConfig
}

// one returns an equal configuration that is known, or the given one.
func (s *peerConfigs) one(p *PeerConfig) *PeerConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]*PeerConfig{}
	}
	if last := s.last[p.PublicKey]; last != nil && last.equal(p) {
		return last
	}
	s.last[p.PublicKey] = p
	return p
}

// Count is how a peer's counters moved.
type Count struct {
	Endpoint  netip.AddrPort // at the last reading
	TX, RX    Moved
	Age       int64 // of the last handshake, nanoseconds
	Index     int32 // of the device's link
	Readings  uint8 // of evidence.Readings
	Handshake bool  // there was one
}

// Moved is by how much a byte counter grew: what a capture of everything must
// have seen at least, while the canaries travelled, and at most, see
// evidence.ReadingBefore.
type Moved struct {
	Least, Most uint64
	Backwards   bool // a reading was lower than the one before
}

func movedBy(readings *[evidence.Readings]uint64) Moved {
	return Moved{
		Least:     readings[evidence.ReadingDrained] - readings[evidence.ReadingReady],
		Most:      readings[evidence.ReadingAfter] - readings[evidence.ReadingBefore],
		Backwards: !slices.IsSorted(readings[:]),
	}
}

// peerKey finds a peer of a node.
type peerKey struct{ device, publicKey string }

// staleKey is where a device sends.
type staleKey struct {
	device   string
	endpoint netip.AddrPort
}

// maxDevices is more WireGuard devices than any host has.
const maxDevices = 1 << 16

// peer returns the place for what is reported of a device's peer, nil if there
// are too many devices.
func (r *reading) peer(device, publicKey string) *Peer {
	key := peerKey{device, publicKey}
	if p := r.peers[key]; p != nil {
		return p
	}
	at := slices.Index(r.devices, device)
	if at < 0 {
		if at = len(r.devices); at == maxDevices {
			return nil
		}
		r.devices = append(r.devices, device)
	}
	p := &Peer{PeerConfig: &PeerConfig{Device: device, PublicKey: publicKey}, device: int32(at)}
	r.peers[key] = p
	r.n.Peers = append(r.n.Peers, p)
	return p
}

// maxAllowed is how many allowed IPs of one peer are joined. Joining takes time
// that grows with the square of their number.
const maxAllowed = 4096

// addPeer joins the parts of a peer whose allowed IPs did not fit one message.
func (r *reading) addPeer(part *evidence.Peer) {
	p := r.peer(part.Device, part.PublicKey)
	switch {
	case p == nil:
	case p.Configured && len(p.AllowedIPs) > maxAllowed:
		r.n.ProbeGap = cmp.Or(r.n.ProbeGap, "a peer has more allowed IPs than are judged")
	case p.Configured:
		joined := *p.PeerConfig
		joined.AllowedIPs = slices.Concat(p.AllowedIPs, part.AllowedIPs)
		p.PeerConfig = &joined
	default:
		p.PeerConfig = r.g.configs.one(&PeerConfig{
			Device: part.Device, PublicKey: part.PublicKey, Configured: true,
			Endpoint: part.Endpoint, AllowedIPs: part.AllowedIPs, Keepalive: part.Keepalive, Preshared: part.Preshared,
		})
	}
}

func (r *reading) addCount(c *evidence.Count) {
	p := r.peer(c.Device, c.PublicKey)
	if p == nil {
		return
	}
	count := &Count{
		Endpoint: c.Endpoint, TX: movedBy(&c.TX), RX: movedBy(&c.RX), Age: c.Age, Handshake: c.Handshake != 0,
		Index: int32(c.Index), Readings: uint8(min(max(c.Readings, 0), evidence.Readings)),
	}
	if p.Count != nil && *p.Count != *count || c.Readings != int(count.Readings) || c.Index != int(count.Index) {
		conflict(&r.n.conflicts.probe, "the counters of a peer of "+c.Device)
	}
	p.Count = count
}

// addStale finds the node's stale peers and what their devices counted as sent to
// them, by where they sent it.
//
// A node that was given another key leaves its old one behind: Flannel adds a
// peer for the new one, which takes over the allowed IPs, and keeps the old
// peer until it is restarted (flannel-io/flannel#2073). No data can be meant
// for a peer without allowed IPs, but with a keepalive the device goes on
// sending it keepalives and handshakes, at the very endpoint of the new peer.
func (n *Node) addStale() {
	for _, p := range n.Peers {
		if !p.isStale() || p.Count == nil || p.Count.TX.Backwards {
			continue
		}
		if n.stale == nil {
			n.stale = map[staleKey]*Moved{}
		}
		at := staleKey{p.Device, p.Count.Endpoint}
		if n.stale[at] == nil {
			n.stale[at] = &Moved{}
		}
		n.stale[at].Least += p.Count.TX.Least
		n.stale[at].Most += p.Count.TX.Most
	}
}

func (p *Peer) isStale() bool { return p.Configured && len(p.AllowedIPs) == 0 }

// settle sorts what a node reported and joins it, once all nodes were read.
func (g *Graph) settle(n *Node) {
	defer func() {
		n.tunnels = nil
		n.stale = nil
		n.marked = nil
	}()
	n.Answers, n.marked = settled(n.Answers, true), settled(n.marked, false)
	slices.SortFunc(n.Peers, g.comparePeers)
	fromOthers := n.fromOtherPorts()
	for i, p := range n.Peers {
		p.rank = int32(i)
		if p.Count == nil {
			continue
		}
		to := p.Count.Endpoint.Addr()
		if p.route = routeIn(n.Answers, to); p.route == nil {
			p.route = routeIn(n.marked, to)
		}
		if device := n.Device(p.Device); device != nil {
			p.tunnel = n.tunnels[tunnelKey{device.Port, p.Count.Endpoint}]
			p.rewritten = p.rewrittenPort(fromOthers[p.Count.Endpoint])
		}
		if len(p.AllowedIPs) > 0 {
			p.stale = n.stale[staleKey{p.Device, p.Count.Endpoint}]
		}
	}
	n.addOuter()
	n.loose = n.looseTunnels()
}

// addOuter finds the peers that are reached through a peer of another device.
func (n *Node) addOuter() {
	devices := map[string]*allowed{}
	for _, p := range n.Peers {
		if p.route == nil || p.route.Link == p.Device || n.Device(p.route.Link) == nil {
			continue
		}
		outer := p.route.Link
		if devices[outer] == nil {
			devices[outer] = newAllowed(n, outer)
		}
		p.outer = devices[outer].holder(p.Count.Endpoint.Addr())
	}
}

// SendsInto reports whether the kernel's way to the endpoint of some peer of the
// node leads into a link, which is not the peer's own device.
func (n *Node) SendsInto(link string) bool {
	return slices.ContainsFunc(n.Peers, func(p *Peer) bool {
		return p.route != nil && p.route.Link == link && p.Device != link
	})
}

// comparePeers orders peers by the nodes that they stand for.
func (g *Graph) comparePeers(a, b *Peer) int {
	if a.PublicKey == b.PublicKey {
		return cmp.Compare(a.device, b.device)
	}
	return cmp.Or(cmp.Compare(g.owner(a.PublicKey), g.owner(b.PublicKey)), strings.Compare(a.PublicKey, b.PublicKey))
}

// Peer returns the peer with that key of a node's device, nil if it has none.
func (g *Graph) Peer(n *Node, device, publicKey string) *Peer {
	like := &Peer{PeerConfig: &PeerConfig{PublicKey: publicKey}, device: -1}
	at, _ := slices.BinarySearchFunc(n.Peers, like, g.comparePeers)
	for _, p := range n.Peers[at:] {
		switch {
		case p.PublicKey != publicKey || publicKey == "":
			return nil
		case p.Device == device && p.Configured:
			return p
		}
	}
	return nil
}
