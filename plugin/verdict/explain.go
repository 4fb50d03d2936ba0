package verdict

// subject is what a finding is about by places: at.from is -1 for the cluster,
// at.to is -1 for a node.
type subject = pair

var wholeCluster = subject{-1, -1, 0}

// causedBy returns the code of the first check that k comes after and that is
// not fine, as gravely, on a subject that bears on this one; empty if none.
func (j *judging) causedBy(k *judged, s Status, on subject) string {
	if s != Fail && s != Inconclusive {
		return ""
	}
	for _, before := range k.after {
		if before.worst.rank() >= s.rank() && j.bears(before, on, s.rank()) {
			return before.Code
		}
	}
	return ""
}

// bears says whether something at least as grave as rank was found by a check
// that can be the cause of something wrong with the subject: anything for the
// cluster, and the cluster for anything; a node for itself and its pairs; a
// pair for its nodes and for both its directions, since answers travel the
// other way.
func (j *judging) bears(before *judged, on subject, rank uint32) bool {
	switch {
	case on.from < 0, before.Scope == PerCluster:
		return before.worst.rank() >= rank
	case before.Scope == PerNode:
		return before.findings[on.from].Status.rank() >= rank || on.to >= 0 && before.findings[on.to].Status.rank() >= rank
	case on.to >= 0:
		reverse := pair{on.to, on.from, on.family}
		return j.pairs.of(on).status(before.bit).rank() >= rank || j.pairs.of(reverse).status(before.bit).rank() >= rank
	}
	for from, row := range j.pairs.rows {
		for _, d := range row {
			if (from == on.from || int(d.to) == on.from) && d.word.status(before.bit).rank() >= rank {
				return true
			}
		}
	}
	return false
}
