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
		r.show(j.finding(leak.judged, leak.on))
		r.show(j.finding(cause.judged, cause.on))
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

func (j *judging) isLeak(code string) bool {
	return slices.ContainsFunc(j.checks, func(k judged) bool { return k.Code == code && k.leaks() })
}

// firstFailed returns the first subject of which a check failed, and if
// unexplained is set the first of which nothing explains that.
func (j *judging) firstFailed(k *judged, unexplained bool) (subject, bool) {
	for _, on := range j.subjects(k) {
		if j.status(k, on) == Fail && (!unexplained || j.causedBy(k, Fail, on) == "") {
			return on, true
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

// in names where a finding stands in a result.
func (f *found) in(j *judging) (code string, on Subject) { return f.Code, j.named(f.on) }

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
