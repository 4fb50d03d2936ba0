package wire

import (
	"cmp"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxClassSeen bounds the packets of classes on one link: for runs over some dozens
// of nodes, which are the largest that send them. What exceeds it is not counted, so
// that a count can only become too small: nothing is proven by that.
const maxClassSeen = 8192

// classed reports whether the frame is a packet of a class of this run, whole and
// not in an ICMP error, which quotes what was sent before. Such a quote is
// counted nowhere: the packet itself was seen where it went.
func (m *match) classed() bool { return m.genuine && m.header.ofClass() }

// ofClass reports whether it is the header of a packet of a class, or of an answer.
func (m *Marked) ofClass() bool { return m.Kind == KindClass || m.Kind == KindClassAnswer }

// class is that of a packet; Answer reports whether it answers one.
func (m *Marked) class() (class evidence.Class, answer bool) {
	if !m.ofClass() {
		return "", false
	}
	return evidence.ClassNumbered(m.Class), m.Kind == KindClassAnswer
}

// classKey is the packets of a class that go the same way.
type classKey struct {
	direction              string
	class                  uint8
	answer                 bool
	family, source, target int
}

// classes counts packets of classes where they may be seen, each once, by its
// sequence. The zero value is ready.
type classes map[classKey][]uint16

// frame counts all such packets of a frame from its first one on: where datagrams
// are merged they are several.
func (c *classes) frame(f *Frame, found *match, m *matcher) {
	for _, h := range m.marked(f.Data, found) {
		if h.ofClass() {
			c.add(f, h)
		}
	}
}

// add counts one such packet.
func (c *classes) add(f *Frame, h *Marked) {
	key := classKey{
		f.Direction, h.Class, h.Kind == KindClassAnswer, int(h.Family), int(h.Source), int(h.Target),
	}
	known, exists := (*c)[key]
	at, again := slices.BinarySearch(known, h.Sequence)
	if again || len(known) >= maxDistinct || !exists && len(*c) >= maxClassSeen {
		return
	}
	if *c == nil {
		*c = make(classes)
	}
	(*c)[key] = slices.Insert(known, at, h.Sequence)
}

// messages returns what was seen on one link, in an order of its own.
func (c classes) messages(link string) (out []evidence.Message) {
	for key, known := range c {
		out = append(out, evidence.Message{ClassSeen: &evidence.ClassSeen{
			Class: evidence.ClassNumbered(key.class), Link: link, Direction: key.direction, Source: key.source,
			Target: key.target, Family: key.family, Answer: key.answer, Count: uint32(len(known)),
		}})
	}
	slices.SortFunc(out, func(m, n evidence.Message) int { return compareClassSeen(m.ClassSeen, n.ClassSeen) })
	return out
}

func compareClassSeen(a, b *evidence.ClassSeen) int {
	return cmp.Or(
		cmp.Compare(a.Class.Number(), b.Class.Number()), cmp.Compare(a.Direction, b.Direction),
		cmp.Compare(a.Family, b.Family), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target),
		cmp.Compare(boolRank(a.Answer), boolRank(b.Answer)),
	)
}

// boolRank orders false before true.
func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}
