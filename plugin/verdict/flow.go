package verdict

import (
	"encoding/binary"
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

	Malformed  uint64 // datagrams that are no WireGuard message
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

// nothing is the flow of which nothing was captured.
var nothing = Flow{Shape: &Shape{}}

// flow is a packed Flow: its shape, keys and sessions are numbers and places
// of tables. The upper half of the bytes is part of the shape.
type flow struct {
	bytes, shape, madeFor uint32
	sessions              [1]uint32 // a single one itself, of several their place in Node.sessions
}

// shape is a Shape in its table.
type shape struct {
	Shape
	bytes    uint64 // the upper half
	sessions int
}

// captured is a packed tunnel on the wire.
type captured struct {
	remote uint32 // endpoint
	links  uint32
	port   uint16 // local
	wire
}

// wire is both directions of a packed tunnel, as a node captured them. Zero
// flows are of what was not captured.
type wire struct{ tx, rx flow }

// packTunnels packs what a node captured. Tunnels between its port, on
// whichever of its addresses, and one endpoint are one.
func (c *Case) packTunnels(n *Node, all []*evidence.Tunnel) {
	type ends struct {
		port   uint16
		remote netip.AddrPort
	}
	sums := map[ends]*evidence.Tunnel{}
	var order []ends
	for _, t := range all {
		at := ends{t.Local.Port(), t.Remote}
		if sum := sums[at]; sum != nil {
			t = &evidence.Tunnel{
				Local: sum.Local, Remote: sum.Remote, Links: slices.Concat(sum.Links, t.Links),
				TX: add(sum.TX, t.TX), RX: add(sum.RX, t.RX),
			}
		} else {
			order = append(order, at)
		}
		sums[at] = t
	}
	n.captured = make([]captured, 0, len(order))
	for _, at := range order {
		t := sums[at]
		sent := c.withoutRetired(n, t.TX)
		n.captured = append(n.captured, captured{
			remote: c.endpoint(t.Remote), links: c.linkList(t.Links), port: at.port,
			wire: wire{c.packFlow(n, &sent), c.packFlow(n, &t.RX)},
		})
	}
}

// add sums two flows of one direction that differ in the local address only.
func add(a, b evidence.Flow) evidence.Flow {
	sizes := map[int]uint64{}
	for _, s := range slices.Concat(a.Sizes, b.Sizes) {
		sizes[s.Size] += s.Count
	}
	sum := evidence.Flow{
		Initiations: a.Initiations + b.Initiations, Responses: a.Responses + b.Responses, Cookies: a.Cookies + b.Cookies,
		Data: a.Data + b.Data, Keepalives: a.Keepalives + b.Keepalives, Bytes: a.Bytes + b.Bytes,
		Malformed: a.Malformed + b.Malformed,
		Indices:   slices.Concat(a.Indices, b.Indices), Handshakes: slices.Concat(a.Handshakes, b.Handshakes),
	}
	for _, size := range slices.Sorted(maps.Keys(sizes)) {
		sum.Sizes = append(sum.Sizes, evidence.SizeCount{Size: size, Count: sizes[size]})
	}
	return sum
}

func (c *Case) packFlow(n *Node, f *evidence.Flow) flow {
	s := shape{bytes: f.Bytes >> 32, sessions: len(f.Indices), Shape: Shape{
		Initiations: f.Initiations, Responses: f.Responses, Cookies: f.Cookies, Data: f.Data, Keepalives: f.Keepalives,
		Handshakes: len(f.Handshakes), Sizes: f.Sizes, Malformed: f.Malformed, Unmatched: unmatched(f),
	}}
	packed := flow{bytes: uint32(f.Bytes), sessions: [1]uint32{uint32(len(n.sessions))}}
	for _, r := range f.Indices {
		s.Repeats += r.Repeats
		s.Jumps = s.Jumps || r.Max >= maxCounter
	}
	for _, r := range f.Indices {
		if len(f.Indices) == 1 {
			packed.sessions[0] = r.Index
			break
		}
		n.sessions = append(n.sessions, r.Index)
	}
	if len(f.Handshakes) > 0 && !slices.ContainsFunc(f.Handshakes, func(h evidence.Handshake) bool { return h.For != f.Handshakes[0].For }) {
		packed.madeFor = c.key(f.Handshakes[0].For)
	}
	packed.shape = c.shapes.number(s.text(), func() *shape { return &s })
	return packed
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

// text is what two equal shapes, and only they, have in common.
func (s *shape) text() string {
	b := make([]byte, 0, 128)
	for _, value := range []uint64{
		s.Initiations, s.Responses, s.Cookies, s.Data, s.Keepalives, s.Malformed, s.Repeats, flag(s.Jumps), flag(s.Unmatched),
		uint64(s.Handshakes), s.bytes, uint64(s.sessions),
	} {
		b = binary.AppendUvarint(b, value)
	}
	for _, size := range s.Sizes {
		b = binary.AppendUvarint(binary.AppendVarint(b, int64(size.Size)), size.Count)
	}
	return string(b)
}

func flag(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

func (c *Case) unpackFlow(n *Node, f *flow, into *Flow) {
	if f.shape == 0 {
		*into = nothing
		return
	}
	s := c.shapes.values[f.shape-1]
	into.Shape, into.Bytes, into.For = &s.Shape, s.bytes<<32|uint64(f.bytes), c.keys.value(f.madeFor)
	into.Sessions = f.sessions[:]
	if s.sessions != 1 {
		into.Sessions = n.sessions[f.sessions[0]:][:s.sessions]
	}
}
