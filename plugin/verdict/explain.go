package verdict

// subject is what a finding is about by places: at.from is -1 for the cluster,
// at.to is -1 for a node, whose family is 0 if it is about all of them.
type subject = pair

var wholeCluster = subject{-1, -1, 0}

// causedBy returns the code of the first check that k comes after and that is
// not fine, as gravely, on a subject that bears on this one; empty if none.
func (j *judging) causedBy(k *judged, s Status, on subject) string {
	if before, _ := j.causeOf(k, s, on); before != nil {
		return before.Code
	}
	return ""
}

// causeOf returns that check and the subject, nil if there is none.
func (j *judging) causeOf(k *judged, s Status, on subject) (*judged, subject) {
	if s != Fail && s != Inconclusive {
		return nil, subject{}
	}
	for _, before := range k.after {
		if before.worst < s || before.Outage && k.stands(s) {
			continue
		}
		if cause, found := j.bears(before, on, s); found {
			return before, cause
		}
	}
	return nil, subject{}
}

// bears reports on which subject a check found something at least as grave
// that can be the cause of something wrong with another: anything for the
// cluster, and the cluster for anything; a node for itself and its pairs; a
// pair for its nodes and for both its directions, since answers travel the
// other way. One family's tunnel is no cause of what is wrong with another's.
func (j *judging) bears(before *judged, on subject, grave Status) (cause subject, found bool) {
	switch {
	case before.Scope == PerCluster:
		return wholeCluster, before.worst >= grave
	case before.Scope != PerPair:
		return j.badNode(before, on, grave)
	case on.to >= 0:
		for _, at := range []pair{on, {on.to, on.from, on.family}} {
			if j.pairs.of(at).status(before.bit) >= grave {
				return at, true
			}
		}
		return cause, false
	}
	for from, row := range j.pairs.rows {
		for _, d := range row {
			ofNode := from == on.from || int(d.to) == on.from || on.from < 0
			ofFamily := on.family == 0 || on.family == int(d.family)
			if ofNode && ofFamily && d.word.status(before.bit) >= grave {
				return pair{from, int(d.to), int(d.family)}, true
			}
		}
	}
	return cause, false
}

// badNode returns the first of a subject's nodes, of all nodes for the cluster,
// of which a check found something as grave.
func (j *judging) badNode(before *judged, on subject, grave Status) (subject, bool) {
	nodes := []int{on.from, on.to}
	if on.from < 0 {
		nodes = j.everyNode()
	}
	each := max(1, len(before.findings)/max(1, len(j.c.Nodes))) // findings of a node
	for _, node := range nodes {
		for n := node * each; node >= 0 && n < (node+1)*each; n++ {
			cause := j.on(before, n)
			ofFamily := cause.family == 0 || on.family == 0 || cause.family == on.family
			if ofFamily && before.findings[n].Status >= grave {
				return cause, true
			}
		}
	}
	return subject{}, false
}

func (j *judging) everyNode() (nodes []int) {
	for i := range j.c.Nodes {
		nodes = append(nodes, i)
	}
	return nodes
}
