package verdict

import (
	"encoding/json"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

func TestTextOfOutcome(t *testing.T) {
	said := func(o Outcome, change func(*Outcome)) string {
		change(&o)
		return o.Text()
	}
	base, late := Say(Pass, "%d of %d", 7, 8), Late(func() string { return "late" })
	for _, test := range []struct{ got, want string }{
		{base.Text(), "7 of 8"},
		{said(Say(Pass, "all"), func(*Outcome) {}), "all"},
		{said(Say(Pass, "%s", "100 % of all"), func(*Outcome) {}), "100 % of all"},
		{(&Outcome{}).Text(), ""},
		{said(base, func(o *Outcome) { o.Add(" on %s", "eth0") }), "7 of 8 on eth0"},
		{said(base, func(o *Outcome) { o.Add("; "); o.Add("") }), "7 of 8; "},
		{said(base, func(o *Outcome) { o.Reword("%s", "none") }), "none"},
		{said(base, func(o *Outcome) { o.Reword("none"); o.Add(" at %d", 9) }), "none at 9"},
		{said(Say(Pass, "%v", late), func(o *Outcome) { o.Add(" or %s", late) }), "late or late"},
	} {
		same(t, "text", test.got, test.want)
	}
	one, other := base, base
	one.Add(" %s", "one")
	other.Add(" %s", "other")
	same(t, "added to copies", one.Text()+other.Text(), "7 of 8 one7 of 8 other")
}

// What takes time to word is worded only where it is shown.
func TestLateIsMadeOnlyIfShown(t *testing.T) {
	for _, test := range []struct {
		status   Status
		detailed int
		calls    bool
	}{
		{Pass, all, true},
		{Pass, 0, false},
		{NotApplicable, 0, false},
		{Warn, 0, true},
	} {
		called := make(chan string, 100)
		late := func(name string) Outcome {
			return Say(test.status, "%s", Late(func() string { called <- name; return name }))
		}
		g := among(2)
		Judge(g, []Check{
			{Code: "N", Node: func(n *graph.Node) Outcome { return late(n.Name) }},
			{Code: "E", Proof: P1Delivered, Edge: func(e *graph.Edge) Outcome { return late(e.From.Name + e.To.Name) }},
		}, test.detailed)
		close(called)
		names := map[string]bool{}
		for name := range called {
			names[name] = true
		}
		// Without checks of the other steps no pair is proven, and every proof is shown.
		same(t, "the edge's", names["ab"], true)
		same(t, "the node's", names["a"], test.calls)
	}
	proven := func() *Result {
		late := Late(func() string { t.Error("a text is made that nobody sees"); return "" })
		return Judge(among(2), append(proving(P1Delivered), Check{
			Code: "E", Proof: P1Delivered, Edge: func(*graph.Edge) Outcome { return Say(Pass, "%s", late) },
		}), 0)
	}
	same(t, "findings", len(proven().Findings), 0)
}

func TestExitCodes(t *testing.T) {
	for v, want := range map[Verdict]int{Passed: 0, Failed: 1, Undecided: 3, "": 3} {
		same(t, string(v), (&Result{Verdict: v}).ExitCode(), want)
	}
}

// Warnings count if the user says so, all of them, and never make a run better or
// an open one fail.
func TestExitOnWarnings(t *testing.T) {
	warn := func(code string, at ...string) Check {
		f := finds{}
		for _, node := range at {
			f[node] = Warn
		}
		return Check{Code: code, Node: f.node}
	}
	warned := with(warn("A", "a"), warn("B", "a", "b"))
	for _, test := range []struct {
		table      []Check
		failOnWarn bool
		code       int
		reason     string
	}{
		{warned, false, 0, ""},
		{warned, true, 1, failedOnWarnings(3)},
		{with(), true, 0, ""},
		{append(warned, Check{Code: "F", Cluster: cluster(Fail)}), true, 1, ""},
		{append(warned, Check{Code: "I", Cluster: cluster(Inconclusive)}), true, 3, ""},
	} {
		code, reason := Judge(among(2), test.table, all).Exit(test.failOnWarn)
		same(t, "exit code", code, test.code)
		same(t, "reason", reason, test.reason)
	}
}

func TestStatuses(t *testing.T) {
	order := []Status{0, NotApplicable, Pass, Warn, Inconclusive, Fail}
	names := []string{"", "notApplicable", "pass", "warn", "inconclusive", "fail"}
	for i, s := range order {
		same(t, "name", s.String(), names[i])
		for j, other := range order {
			same(t, "the graver", Worse(s, other), order[max(i, j)])
		}
	}
	text, err := json.Marshal(map[Status]Status{Warn: Fail})
	if err != nil || string(text) != `{"warn":"fail"}` {
		t.Errorf("%s, %v", text, err)
	}
}

func TestNamesOfSubjects(t *testing.T) {
	for _, test := range []struct {
		subject           Subject
		short, one, other string // in a run of one family, and of both
	}{
		{Subject{}, "cluster", "cluster", "cluster"},
		{Subject{Node: "a"}, "a", "a", "a"},
		{Subject{Node: "a", Family: 4}, "a", "a", "a (IPv4)"},
		{Subject{Node: "a", Family: 6}, "a (IPv6)", "a (IPv6)", "a (IPv6)"},
		{Subject{Node: "a", Peer: "b", Family: 4}, "a → b", "a → b", "a → b (IPv4)"},
		{Subject{Node: "a", Peer: "b", Family: 6}, "a → b (IPv6)", "a → b (IPv6)", "a → b (IPv6)"},
	} {
		same(t, "short", test.subject.String(), test.short)
		same(t, "of one family", test.subject.Named([]int{4}), test.one)
		same(t, "of two", test.subject.Named([]int{4, 6}), test.other)
	}
}
