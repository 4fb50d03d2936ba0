package run

import (
	"fmt"
	"log/slog"
	"net/netip"
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
	account := newAccount("test", said)
	for _, m := range runMessages(about) {
		account.add(m)
	}
	account.bye()
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
	whole, said := mesh.New(3), recording.New()
	for _, stream := range whole.Streams() {
		last := uint32(0)
		for _, m := range whole.Messages(stream) {
			if last = m.Seq; m.Run == nil && m.Bye == nil && m.Canary == nil && m.Capture == nil {
				m.Stream = stream
				said.Add(m)
			}
		}
		if stream == "probe/node-0001" {
			said.Add(&evidence.Message{Stream: stream, Seq: last + 1, Rule: &evidence.Rule{
				Family: 4, Priority: 50, Protocol: 17, TargetPorts: &evidence.Ports{From: 53, To: 53}, Table: 77}})
			said.Add(&evidence.Message{Stream: stream, Seq: last + 2, Route: &evidence.Route{
				Destination: netip.MustParsePrefix("0.0.0.0/0"), Link: "eth0", Table: 77}})
		}
	}
	v := &verification{Options: Options{Log: slog.New(slog.DiscardHandler)}, recording: said, about: &evidence.Run{Families: []int{4}, Minor: 1}}
	v.planTries(true)
	if len(v.about.Tries) != 2 || len(v.triesOf(1)) != 2 || len(v.triesFor(0)) != 1 || len(v.triesFor(2)) != 1 || len(v.triesOf(0)) != 0 {
		t.Fatalf("%+v", v.about.Tries)
	}
	if try := v.triesFor(2)[0]; try.Port != 53 || try.Transport != "udp" || !try.Addr.IsValid() || !strings.Contains(try.Because, "ipproto udp dport 53 lookup 77") {
		t.Errorf("%+v", try)
	}
}
