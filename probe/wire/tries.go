package wire

import (
	"cmp"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxTriesSeen bounds the tries of one link: both directions of all that a run
// sends, twice over.
const maxTriesSeen = 1024

// tryKey is a try in one direction.
type tryKey struct {
	id        uint16
	direction string
}

// tries counts genuine tries where they may be seen. The zero value is ready.
type tries map[tryKey]uint32

// add counts a frame with the header of a try, whose sequence is its number.
func (t *tries) add(f *Frame, h *Marked) {
	key := tryKey{h.Sequence, f.Direction}
	if _, known := (*t)[key]; !known && len(*t) >= maxTriesSeen {
		return
	}
	if *t == nil {
		*t = make(tries)
	}
	(*t)[key]++
}

// messages returns what was seen on one link, in the order of numbers.
func (t tries) messages(link string) (out []evidence.Message) {
	for key, count := range t {
		seen := &evidence.TrySeen{ID: int(key.id), Link: link, Direction: key.direction, Count: count}
		out = append(out, evidence.Message{TrySeen: seen})
	}
	slices.SortFunc(out, func(m, n evidence.Message) int {
		a, b := m.TrySeen, n.TrySeen
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Direction, b.Direction))
	})
	return out
}
