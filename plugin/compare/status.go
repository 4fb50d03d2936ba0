package compare

// status is one of a report's statuses, or one of those below.
type status string

// The statuses as a report names them, and two that only a comparison has.
const (
	notApplicable status = "notApplicable"
	pass          status = "pass"
	warn          status = "warn"
	inconclusive  status = "inconclusive"
	fail          status = "fail"

	fine      status = "fine"      // not listed by a report that lists all that is not fine
	notTested status = "notTested" // the run did not test it
	unknown   status = "unknown"   // not listed by a report that does not list everything
)

// ranks order the statuses that say something, the gravest last.
var ranks = map[status]int{fine: 1, pass: 1, warn: 2, inconclusive: 3, fail: 4}

// verdictRanks order the verdicts in the same way.
var verdictRanks = map[string]int{"PASS": ranks[pass], "INCONCLUSIVE": ranks[inconclusive], "FAIL": ranks[fail]}

// unproven reports whether a status is not as it should be.
func (s status) unproven() bool { return ranks[s] >= ranks[inconclusive] }

// Direction is what a change means.
type Direction string

// The directions.
const (
	Same   Direction = "same"
	Worse  Direction = "worse"
	Better Direction = "better"
	// Changed is neither: what failed is inconclusive now, or no longer applies.
	Changed Direction = "changed"
)

// ofRanks returns the direction from one rank to another. What is only
// inconclusive now is not known to be better.
func ofRanks(from, to int) Direction {
	switch {
	case from == to:
		return Same
	case to > from:
		return Worse
	case to >= ranks[inconclusive]:
		return Changed
	}
	return Better
}

// direction returns what a change of a check's status on one subject means.
func direction(from, to status) Direction {
	before, after := ranks[from], ranks[to]
	switch {
	case from == to, from == unknown, to == unknown:
		return Same
	case before == 0 && after == 0:
		return Same
	case before == 0 && after >= ranks[warn]:
		return Worse // it did not apply, and does not hold now
	case before == 0 || after == 0:
		return leaves(max(before, after))
	}
	return ofRanks(before, after)
}

// leaves is the direction of a check that begins or ceases to apply, where the
// other status has this rank.
func leaves(rank int) Direction {
	if rank <= ranks[pass] {
		return Same
	}
	return Changed
}

// proofDirection is direction for the proof of a pair: what no longer has a
// proof is worse.
func proofDirection(from, to status) Direction {
	if to == notApplicable && ranks[from] > 0 && ranks[from] < ranks[inconclusive] {
		return Worse
	}
	return direction(from, to)
}
