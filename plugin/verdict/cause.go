package verdict

import "slices"

// findCauses finds what decided the verdict: the first cause, and beside it
// what a reader must not miss. A packet of a pod that was seen in clear goes
// before everything that it does not follow from, whatever its place in the
// table: its cause if it has one, else the leak itself. Otherwise the first
// finding of the table counts that no other explains.
func (j *judging) findCauses(r *Result) {
	decided := r.Verdict.decidedBy()
	if decided == 0 {
		return
	}
	var leak, cause *found
	if decided == Fail {
		leak, cause = j.leak(r)
	}
	if leak != nil {
		r.show(j.finding(leak))
		r.show(j.finding(cause))
		r.Leak = r.finding(leak.in(j))
		r.FirstCause = r.finding(cause.in(j))
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Status != decided || f.CausedBy != "" {
			continue
		}
		if r.FirstCause == nil {
			r.FirstCause = f
		}
		if r.Leak != nil && r.Besides == nil && f.Code != r.FirstCause.Code && !j.isLeak(f.Code) {
			r.Besides = f
		}
	}
}

// found is a finding by its place.
type found struct {
	*judged
	on subject
}

// leak returns the leak that was seen and that nothing explains, else the first
// one, and what is its cause in the end, nil if there is no leak.
func (j *judging) leak(r *Result) (leak, cause *found) {
	for i := range j.checks {
		k := &j.checks[i]
		if !k.leaks() || k.worst < Fail {
			continue
		}
		unexplained := r.Totals.Of(k.Code).Causes[Fail] > 0
		at, ok := j.firstFailed(k, unexplained)
		switch {
		case ok && unexplained:
			return &found{k, at}, &found{k, at}
		case ok && leak == nil:
			leak = &found{k, at}
		}
	}
	if leak == nil {
		return nil, nil
	}
	return leak, j.root(leak)
}

// leaks reports whether a failure of the check is a packet that was seen in clear.
func (c *Check) leaks() bool { return c.Seen && c.Proof == P3NoPlaintext }

func (j *judging) isLeak(code string) bool {
	return slices.ContainsFunc(j.checks, func(k judged) bool { return k.Code == code && k.leaks() })
}

// firstFailed returns the first subject of which a check failed, and if
// unexplained is set the first of which nothing explains that.
func (j *judging) firstFailed(k *judged, unexplained bool) (subject, bool) {
	wanted := func(on subject) bool { return !unexplained || j.causedBy(k, Fail, on) == "" }
	for n, f := range k.findings {
		if on := j.on(k, n); f.Status == Fail && wanted(on) {
			return on, true
		}
	}
	if k.Scope != PerPair {
		return subject{}, false
	}
	for from, row := range j.pairs.rows {
		for _, d := range row {
			on := pair{from, int(d.to), int(d.family)}
			if d.word.status(k.bit) == Fail && wanted(on) {
				return on, true
			}
		}
	}
	return subject{}, false
}

// root follows a finding to the one that explains it and that nothing explains.
func (j *judging) root(f *found) *found {
	for range j.checks { // each cause stands above in the table
		before, on := j.causeOf(f.judged, Fail, f.on)
		if before == nil {
			break
		}
		f = &found{before, on}
	}
	return f
}

// finding is what was found, in words.
func (j *judging) finding(f *found) Finding {
	if f.Scope == PerPair {
		return j.findingOf(f.judged, f.on)
	}
	for n := range f.findings {
		if j.on(f.judged, n) == f.on {
			return j.explained(f.judged, f.findings[n], f.on)
		}
	}
	return Finding{}
}

// in names where a finding stands in a result.
func (f *found) in(j *judging) (code string, on Subject) {
	on.Family = f.on.family
	if f.on.from >= 0 {
		on.Node = j.c.Nodes[f.on.from].Name
	}
	if f.on.to >= 0 {
		on.Peer = j.c.Nodes[f.on.to].Name
	}
	return f.Code, on
}

// finding returns the finding of a code and subject, nil if it is not listed.
func (r *Result) finding(code string, on Subject) *Finding {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Code == code && f.Subject == on {
			return f
		}
	}
	return nil
}

// show lists a finding that a bounded result left out, in the order of the table.
func (r *Result) show(f Finding) {
	if r.finding(f.Code, f.Subject) != nil {
		return
	}
	at := len(r.Findings)
	place := func(code string) int {
		return slices.IndexFunc(r.Totals.Checks, func(c CheckTotal) bool { return c.Code == code })
	}
	for i := range r.Findings {
		if place(r.Findings[i].Code) > place(f.Code) {
			at = i
			break
		}
	}
	r.Findings = slices.Insert(r.Findings, at, f)
}
