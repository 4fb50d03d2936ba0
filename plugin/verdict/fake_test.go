package verdict

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// recorded is a recording of a run of which the test says nothing but its nodes
// and what is missing.
type recorded struct {
	plugin []*evidence.Message
	gaps   map[string]string
}

func (r *recorded) Streams() []string { return nil }

func (r *recorded) Gap(stream string) string { return r.gaps[stream] }

func (r *recorded) Messages(stream string) []*evidence.Message {
	if stream == evidence.PluginStream {
		return r.plugin
	}
	return nil
}

// running is a run among nodes a, b, c and so on; of more than 26 they are named
// by their place. Gaps are by stream.
func running(nodes int, pairs string, gaps map[string]string, families ...int) *graph.Graph {
	r := &recorded{gaps: gaps}
	r.plugin = append(r.plugin, &evidence.Message{Run: &evidence.Run{Families: families, Pairs: pairs}})
	for i := range nodes {
		name := string(rune('a' + i))
		if nodes > 26 {
			name = fmt.Sprintf("n%03d", i)
		}
		r.plugin = append(r.plugin, &evidence.Message{Node: &evidence.Node{Index: i, Name: name}})
	}
	g := graph.New(r)
	g.Resolve(func(*graph.Node, int) graph.Carrier { return graph.Carrier{} })
	return g
}

// among is a run of IPv4 that tests all pairs, and lacks nothing.
func among(nodes int) *graph.Graph { return running(nodes, "all", nil, 4) }

// finds is what a check of a test finds, by subject: "a" is a node, "a6" a node
// and a family, "ab4" an edge. What is not named passes.
type finds map[string]Status

func (f finds) of(name string) Outcome {
	status, named := f[name]
	if !named {
		status = Pass
	}
	return Say(status, "%s is %s", name, status)
}

func cluster(s Status) func() Outcome {
	return func() Outcome { return Say(s, "the cluster is %s", s) }
}

func (f finds) node(n *graph.Node) Outcome { return f.of(n.Name) }

func (f finds) family(n *graph.Node, family int) Outcome { return f.of(fmt.Sprint(n.Name, family)) }

func (f finds) edge(e *graph.Edge) Outcome {
	return f.of(fmt.Sprintf("%s%s%d", e.From.Name, e.To.Name, e.Family))
}

// proving are checks, one for each step but those left out, that every edge passes.
func proving(but ...Proof) (table []Check) {
	for _, p := range Proofs {
		if !slices.Contains(but, p.Step) {
			table = append(table, Check{Code: "ok " + string(p.Step), Proof: p.Step, Edge: finds{}.edge})
		}
	}
	return table
}

// with are checks before those that make a proof complete.
func with(checks ...Check) []Check { return slices.Concat(checks, proving()) }

// all is a result without bounds.
const all = 1 << 30

// finding returns what a complete result has of a check and a subject as finds
// name it; "" is the cluster.
func finding(t *testing.T, r *Result, code, subject string) *Finding {
	t.Helper()
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Code == code && short(f.Subject) == subject {
			return f
		}
	}
	t.Fatalf("there is no finding of %s on %q", code, subject)
	return nil
}

// short is a subject as finds name it.
func short(s Subject) string {
	if s.Family == 0 {
		return s.Node + s.Peer
	}
	return fmt.Sprint(s.Node, s.Peer, s.Family)
}

// named is a finding as a test names it, empty for nil.
func named(f *Finding) string {
	if f == nil {
		return ""
	}
	return f.Code + " " + short(f.Subject)
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}
