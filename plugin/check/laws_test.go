package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// grave orders verdicts: a law "never improves" compares with it.
func grave(v verdict.Verdict) int {
	return slices.Index([]verdict.Verdict{verdict.Passed, verdict.Undecided, verdict.Failed}, v)
}

// Law: without any one message a run does not pass.
func TestDeletingAnyMessageNeverPasses(t *testing.T) {
	whole := record(t, healthy(2))
	for _, stream := range whole.Streams() {
		for i, m := range whole.Messages(stream) {
			rest := without(whole, stream, i)
			if j := Judge(rest); j.Verdict == verdict.Passed {
				kind, _ := m.Kind()
				t.Errorf("passes without message %d (%s) of %s", m.Seq, kind, stream)
			}
		}
	}
}

// Law: a node that leaves a message out and counts right all the same gains
// nothing by it. These are the kinds that only explain, so that a run may pass
// without one of them.
func TestLeavingOutAMessageNeverImproves(t *testing.T) {
	explains := []evidence.Kind{evidence.KindModule, evidence.KindHello, evidence.KindRun, evidence.KindCluster,
		evidence.KindLink, evidence.KindCapture}
	for _, leak := range []bool{false, true} {
		base := healthy(2)
		if leak {
			base["probe/node-1"] = append(base["probe/node-1"], evidence.Message{Sighting: &evidence.Sighting{
				Link: "eth0", Direction: "tx", Source: 0, Target: 1, Family: 4, By: "mark", Count: 1}})
			capture(base["probe/node-1"], "eth0", func(c *evidence.Capture) { c.Drops = 1 })
		}
		before := Judge(record(t, base))
		for stream, messages := range base {
			for i := range messages {
				kind, _ := messages[i].Kind()
				if kind == evidence.KindSighting {
					continue // the one message whose absence a liar profits from
				}
				streams := map[string][]evidence.Message{}
				for name, all := range base {
					streams[name] = all
				}
				streams[stream] = slices.Delete(slices.Clone(messages), i, i+1)
				after := Judge(record(t, streams))
				if grave(after.Verdict) < grave(before.Verdict) {
					t.Errorf("leaving out %s of %s improves %s to %s", kind, stream, before.Verdict, after.Verdict)
				}
				if after.Verdict == verdict.Passed && !slices.Contains(explains, kind) && !onlyTold(messages[i]) {
					t.Errorf("passes though %s never sent its %s (message %d)", stream, kind, i+1)
				}
			}
		}
	}
}

// onlyTold reports whether a message is of those that no step of the proof reads:
// the way to another node's WireGuard (WG0504, which advises), the way to the
// node's own pods, how much crossed the tunnel besides.
func onlyTold(m evidence.Message) bool {
	route, count := m.Route, m.LinkCount
	return route != nil && (route.Link == "eth0" || route.Link == "cni0") || count != nil && count.Link == "flannel-wg"
}

// Law: order and exact duplicates do not matter.
func TestOrderAndDuplicatesDoNotMatter(t *testing.T) {
	whole := record(t, healthy(2))
	want := fmt.Sprintf("%+v", Judge(whole).Findings)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var all []*evidence.Message
		for _, stream := range whole.Streams() {
			all = append(all, whole.Messages(stream)...)
		}
		all = append(all, all[random.IntN(len(all))], all[random.IntN(len(all))])
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		shuffled := recording.New()
		for _, m := range all {
			shuffled.Add(m)
		}
		if got := fmt.Sprintf("%+v", Judge(shuffled).Findings); got != want {
			t.Fatalf("another order, another judgement:\n%s\n%s", got, want)
		}
	}
}

// Law: one leak, seen by anyone, whatever else is there or missing, is FAIL.
func TestOneLeakAlwaysFails(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		streams := healthy(2)
		for stream := range streams {
			if stream != evidence.PluginStream {
				streams[stream] = streams[stream][:1+random.IntN(len(streams[stream]))]
			}
		}
		by := fmt.Sprintf("probe/node-%d", 1+random.IntN(2))
		streams[by] = append(streams[by], evidence.Message{Sighting: &evidence.Sighting{
			Link: "eth0", Direction: "rx", Source: random.IntN(4) - 1,
			Target: random.IntN(4) - 1, Family: 4, By: "mark", Count: 1}})
		if j := Judge(record(t, streams)); j.Verdict != verdict.Failed || j.FirstCause == nil {
			t.Fatalf("a leak and yet %s: %v", j.Verdict, bad(j))
		}
	}
}

// Law: a pod that claims to be starved excuses nothing but missed answers. No
// run passes by it, and no leak that was seen is undone.
func TestStarvedPodsNeverImprove(t *testing.T) {
	for _, b := range broken {
		streams := healthy(3)
		b.breaks(streams)
		before := Judge(record(t, streams))
		for _, node := range []string{"node-1", "node-2", "node-3"} {
			streams["pod/"+node] = append(streams["pod/"+node],
				evidence.Message{
					Problem: &evidence.Problem{Class: evidence.ProblemStarved, What: "answer", Text: "it did not run"},
				})
		}
		after := Judge(record(t, streams))
		if before.Verdict != verdict.Passed && after.Verdict == verdict.Passed {
			t.Errorf("%s: %s before, passes with starved pods", b.name, before.Verdict)
		}
		leak := slices.ContainsFunc(before.Findings,
			func(f verdict.Finding) bool { return f.Proof == verdict.P3NoPlaintext && f.Status == verdict.Fail })
		if leak && after.Verdict != verdict.Failed {
			t.Errorf("%s: a leak is excused, %s", b.name, after.Verdict)
		}
	}
}

// Law: two different messages with one number damage the stream.
func TestConflictingMessagesNeverPass(t *testing.T) {
	said := record(t, healthy(2))
	said.Add(&evidence.Message{Stream: "probe/node-1", Seq: 3, Progress: nil, Module: &evidence.Module{Name: "other"}})
	if j := Judge(said); j.Verdict != verdict.Undecided {
		t.Errorf("verdict %s, want INCONCLUSIVE", j.Verdict)
	}
}

// without copies a recording and leaves out the i-th message of a stream.
func without(whole *recording.Recording, stream string, i int) *recording.Recording {
	rest := recording.New()
	for _, name := range whole.Streams() {
		for n, m := range whole.Messages(name) {
			if name != stream || n != i {
				rest.Add(m)
			}
		}
	}
	return rest
}
