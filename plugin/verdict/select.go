package verdict

import (
	"cmp"
	"slices"
	"strings"
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
		k := &j.checks[i]
		for n, f := range k.findings {
			all = append(all, j.explained(k, f, j.on(k, n)))
		}
		if k.Scope == PerPair {
			j.eachPair(func(at pair) { all = append(all, j.findingOf(k, at)) })
		}
	}
	return all
}

// on is the subject of the n-th finding of a check of the cluster or of nodes.
func (j *judging) on(k *judged, n int) subject {
	if k.Scope == PerCluster {
		return wholeCluster
	}
	if families := j.c.Run.Families; k.Scope == PerNodeFamily {
		return subject{n / len(families), -1, families[n%len(families)]}
	}
	return subject{n, -1, 0}
}

// deviations returns the cluster's findings and those that are not fine, a
// bounded number of each code and status, those first that none explains.
func (j *judging) deviations() (some []Finding) {
	for i := range j.checks {
		k := &j.checks[i]
		free, consequences := map[Status]int{}, map[Status]int{}
		room := func(s Status, explained bool) bool {
			if explained {
				consequences[s]++
				return consequences[s] <= maxExplained
			}
			free[s]++
			return free[s] <= maxFindings
		}
		for n, f := range k.findings {
			f = j.explained(k, f, j.on(k, n))
			if k.Scope == PerCluster || f.Status >= Warn && room(f.Status, f.CausedBy != "") {
				some = append(some, f)
			}
		}
		if k.Scope != PerPair {
			continue
		}
		for from, row := range j.pairs.rows {
			for _, d := range row {
				status, at := d.word.status(k.bit), pair{from, int(d.to), int(d.family)}
				if status >= Warn && room(status, j.causedBy(k, status, at) != "") {
					some = append(some, j.findingOf(k, at))
				}
			}
		}
	}
	return some
}

func (j *judging) explained(k *judged, f Finding, on subject) Finding {
	f.CausedBy = j.causedBy(k, f.Status, on)
	return f
}

// findingOf judges a pair again, in words.
func (j *judging) findingOf(k *judged, at pair) Finding {
	f := Focus{Case: j.c}
	f.onPair(j.c.Nodes[at.from], j.c.Nodes[at.to], at.family)
	return j.explained(k, j.find(&f, k.Check), at)
}

// eachPair calls do for every pair, in order.
func (j *judging) eachPair(do func(pair)) {
	for from := range j.c.Nodes {
		for to := range j.c.Nodes {
			for _, family := range j.c.Run.Families {
				if j.c.Asked.Has(from, to) {
					do(pair{from, to, family})
				}
			}
		}
	}
}

func (j *judging) allProofs() []Pair {
	all := []Pair{}
	j.eachPair(func(at pair) { all = append(all, j.proofOf(at)) })
	return all
}

// unproven returns the proofs of pairs that are not proven, a bounded number:
// first those of nodes of which other pairs are proven, which tell more.
func (j *judging) unproven(t *Totals) []Pair {
	senders, receivers := map[string]bool{}, map[string]bool{}
	for _, n := range t.Unproven {
		senders[n.Node], receivers[n.Node] = n.Sender(), n.Receiver()
	}
	var chosen []pair
	for _, telling := range []bool{true, false} {
		j.eachUnproven(func(at pair) bool {
			alone := !senders[j.c.Nodes[at.from].Name] && !receivers[j.c.Nodes[at.to].Name]
			if alone == telling {
				chosen = append(chosen, at)
			}
			return len(chosen) < maxPairs
		})
	}
	slices.SortFunc(chosen, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.family, b.family))
	})
	some := []Pair{}
	for _, at := range chosen[:min(len(chosen), maxPairs)] {
		some = append(some, j.proofOf(at))
	}
	return some
}

// proofOf collects the steps of a pair's proof in words. A step that no check
// passed for this pair is not proven, see join.
func (j *judging) proofOf(at pair) Pair {
	from, to := j.c.Nodes[at.from], j.c.Nodes[at.to]
	p := Pair{
		Subject: Subject{Node: from.Name, Peer: to.Name, Family: at.family}, Status: Pass,
		Steps: map[Proof]Status{}, Notes: map[Proof]string{},
	}
	own := map[Proof]Status{}
	for i := range j.checks {
		k := &j.checks[i]
		switch {
		case k.Proof == "":
		case k.Scope == PerCluster:
			p.add(k.findings[0])
		case k.Scope != PerPair:
			p.add(j.of(k, min(at.from, at.to), at.family)[0])
			p.add(j.of(k, max(at.from, at.to), at.family)[0])
		default:
			f := j.findingOf(k, at)
			own[k.Proof] = Worse(own[k.Proof], f.Status)
			p.add(f)
		}
	}
	for _, proof := range Proofs {
		status := p.Steps[proof.Step]
		if own[proof.Step] <= NotApplicable && status < Inconclusive {
			status = Inconclusive
			p.Steps[proof.Step] = status
			if p.Notes[proof.Step] == "" {
				p.Notes[proof.Step] = "nothing could be judged"
			}
		}
		p.Status = Worse(p.Status, status)
	}
	return p
}

// add joins a finding to the proof: the gravest status of a step counts, and
// its texts.
func (p *Pair) add(f Finding) {
	old, seen := p.Steps[f.Proof]
	text := f.Text
	if f.Status == Pass && f.Subject.Peer == "" {
		text = "" // what is fine with a node or the cluster stands among the findings
	}
	note := p.Notes[f.Proof]
	switch {
	case !seen || Worse(old, f.Status) != old:
		p.Steps[f.Proof], note = f.Status, text
	case old != f.Status || f.Status == NotApplicable || text == "" || strings.Contains(note, text):
	case note == "":
		note = text
	default:
		note += "; " + text
	}
	p.Notes[f.Proof] = note
}
