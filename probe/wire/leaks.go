package wire

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds of the leaks of one link: those of the run's own packets, as many again
// of packets of other pods, and as many of packets of classes, so that none of them
// crowds out the others.
const (
	maxLeaks     = 64   // kinds
	maxLeakPairs = 8192 // with those that are kept because their pair has no other
	maxSample    = 160  // bytes of a frame
)

// leakKey is what makes two leaks equal.
type leakKey struct {
	direction, by, layers    string
	source, target, family   int
	first                    bool
	class                    evidence.Class
	answer                   bool
	outerSource, outerTarget netip.Addr
}

// ofPair is the key of all that leak from and to the same pods in one direction,
// in whatever they are encapsulated. Of a packet of a class that decides what it is.
func (k leakKey) ofPair() leakKey {
	if k.class == "" {
		k.layers = ""
		k.outerSource = netip.Addr{}
		k.outerTarget = netip.Addr{}
	}
	return k
}

// leaks sums the leaks of one link. The zero value is ready.
type leaks struct {
	sightings[leakKey]
	pods sightings[podKey] // see addPods
}

// sightings counts leaks of equal keys in one. Beyond maxLeaks different ones those
// of a pair are counted in one that it has already: which pairs leak has to be known
// of all of them, in which ways no longer matters by then. The zero value is ready.
type sightings[K comparable] struct {
	all  []*evidence.Sighting
	byID map[K]*evidence.Sighting
}

// count counts a leak. It returns what to describe it in if that is new, else nil.
func (s *sightings[K]) count(key, pair K) (unknown *evidence.Sighting) {
	one := s.byID[key]
	if one == nil && len(s.all) >= maxLeaks {
		key, one = pair, s.byID[pair]
	}
	if one == nil && len(s.all) == maxLeakPairs {
		one = s.all[maxLeakPairs-1]
	}
	if one != nil {
		one.Count++
		return nil
	}
	one = &evidence.Sighting{Count: 1}
	s.all = append(s.all, one)
	if s.byID == nil {
		s.byID = make(map[K]*evidence.Sighting)
	}
	s.byID[key] = one
	if s.byID[pair] == nil {
		s.byID[pair] = one
	}
	return one
}

func (s *leaks) add(link string, f *Frame, d *dissection, found *match, m *matcher) {
	source, target, family := m.pair(found, d)
	if family == 0 {
		family = addressFamily(d.source)
	}
	if found.at < 0 && found.flow.at >= d.headers {
		d.nameCarrier()
	}
	key := leakKey{
		direction: f.Direction, by: evidence.LeakedByFlow, layers: d.text(),
		source: source, target: target, family: family, first: found.first(),
		outerSource: d.source, outerTarget: d.target,
	}
	if found.at >= 0 {
		key.by = evidence.LeakedByMark
	}
	if found.classed() {
		key.class, key.answer = found.header.class()
	}
	if one := s.count(key, key.ofPair()); one != nil {
		*one = evidence.Sighting{
			Link: link, Direction: key.direction, Source: source, Target: target, Family: family,
			By: key.by, First: key.first, Class: key.class, Answer: key.answer, Layers: key.layers,
			OuterSource: d.source, OuterTarget: d.target, Count: 1,
			Sample: bytes.Clone(f.Data[:sampleEnd(f.Data, d, found)]),
		}
	}
}

// sampleEnd returns how much of a frame may be kept: headers and the run's own
// mark. A mark or flow that is distant from the headers that could be read stands in
// someone's payload, of which nothing is kept.
func sampleEnd(b []byte, d *dissection, found *match) int {
	end := d.headers
	switch {
	case found.at >= 0 && found.at < d.headers+MarkedSize:
		end = found.at + MarkSize
		if found.genuine {
			end = found.at + MarkedSize
		}
	case found.at < 0 && found.flowing && found.flow.at <= d.headers:
		end = found.flow.headersEnd(b)
	}
	return min(end, maxSample, len(b))
}

// headersEnd returns where the transport header ends of the packet whose
// addresses the flow is. A flow is only found in a header that proves itself.
func (w *flow) headersEnd(b []byte) int {
	var next byte
	var end int
	if w.family == 4 {
		start := w.at - sourceAt4
		next, end = b[start+9], start+int(b[start]&15)*4
	} else {
		next, end = b[w.at-sourceAt6+6], w.at+32
	}
	switch next {
	case protoTCP:
		return end + 20
	case protoUDP, protoICMP, protoICMPv6:
		return end + 8
	}
	return end
}

func addressFamily(a netip.Addr) int {
	switch {
	case a.Is4():
		return 4
	case a.Is6():
		return 6
	}
	return 0
}

// messages returns the leaks in an order of their own.
func (s *leaks) messages() []evidence.Message {
	all := slices.Concat(s.all, s.pods.all)
	slices.SortFunc(all, func(a, b *evidence.Sighting) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Family, b.Family), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.By, b.By),
			cmp.Compare(a.Class, b.Class), cmp.Compare(boolRank(a.Answer), boolRank(b.Answer)),
			cmp.Compare(a.Layers, b.Layers), cmp.Compare(a.Protocol, b.Protocol),
			a.OuterSource.Compare(b.OuterSource), a.OuterTarget.Compare(b.OuterTarget),
			a.InnerSource.Compare(b.InnerSource), a.InnerTarget.Compare(b.InnerTarget))
	})
	var out []evidence.Message
	for _, one := range all {
		out = append(out, evidence.Message{Sighting: one})
	}
	return out
}
