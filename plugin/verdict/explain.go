package verdict

import "slices"

// subject is what a finding is about by places: at.from is -1 for the cluster,
// at.to is -1 for a node, whose family is 0 if it is about all of them.
type subject = pair

var wholeCluster = subject{-1, -1, 0}

// causedBy returns the code of the first check that k comes after and that is
// not fine, as gravely, on a subject that bears on this one; empty if none.
func (j *judging) causedBy(k *judged, s Status, on subject) string {
	if s != Fail && s != Inconclusive {
		return ""
	}
	for _, before := range k.after {
		if before.worst >= s && j.bears(before, on, s) {
			return before.Code
		}
	}
	return ""
}

// bears says whether something at least as grave was found by a check
// that can be the cause of something wrong with the subject: anything for the
// cluster, and the cluster for anything; a node for itself and its pairs; a
// pair for its nodes and for both its directions, since answers travel the
// other way. One family's tunnel is no cause of what is wrong with another's.
func (j *judging) bears(before *judged, on subject, grave Status) bool {
	switch {
	case on.from < 0, before.Scope == PerCluster:
		return before.worst >= grave
	case before.Scope != PerPair:
		bad := func(f Finding) bool { return f.Status >= grave }
		return slices.ContainsFunc(j.of(before, on.from, on.family), bad) ||
			on.to >= 0 && slices.ContainsFunc(j.of(before, on.to, on.family), bad)
	case on.to >= 0:
		reverse := pair{on.to, on.from, on.family}
		return j.pairs.of(on).status(before.bit) >= grave || j.pairs.of(reverse).status(before.bit) >= grave
	}
	for from, row := range j.pairs.rows {
		for _, d := range row {
			ofNode := (from == on.from || int(d.to) == on.from) && (on.family == 0 || on.family == int(d.family))
			if ofNode && d.word.status(before.bit) >= grave {
				return true
			}
		}
	}
	return false
}
