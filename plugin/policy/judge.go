package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// maxSubjects is how many subjects of one thing that is not met, or waived, are listed.
const maxSubjects = 20

// Judge judges a judgement by the policy. It changes nothing in it: the caller
// decides whether the result follows the policy, see verdict.Result.Acceptance.
func (p *Policy) Judge(j *check.Judgement) *verdict.Acceptance {
	judging := &judging{Policy: p, Judgement: j, at: endOf(j), used: make([]verdict.Waived, len(p.granted))}
	judging.expiries()
	judging.causes()
	judging.gaps()
	judging.warnings()
	for _, one := range requirements {
		if one.asked(&p.Require) {
			judging.requirement = one.name
			one.judge(judging)
		}
	}
	return judging.acceptance()
}

// endOf is when the run ended, by its own record; the zero time if it does not say.
func endOf(j *check.Judgement) time.Time {
	if at := cmp.Or(j.Graph.Run.Ended, j.Graph.Run.Started); at != 0 {
		return time.Unix(0, at).UTC()
	}
	return time.Time{}
}

// judging is one judgement that is held against a policy.
type judging struct {
	*Policy
	*check.Judgement
	at          time.Time // the end of the run, zero if that is not known
	requirement string    // that is judged now
	unmet       []verdict.Unmet
	used        []verdict.Waived // by the place of the waiver
	void        []verdict.Void
	counted     int // warnings that no waiver excuses
}

// valid reports whether a waiver is valid at the time of the run.
func (j *judging) valid(w *verdict.Waiver) bool { return !j.at.IsZero() && j.at.Before(w.Expires) }

// expiries fails for every waiver that is over: it is renewed or removed, not
// forgotten.
func (j *judging) expiries() {
	j.requirement = waivers
	for i := range j.granted {
		w := &j.granted[i]
		switch {
		case j.valid(w):
		case j.at.IsZero():
			j.add(w.Code, verdict.Inconclusive, verdict.Subject{},
				"the recording does not say when the run was, so that no waiver is known to be valid")
		default:
			why := fmt.Sprintf("it expired at %s", w.Expires.Format(time.RFC3339))
			j.void = append(j.void, verdict.Void{Waiver: *w, Why: why})
			j.add(w.Code, verdict.Fail, verdict.Subject{Node: w.Node, Peer: w.Peer},
				"the waiver for %s expired at %s (owner: %s)", w.What(), w.Expires.Format(time.RFC3339), w.Owner)
		}
	}
}

// notMet notes that the requirement is not met for a subject, unless a waiver
// excuses that.
func (j *judging) notMet(status verdict.Status, on verdict.Subject, format string, args ...any) {
	waiver := j.find(func(w *verdict.Waiver) bool { return w.Requirement == j.requirement && matches(w, on) })
	if waiver < 0 {
		j.add("", status, on, format, args...)
		return
	}
	j.excuse(waiver, status, on, func() string { return fmt.Sprintf(format, args...) })
}

// find returns the place of the first valid waiver that fits, -1 if none does.
func (j *judging) find(fits func(*verdict.Waiver) bool) int {
	return slices.IndexFunc(j.granted, func(w verdict.Waiver) bool { return j.valid(&w) && fits(&w) })
}

// matches reports whether a waiver is for a subject: one that names a node is for
// the node and all that it sends and receives.
func matches(w *verdict.Waiver, on verdict.Subject) bool {
	switch {
	case w.Node == "":
		return true
	case w.Peer != "":
		return on.Node == w.Node && on.Peer == w.Peer
	}
	return on.Node == w.Node || on.Peer == w.Node
}

// excuse counts what a waiver excuses.
func (j *judging) excuse(waiver int, status verdict.Status, on verdict.Subject, text func() string) {
	used := &j.used[waiver]
	if used.Count == 0 {
		used.Text = text()
	}
	used.Status = max(used.Status, status)
	if used.Count++; len(used.Subjects) < maxSubjects {
		used.Subjects = append(used.Subjects, on)
	}
}

// add counts a subject for which the requirement is not met. Subjects of one
// requirement, code and status are counted together.
func (j *judging) add(code string, status verdict.Status, on verdict.Subject, format string, args ...any) {
	same := func(u verdict.Unmet) bool {
		return u.Requirement == j.requirement && u.Code == code && u.Status == status
	}
	place := slices.IndexFunc(j.unmet, same)
	if place < 0 {
		place = len(j.unmet)
		j.unmet = append(j.unmet, verdict.Unmet{
			Requirement: j.requirement, Code: code, Status: status, Text: fmt.Sprintf(format, args...),
		})
	}
	u := &j.unmet[place]
	if u.Count++; len(u.Subjects) < maxSubjects {
		u.Subjects = append(u.Subjects, on)
	}
}

func (j *judging) acceptance() *verdict.Acceptance {
	a := &verdict.Acceptance{
		Policy: j.Name, SHA256: j.sha256, Status: verdict.Pass, Warnings: j.counted,
		Unmet: append([]verdict.Unmet{}, j.unmet...), Waived: []verdict.Waived{}, Void: j.void,
	}
	for i := range a.Unmet {
		a.Status = max(a.Status, a.Unmet[i].Status)
	}
	for i := range j.used {
		w := &j.granted[i]
		switch {
		case j.used[i].Count > 0:
			j.used[i].Waiver = *w
			a.Waived = append(a.Waived, j.used[i])
		case j.valid(w) && !slices.ContainsFunc(a.Void, func(v verdict.Void) bool { return v.Waiver == *w }):
			a.Void = append(a.Void, verdict.Void{Waiver: *w, Why: "nothing of this run needs it"})
		}
	}
	return a
}
