package graph_test

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A leak is believed whoever reports it, in whichever stream.
func TestLeaksAreBelieved(t *testing.T) {
	for _, test := range []struct{ stream, on string }{
		{"plugin", "the plugin"},
		{"probe/a", "a"},
		{"pod/a", "a"},
		{"probe/c", "c"},
		{"look/a", "a"},
		{"spare/a", "a"},
		{"probe/z", "z"}, // a node that the run does not know
		{"plugin/z", "z"},
		{"odd", ""},
	} {
		leak := &evidence.Sighting{Source: 0, Target: 1, Family: 4}
		g := resolved(abc().say(test.stream, leak))
		a, b, c := g.Nodes[0], g.Nodes[1], g.Nodes[2]
		same(t, test.stream, g.Edge(a, b, 4).Leaks, []graph.Leak{{leak, test.on}})
		for _, other := range []*graph.Edge{g.Edge(b, a, 4), g.Edge(a, c, 4), g.Edge(c, b, 4)} {
			if len(other.Leaks) > 0 {
				t.Errorf("%s: it is a leak from %s to %s too", test.stream, other.From.Name, other.To.Name)
			}
		}
		same(t, test.stream+": unattributed", g.Unattributed, []graph.Leak(nil))
	}
}

func TestLeaksOfNoPair(t *testing.T) {
	for _, test := range []struct {
		name string
		leak evidence.Sighting
		none bool
	}{
		{"a pair of the run", evidence.Sighting{Source: 0, Target: 1, Family: 4}, false},
		{"the other family of the run", evidence.Sighting{Source: 0, Target: 1, Family: 6}, false},
		{"the other direction, which is not asked", evidence.Sighting{Source: 1, Target: 0, Family: 4}, true},
		{"a node's own", evidence.Sighting{Source: 1, Target: 1, Family: 4}, true},
		{"an unknown source", evidence.Sighting{Source: 9, Target: 1, Family: 4}, true},
		{"an unknown target", evidence.Sighting{Source: 0, Target: -1, Family: 4}, true},
		{"no family", evidence.Sighting{Source: 0, Target: 1}, true},
	} {
		f := ground([]int{4, 6}, "a", "b", "c").
			say("plugin", &evidence.Run{Families: []int{4, 6}, Pairs: "ring"}).
			say("probe/c", &test.leak)
		g := resolved(f)
		same(t, test.name, g.Unattributed != nil, test.none)
		attributed := 0
		for e := range g.Edges() {
			attributed += len(e.Leaks)
			if len(e.Leaks) > 0 && (e.Family != test.leak.Family || e.From.Index != test.leak.Source) {
				t.Errorf("%s: attributed to %s → %s, family %d", test.name, e.From.Name, e.To.Name, e.Family)
			}
		}
		same(t, test.name+", attributed", attributed == 1, !test.none)
	}
	one := graph.New(ground([]int{4}, "a", "b").say("probe/a", &evidence.Sighting{Target: 1, Family: 6}))
	same(t, "a family that the run does not test", len(one.Unattributed), 1)
}

// Leaks stand in the order of the streams' names; a node's two streams count once.
func TestLeaksOfSeveralStreams(t *testing.T) {
	leak := func(count uint64) *evidence.Sighting { return &evidence.Sighting{Target: 1, Family: 4, Count: count} }
	f := abc().
		say("probe/b", leak(5)).say("look/b", leak(1)).say("pod/a", leak(3)).say("plugin", leak(2)).
		say("probe/a", leak(4)).say("spare/z", leak(6))
	e := edge(f, "a", "b")
	var counts []uint64
	for _, l := range e.Leaks {
		counts = append(counts, l.Count)
	}
	slices.Sort(counts)
	same(t, "leaks", counts, []uint64{1, 2, 3, 4, 5, 6})
	same(t, "the first", e.Leaks[0].On+e.Leaks[len(e.Leaks)-1].On, "bz")
	same(t, "what a node's captures saw", len(e.From.Leaks), 2)
}
