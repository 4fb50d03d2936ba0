package verdict

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// A consequence names its cause, where one bears on the other.
func TestCauses(t *testing.T) {
	whole := func(s Status) Check { return Check{Cluster: cluster(s)} }
	node := func(f finds) Check { return Check{Node: f.node} }
	family := func(f finds) Check { return Check{NodeFamily: f.family} }
	edge := func(f finds) Check { return Check{Edge: f.edge} }
	for _, test := range []struct {
		name          string
		before, after Check
		on            string // subject of after
		explained     bool
	}{
		{"cluster by cluster", whole(Fail), whole(Fail), "", true},
		{"cluster by any node", node(finds{"c": Fail}), whole(Fail), "", true},
		{"cluster by any node's family", family(finds{"c6": Fail}), whole(Fail), "", true},
		{"cluster by any edge", edge(finds{"cb6": Fail}), whole(Fail), "", true},
		{"node by cluster", whole(Fail), node(finds{"a": Fail}), "a", true},
		{"node by itself", node(finds{"a": Fail}), node(finds{"a": Fail}), "a", true},
		{"node not by another", node(finds{"b": Fail}), node(finds{"a": Fail}), "a", false},
		{"node by either of its families", family(finds{"a6": Fail}), node(finds{"a": Fail}), "a", true},
		{"node not by another's family", family(finds{"b4": Fail}), node(finds{"a": Fail}), "a", false},
		{"node by what it sends", edge(finds{"ab4": Fail}), node(finds{"a": Fail}), "a", true},
		{"node by what it receives", edge(finds{"ca6": Fail}), node(finds{"a": Fail}), "a", true},
		{"node not by others' edges", edge(finds{"bc4": Fail, "cb6": Fail}), node(finds{"a": Fail}), "a", false},
		{"family by cluster", whole(Fail), family(finds{"a6": Fail}), "a6", true},
		{"family by its node", node(finds{"a": Fail}), family(finds{"a6": Fail}), "a6", true},
		{"family not by another node", node(finds{"b": Fail}), family(finds{"a6": Fail}), "a6", false},
		{"family by itself", family(finds{"a6": Fail}), family(finds{"a6": Fail}), "a6", true},
		{"family not by the other", family(finds{"a4": Fail}), family(finds{"a6": Fail}), "a6", false},
		{"family by an edge of it", edge(finds{"ba6": Fail}), family(finds{"a6": Fail}), "a6", true},
		{"family not by an edge of the other", edge(finds{"ba4": Fail}), family(finds{"a6": Fail}), "a6", false},
		{"edge by cluster", whole(Fail), edge(finds{"ab4": Fail}), "ab4", true},
		{"edge by its sender", node(finds{"a": Fail}), edge(finds{"ab4": Fail}), "ab4", true},
		{"edge by its receiver", node(finds{"b": Fail}), edge(finds{"ab4": Fail}), "ab4", true},
		{"edge not by another node", node(finds{"c": Fail}), edge(finds{"ab4": Fail}), "ab4", false},
		{"edge by its sender's family", family(finds{"a4": Fail}), edge(finds{"ab4": Fail}), "ab4", true},
		{"edge by its receiver's family", family(finds{"b4": Fail}), edge(finds{"ab4": Fail}), "ab4", true},
		{"edge not by its ends' other family", family(finds{"a6": Fail, "b6": Fail}),
			edge(finds{"ab4": Fail}), "ab4", false},
		{"edge by itself", edge(finds{"ab4": Fail}), edge(finds{"ab4": Fail}), "ab4", true},
		{"edge by the other direction", edge(finds{"ba4": Fail}), edge(finds{"ab4": Fail}), "ab4", true},
		{"edge not by the other family", edge(finds{"ab6": Fail, "ba6": Fail}), edge(finds{"ab4": Fail}), "ab4", false},
		{"edge not by another edge", edge(finds{"ac4": Fail, "cb4": Fail}), edge(finds{"ab4": Fail}), "ab4", false},
		{"nor towards the first node", edge(finds{"bc4": Fail, "cb4": Fail}), edge(finds{"ba4": Fail}), "ba4", false},

		{"failure not by what is inconclusive", whole(Inconclusive), whole(Fail), "", false},
		{"what is inconclusive by failure", whole(Fail), whole(Inconclusive), "", true},
		{"what is inconclusive by the same", whole(Inconclusive), whole(Inconclusive), "", true},
		{"what is inconclusive not by a warning", whole(Warn), whole(Inconclusive), "", false},
		{"a warning is not explained", whole(Fail), whole(Warn), "", false},
		{"what passes is not explained", whole(Fail), whole(Pass), "", false},
		{"one node's failure hides no other's lesser one", node(finds{"a": Inconclusive, "c": Fail}),
			node(finds{"a": Fail}), "a", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.before.Code, test.after.Code, test.after.After = "A", "B", []string{"A"}
			r := Judge(running(3, "all", nil, 4, 6), with(test.before, test.after), all)
			want := ""
			if test.explained {
				want = "A"
			}
			same(t, "cause", finding(t, r, "B", test.on).CausedBy.Code, want)
			test.after.After = nil
			r = Judge(running(3, "all", nil, 4, 6), with(test.before, test.after), all)
			same(t, "without After", finding(t, r, "B", test.on).CausedBy.Code, "")
		})
	}
}

// The first of After counts, and only what stands above in the table.
func TestFirstOfSeveralCauses(t *testing.T) {
	for _, test := range []struct {
		after []string
		want  string
	}{
		{[]string{"A", "B"}, "A"},
		{[]string{"B", "A"}, "B"},
		{[]string{"fine", "B"}, "B"},
		{[]string{"below", "B"}, "B"},
		{[]string{"X"}, ""},
		{[]string{"below", "unknown"}, ""},
	} {
		r := Judge(among(2), []Check{
			{Code: "A", Cluster: cluster(Fail)}, {Code: "B", Cluster: cluster(Fail)}, {Code: "fine",
				Cluster: cluster(Pass)},
			{Code: "X", After: test.after, Cluster: cluster(Fail)}, {Code: "below", Cluster: cluster(Fail)},
		}, all)
		same(t, "cause", finding(t, r, "X", "").CausedBy.Code, test.want)
	}
}

// An outcome may leave only some of its check's causes.
func TestCausesThatAnOutcomeLeaves(t *testing.T) {
	only := func(after ...string) Outcome {
		out := Say(Inconclusive, "")
		out.After = append([]string{}, after...)
		return out
	}
	for _, test := range []struct {
		found Outcome
		want  string
	}{
		{Say(Inconclusive, ""), "A"}, {only("B"), "B"}, {only(), ""}, {only("none of them"), ""},
	} {
		for _, last := range []Check{
			{Code: "X", After: []string{"A", "B"}, Cluster: func() Outcome { return test.found }},
			{Code: "X", After: []string{"A", "B"}, Edge: func(*graph.Edge) Outcome { return test.found }},
		} {
			r := Judge(among(2), with(Check{Code: "A", Cluster: cluster(Fail)}, Check{Code: "B", Cluster: cluster(Fail)},
				last), all)
			for _, f := range r.Findings {
				if f.Code == "X" {
					same(t, "cause", f.CausedBy.Code, test.want)
				}
			}
		}
	}
}

// What did not arrive is not a reason why something was seen in clear.
func TestOutageExplainsNoLeak(t *testing.T) {
	for _, test := range []struct {
		outage, seen bool
		status       Status
		want         string
	}{
		{true, true, Fail, ""},
		{true, true, Inconclusive, "A"},
		{true, false, Fail, "A"},
		{false, true, Fail, "A"},
	} {
		r := Judge(among(2), with(
			Check{Code: "A", Outage: test.outage, Edge: finds{"ab4": Fail}.edge},
			Check{Code: "B", Seen: test.seen, After: []string{"A"}, Edge: finds{"ab4": test.status}.edge}), all)
		same(t, "cause", finding(t, r, "B", "ab4").CausedBy.Code, test.want)
	}
}

// Where a direction is not tested nothing was found that could explain anything.
func TestUntestedEdgesExplainNothing(t *testing.T) {
	r := Judge(running(3, "ring", nil, 4), with(
		Check{Code: "A", Edge: finds{"ba4": Fail, "bc4": Fail}.edge}, // b → a is not tested
		Check{Code: "B", After: []string{"A"}, Edge: finds{"ab4": Fail, "bc4": Fail}.edge},
		Check{Code: "C", After: []string{"A"}, Node: finds{"a": Fail, "b": Fail}.node}), all)
	for subject, want := range map[string]string{"ab4": "", "bc4": "A"} {
		same(t, subject, finding(t, r, "B", subject).CausedBy.Code, want)
	}
	for subject, want := range map[string]string{"a": "", "b": "A"} {
		same(t, subject, finding(t, r, "C", subject).CausedBy.Code, want)
	}
}
