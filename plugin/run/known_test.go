package run

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// However many tries a run makes, its recording has them all.
func TestTriesAreRecorded(t *testing.T) {
	about := &evidence.Run{ID: "abc", Families: []int{4}, Newcomers: []evidence.Newcomer{{Node: 0, Targets: []int{1}}}}
	for i := range 256 {
		about.Tries = append(about.Tries, evidence.Try{ID: i + 1, Target: 1, Family: 4, Because: strings.Repeat("<", 300), Addr: netip.MustParseAddr("10.42.1.2")})
	}
	said := recording.New()
	newRecord("test", said).end(about)
	c := graph.New(said)
	if len(c.Run.Tries) != 256 || len(c.Run.Newcomers) != 1 || len(c.Problems) > 0 || c.Gap != "" {
		t.Errorf("%d tries, %d new pods, problems %v, gap %q", len(c.Run.Tries), len(c.Run.Newcomers), c.Problems, c.Gap)
	}
	for i, try := range c.Run.Tries {
		if try.ID != i+1 {
			t.Fatalf("try %d at %d", try.ID, i)
		}
	}
}

// Only what some packets meet and others do not needs a try.
func TestNarrows(t *testing.T) {
	for _, test := range []struct {
		m    evidence.Message
		want bool
	}{
		{evidence.Message{Rule: &evidence.Rule{Table: 255}}, false},
		{evidence.Message{Rule: &evidence.Rule{To: netip.MustParsePrefix("10.42.1.0/24"), Table: 77}}, false},
		{evidence.Message{Rule: &evidence.Rule{Protocol: 6, Table: 77}}, true},
		{evidence.Message{Rule: &evidence.Rule{Mark: 1, Mask: 1, Table: 77}}, true},
		{evidence.Message{Route: &evidence.Route{Table: 254}}, false},
		{evidence.Message{Route: &evidence.Route{Table: 254, TOS: 16}}, true},
		{evidence.Message{Diversion: &evidence.Diversion{Effect: evidence.EffectMark}}, false},
		{evidence.Message{Diversion: &evidence.Diversion{Effect: evidence.EffectCopy}}, true},
	} {
		if got := narrowsBy(&test.m); got != test.want {
			t.Errorf("%s: %t", fmt.Sprint(test.m.Rule, test.m.Route, test.m.Diversion), got)
		}
	}
}

// What was read before anything was sent is enough to plan the tries.
func TestPlanTries(t *testing.T) {
	whole, recorded := mesh.New(3), recording.New()
	probes := map[string]said{}
	add := func(m *evidence.Message) {
		recorded.Add(m)
		kept := probes[m.Stream]
		kept.keep(m, false)
		probes[m.Stream] = kept
	}
	for _, stream := range whole.Streams() {
		last := uint32(0)
		for _, m := range whole.Messages(stream) {
			if last = m.Seq; m.Run == nil && m.Bye == nil && m.Canary == nil && m.Capture == nil {
				m.Stream = stream
				add(m)
			}
		}
		if stream == "probe/node-0001" {
			add(&evidence.Message{Stream: stream, Seq: last + 1, Rule: &evidence.Rule{
				Family: 4, Priority: 50, Protocol: 17, TargetPorts: &evidence.Ports{From: 53, To: 53}, Table: 77}})
			add(&evidence.Message{Stream: stream, Seq: last + 2, Route: &evidence.Route{
				Destination: netip.MustParsePrefix("0.0.0.0/0"), Link: "eth0", Table: 77}})
		}
	}
	plan := planFor(3, &evidence.Run{Families: []int{4}, Minor: 1})
	plan.about.Tries = newKnown(recorded, plan.about, probes).tries
	sent := func(node int) int { return len(plan.send(place{"pod", &plan.nodes.list[node]}).Send.Tries) }
	expected := func(node int) []evidence.Try { return plan.listen(place{"pod", &plan.nodes.list[node]}).Listen.Tries }
	// The rule is for what the node sends, and for what reaches it through the tunnel.
	sends, hears := []int{sent(0), sent(1), sent(2)}, []int{len(expected(0)), len(expected(1)), len(expected(2))}
	if !slices.Equal(sends, []int{1, 2, 1}) || !slices.Equal(hears, []int{1, 2, 1}) {
		t.Fatalf("%v, %v: %+v", sends, hears, plan.about.Tries)
	}
	if try := expected(2)[0]; try.Port != 53 || try.Transport != "udp" || !try.Addr.IsValid() || !strings.Contains(try.Because, "ipproto udp dport 53 lookup 77") {
		t.Errorf("%+v", try)
	}
}

// planFor is the plan of a run on so many nodes, with a test pod on each.
func planFor(count int, about *evidence.Run) *plan {
	p := &plan{nodes: &nodes{}, about: about}
	p.nodes.pairs, _ = graph.NewPairs("all", "", count)
	for i := range count {
		p.nodes.list = append(p.nodes.list, evidence.Node{Index: i})
	}
	for i := range count {
		p.pods = append(p.pods, testPod{node: &p.nodes.list[i]})
	}
	return p
}
