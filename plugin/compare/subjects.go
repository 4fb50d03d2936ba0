package compare

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// side is a report, ready to be asked for statuses.
type side struct {
	*Report
	nodes    map[string]bool
	asked    map[string]map[string]bool // nil: all pairs
	pairs    map[verdict.Subject]*pair
	findings map[string]map[verdict.Subject]*finding // by code
	checks   map[string]map[status]int
	// unlistedPair is the status of a pair of the run that is not listed.
	unlistedPair status
}

func newSide(r *Report) *side {
	s := &side{
		Report: r, nodes: map[string]bool{}, pairs: map[verdict.Subject]*pair{},
		findings: map[string]map[verdict.Subject]*finding{}, checks: map[string]map[status]int{},
	}
	for _, node := range r.Run.Nodes {
		s.nodes[node] = true
	}
	if r.Run.Asked != nil {
		s.asked = map[string]map[string]bool{}
	}
	for node, peers := range r.Run.Asked {
		s.asked[node] = map[string]bool{}
		for _, peer := range peers {
			s.asked[node][peer] = true
		}
	}
	for i := range r.Pairs {
		s.pairs[r.Pairs[i].Subject] = &r.Pairs[i]
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if s.findings[f.Code] == nil {
			s.findings[f.Code] = map[verdict.Subject]*finding{}
		}
		s.findings[f.Code][f.Subject] = f
	}
	for _, c := range r.Totals.Checks {
		s.checks[c.Code] = c.Statuses
	}
	s.unlistedPair = s.unlistedProof()
	return s
}

// unlistedProof is what holds of a pair that is not listed: it is fine if all
// that are not proven are listed.
func (s *side) unlistedProof() status {
	listed := 0
	for _, p := range s.pairs {
		if p.Status.unproven() {
			listed++
		}
	}
	if listed < s.Totals.Statuses[inconclusive]+s.Totals.Statuses[fail] {
		return unknown
	}
	return fine
}

// unlisted is unlistedProof for the subjects of one check.
func (s *side) unlisted(code string) status {
	listed := map[status]int{}
	for _, f := range s.findings[code] {
		listed[f.Status]++
	}
	for _, one := range []status{warn, inconclusive, fail} {
		if listed[one] < s.checks[code][one] {
			return unknown
		}
	}
	return fine
}

// tests reports whether the run tested a subject.
func (s *side) tests(on verdict.Subject) bool {
	switch {
	case on.Node == "":
		return true
	case !s.nodes[on.Node], on.Family != 0 && !slices.Contains(s.Run.Families, on.Family):
		return false
	case on.Peer == "":
		return true
	case !s.nodes[on.Peer]:
		return false
	}
	return s.asked == nil || s.asked[on.Node][on.Peer]
}

// proof returns the status of a pair's proof.
func (s *side) proof(on verdict.Subject) status {
	switch listed := s.pairs[on]; {
	case listed != nil:
		return listed.Status
	case !s.tests(on):
		return notTested
	}
	return s.unlistedPair
}

// status returns what a check found of a subject, where unlisted is what it is
// of those that are not listed.
func (s *side) status(code string, on verdict.Subject, unlisted status) status {
	switch f := s.findings[code][on]; {
	case f != nil:
		return f.Status
	case s.checks[code] == nil || !s.tests(on):
		return notTested
	}
	return unlisted
}

// worst is the gravest status that a check found anywhere, as a rank.
func (s *side) worst(code string) (rank int) {
	for one, count := range s.checks[code] {
		if count > 0 {
			rank = max(rank, ranks[one])
		}
	}
	return rank
}

// proven counts the pairs whose proof is complete.
func (s *side) proven() int { return s.Totals.Statuses[pass] + s.Totals.Statuses[warn] }
