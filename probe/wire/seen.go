package wire

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

const (
	// maxSeen is how many pairs one Witness message holds.
	maxSeen = 64
	// maxPairs bounds the pairs of one link: both directions and families
	// of a node of a cluster of 10,000.
	maxPairs = 80000
	// maxDistinct bounds the marked packets of one pair, direction and family:
	// more than the longest request sends. What exceeds it is not counted, so
	// that a count can only become too small: that fails the proof, never helps it.
	maxDistinct = 4096
)

// pairKey is an ordered pair of nodes in one direction and family.
type pairKey struct {
	direction              string
	family, source, target int
}

// seenPair is what was seen of one pair. Each canary, answer and first packet
// counts once, however often it or a part of it was seen: a packet is distinguished
// from others by its header, which no two have alike.
type seenPair struct {
	evidence.Seen
	known []uint64 // sorted, see identity
}

// seenPairs counts genuine marked packets where they may be seen.
type seenPairs map[pairKey]*seenPair

// control counts a frame with a control.
func (w seenPairs) control(f *Frame, h *Marked) {
	if one := w.of(pairKey{f.Direction, int(h.Family), int(h.Source), int(h.Target)}); one != nil {
		one.Control++
	}
}

// frame counts all marked packets of a frame, controls aside.
func (w seenPairs) frame(f *Frame, found *match, m *matcher) {
	for at, h := range m.marked(f.Data, found) {
		if h.Kind != KindControl {
			w.packet(f, at, h)
		}
	}
}

// marked returns where the run's packets of a frame begin, from its first one on, with
// their headers. Where segments or datagrams are merged they are several; each ends
// with at most one mark that does not begin a packet.
func (m *matcher) marked(frame []byte, first *match) iter.Seq2[int, *Marked] {
	return func(yield func(int, *Marked) bool) {
		if !yield(first.at, &first.header) {
			return
		}
		at := repeats(frame, first.at)
		for range 2 * maxSegments {
			next := m.next(frame[at:])
			if next < 0 {
				return
			}
			at += next
			h, genuine := m.header(frame, at)
			if !genuine {
				at += MarkSize
				continue
			}
			if !yield(at, &h) {
				return
			}
			at = repeats(frame, at)
		}
	}
}

// repeats returns where the whole repeats of the header at an offset end.
func repeats(b []byte, at int) int {
	header, end := b[at:at+MarkedSize], at+MarkedSize
	for end+MarkedSize <= len(b) && bytes.Equal(b[end:end+MarkedSize], header) {
		end += MarkedSize
	}
	return end
}

// packet counts one marked packet, whose header begins at an offset of a frame.
// What an ICMP error quotes is counted as well: it travels against the direction
// of its pair, where nobody looks for it.
func (w seenPairs) packet(f *Frame, at int, h *Marked) {
	key := pairKey{f.Direction, int(h.Family), int(h.Source), int(h.Target)}
	answer := h.Kind == KindAnswer || h.Kind == KindFirstAnswer
	if h.Transport == TransportICMP {
		switch echoType(f.Data[:at], h.Family) {
		case echoRequest:
		case echoReply: // comes back with the request's own header
			key.source, key.target = key.target, key.source
			answer = true
		default:
			return // something else than an echo, that quotes one
		}
	}
	if one := w.of(key); one != nil && one.fresh(h) {
		one.count(h, answer)
	}
}

// Kinds of ICMP messages that bear a mark.
const (
	echoRequest = 1 + iota
	echoReply
)

// echoType returns what kind of ICMP echo header a packet ends with, 0 if it is
// another header. Types and codes: RFC 792, RFC 4443.
func echoType(b []byte, family uint8) int {
	const header = 8
	if len(b) < header || b[len(b)-header+1] != 0 {
		return 0
	}
	request, reply := byte(8), byte(0)
	if family == 6 {
		request, reply = 128, 129
	}
	switch b[len(b)-header] {
	case request:
		return echoRequest
	case reply:
		return echoReply
	}
	return 0
}

// of returns what is counted of a pair, nil if there are too many pairs.
func (w seenPairs) of(key pairKey) *seenPair {
	one := w[key]
	if one == nil && len(w) < maxPairs {
		one = &seenPair{Seen: evidence.Seen{Source: key.source, Target: key.target}}
		w[key] = one
	}
	return one
}

// identity distinguishes a packet from all others of its pair and direction. A pair has
// canaries of the one pod and answers to those of the other.
func identity(h *Marked) uint64 {
	return uint64(h.Kind)<<40 | uint64(h.Transport)<<32 | uint64(h.Size)<<16 | uint64(h.Sequence)
}

// fresh remembers a packet and reports whether it is seen for the first time.
// An echo and the reply to another pod's echo differ in the order of the nodes
// in their headers.
func (w *seenPair) fresh(h *Marked) bool {
	id := identity(h)
	if int(h.Source) != w.Source {
		id |= 1 << 63
	}
	at, known := slices.BinarySearch(w.known, id)
	if known || len(w.known) >= maxDistinct {
		return false
	}
	w.known = slices.Insert(w.known, at, id)
	return true
}

func (w *seenPair) count(h *Marked, answer bool) {
	var all, answers *uint32
	switch {
	case h.Kind == KindFirst || h.Kind == KindFirstAnswer:
		all, answers = &w.First, &w.FirstAnswers
	case h.Transport == TransportUDP:
		all, answers = &w.UDP, &w.UDPAnswers
	case h.Transport == TransportTCP:
		all, answers = &w.TCP, &w.TCPAnswers
	case h.Transport == TransportICMP:
		all, answers = &w.ICMP, &w.ICMPAnswers
	default:
		return
	}
	*all++
	if answer {
		*answers++
	}
}

// messages returns the seenPairs of one link, at most maxSeen pairs in each.
func (w seenPairs) messages(link string) []evidence.Message {
	keys := make([]pairKey, 0, len(w))
	for key := range w {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b pairKey) int {
		return cmp.Or(cmp.Compare(a.direction, b.direction), cmp.Compare(a.family, b.family),
			cmp.Compare(a.source, b.source), cmp.Compare(a.target, b.target))
	})
	var out []evidence.Message
	var last *evidence.Witness
	for _, key := range keys {
		if last == nil || last.Direction != key.direction || last.Family != key.family || len(last.Seen) == maxSeen {
			last = &evidence.Witness{Link: link, Direction: key.direction, Family: key.family}
			out = append(out, evidence.Message{Witness: last})
		}
		last.Seen = append(last.Seen, w[key].Seen)
	}
	return out
}
