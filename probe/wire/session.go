package wire

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// session is one receiver index in one direction of a tunnel: one keypair.
// A message seen on a VLAN and on its lower link is one message; the same
// counter twice on one link is a repeat.
type session struct {
	index evidence.IndexRange
	links []linkCounters
}

type linkCounters struct {
	link int
	seen counters
}

// add counts a data message seen on a link and reports whether it is a new one.
// grown is by how many words the session's memory grew.
func (s *session) add(link int, counter uint64, limit int) (fresh bool, grown int) {
	at := slices.IndexFunc(s.links, func(l linkCounters) bool { return l.link == link })
	if at < 0 {
		at = len(s.links)
		s.links = append(s.links, linkCounters{link: link})
	}
	own := &s.links[at].seen
	before := len(own.words)
	if own.add(counter, limit) {
		s.index.Repeats++
		return false, len(own.words) - before
	}
	grown = len(own.words) - before
	for i := range s.links {
		if i != at && s.links[i].seen.has(counter) {
			return false, grown
		}
	}
	if s.index.Messages == 0 || counter < s.index.Min {
		s.index.Min = counter
	}
	s.index.Max = max(s.index.Max, counter)
	s.index.Messages++
	return true, grown
}
