package wire

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds of one direction of a tunnel, see evidence.Flow. What exceeds the
// tracking bounds is counted without looking for repeats, so that the sums can
// only become too large: an excess fails the proof, never helps it.
const (
	maxIndices    = 8
	maxSizes      = 48
	maxHandshakes = 8
	maxSessions   = 64
	maxUnique     = 256
)

// passage is one direction of a tunnel as it is being counted.
type passage struct {
	flow     evidence.Flow
	sessions map[uint32]*session
	sizes    map[int]*uint64
	// The last message's session and size, which most have in common with the
	// next.
	lastSession *session
	lastSize    int
	lastCount   *uint64
	// unique are the messages without a counter that were seen, by what makes
	// each of them unlike any other: the ephemeral key or the nonce.
	unique map[handshakeKey]struct{}
	// handshakes are kept as they were; whom they were made for is found out
	// at the end, not while frames wait.
	handshakes []message
}

type handshakeKey struct {
	kind   uint8
	index  uint32
	random [24]byte
}

// add counts one message seen on a link. It returns by how many words the
// memory of counters grew.
func (p *passage) add(link int, m *message, s *settings, limit int) int {
	if m.kind == typeData {
		return p.data(link, m, s, limit)
	}
	if !p.first(m) {
		return 0
	}
	switch m.kind {
	case typeInitiation:
		p.flow.Initiations++
	case typeResponse:
		p.flow.Responses++
	case typeCookie:
		p.flow.Cookies++ // the kernel does not count its bytes (socket.c)
		return 0
	}
	p.flow.Bytes += uint64(m.size)
	if len(p.handshakes) < maxHandshakes {
		kept := *m
		kept.body = bytes.Clone(m.body)
		p.handshakes = append(p.handshakes, kept)
	}
	return 0
}

func (p *passage) data(link int, m *message, s *settings, limit int) int {
	grown := 0
	if one := p.session(m.receiver); one != nil {
		fresh, words := one.add(link, m.counter, limit)
		if grown = words; !fresh {
			return grown
		}
	}
	p.flow.Bytes += uint64(m.size)
	if m.size == sizeKeepalive {
		p.flow.Keepalives++
		return grown
	}
	p.flow.Data++
	if count := p.size(m.size, s); count != nil {
		*count++
	}
	return grown
}

// size returns the count of messages of one size, nil if there are too many.
func (p *passage) size(size int, s *settings) *uint64 {
	if p.lastCount != nil && p.lastSize == size {
		return p.lastCount
	}
	count := p.sizes[size]
	if count == nil {
		if !s.asked[size] && len(p.sizes) >= 4*maxSizes {
			return nil
		}
		if p.sizes == nil {
			p.sizes = make(map[int]*uint64)
		}
		count = new(uint64)
		p.sizes[size] = count
	}
	p.lastSize = size
	p.lastCount = count
	return count
}

// session returns what is counted of one receiver index, nil if there are too many.
func (p *passage) session(index uint32) *session {
	if p.lastSession != nil && p.lastSession.index.Index == index {
		return p.lastSession
	}
	one := p.sessions[index]
	if one == nil && len(p.sessions) < maxSessions {
		if p.sessions == nil {
			p.sessions = make(map[uint32]*session)
		}
		one = &session{index: evidence.IndexRange{Index: index}}
		p.sessions[index] = one
	}
	p.lastSession = one
	return one
}

// first reports whether a message without a counter is seen for the first time.
func (p *passage) first(m *message) bool {
	key := handshakeKey{kind: m.kind, index: m.sender}
	switch m.kind {
	case typeInitiation:
		copy(key.random[:], m.body[8:])
	case typeResponse:
		copy(key.random[:], m.body[12:])
	case typeCookie:
		key.index = m.receiver
		copy(key.random[:], m.body[8:])
	}
	if _, seen := p.unique[key]; seen {
		return false
	}
	if p.unique == nil {
		p.unique = make(map[handshakeKey]struct{})
	}
	if len(p.unique) < maxUnique {
		p.unique[key] = struct{}{}
	}
	return true
}

// report returns the flow within the bounds of the contract. Where there are
// more indices than it takes, those with the most messages stay; the sum of
// their messages then falls short of Data and Keepalives.
func (p *passage) report(s *settings, audience *audience) evidence.Flow {
	flow := p.flow
	for _, one := range p.sessions {
		flow.Indices = append(flow.Indices, one.index)
	}
	slices.SortFunc(flow.Indices, func(a, b evidence.IndexRange) int {
		return cmp.Or(cmp.Compare(b.Messages+b.Repeats, a.Messages+a.Repeats), cmp.Compare(a.Index, b.Index))
	})
	flow.Indices = flow.Indices[:min(len(flow.Indices), maxIndices)]
	sizes := slices.Collect(maps.Keys(p.sizes))
	slices.SortFunc(sizes, func(a, b int) int {
		if s.asked[a] != s.asked[b] {
			if s.asked[a] {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(*p.sizes[b], *p.sizes[a]), cmp.Compare(a, b))
	})
	for _, size := range sizes[:min(len(sizes), maxSizes)] {
		flow.Sizes = append(flow.Sizes, evidence.SizeCount{Size: size, Count: *p.sizes[size]})
	}
	for _, m := range p.handshakes {
		flow.Handshakes = append(flow.Handshakes, evidence.Handshake{
			Type: int(m.kind), Sender: m.sender, Receiver: m.receiver, For: audience.madeFor(m.body),
		})
	}
	slices.SortFunc(flow.Handshakes, func(a, b evidence.Handshake) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Sender, b.Sender),
			cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.For, b.For))
	})
	return flow
}
