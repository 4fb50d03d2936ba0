package compare

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// comparePairs compares the proofs of all pairs that either run tested.
func comparePairs(before, after *side) Pairs {
	p := Pairs{Changes: []Change{}}
	var changes []Change
	before.each(func(on verdict.Subject) {
		from, to := before.proof(on), after.proof(on)
		switch {
		case to == notTested:
			p.OnlyBefore++
			return
		case from == unknown || to == unknown:
			p.Unknown++
		}
		p.Compared++
		change := Change{Subject: on, From: string(from), To: string(to), Direction: proofDirection(from, to)}
		if change.Direction != Same {
			change.Steps = changedSteps(before.pairs[on], after.pairs[on])
			changes = append(changes, change)
		}
	})
	after.each(func(on verdict.Subject) {
		if before.tests(on) {
			return
		}
		p.OnlyAfter++
		if after.proof(on).unproven() {
			p.UnprovenAfter++
		}
	})
	count := counts(changes)
	p.Worse, p.Better, p.Changed = count[Worse], count[Better], count[Changed]
	p.Changes = bounded(changes)
	return p
}

// each calls visit for every pair that the run tested, in order.
func (s *side) each(visit func(verdict.Subject)) {
	for _, node := range s.Run.Nodes {
		for _, peer := range s.Run.Nodes {
			if peer == node || s.asked != nil && !s.asked[node][peer] {
				continue
			}
			for _, family := range s.Run.Families {
				visit(verdict.Subject{Node: node, Peer: peer, Family: family})
			}
		}
	}
}

// changedSteps returns the steps of a proof with other statuses, in order; none
// if a report does not list the pair.
func changedSteps(before, after *pair) (steps []verdict.Proof) {
	if before == nil || after == nil {
		return nil
	}
	for _, proof := range verdict.Proofs {
		if direction(before.Steps[proof.Step], after.Steps[proof.Step]) != Same {
			steps = append(steps, proof.Step)
		}
	}
	return steps
}

// compareCodes compares all checks that either report has, and returns those
// that found something else.
func compareCodes(before, after *side) []Code {
	some := []Code{}
	for _, name := range codes(before, after) {
		code := compareCode(before, after, name)
		if len(code.Changes) > 0 {
			some = append(some, code)
		}
	}
	return some
}

// codes returns those of both reports, in the order of the later one's table.
func codes(before, after *side) (all []string) {
	for _, s := range []*side{after, before} {
		for _, c := range s.Totals.Checks {
			if !slices.Contains(all, c.Code) {
				all = append(all, c.Code)
			}
		}
	}
	return all
}

func compareCode(before, after *side, name string) Code {
	code := Code{Code: name, Before: named(before.checks[name]), After: named(after.checks[name])}
	listed := map[verdict.Subject]bool{}
	for _, s := range []*side{before, after} {
		for on, f := range s.findings[name] {
			code.Title = cmp.Or(code.Title, f.Title)
			if !f.Advice {
				listed[on] = true
			}
		}
	}
	unlisted := [2]status{before.unlisted(name), after.unlisted(name)}
	var changes []Change
	for _, on := range slices.SortedFunc(maps.Keys(listed), compareSubjects) {
		from := before.status(name, on, unlisted[0])
		to := after.status(name, on, unlisted[1])
		change := Change{Subject: on, From: string(from), To: string(to), Direction: direction(from, to)}
		switch {
		case to == notTested:
			continue // the node or the check is gone, which the notes say
		case from == notTested:
			change.Direction = firstTested(before, name, to)
		}
		if change.Direction == Same {
			continue
		}
		graver := before
		if change.Direction == Worse {
			graver = after
		}
		if f := graver.findings[name][on]; f != nil {
			change.Text = f.Text
			if f.CausedBy != nil {
				change.CausedBy = f.CausedBy.Code
			}
		}
		changes = append(changes, change)
	}
	count := counts(changes)
	code.Worse, code.Better, code.Changed = count[Worse], count[Better], count[Changed]
	code.Changes = bounded(changes)
	return code
}

// firstTested is the direction of a subject that was not tested before: worse if
// the check was judged then and never found anything as grave. Otherwise there
// is nothing to compare it with.
func firstTested(before *side, code string, to status) Direction {
	if before.checks[code] != nil && ranks[to] >= ranks[warn] && ranks[to] > before.worst(code) {
		return Worse
	}
	return Same
}

func named(statuses map[status]int) map[string]int {
	names := map[string]int{}
	for one, count := range statuses {
		names[string(one)] = count
	}
	return names
}

func counts(changes []Change) map[Direction]int {
	count := map[Direction]int{}
	for _, one := range changes {
		count[one.Direction]++
	}
	return count
}

// bounded returns the changes of each direction, at most maxChanges: those for
// the worse first, of them the gravest and those that nothing explains.
func bounded(changes []Change) []Change {
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(order[a.Direction], order[b.Direction]),
			-cmp.Compare(ranks[status(a.To)], ranks[status(b.To)]),
			cmp.Compare(min(len(a.CausedBy), 1), min(len(b.CausedBy), 1)),
		)
	})
	some := []Change{}
	listed := map[Direction]int{}
	for _, one := range changes {
		if listed[one.Direction]++; listed[one.Direction] <= maxChanges {
			some = append(some, one)
		}
	}
	return some
}

var order = map[Direction]int{Worse: 0, Better: 1, Changed: 2}

func compareSubjects(a, b verdict.Subject) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Family, b.Family))
}
