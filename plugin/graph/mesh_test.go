package graph_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// facts are all that an edge says, by value.
func facts(e *graph.Edge) []string {
	said := []string{fmt.Sprintf("%s → %s, family %d", e.From.Name, e.To.Name, e.Family)}
	fields := reflect.ValueOf(e).Elem()
	for i := range fields.NumField() {
		name, field := fields.Type().Field(i).Name, fields.Field(i)
		switch name {
		case "From", "To", "graph":
		case "Leaks":
			for _, l := range e.Leaks {
				said = append(said, fmt.Sprintf("leak on %s: %+v", l.On, *l.Sighting))
			}
		case "Peer", "Holder", "Rival":
			if p := field.Interface().(*graph.Peer); p != nil {
				said = append(said, fmt.Sprintf("%s: %+v", name, *p.PeerConfig))
			}
		case "FromCarrier", "ToCarrier":
			c := field.Interface().(*graph.Carrier)
			said = append(said, fmt.Sprintf("%s: %s %s %s %+v %+v",
				name, c.Name, c.Expected, c.Endpoint, *c.Device, *c.Link))
		case "Out", "In":
			f := field.Interface().(*graph.Flow)
			said = append(said, fmt.Sprintf("%s: %+v %d %v %s", name, *f.Shape, f.Bytes, f.Sessions, f.For))
		case "Sent", "Received":
			if c := field.Interface().(*graph.Count); c != nil {
				count := *c
				count.Age -= count.Age % 1e6 // columns have it in milliseconds
				said = append(said, fmt.Sprintf("%s: %+v", name, count))
			}
		default:
			if field.Kind() == reflect.Pointer && !field.IsNil() {
				field = field.Elem()
			}
			said = append(said, fmt.Sprintf("%s: %+v", name, field.Interface()))
		}
	}
	return said
}

// factsOf are those of all edges, and what the streams lack.
func factsOf(recording graph.Recorded) (all []string) {
	g := graph.New(recording)
	g.Resolve(func(*graph.Node, int) graph.Carrier { return graph.Carrier{Name: "flannel-wg"} })
	all = append(all, fmt.Sprintf("%+v lacks %q, unattributed %d", g.Run, g.Gap, len(g.Unattributed)))
	for _, n := range g.Nodes {
		all = append(all, fmt.Sprintf("%s lacks %q, %q", n.Name, n.ProbeGap, n.PodGap))
	}
	for e := range g.Edges() {
		all = append(all, facts(e)...)
	}
	return all
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("%s: %q, want %q", what, got[min(i, len(got)-1)], want[i])
		}
	}
	same(t, what+", facts", len(got), len(want))
}

func faulty(families ...int) *mesh.Mesh {
	m := mesh.New(7, families...)
	m.Leak(1, 2)
	m.StaleRoute(0, 3)
	m.MissingPeer(4, 5)
	m.LoseUDP(6, 0)
	m.LoseCanaries(2, 3)
	return m
}

// Law: in whatever order the messages of a run are recorded, and however often, the
// edges are the same.
func TestOrderAndDuplicatesDoNotMatter(t *testing.T) {
	for _, families := range [][]int{{4}, {4, 6}} {
		for _, unpacked := range []bool{false, true} {
			m := faulty(families...)
			m.Unpacked = unpacked
			var said []*evidence.Message
			for _, stream := range m.Streams() {
				said = append(said, m.Messages(stream)...)
			}
			want := factsOf(m)
			for seed := range uint64(5) {
				random := rand.New(rand.NewPCG(seed, 0))
				shuffled := slices.Clone(said)
				for range len(said) / 3 {
					shuffled = append(shuffled, said[random.IntN(len(said))])
				}
				random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
				r := recording.New()
				for _, message := range shuffled {
					r.Add(message)
				}
				compare(t, fmt.Sprintf("families %v, unpacked %t, seed %d", families, unpacked, seed), factsOf(r), want)
			}
		}
	}
}

// shuffled is a mesh whose messages come in another order than they are numbered.
type shuffled struct {
	*mesh.Mesh
	seed uint64
}

func (s shuffled) Messages(stream string) []*evidence.Message {
	said := s.Mesh.Messages(stream)
	random := rand.New(rand.NewPCG(s.seed, uint64(len(said))))
	for _, again := range slices.Clone(said) {
		// What is sent once only is a contradiction when it comes twice.
		if again.Peer == nil && again.Tunnel == nil && again.Node == nil && again.Sighting == nil &&
			random.IntN(3) == 0 {
			said = append(said, again)
		}
	}
	random.Shuffle(len(said), func(i, j int) { said[i], said[j] = said[j], said[i] })
	return said
}

// Law: of messages of single peers no order is needed to read them.
func TestMessagesOfSinglePeersNeedNoOrder(t *testing.T) {
	m := faulty(4, 6)
	m.Unpacked = true
	want := factsOf(m)
	for seed := range uint64(5) {
		compare(t, fmt.Sprintf("seed %d", seed), factsOf(shuffled{m, seed}), want)
	}
}

// Evidence in columns says what it says peer by peer.
func TestColumnsSayTheSame(t *testing.T) {
	packed, unpacked := faulty(4, 6), faulty(4, 6)
	unpacked.Unpacked = true
	got, want := factsOf(packed), factsOf(unpacked)
	compare(t, "columns", got, want)
}
