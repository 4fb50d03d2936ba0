package verdict

import (
	"testing"
)

// leaking is a check of leaks: what it reports was seen in clear.
func leaking(code string, f finds, after ...string) Check {
	return Check{Code: code, Proof: P3NoPlaintext, Seen: true, After: after, Edge: f.edge}
}

// The first cause is what a reader must see first: a leak, or what it follows
// from; else the first finding of the table that nothing explains.
func TestFirstCause(t *testing.T) {
	for _, test := range []struct {
		name                 string
		table                []Check
		first, leak, besides string
	}{
		{"nothing", nil, "", "", ""},
		{"a warning", []Check{{Code: "W", Cluster: cluster(Warn)}}, "", "", ""},
		{"the first failure of the table", []Check{
			{Code: "A", Node: finds{"c": Fail, "b": Fail}.node}, {Code: "B", Cluster: cluster(Fail)},
		}, "A b", "", ""},
		{"not what is only inconclusive", []Check{
			{Code: "A", Cluster: cluster(Inconclusive)}, {Code: "B", Cluster: cluster(Fail)},
		}, "B ", "", ""},
		{"what is inconclusive, where nothing fails", []Check{
			{Code: "A", Cluster: cluster(Warn)}, {Code: "B", Node: finds{"b": Inconclusive}.node},
		}, "B b", "", ""},
		{"not what is explained", []Check{
			{Code: "A", Cluster: cluster(Pass)}, {Code: "B", Cluster: cluster(Fail)},
			{Code: "C", After: []string{"B"}, Cluster: cluster(Fail)},
		}, "B ", "", ""},
		{"a leak before everything else", []Check{
			{Code: "A", Cluster: cluster(Fail)}, leaking("L", finds{"bc4": Fail}),
		}, "L bc4", "L bc4", "A "},
		{"a leak's cause", []Check{
			{Code: "A", Node: finds{"a": Fail}.node}, {Code: "B", Node: finds{"b": Fail}.node},
			leaking("L", finds{"bc4": Fail}, "B"),
		}, "B b", "L bc4", "A a"},
		{"the cause of a leak's cause", []Check{
			{Code: "0", Cluster: cluster(Fail)}, {Code: "A", Node: finds{"c": Fail}.node},
			{Code: "B", Node: finds{"c": Fail}.node, After: []string{"A"}}, leaking("L", finds{"bc4": Fail}, "B"),
		}, "A c", "L bc4", "0 "},
		{"a leak that nothing explains before one with a cause", []Check{
			{Code: "A", Node: finds{"a": Fail}.node}, leaking("L", finds{"ab4": Fail, "bc4": Fail}, "A"),
		}, "L bc4", "L bc4", "A a"},
		{"of another check too", []Check{
			{Code: "A", Node: finds{"a": Fail}.node}, leaking("L", finds{"ab4": Fail}, "A"),
			leaking("M", finds{"cb4": Fail}, "A"),
		}, "M cb4", "M cb4", "A a"},
		{"of two with a cause the first", []Check{
			{Code: "A", Node: finds{"a": Fail}.node}, leaking("L", finds{"ca4": Fail, "ab4": Fail}, "A"),
			leaking("M", finds{"ab4": Fail}, "A"),
		}, "A a", "L ab4", ""},
		{"another leak is nothing besides", []Check{
			leaking("L", finds{"ab4": Fail}), leaking("M", finds{"bc4": Fail}), {Code: "Z", Cluster: cluster(Inconclusive)},
		}, "L ab4", "L ab4", ""},
		{"more of the first cause is nothing besides", []Check{
			{Code: "A", Node: finds{"a": Fail, "c": Fail}.node}, leaking("L", finds{"ab4": Fail}, "A"),
		}, "A a", "L ab4", ""},
		{"what follows from something else is nothing besides", []Check{
			leaking("L", finds{"ab4": Fail}), {Code: "B", After: []string{"L"}, Node: finds{"a": Fail}.node},
		}, "L ab4", "L ab4", ""},
		{"what is not seen is no leak", []Check{
			{Code: "A", Cluster: cluster(Fail)}, {Code: "L", Proof: P3NoPlaintext, Edge: finds{"ab4": Fail}.edge},
		}, "A ", "", ""},
		{"what is seen and no plaintext is no leak", []Check{
			{Code: "A", Cluster: cluster(Fail)}, {Code: "L", Proof: P2InTunnel, Seen: true, Edge: finds{"ab4": Fail}.edge},
		}, "A ", "", ""},
		{"a leak of the cluster", []Check{
			{Code: "A", Cluster: cluster(Fail)}, {Code: "L", Proof: P3NoPlaintext, Seen: true, Cluster: cluster(Fail)},
		}, "L ", "L ", "A "},
		{"a leak that is not certain", []Check{
			{Code: "A", Cluster: cluster(Fail)}, leaking("L", finds{"ab4": Inconclusive}),
		}, "A ", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, detailed := range []int{all, 0} {
				r := Judge(among(3), with(test.table...), detailed)
				same(t, "first cause", named(r.FirstCause), test.first)
				same(t, "leak", named(r.Leak), test.leak)
				same(t, "besides", named(r.Besides), test.besides)
			}
		})
	}
}

// A first cause is listed in its place, even where it is beyond the bound of its kind.
func TestFirstCauseIsListed(t *testing.T) {
	everything := everywhere(30, Fail, func(int, int) bool { return true })
	const last = "n029n0284"
	r := Judge(among(30), []Check{
		{Code: "A", Edge: everything.edge},
		{Code: "B", Edge: everything.edge},
		leaking("L", finds{last: Fail}, "A"),
		{Code: "Z", Edge: everything.edge},
	}, 0)
	same(t, "leak", named(r.Leak), "L "+last)
	same(t, "first cause", named(r.FirstCause), "A "+last)
	same(t, "besides", named(r.Besides), "B n000n0014")
	same(t, "listed", listed(r), map[string]int{
		"A fail": maxFindings + 1, "B fail": maxFindings, "L fail explained": 1, "Z fail": maxFindings,
	})
	same(t, "its place is behind the others of its code", named(&r.Findings[maxFindings]), "A "+last)
	same(t, "and before the next code", named(&r.Findings[maxFindings+1]), "B n000n0014")
	same(t, "the leak's", named(&r.Findings[2*maxFindings+1]), "L "+last)
	if r.FirstCause != &r.Findings[maxFindings] || r.Leak != &r.Findings[2*maxFindings+1] {
		t.Error("first cause and leak are not those of the list")
	}
}
