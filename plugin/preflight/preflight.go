// Package preflight judges a cluster before its network plugin encrypts with
// WireGuard, or when it no longer does: whether every node could make the tunnel,
// whether its datagrams would arrive in both directions and in full size, what is in
// their way; and it writes the plan of the switch. It is pure: it reads a recording,
// runs nothing and proves nothing of encryption, which is for a verification.
package preflight

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Verdict is the outcome of a preflight.
type Verdict string

// The verdicts.
const (
	Ready     Verdict = "READY"
	NotReady  Verdict = "NOT READY"
	Undecided Verdict = "UNDECIDED"
)

// ExitCode returns 0 for ready, 1 for not ready, 3 where it could not be decided.
func (v Verdict) ExitCode() int {
	switch v {
	case Ready:
		return 0
	case NotReady:
		return 1
	}
	return 3
}

// Result is everything a renderer needs.
type Result struct {
	Verdict  Verdict
	Graph    *graph.Graph
	Profile  profile.Profile
	Nodes    []Node
	Pairs    []Pair
	Sizes    Sizes
	Findings []Finding         // what is not fine, the gravest first
	Advice   []verdict.Finding // to consider, without weight
	Level    []string          // what speaks for a WireGuard between the machines
	Plan     Plan
}

// Finding is something that is not fine, once for all subjects that have it alike.
type Finding struct {
	verdict.Finding
	Alike []verdict.Subject // the others
	Fix   *remedy.Hint      // nil if none is known
}

// Judge judges the recording of a preflight.
func Judge(recording graph.Recorded) *Result {
	verified := check.Judge(recording)
	j := &judging{
		Result: &Result{Graph: verified.Graph, Profile: verified.Profile, Level: check.Level(recording)},
	}
	j.needed = podFamilies(j.Graph)
	j.fromVerification(verified)
	for _, n := range j.Graph.Nodes {
		j.node(n)
	}
	j.pairs()
	j.decide()
	j.Plan = newPlan(j.Result)
	return j.Result
}

// judging is a Result on its way.
type judging struct {
	*Result
	needed map[int]bool // families that pods have
}

// podFamilies are the families of which at least two nodes have pod ranges; where no
// API names ranges, IPv4.
func podFamilies(g *graph.Graph) map[int]bool {
	nodes := map[int]int{}
	for _, n := range g.Nodes {
		seen := map[int]bool{}
		for _, pods := range n.PodCIDRs {
			seen[familyOf(pods.Addr())] = true
		}
		for family := range seen {
			nodes[family]++
		}
	}
	needed := map[int]bool{}
	for family, count := range nodes {
		needed[family] = count > 1
	}
	if !needed[4] && !needed[6] {
		needed[4] = true
	}
	return needed
}

// taken are the checks of a verification whose word counts without a tunnel.
var taken = []string{"WG0102", "WG0104", "WG0105", "WG0106"}

// fromVerification takes over what a verification's checks say of nodes and
// configuration, and their advice. A kernel that is known to be too old is certain.
func (j *judging) fromVerification(verified *check.Judgement) {
	for _, f := range verified.Findings {
		switch {
		case f.Advice:
			j.Advice = append(j.Advice, f)
		case slices.Contains(taken, f.Code) && f.Status >= verdict.Warn:
			if f.Variant == "old" {
				f.Status = verdict.Fail
			}
			f.CausedBy = verdict.Origin{}
			j.add(f)
		}
	}
}

// say adds a finding of a check.
func (j *judging) say(code string, subject verdict.Subject, out verdict.Outcome) {
	c, _ := check.Find(code)
	j.add(verdict.Finding{
		Code: code, Title: c.Title, Failed: c.Failed, Status: out.Status, Subject: subject, Text: out.Text(),
		Readings: out.Readings, Variant: out.Variant, Facts: out.Facts,
	})
}

// add adds a finding, to one that is alike if there is one.
func (j *judging) add(f verdict.Finding) {
	hint, known := remedy.For(f, j.Profile.RunsAs)
	at := slices.IndexFunc(j.Findings, func(before Finding) bool { return alike(&before.Finding, &f) })
	if at < 0 {
		finding := Finding{Finding: f}
		if known {
			finding.Fix = &hint
		}
		j.Findings = append(j.Findings, finding)
		return
	}
	before := &j.Findings[at]
	before.Alike = append(before.Alike, f.Subject)
	if known && before.Fix != nil {
		before.Fix.Steps = joined(before.Fix.Steps, hint.Steps)
	}
}

// alike reports whether two findings say the same: of one code and case in one
// family, on nodes of one system, for one size of packets, or of one node and rule
// whatever the other node is.
func alike(a, b *verdict.Finding) bool {
	if a.Code != b.Code || a.Status != b.Status || a.Variant != b.Variant || a.Subject.Family != b.Subject.Family {
		return false
	}
	switch a.Code {
	case "WG0203":
		return a.Facts["system"] == b.Facts["system"]
	case "WG0503":
		return a.Facts["underlay"] == b.Facts["underlay"]
	}
	return a.Facts["node"] == b.Facts["node"] && a.Facts["node"] != "" && a.Facts["handle"] == b.Facts["handle"]
}

// joined adds steps to those that are there, none twice.
func joined(steps, more []remedy.Step) []remedy.Step {
	for _, step := range more {
		if !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}
	return steps
}

// decide sorts the findings and decides by the gravest.
func (j *judging) decide() {
	slices.SortStableFunc(j.Findings, func(a, b Finding) int { return int(b.Status) - int(a.Status) })
	j.Verdict = Ready
	if len(j.Findings) == 0 {
		return
	}
	switch j.Findings[0].Status {
	case verdict.Fail:
		j.Verdict = NotReady
	case verdict.Inconclusive:
		j.Verdict = Undecided
	}
}
