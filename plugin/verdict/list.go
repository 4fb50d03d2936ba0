package verdict

import (
	"slices"
)

// Detailed is up to how many pairs a report has every finding and the proof of
// every pair: those of twelve nodes in one family. Above, it has what is not
// fine, as far as anyone would read it, and exact totals.
const Detailed = 132

// Bounds of what a result holds of more than Detailed pairs.
const (
	maxPairs     = 500
	maxFindings  = 200 // of one code and status that no other explains
	maxExplained = 20  // of one code and status that are explained
)

// allFindings returns every finding, in the order of the table.
func (j *judging) allFindings() (all []Finding) {
	for i := range j.checks {
		for _, on := range j.subjects(&j.checks[i]) {
			all = append(all, j.finding(&j.checks[i], on))
		}
	}
	return all
}

// deviations returns the cluster's findings and those that are not fine, a
// bounded number of each code and status, those first that none explains.
func (j *judging) deviations() (some []Finding) {
	for i := range j.checks {
		k := &j.checks[i]
		unexplained, explained := map[Status]int{}, map[Status]int{}
		for _, on := range j.subjects(k) {
			status := j.status(k, on)
			if k.Cluster == nil && status < Warn {
				continue
			}
			count, bound := unexplained, maxFindings
			if before, _ := j.causeOf(k, status, on); before != nil {
				count, bound = explained, maxExplained
			}
			if count[status]++; k.Cluster != nil || count[status] <= bound {
				some = append(some, j.finding(k, on))
			}
		}
	}
	return some
}

func (j *judging) allProofs() []Pair {
	all := []Pair{}
	for _, on := range j.edges {
		all = append(all, j.pairOf(on))
	}
	return all
}

// unproven returns the proofs of pairs that are not proven, a bounded number:
// first those of nodes of which other pairs are proven, which show more.
func (j *judging) unproven(t *Totals) []Pair {
	senders, receivers := map[string]bool{}, map[string]bool{}
	for _, n := range t.Unproven {
		senders[n.Node] = n.Sender()
		receivers[n.Node] = n.Receiver()
	}
	var single, others []subject
	for _, on := range j.unprovenEdges() {
		named := j.named(on)
		if senders[named.Node] || receivers[named.Peer] {
			others = append(others, on)
		} else {
			single = append(single, on)
		}
	}
	chosen := slices.Concat(single, others)
	chosen = chosen[:min(len(chosen), maxPairs)]
	slices.SortFunc(chosen, func(a, b subject) int { return j.place(a) - j.place(b) })
	some := []Pair{}
	for _, on := range chosen {
		some = append(some, j.pairOf(on))
	}
	return some
}

// unprovenEdges returns those whose proof is not complete, in order.
func (j *judging) unprovenEdges() (some []subject) {
	for _, on := range j.edges {
		if j.proofs[j.place(on)] >= Inconclusive {
			some = append(some, on)
		}
	}
	return some
}
