package graph

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Flow is one direction of a tunnel on the wire.
type Flow struct {
	*Shape
	Bytes    uint64
	Sessions []uint32 // receiver indices of the data messages
	// For is the public key that all handshake messages were made for, empty
	// if none verifies or if they were made for different keys.
	For string
}

// Shape is the part of a flow that many tunnels of a run have alike.
type Shape struct {
	Initiations, Responses, Cookies, Data, Keepalives uint64

	Malformed  uint64 // datagrams that are not valid WireGuard messages
	Repeats    uint64 // data messages with a counter that had been seen
	Jumps      bool   // a session's counters reach further than any session's do
	Unmatched  bool   // the sessions do not add up to the data messages
	Handshakes int    // handshake messages that were captured
	Sizes      []evidence.SizeCount
}

// Messages counts what is WireGuard, of any kind.
func (s *Shape) Messages() uint64 {
	return s.Initiations + s.Responses + s.Cookies + s.Data + s.Keepalives
}

// Sized returns how many data messages had a UDP payload of that size.
func (s *Shape) Sized(size int) uint64 {
	for i := range s.Sizes {
		if s.Sizes[i].Size == size {
			return s.Sizes[i].Count
		}
	}
	return 0
}

func (s *Shape) equal(other *Shape) bool {
	return s.Initiations == other.Initiations && s.Responses == other.Responses && s.Cookies == other.Cookies &&
		s.Data == other.Data && s.Keepalives == other.Keepalives && s.Malformed == other.Malformed &&
		s.Repeats == other.Repeats && s.Jumps == other.Jumps && s.Unmatched == other.Unmatched &&
		s.Handshakes == other.Handshakes && slices.Equal(s.Sizes, other.Sizes)
}

// notCaptured is the flow of which nothing was captured.
var notCaptured = &Flow{Shape: &Shape{}}

// tunnelKey is a node's port, on whichever of its addresses, and one endpoint.
type tunnelKey struct {
	port   uint16
	remote netip.AddrPort
}

// tunnel is what was captured between two ends.
type tunnel struct {
	sent, received Flow
	links          []string
}

// addTunnels keeps what a node captured of its tunnels.
func (n *Node) addTunnels(all []*evidence.Tunnel) {
	sums := map[tunnelKey]*evidence.Tunnel{}
	var order []tunnelKey
	for _, t := range all {
		at := tunnelKey{t.Local.Port(), t.Remote}
		if sum := sums[at]; sum != nil {
			t = &evidence.Tunnel{
				Local: sum.Local, Remote: sum.Remote, Links: slices.Concat(sum.Links, t.Links),
				TX: addFlows(&sum.TX, &t.TX), RX: addFlows(&sum.RX, &t.RX),
			}
		} else {
			order = append(order, at)
		}
		sums[at] = t
	}
	n.tunnels = make(map[tunnelKey]*tunnel, len(sums))
	last := &tunnel{} // mostly like the next one
	for _, at := range order {
		t := sums[at]
		tx := n.withoutStale(t.TX)
		one := &tunnel{sent: newFlow(&tx, last.sent.Shape), received: newFlow(&t.RX, last.received.Shape),
			links: t.Links}
		if slices.Equal(one.links, last.links) {
			one.links = last.links
		}
		n.tunnels[at] = one
		last = one
	}
}

// addFlows sums two flows of one direction that differ in the local address only.
func addFlows(a, b *evidence.Flow) evidence.Flow {
	sizes := map[int]uint64{}
	for _, s := range slices.Concat(a.Sizes, b.Sizes) {
		sizes[s.Size] += s.Count
	}
	sum := evidence.Flow{
		Initiations: a.Initiations + b.Initiations, Responses: a.Responses + b.Responses,
		Cookies: a.Cookies + b.Cookies, Data: a.Data + b.Data, Keepalives: a.Keepalives + b.Keepalives,
		Bytes: a.Bytes + b.Bytes, Malformed: a.Malformed + b.Malformed,
		Indices: slices.Concat(a.Indices, b.Indices), Handshakes: slices.Concat(a.Handshakes, b.Handshakes),
	}
	for _, size := range slices.Sorted(maps.Keys(sizes)) {
		sum.Sizes = append(sum.Sizes, evidence.SizeCount{Size: size, Count: sizes[size]})
	}
	return sum
}

// withoutStale leaves the initiations for stale peers out of a flow, see addStale.
// Only those are that mac1 says were made for them.
func (n *Node) withoutStale(sent evidence.Flow) evidence.Flow {
	stale := map[string]bool{}
	for _, p := range n.Peers {
		if p.isStale() && p.PublicKey != "" {
			stale[p.PublicKey] = true
		}
	}
	if len(stale) == 0 {
		return sent
	}
	kept := slices.DeleteFunc(slices.Clone(sent.Handshakes), func(h evidence.Handshake) bool {
		return h.Type == 1 && stale[h.For]
	})
	sent.Initiations -= min(uint64(len(sent.Handshakes)-len(kept)), sent.Initiations)
	sent.Handshakes = kept
	return sent
}

// newFlow reads a flow, which takes over the given shape if it has the same.
func newFlow(f *evidence.Flow, like *Shape) Flow {
	shape := &Shape{
		Initiations: f.Initiations, Responses: f.Responses, Cookies: f.Cookies, Data: f.Data,
		Keepalives: f.Keepalives, Handshakes: len(f.Handshakes), Sizes: f.Sizes, Malformed: f.Malformed,
		Unmatched: unmatched(f),
	}
	flow := Flow{Bytes: f.Bytes}
	for _, session := range f.Indices {
		shape.Repeats += session.Repeats
		shape.Jumps = shape.Jumps || session.Max >= maxCounter
		flow.Sessions = append(flow.Sessions, session.Index)
	}
	if len(f.Handshakes) > 0 {
		flow.For = f.Handshakes[0].For
	}
	for _, h := range f.Handshakes {
		if h.For != flow.For {
			flow.For = ""
			break
		}
	}
	if flow.Shape = shape; like != nil && like.equal(shape) {
		flow.Shape = like
	}
	return flow
}

// maxCounter is what no counter of a session reaches: a key is used for 180 s at
// most (linux drivers/net/wireguard/messages.h: REJECT_AFTER_TIME), in which that
// would be six billion messages a second.
const maxCounter = 1 << 40

// maxIndices is how many sessions a flow lists at most, see evidence.Flow.
const maxIndices = 8

// unmatched reports whether the sessions of a flow cannot be those of its data
// messages. Where there may be more sessions than are listed, their messages may
// be fewer.
func unmatched(f *evidence.Flow) bool {
	sum := uint64(0)
	for _, r := range f.Indices {
		if r.Messages > 0 && (r.Max < r.Min || r.Max-r.Min < r.Messages-1) {
			return true
		}
		sum += r.Messages
	}
	all := f.Data + f.Keepalives
	return sum > all || sum < all && len(f.Indices) < maxIndices
}

// maxSegments is how many datagrams the kernel joins in one frame at most
// (UDP_MAX_SEGMENTS of linux/udp.h).
const maxSegments = 128

// addOnWire notes on which links a tunnel's messages were seen.
func (n *Node) addOnWire(t *evidence.Tunnel) {
	if n.OnWire == nil {
		n.OnWire = map[string]uint64{}
	}
	if len(t.Links) == 0 {
		n.OnWire[""] += 0 // nobody saw them
	}
	for _, link := range t.Links {
		n.OnWire[link] += 0 // it is there
		if len(t.Links) == 1 {
			n.OnWire[link] += frames(&t.TX) + frames(&t.RX)
		}
	}
}

// frames returns how many frames the messages of a flow take at least.
func frames(f *evidence.Flow) uint64 {
	messages := f.Initiations + f.Responses + f.Cookies + f.Data + f.Keepalives
	return (min(messages, 1<<40) + maxSegments - 1) / maxSegments
}
