package check

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// evidenceOf returns all the runs the tests judge: the healthy one, each row
// of broken, and the recordings, with the verdict and first cause expected.
func evidenceOf(t *testing.T) (runs []run) {
	runs = append(runs, run{"healthy", record(t, healthy(3)), verdict.Passed, ""})
	for _, row := range broken {
		streams := healthy(3)
		row.breaks(streams)
		runs = append(runs, run{row.name, record(t, streams), row.verdict, row.cause})
	}
	for name, want := range recorded {
		runs = append(runs, run{name, load(t, name), want.verdict, want.cause})
	}
	return runs
}

type run struct {
	name      string
	recording *recording.Recording
	verdict   verdict.Verdict
	cause     string
}

// A check that nobody would miss proves nothing: with any one check's failures
// turned into passes, some run must be judged otherwise than expected. The
// checks that only warn are excepted; what they say is tested below.
func TestEveryCheckIsMissed(t *testing.T) {
	advice := map[string]bool{"WG0105": true, "WG0505": true, "WG0701": true, "WG0702": true, "WG0801": true}
	runs := evidenceOf(t)
	for _, c := range Checks() {
		if advice[c.Code] || c.Advice {
			continue
		}
		noticed := 0
		for _, r := range runs {
			if v, cause := blind(r.recording, c.Code); v != r.verdict || cause != r.cause {
				noticed++
			}
		}
		if noticed == 0 {
			t.Errorf("no test would notice if %s (%s) always passed", c.Code, c.Title)
		}
		t.Logf("%s always passing: %d of %d runs notice", c.Code, noticed, len(runs))
	}
}

// Without any check of a step, no run that fails for that step alone may pass:
// each step of the proof stands for itself.
func TestEveryStepIsMissed(t *testing.T) {
	runs := evidenceOf(t)
	for _, proof := range verdict.Proofs {
		var codes []string
		for _, c := range Checks() {
			if c.Proof == proof.Step {
				codes = append(codes, c.Code)
			}
		}
		noticed := 0
		for _, r := range runs {
			if v, cause := blind(r.recording, codes...); v != r.verdict || cause != r.cause {
				noticed++
			}
		}
		if noticed == 0 {
			t.Errorf("no test would notice if %s (%s) always held", proof.Step, proof.Title)
		}
		t.Logf("%s %s always holding: %d of %d runs notice", proof.Step, proof.Title, noticed, len(runs))
	}
}

// blind judges as if the checks of some codes always passed.
func blind(said *recording.Recording, codes ...string) (verdict.Verdict, string) {
	c := graph.New(said)
	p := profile.Decide(c)
	table := newView(c, p).table()
	for i := range table {
		for _, code := range codes {
			if table[i].Code == code {
				table[i] = alwaysPassing(table[i])
			}
		}
	}
	r := verdict.Judge(c, table, verdict.Detailed)
	if r.FirstCause == nil {
		return r.Verdict, ""
	}
	return r.Verdict, r.FirstCause.Code
}

func alwaysPassing(c verdict.Check) verdict.Check {
	blind := pass("blind")
	c.Needs = nil
	switch {
	case c.Cluster != nil:
		c.Cluster = func() verdict.Outcome { return blind }
	case c.Node != nil:
		c.Node = func(*graph.Node) verdict.Outcome { return blind }
	case c.NodeFamily != nil:
		c.NodeFamily = func(*graph.Node, int) verdict.Outcome { return blind }
	default:
		c.Edge = func(*graph.Edge) verdict.Outcome { return blind }
	}
	return c
}

// Every code has a run in which it passes, one in which it does not (it fails,
// or warns if it only advises) and one in which it is inconclusive or, if it
// reads nothing that could be missing, not applicable.
func TestEveryCodeWasSeenInEveryState(t *testing.T) {
	seen, advised := map[string]map[verdict.Status]string{}, map[string]string{}
	note := func(name string, said *recording.Recording) {
		for _, f := range Judge(said).Findings {
			if seen[f.Code] == nil {
				seen[f.Code] = map[verdict.Status]string{}
			}
			if seen[f.Code][f.Status] = name; f.Advice {
				advised[f.Code] = name
			}
		}
	}
	for _, r := range evidenceOf(t) {
		note(r.name, r.recording)
	}
	for name, streams := range healthyWithout() {
		note(name, record(t, streams))
	}
	for name, streams := range informed() {
		note(name, record(t, streams))
	}
	for _, c := range Checks() {
		states := seen[c.Code]
		if c.Advice {
			if advised[c.Code] == "" || states[verdict.NotApplicable] == "" || len(states) > 2 {
				t.Errorf("%s was seen to advise in %q, in these states: %v", c.Code, advised[c.Code], states)
			}
			continue
		}
		if states[verdict.Pass] == "" {
			t.Errorf("%s was never seen to pass", c.Code)
		}
		if states[verdict.Fail] == "" && states[verdict.Warn] == "" && states[verdict.Inconclusive] == "" {
			t.Errorf("%s was never seen not to pass", c.Code)
		}
		if len(c.Needs) > 0 && states[verdict.Inconclusive] == "" {
			t.Errorf("%s was never seen inconclusive", c.Code)
		}
		if c.Proof != "" && c.Proof != verdict.P6Reliable && states[verdict.Fail] == "" {
			t.Errorf("%s is part of the proof and was never seen to fail", c.Code)
		}
	}
}

// healthyWithout are healthy runs without one of their streams.
func healthyWithout() map[string]map[string][]evidence.Message {
	runs := map[string]map[string][]evidence.Message{}
	for _, stream := range []string{"probe/node-1", "pod/node-1"} {
		streams := healthy(3)
		delete(streams, stream)
		runs["without "+stream] = streams
	}
	return runs
}
