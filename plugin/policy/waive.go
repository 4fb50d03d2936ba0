package policy

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// causes holds what made the verdict against the waivers. What follows from a
// cause is excused with it, and is listed under it. A leak is never excused.
func (j *judging) causes() {
	j.requirement = theVerdict
	listed := map[codeStatus]int{}
	for i := range j.Causes {
		c := &j.Causes[i]
		listed[codeStatus{c.Code, c.Status}] += c.Count
		if c.Kind == verdict.Plaintext {
			j.leak(c)
			continue
		}
		all := c.All()
		for n := range all {
			j.finding(c, &all[n])
		}
		for range c.Count - len(all) {
			j.unlisted(c.Code, c.Status)
		}
	}
	// A result lists a bounded number of causes, and counts all.
	for _, t := range j.Totals.Checks {
		for status, count := range t.Causes {
			for range count - listed[codeStatus{t.Code, status}] {
				j.unlisted(t.Code, status)
			}
		}
	}
}

type codeStatus struct {
	code   string
	status verdict.Status
}

// leak notes a leak, and that what waives it is void.
func (j *judging) leak(c *verdict.Cause) {
	for _, f := range c.All() {
		j.add(c.Code, verdict.Fail, f.Subject, "no policy accepts plaintext: %s", f.Text)
		at := j.find(func(w *verdict.Waiver) bool { return w.Code == c.Code && j.covers(w, &f) })
		if at < 0 {
			continue
		}
		void := verdict.Void{Waiver: j.granted[at], Why: "plaintext cannot be waived"}
		if !slices.Contains(j.void, void) {
			j.void = append(j.void, void)
		}
	}
}

// finding excuses one finding of a cause, or notes it.
func (j *judging) finding(c *verdict.Cause, f *verdict.Finding) {
	at := j.find(func(w *verdict.Waiver) bool { return w.Code == f.Code && j.covers(w, f) })
	if at < 0 {
		j.add(f.Code, f.Status, f.Subject, "%s", f.Text)
		return
	}
	if f.Subject == c.Subject {
		j.used[at].Consequences = append(j.used[at].Consequences, c.Consequences...)
	}
	j.excuse(at, f.Status, f.Subject, func() string { return f.Text })
}

// unlisted is finding for one of which only its check and status are known.
func (j *judging) unlisted(code string, status verdict.Status) {
	at := j.find(func(w *verdict.Waiver) bool { return w.Code == code && w.Node == "" })
	if at < 0 {
		j.add(code, status, verdict.Subject{}, "there are more findings than are listed")
		return
	}
	j.excuse(at, status, verdict.Subject{}, func() string { return "findings that are not listed" })
}

// covers reports whether a waiver is for a finding of its check. A finding of the
// cluster that is about some nodes is covered where the waiver is for all of them,
// or together with others for all.
func (j *judging) covers(w *verdict.Waiver, f *verdict.Finding) bool {
	if matches(w, f.Subject) {
		return true
	}
	if f.Code != untestedNodes || w.Peer != "" {
		return false
	}
	left := j.untested()
	return slices.Contains(left, w.Node) && !slices.ContainsFunc(left, func(name string) bool {
		return j.find(func(other *verdict.Waiver) bool { return other.Code == f.Code && other.Node == name }) < 0
	})
}

// untestedNodes is the check that every node takes part, whose finding is the
// cluster's and names nodes.
const untestedNodes = "WG0102"

// untested names the nodes for which that check is not fine.
func (j *judging) untested() (names []string) {
	for _, n := range j.Graph.Nodes {
		if !n.Ready {
			names = append(names, n.Name)
		}
	}
	for _, n := range j.Graph.Excluded {
		if !n.Chosen {
			names = append(names, n.Name)
		}
	}
	return names
}

// gaps notes what makes a verdict inconclusive without being a finding, so that no
// waiver can be for it.
func (j *judging) gaps() {
	j.requirement = theVerdict
	switch {
	case j.Graph.Gap != "":
		j.add("", verdict.Inconclusive, verdict.Subject{}, "the record of the run itself is incomplete: %s", j.Graph.Gap)
	case j.Totals.Pairs == 0:
		j.add("", verdict.Inconclusive, verdict.Subject{}, "no direction between two nodes was tested")
	}
	if n := j.Totals.Unexplained; n > 0 {
		j.add("", verdict.Inconclusive, verdict.Subject{}, "%d directions are not proven, and no finding says why", n)
	}
}

// warnings counts the warnings that no waiver excuses, and notes those that count
// as failures.
func (j *judging) warnings() {
	j.requirement = warnings
	all := slices.Contains(j.Warnings.Fail, "all")
	listed := map[string]int{}
	for i := range j.Findings {
		if f := &j.Findings[i]; f.Status == verdict.Warn {
			listed[f.Code]++
			j.warning(all, f)
		}
	}
	for _, t := range j.Totals.Checks {
		for range t.Statuses[verdict.Warn] - listed[t.Code] {
			j.warning(all, &verdict.Finding{Code: t.Code, Text: "there are more warnings than are listed"})
		}
	}
}

func (j *judging) warning(all bool, f *verdict.Finding) {
	known := f.Status != 0
	at := j.find(func(w *verdict.Waiver) bool {
		return w.Code == f.Code && (w.Node == "" || known && matches(w, f.Subject))
	})
	if at >= 0 {
		j.excuse(at, verdict.Warn, f.Subject, func() string { return f.Text })
		return
	}
	j.counted++
	if all || slices.Contains(j.Policy.Warnings.Fail, f.Code) {
		j.add(f.Code, verdict.Fail, f.Subject, "%s", f.Text)
	}
}
