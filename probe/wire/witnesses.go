package wire

import (
	"cmp"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

const (
	// maxSeen is how many pairs one Witness message holds.
	maxSeen = 64
	// maxWitnessed bounds the pairs of one link: both directions and families
	// of a node of a cluster of 10,000.
	maxWitnessed = 80000
)

// witnessKey is an ordered pair of nodes in one direction and family.
type witnessKey struct {
	direction              string
	family, source, target int
}

// witnesses counts genuine marked frames where they may be seen.
type witnesses map[witnessKey]*evidence.Seen

func (w witnesses) add(f *Frame, h *Marked) {
	key := witnessKey{f.Direction, int(h.Family), int(h.Source), int(h.Target)}
	seen := w[key]
	if seen == nil {
		if len(w) >= maxWitnessed {
			return
		}
		seen = &evidence.Seen{Source: key.source, Target: key.target}
		w[key] = seen
	}
	switch {
	case h.Kind == KindControl:
		seen.Control++
	case h.Kind == KindFirst || h.Kind == KindFirstAnswer:
		seen.First++
	case h.Transport == TransportUDP:
		seen.UDP++
	case h.Transport == TransportTCP:
		seen.TCP++
	case h.Transport == TransportICMP:
		seen.ICMP++
	}
}

// messages returns the witnesses of one link, at most maxSeen pairs in each.
func (w witnesses) messages(link string) []evidence.Message {
	keys := make([]witnessKey, 0, len(w))
	for key := range w {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b witnessKey) int {
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
		last.Seen = append(last.Seen, *w[key])
	}
	return out
}
