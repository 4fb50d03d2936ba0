package check

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Of the pairs that were asked for, and of those alone, a verdict speaks.
func TestAskedPairsAreJudged(t *testing.T) {
	const nodes = 30
	for pairs, each := range map[string]int{"all": nodes - 1, "ring": 1, "1": 1, "4": 4, "100": nodes - 1} {
		m := mesh.New(nodes)
		m.Ask(pairs)
		r := judgedAs(m, verdict.Detailed)
		if r.Verdict != verdict.Passed || r.Totals.Pairs != nodes*each {
			t.Errorf("%s: %s of %d pairs, first cause %+v", pairs, r.Verdict, r.Totals.Pairs, r.FirstCause)
		}
	}
	for name, row := range map[string]struct {
		fault   func(*mesh.Mesh) string
		verdict verdict.Verdict
		cause   string
	}{
		"a fault of a pair that was asked for": {func(m *mesh.Mesh) string { return m.LoseUDP(4, 5) },
			verdict.Failed, "WG0501"},
		"a leak of a pair that was asked for": {func(m *mesh.Mesh) string { return m.Leak(4, 5) },
			verdict.Failed, "WG0601"},
		"a leak of one that was not": {func(m *mesh.Mesh) string { return m.Leak(5, 4) },
			verdict.Failed, "WG0608"},
		"a fault of one that was not": {func(m *mesh.Mesh) string { return m.StaleRoute(5, 9) },
			verdict.Passed, ""},
		"a probe that broke off": {func(m *mesh.Mesh) string { return m.CutShort(7) },
			verdict.Undecided, "WG0103"},
		"nothing heard of a pair that was asked": {func(m *mesh.Mesh) string { return m.LoseCanaries(29, 0) },
			verdict.Failed, "WG0502"},
	} {
		m := mesh.New(nodes)
		m.Ask("ring")
		row.fault(m)
		r := judgedAs(m, verdict.Detailed)
		cause := ""
		if r.FirstCause != nil {
			cause = r.FirstCause.Code
		}
		if r.Verdict != row.verdict || cause != row.cause {
			t.Errorf("%s: %s, %s; want %s, %s", name, r.Verdict, cause, row.verdict, row.cause)
		}
	}
}

// A run that tested fewer pairs than it says does not pass.
func TestUntestedPairsDoNotPass(t *testing.T) {
	for _, pairs := range []string{"all", "2", "0", "some"} {
		m := mesh.New(20)
		m.Ask("ring")
		m.About.Pairs = pairs
		if r := judgedAs(m, verdict.Detailed); r.Verdict != verdict.Undecided {
			t.Errorf("a ring judged as %q: %s", pairs, r.Verdict)
		}
	}
}

// The scope never speaks for pairs that were not tested.
func TestScopeOfAskedPairs(t *testing.T) {
	m := mesh.New(20)
	m.Ask("ring")
	j := Judge(m)
	proven := slices.IndexFunc(j.Profile.Scope, func(s profile.Scope) bool { return s.Proven })
	left := slices.IndexFunc(j.Profile.Scope, func(s profile.Scope) bool {
		return !s.Proven && s.What == "the other 360 directions between these nodes"
	})
	if proven < 0 || left < 0 ||
		j.Profile.Scope[proven].What !=
			"pod to pod for 20 of the 380 directions between these nodes (a ring through all nodes by name), IPv4" {
		t.Errorf("%+v", j.Profile.Scope)
	}
}
