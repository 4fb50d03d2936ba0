package graph

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// attribute sorts the leak samples of all streams by the edge whose traffic
// leaks, whatever the stream counts as otherwise. One that names no pair of the
// run is unattributed.
func (g *Graph) attribute(recording Recorded) {
	g.leaks = map[edgeKey][]Leak{}
	g.clear = map[classKey][]Leak{}
	done := map[*Node]bool{}
	for _, stream := range recording.Streams() {
		role, name := evidence.SplitStream(stream)
		n := g.byName[name]
		switch {
		case stream == evidence.PluginStream:
			g.attributeAll(g.samples, "the plugin")
		case n == nil || role != "probe" && role != "pod":
			g.attributeAll(leakSamples(recording.Messages(stream)), name)
		case !done[n]: // it has those of its probe and its pod
			done[n] = true
			g.attributeAll(n.Leaks, name)
		}
	}
}

// leakSamples are those of a stream that nothing else is read from.
func leakSamples(messages []*evidence.Message) (samples []*evidence.Sighting) {
	for _, m := range messages {
		if m.Sighting != nil {
			samples = append(samples, m.Sighting)
		}
	}
	return samples
}

// attributeAll attributes what one node, or the plugin, saw.
func (g *Graph) attributeAll(samples []*evidence.Sighting, on string) {
	for _, s := range samples {
		leak := Leak{s, on}
		if g.attributeClass(leak) {
			continue
		}
		from, to := g.At(s.Source), g.At(s.Target)
		if from == nil || to == nil || !g.Pairs.Has(from.place, to.place) ||
			!slices.Contains(g.Run.Families, s.Family) {
			g.Unattributed = append(g.Unattributed, leak)
			continue
		}
		at := edgeKey{from.place, to.place, s.Family}
		g.leaks[at] = append(g.leaks[at], leak)
		from.leaked = true
	}
}
