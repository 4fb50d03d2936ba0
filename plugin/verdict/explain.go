package verdict

import "slices"

// causedBy names what explains a finding, see causeOf; it is zero if nothing does.
func (j *judging) causedBy(k *judged, s Status, on subject) Origin {
	if before, cause := j.causeOf(k, s, on); before != nil {
		return Origin{before.Code, j.named(cause)}
	}
	return Origin{}
}

// causeOf returns the first check that k comes after and that is not fine, as
// gravely, on a subject that bears on this one, and that subject; nil if none.
func (j *judging) causeOf(k *judged, s Status, on subject) (*judged, subject) {
	if s != Fail && s != Inconclusive {
		return nil, subject{}
	}
	only := j.detail(k, on).after
	for _, before := range k.after {
		if before.worst < s || before.Outage && k.stands(s) || only != nil && !slices.Contains(only, before.Code) {
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
// cluster, and the cluster for anything; a node for itself and its edges; an
// edge for its nodes and for both its directions, since answers travel the
// other way. One family's tunnel does not cause what is wrong with another's.
func (j *judging) bears(before *judged, on subject, grave Status) (cause subject, found bool) {
	for _, cause := range j.possible(before, on) {
		if j.status(before, cause) >= grave {
			return cause, true
		}
	}
	return cause, false
}

// possible are the subjects of a check that can be the cause of something wrong
// with another, in order.
func (j *judging) possible(before *judged, on subject) []subject {
	switch {
	case before.Cluster != nil:
		return []subject{wholeCluster}
	case before.Edge == nil && on.from < 0:
		return j.subjects(before)
	case before.Edge == nil:
		return append(j.subjectsOf(before, on.from, on.family), j.subjectsOf(before, on.to, on.family)...)
	case on.to >= 0:
		return []subject{on, {on.to, on.from, on.family}}
	case on.from < 0:
		return j.edges
	}
	var some []subject
	for _, edge := range j.edges {
		if (edge.from == on.from || edge.to == on.from) && (on.family == 0 || on.family == edge.family) {
			some = append(some, edge)
		}
	}
	return some
}

// subjectsOf are those of a check of nodes that concern one node, none for -1,
// and a family, all of them for 0.
func (j *judging) subjectsOf(k *judged, node, family int) []subject {
	switch {
	case node < 0:
		return nil
	case k.Node != nil:
		return []subject{{node, -1, 0}}
	case family != 0:
		return []subject{{node, -1, family}}
	}
	var all []subject
	for _, family := range j.g.Run.Families {
		all = append(all, subject{node, -1, family})
	}
	return all
}
