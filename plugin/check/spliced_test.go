package check

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A node that answers with what it said in another run, healthy then, proves
// nothing of this one.
func TestAnswersOfAnotherRunNeverPass(t *testing.T) {
	var healthy []string
	for name, want := range recorded {
		streams := load(t, name).Streams()
		two := slices.Contains(streams, "probe/node-1") && slices.Contains(streams, "probe/node-2")
		if want.verdict == verdict.Passed && two && !slices.Contains(streams, "probe/node-3") {
			healthy = append(healthy, name)
		}
	}
	slices.Sort(healthy)
	if len(healthy) < 10 {
		t.Fatalf("%d healthy runs of two nodes", len(healthy))
	}
	for i, name := range healthy {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, then := load(t, name), load(t, healthy[(i+1)%len(healthy)])
			for _, stream := range []string{"probe/node-1", "probe/node-2", "pod/node-1", "pod/node-2"} {
				if len(then.Messages(stream)) == 0 {
					t.Fatalf("%s says nothing in the other run", stream)
				}
				if j := Judge(spliced(now, now, stream)); j.Verdict != verdict.Passed {
					t.Errorf("%s with its own %s", j.Verdict, stream)
				}
				if j := Judge(spliced(now, then, stream)); j.Verdict == verdict.Passed {
					t.Errorf("it passes with %s of another run", stream)
				}
			}
		})
	}
}

// spliced is a recording with one stream of another in the place of its own.
func spliced(now, then *recording.Recording, stream string) *recording.Recording {
	out := recording.New()
	for _, name := range now.Streams() {
		from := now
		if name == stream {
			from = then
		}
		for _, m := range from.Messages(name) {
			out.Add(m)
		}
	}
	return out
}

// What one agent said cannot be set aside: two complete streams of one node,
// of which only one got the node's name, prove nothing.
func TestAnAccountSetAsideNeverPasses(t *testing.T) {
	m := mesh.New(4)
	for _, set := range []string{"", evidence.StreamName("probe", mesh.Name(1))} {
		out := recording.New()
		for _, stream := range m.Streams() {
			for _, message := range m.Messages(stream) {
				out.Add(message)
				if stream == set {
					aside := *message
					aside.Stream = "early/another-pod/" + stream
					out.Add(&aside)
				}
			}
		}
		if set != "" {
			out.Rename("early/another-pod/"+set, set)
		}
		if j := Judge(out); (j.Verdict == verdict.Passed) != (set == "") {
			t.Errorf("%s with a stream of %q set aside", j.Verdict, set)
		}
	}
}
