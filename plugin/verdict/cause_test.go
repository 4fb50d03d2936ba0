package verdict

import (
	"fmt"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// leaking is a check of leaks: what it reports was seen in clear.
func leaking(code string, f finds, after ...string) Check {
	return Check{Code: code, Proof: P3NoPlaintext, Seen: true, After: after, Edge: f.edge}
}

// caption is a cause as a test names it: what was found, how many are alike and how
// many follow, and of what something leaked.
func caption(c *Cause) string {
	text := fmt.Sprintf("%s %s %s", c.Kind, c.Code, short(c.Subject))
	if c.Variant != "" {
		text += " " + c.Variant
	}
	if c.Count > 1 {
		text += fmt.Sprintf(" x%d", c.Count)
	}
	for _, one := range c.Consequences {
		text += fmt.Sprintf(" >%d %s", one.Count, one.Code)
	}
	for _, on := range c.Leaks {
		text += " leak " + short(on)
	}
	return text
}

// Causes are what no other finding explains, in the order in which a reader must
// see them.
func TestCausesInOrder(t *testing.T) {
	for _, test := range []struct {
		name  string
		table []Check
		want  []string
	}{
		{"nothing", nil, nil},
		{"a warning", []Check{{Code: "W", Cluster: cluster(Warn)}}, nil},
		{"failures in the order of the table", []Check{
			{Code: "A", Node: finds{"c": Fail, "b": Fail}.node}, {Code: "B", Kind: Blocked, Cluster: cluster(Fail)},
		}, []string{"misconfigured A b x2", "blocked B "}},
		{"what is inconclusive comes last", []Check{
			{Code: "A", Cluster: cluster(Inconclusive)}, {Code: "B", Cluster: cluster(Fail)},
		}, []string{"misconfigured B ", "unproven A "}},
		{"what is inconclusive, where nothing fails", []Check{
			{Code: "A", Cluster: cluster(Warn)}, {Code: "B", Node: finds{"b": Inconclusive}.node},
		}, []string{"unproven B b"}},
		{"what is explained is not a cause", []Check{
			{Code: "A", Cluster: cluster(Pass)}, {Code: "B", Cluster: cluster(Fail)},
			{Code: "C", After: []string{"B"}, Cluster: cluster(Fail)},
		}, []string{"misconfigured B  >1 C"}},
		{"a leak before everything else", []Check{
			{Code: "A", Cluster: cluster(Fail)}, leaking("L", finds{"bc4": Fail}),
		}, []string{"plaintext L bc4 leak bc4", "misconfigured A "}},
		{"a leak's cause", []Check{
			{Code: "A", Node: finds{"a": Fail}.node}, {Code: "B", Node: finds{"b": Fail}.node},
			leaking("L", finds{"bc4": Fail}, "B"),
		}, []string{"plaintext B b >1 L leak bc4", "misconfigured A a"}},
		{"the cause of a leak's cause", []Check{
			{Code: "0", Cluster: cluster(Fail)}, {Code: "A", Node: finds{"c": Fail}.node},
			{Code: "B", Node: finds{"c": Fail}.node, After: []string{"A"}}, leaking("L", finds{"bc4": Fail}, "B"),
		}, []string{"plaintext A c >1 B >1 L leak bc4", "misconfigured 0 "}},
		{"a leak that nothing explains before one with a cause", []Check{
			{Code: "A", Node: finds{"a": Fail}.node}, leaking("L", finds{"ab4": Fail, "bc4": Fail}, "A"),
		}, []string{"plaintext L bc4 leak bc4", "plaintext A a >1 L leak ab4"}},
		{"of another check too", []Check{
			{Code: "A", Node: finds{"a": Fail}.node}, leaking("L", finds{"ab4": Fail}, "A"),
			leaking("M", finds{"cb4": Fail}, "A"),
		}, []string{"plaintext M cb4 leak cb4", "plaintext A a >1 L leak ab4"}},
		{"the cause is about what leaked first", []Check{
			{Code: "A", Node: finds{"a": Fail, "c": Fail}.node}, leaking("L", finds{"bc4": Fail}, "A"),
		}, []string{"plaintext A c x2 >1 L leak bc4"}},
		{"two causes of leaks, in the order of the leaks", []Check{
			{Code: "A", Node: finds{"c": Fail}.node}, {Code: "B", Node: finds{"a": Fail}.node},
			leaking("L", finds{"ab4": Fail, "cb4": Fail}, "A", "B"),
		}, []string{"plaintext B a >1 L leak ab4", "plaintext A c >1 L leak cb4"}},
		{"variants are causes of their own", []Check{
			{Code: "A", Kind: Blocked, Node: varied(map[string]string{"a": "shut", "b": "past", "c": "shut"})},
		}, []string{"plaintext A b past", "blocked A a shut x2"}},
		{"what was seen, what would be plaintext, what else fails, what is not known", []Check{
			{Code: "U", Kind: Plaintext, Cluster: cluster(Inconclusive)},
			{Code: "A", Kind: Blocked, Cluster: cluster(Fail)},
			{Code: "B", Kind: Plaintext, Cluster: cluster(Fail)},
			{Code: "C", Cluster: cluster(Fail)},
			{Code: "D", Kind: Plaintext, Node: finds{"a": Fail}.node},
			leaking("L", finds{"bc4": Fail, "ab4": Fail}, "D"),
		}, []string{"plaintext L bc4 leak bc4", "plaintext D a >1 L leak ab4", "plaintext B ", "blocked A ",
			"misconfigured C ", "unproven U "}},
		{"variants of edges too", []Check{
			{Code: "A", Edge: func(e *graph.Edge) Outcome {
				out := Say(Fail, "")
				out.Variant = e.From.Name
				return out
			}},
		}, []string{"misconfigured A ab4 a x4", "misconfigured A bc4 b x2"}}, // both directions of a pair are one
		{"and of what is not known", []Check{
			{Code: "A", Edge: variedEdges(map[string]string{"ab4": "x", "bc4": "y"}, Inconclusive)},
		}, []string{"unproven A ab4 x", "unproven A bc4 y"}},
		{"another variant in the other direction is the same cause", []Check{
			{Code: "A", Edge: variedEdges(map[string]string{"ab4": "lost", "ba4": "answer"}, Fail)},
		}, []string{"misconfigured A ab4 lost x2"}},
		{"not where that is explained", []Check{
			{Code: "N", NodeFamily: finds{"a4": Fail}.family},
			{Code: "A", After: []string{"N"},
				Edge: variedEdges(map[string]string{"cb4": "x", "bc4": "y", "ca4": "z"}, Fail)},
		}, []string{"misconfigured N a4 >1 A", "misconfigured A bc4 y x2"}},
		{"what is inconclusive under a failure", []Check{
			{Code: "A", Node: finds{"a": Fail}.node},
			{Code: "B", After: []string{"A"}, Edge: finds{"ab4": Inconclusive, "ca4": Fail, "bc4": Inconclusive}.edge},
		}, []string{"misconfigured A a >1 B >1 B", "unproven B bc4"}},
		{"a failure is not explained by what is inconclusive above its cause", []Check{
			{Code: "A", Cluster: cluster(Inconclusive)}, {Code: "B", After: []string{"A"}, Node: finds{"a": Fail}.node},
			{Code: "C", After: []string{"B"}, Node: finds{"a": Inconclusive}.node},
		}, []string{"misconfigured B a >1 C", "unproven A "}},
		{"what is not seen is not a leak", []Check{
			{Code: "A", Cluster: cluster(Fail)}, {Code: "L", Proof: P3NoPlaintext, Edge: finds{"ab4": Fail}.edge},
		}, []string{"misconfigured A ", "misconfigured L ab4"}},
		{"what is seen and no plaintext is not a leak", []Check{
			{Code: "A", Cluster: cluster(Fail)}, {Code: "L", Proof: P2InTunnel, Seen: true,
				Edge: finds{"ab4": Fail}.edge},
		}, []string{"misconfigured A ", "misconfigured L ab4"}},
		{"a leak of the cluster", []Check{
			{Code: "A", Cluster: cluster(Fail)}, {Code: "L", Proof: P3NoPlaintext, Seen: true, Cluster: cluster(Fail)},
		}, []string{"plaintext L  leak ", "misconfigured A "}},
		{"a leak that is not certain", []Check{
			{Code: "A", Cluster: cluster(Fail)}, leaking("L", finds{"ab4": Inconclusive}),
		}, []string{"misconfigured A ", "unproven L ab4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, detailed := range []int{all, 0} {
				r := Judge(among(3), with(test.table...), detailed)
				var got []string
				for i := range r.Causes {
					got = append(got, caption(&r.Causes[i]))
				}
				same(t, "causes", got, test.want)
				if (r.FirstCause == nil) != (len(r.Causes) == 0) ||
					r.FirstCause != nil && r.FirstCause != &r.Causes[0].Finding {
					t.Error("the first cause is not the first of the causes")
				}
				holdsTogether(t, r)
			}
		})
	}
}

// varied fails on nodes, each with a variant.
func varied(of map[string]string) func(*graph.Node) Outcome {
	return func(n *graph.Node) Outcome {
		out := Say(Fail, "%s", n.Name)
		out.Variant = of[n.Name]
		if out.Variant == "past" {
			out.Kind = Plaintext
		}
		return out
	}
}

// variedEdges finds a status with a variant on some edges, and passes the others.
func variedEdges(of map[string]string, s Status) func(*graph.Edge) Outcome {
	return func(e *graph.Edge) Outcome {
		variant, ok := of[short(Subject{Node: e.From.Name, Peer: e.To.Name, Family: e.Family})]
		if !ok {
			return Say(Pass, "")
		}
		out := Say(s, "")
		out.Variant = variant
		return out
	}
}

// holdsTogether checks the law of causes: each finding that is not fine is one of a
// cause or counted under one, and none twice.
func holdsTogether(t *testing.T, r *Result) {
	t.Helper()
	counted := map[string]map[Status]int{}
	add := func(code string, s Status, n int) {
		if counted[code] == nil {
			counted[code] = map[Status]int{}
		}
		counted[code][s] += n
	}
	for i := range r.Causes {
		c := &r.Causes[i]
		add(c.Code, c.Status, c.Count)
		for _, one := range c.Consequences {
			add(one.Code, one.Status, one.Count)
		}
		if c.CausedBy.Code != "" {
			t.Errorf("the cause %s is caused by %s", c.Code, c.CausedBy.Code)
		}
	}
	for _, total := range r.Totals.Checks {
		for _, s := range []Status{Inconclusive, Fail} {
			if got := counted[total.Code][s]; got != total.Statuses[s] {
				t.Errorf("%d findings of %s are %s, %d of them under causes", total.Statuses[s], total.Code, s, got)
			}
		}
	}
}

// Of a cause that is found everywhere a bounded number of findings is kept, and
// all are counted.
func TestCausesAreBounded(t *testing.T) {
	everything := everywhere(30, Fail, func(int, int) bool { return true })
	const last = "n029n0284"
	r := Judge(among(30), []Check{
		{Code: "A", Edge: everything.edge},
		{Code: "B", Edge: everything.edge},
		leaking("L", finds{last: Fail}, "A"),
		{Code: "Z", Edge: everything.edge},
	}, 0)
	first := &r.Causes[0]
	same(t, "first cause", first.Code+" "+short(first.Subject), "A "+last)
	same(t, "of all", first.Count, 870)
	same(t, "alike", len(first.Alike), maxAlike)
	same(t, "causes", len(r.Causes), 3)
	r = Judge(among(30), with(leaking("L", everything)), 0)
	same(t, "leaks of all", r.Causes[0].LeakCount, 870)
	same(t, "leaks", len(r.Causes[0].Leaks), maxAlike)
}

// However many variants there are, a result holds a bounded number of causes.
func TestVariantsAreBounded(t *testing.T) {
	each := func(e *graph.Edge) Outcome {
		out := Say(Fail, "")
		out.Variant = e.From.Name + e.To.Name
		return out
	}
	r := Judge(among(12), with(Check{Code: "A", Edge: each},
		Check{Code: "P", Kind: Plaintext, Node: finds{"l": Fail}.node}), 0)
	same(t, "causes", len(r.Causes), maxCauses)
	same(t, "the gravest is not cut off", caption(&r.Causes[0]), "plaintext P l")
	same(t, "kind", r.Kind(), Plaintext)
}

// The verdict's kind is the gravest of its causes'; those that decide it are named
// apart from those next to it.
func TestKinds(t *testing.T) {
	for _, test := range []struct {
		table    []Check
		kind     Kind
		decisive int
	}{
		{nil, "", 0},
		{[]Check{{Code: "A", Cluster: cluster(Inconclusive)}}, Unproven, 1},
		{[]Check{{Code: "A", Cluster: cluster(Fail)}, {Code: "B", Cluster: cluster(Inconclusive)}}, Misconfigured, 1},
		{[]Check{{Code: "A", Cluster: cluster(Fail)}, {Code: "B", Kind: Blocked, Cluster: cluster(Fail)}}, Blocked, 2},
		{[]Check{{Code: "A", Kind: Plaintext, Cluster: cluster(Fail)},
			{Code: "B", Kind: Blocked, Cluster: cluster(Fail)}},
			Plaintext, 2},
	} {
		r := Judge(among(2), with(test.table...), all)
		same(t, "kind", r.Kind(), test.kind)
		same(t, "decisive", len(r.Decisive()), test.decisive)
	}
	same(t, "none is the least", Graver("", Unproven), Unproven)
	same(t, "whichever comes first", Graver(Blocked, Unproven), Blocked)
}
