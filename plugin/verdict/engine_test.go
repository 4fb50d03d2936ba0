package verdict

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// Law: what is missing never helps. A check cannot pass, nor be not applicable,
// without the streams that it needs.
func TestMissingEvidence(t *testing.T) {
	const (
		probe = "the evidence of the probe on a is incomplete: it broke off"
		pod   = "the evidence of the test pod on a is incomplete: it broke off"
	)
	anyNode, anyEdge := finds{}.node, finds{}.edge
	for _, test := range []struct {
		name  string
		check Check
		gaps  []string          // streams
		texts map[string]string // by subject, of those that are inconclusive
	}{
		{"nothing is missing", Check{Node: anyNode, Needs: []Need{NeedProbe, NeedPod}}, nil, nil},
		{"nothing is needed", Check{Node: anyNode}, []string{"probe/a", "pod/a"}, nil},
		{"a node's probe", Check{Node: anyNode, Needs: []Need{NeedProbe}}, []string{"probe/a"},
			map[string]string{"a": probe}},
		{"a node's pod", Check{Node: anyNode, Needs: []Need{NeedPod}}, []string{"pod/a"}, map[string]string{"a": pod}},
		{"the pod is not needed", Check{Node: anyNode, Needs: []Need{NeedProbe}}, []string{"pod/a"}, nil},
		{"the probe is not needed", Check{Node: anyNode, Needs: []Need{NeedPod}}, []string{"probe/a"}, nil},
		{"the probe is named first", Check{Node: anyNode, Needs: []Need{NeedPod, NeedProbe}},
			[]string{"probe/a", "pod/a"}, map[string]string{"a": probe}},
		{"of the cluster all nodes count", Check{Cluster: cluster(Pass), Needs: []Need{NeedPod}}, []string{"pod/a"},
			map[string]string{"": pod}},
		{"of an edge both ends", Check{Edge: anyEdge, Needs: []Need{NeedProbe}}, []string{"probe/a"},
			map[string]string{"ab4": probe, "ba4": probe, "ac4": probe, "ca4": probe}},
		{"of a node and a family", Check{NodeFamily: finds{}.family, Needs: []Need{NeedProbe}}, []string{"probe/a"},
			map[string]string{"a4": probe}},
	} {
		t.Run(test.name, func(t *testing.T) {
			gaps := map[string]string{}
			for _, stream := range test.gaps {
				gaps[stream] = "it broke off"
			}
			test.check.Code = "X"
			r := Judge(running(3, "all", gaps, 4), with(test.check), all)
			for _, f := range r.Findings {
				text, missing := test.texts[short(f.Subject)]
				switch {
				case f.Code != "X":
				case missing && (f.Status != Inconclusive || f.Text != text):
					t.Errorf("%s is %s: %s", f.Subject, f.Status, f.Text)
				case !missing && f.Status != Pass:
					t.Errorf("%s is %s, though nothing of it is missing", f.Subject, f.Status)
				}
			}
			want := Passed
			if len(test.texts) > 0 {
				want = Undecided
			}
			same(t, "verdict", r.Verdict, want)
		})
	}
}

// What was seen stands; what rests on something not seen does not. A check that
// itself knows why the evidence is missing keeps its words.
func TestWhatStandsOnIncompleteEvidence(t *testing.T) {
	for _, test := range []struct {
		found   Status
		variant string
		seen    bool
		want    Status
		itsOwn  bool
	}{
		{found: Pass, want: Inconclusive},
		{found: Pass, seen: true, want: Inconclusive},
		{found: NotApplicable, want: Inconclusive},
		{found: Warn, seen: true, want: Inconclusive},
		{found: Fail, want: Inconclusive},
		{found: Fail, variant: "v", want: Inconclusive},
		{found: Fail, seen: true, want: Fail, itsOwn: true},
		{found: Inconclusive, want: Inconclusive},
		{found: Inconclusive, seen: true, want: Inconclusive},
		{found: Inconclusive, variant: "v", want: Inconclusive, itsOwn: true},
	} {
		outcome := Say(test.found, "its own words")
		outcome.Variant, outcome.Facts = test.variant, map[string]string{"port": "51820"}
		outcome.Readings = []Reading{{Node: "a", What: "frames", Text: "7"}}
		check := Check{Code: "X", Seen: test.seen, Needs: []Need{NeedProbe}}
		check.Node = func(*graph.Node) Outcome { return outcome }
		r := Judge(running(1, "all", map[string]string{"probe/a": "it is empty"}, 4), []Check{check}, all)
		f := finding(t, r, "X", "a")
		same(t, "status", f.Status, test.want)
		same(t, "readings", f.Readings, outcome.Readings)
		if (f.Text == "its own words") != test.itsOwn || (f.Variant == test.variant && f.Facts != nil) != test.itsOwn {
			t.Errorf("%s, variant %q, seen %t: %q, variant %q, facts %v",
				test.found, test.variant, test.seen, f.Text, f.Variant, f.Facts)
		}
	}
}

// Where the record of the run itself is incomplete nothing passes, and what was
// seen fails all the same.
func TestIncompleteRecord(t *testing.T) {
	const text = "the record of the run itself is incomplete: it broke off"
	gaps := map[string]string{"plugin": "it broke off", "probe/a": "it is empty"}
	checks := with(
		Check{Code: "C", Cluster: cluster(Pass)},
		Check{Code: "N", Node: finds{}.node, Needs: []Need{NeedProbe}})
	r := Judge(running(2, "all", gaps, 4), checks, all)
	same(t, "verdict", r.Verdict, Undecided)
	for _, f := range r.Findings {
		if f.Status != Inconclusive || f.Text != text {
			t.Errorf("%s on %s: %s, %s", f.Code, f.Subject, f.Status, f.Text)
		}
	}
	leak := Check{Code: "L", Seen: true, Edge: finds{"ab4": Fail}.edge}
	same(t, "with a leak", Judge(running(2, "all", gaps, 4), with(leak), all).Verdict, Failed)
	same(t, "without checks", Judge(running(2, "all", gaps, 4), nil, all).Verdict, Undecided)
}

func TestVerdictOfStatuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		g     *graph.Graph
		table []Check
		want  Verdict
		exit  int
	}{
		{"all passes", among(2), with(), Passed, 0},
		{"a warning", among(2), with(Check{Code: "X", Node: finds{"a": Warn}.node}), Passed, 0},
		{"notApplicable", among(2), with(Check{Code: "X", Node: finds{"a": NotApplicable}.node}), Passed, 0},
		{"the cluster fails", among(2), with(Check{Code: "X", Cluster: cluster(Fail)}), Failed, 1},
		{"a node fails", among(2), with(Check{Code: "X", Node: finds{"b": Fail}.node}), Failed, 1},
		{"an edge fails", among(2), with(Check{Code: "X", Edge: finds{"ba4": Fail}.edge}), Failed, 1},
		{"a node is inconclusive", among(2), with(Check{Code: "X", Node: finds{"b": Inconclusive}.node}), Undecided, 3},
		{"an edge is inconclusive", among(2), with(Check{Code: "X", Edge: finds{"ab4": Inconclusive}.edge}),
			Undecided, 3},
		{"a failure next to what is inconclusive", among(2),
			with(Check{Code: "X", Node: finds{"a": Inconclusive, "b": Fail}.node}), Failed, 1},
		{"a warning next to what is inconclusive", among(2),
			with(Check{Code: "X", Node: finds{"a": Inconclusive, "b": Warn}.node}), Undecided, 3},
		{"one node has no pairs", among(1), with(), Undecided, 3},
		{"no nodes", among(0), with(Check{Code: "X", Cluster: cluster(Pass)}), Undecided, 3},
		{"no families", running(2, "all", nil), with(), Undecided, 3},
		{"no checks", among(2), nil, Undecided, 3},
		{"a step that no check proves", among(2), proving(P4Ciphertext), Undecided, 3},
	} {
		r := Judge(test.g, test.table, all)
		same(t, test.name, r.Verdict, test.want)
		same(t, test.name+", exit code", r.ExitCode(), test.exit)
		if bounded := Judge(test.g, test.table, -1); bounded.Verdict != r.Verdict || bounded.Complete {
			t.Errorf("%s: bounded it is %s, complete %t", test.name, bounded.Verdict, bounded.Complete)
		}
	}
}

// Findings are in the order of the table, and of subjects within it.
func TestOrderOfFindings(t *testing.T) {
	table := []Check{
		{Code: "E", Title: "edges are fine", Proof: P1Delivered, Edge: finds{}.edge},
		{Code: "C", Cluster: cluster(Pass)},
		{Code: "F", NodeFamily: finds{"b6": Warn}.family},
		{Code: "N", Node: finds{}.node},
	}
	r := Judge(running(3, "ring", nil, 4, 6), table, all)
	var order []string
	for i := range r.Findings {
		order = append(order, named(&r.Findings[i]))
	}
	same(t, "findings", order, []string{
		"E ab4", "E ab6", "E bc4", "E bc6", "E ca4", "E ca6",
		"C ",
		"F a4", "F a6", "F b4", "F b6", "F c4", "F c6",
		"N a", "N b", "N c",
	})
	same(t, "a whole finding", r.Findings[0],
		Finding{Code: "E", Title: "edges are fine", Proof: P1Delivered, Status: Pass,
			Subject: Subject{Node: "a", Peer: "b", Family: 4}, Text: "ab4 is pass"})
	same(t, "of a node and a family", finding(t, r, "F", "b6").Status, Warn)
	same(t, "of the same node's other family", finding(t, r, "F", "b4").Status, Pass)
}

// An outcome of an edge is for the edge alone, whatever is asked at a time.
func TestOutcomesAreOfTheirEdges(t *testing.T) {
	says := func(e *graph.Edge) Outcome {
		o := Say(Warn, "%s → %s", e.From.Name, e.To.Name)
		o.Variant, o.Facts = e.From.Name, map[string]string{"to": e.To.Name}
		return o
	}
	r := Judge(among(9), []Check{{Code: "X", Edge: says}}, all)
	same(t, "findings", len(r.Findings), 72)
	for _, f := range r.Findings {
		if f.Text != f.Subject.String() || f.Variant != f.Subject.Node || f.Facts["to"] != f.Subject.Peer {
			t.Errorf("%s: %q, %q, %v", f.Subject, f.Text, f.Variant, f.Facts)
		}
	}
}

// Law: advice never counts. A check that only informs changes neither the verdict nor
// the exit code, whatever it returns, and where its evidence is missing nothing is known.
func TestAdviceNeverCounts(t *testing.T) {
	for _, returned := range []Status{NotApplicable, Pass, Warn, Inconclusive, Fail} {
		informs := Check{Code: "info", Advice: true, Cluster: func() Outcome {
			out := Say(returned, "it is so")
			out.Advice = returned == Pass
			return out
		}}
		r := Judge(among(2), append(proving(), informs), Detailed)
		code, reason := r.Exit(true)
		if r.Verdict != Passed || r.Warnings() != 0 || len(r.Causes) > 0 || code != 0 || reason != "" {
			t.Errorf("%s: %s, %d warnings, exit code %d %s", returned, r.Verdict, r.Warnings(), code, reason)
		}
		if advised := len(r.Advice()) == 1; advised != (returned != NotApplicable) {
			t.Errorf("%s: %v", returned, r.Advice())
		}
	}
	counts := Check{Code: "counts", Cluster: func() Outcome {
		out := Say(Pass, "it is so")
		out.Advice = true
		return out
	}}
	if r := Judge(among(2), append(proving(), counts), Detailed); len(r.Advice()) > 0 {
		t.Error("a check that does not only inform advises")
	}
	fine := Check{Code: "info", Advice: true, Cluster: func() Outcome { return Say(Pass, "it is so") }}
	if r := Judge(among(2), append(proving(), fine), Detailed); len(r.Advice()) > 0 {
		t.Error("what is fine is advice, and the check did not say so")
	}
	unread := Check{Code: "info", Advice: true, Needs: []Need{NeedProbe},
		Cluster: func() Outcome { return Say(Pass, "it is so") }}
	g := running(2, "all", map[string]string{"probe/a": "no bye"}, 4)
	r := Judge(g, append(proving(), unread), Detailed)
	if status := r.Totals.Of("info").Statuses; status[NotApplicable] != 1 || r.Verdict != Passed {
		t.Errorf("%v, %s", status, r.Verdict)
	}
}
