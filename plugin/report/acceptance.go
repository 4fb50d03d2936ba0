package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// accepted adds to a headline what a policy makes of the result: an exception is
// never granted silently.
func accepted(j *check.Judgement) string {
	a := j.Acceptance
	if a == nil {
		return ""
	}
	var parts []string
	switch {
	case j.Leaked():
		parts = append(parts, "no policy accepts that")
	case a.Status == verdict.Fail:
		parts = append(parts, "not accepted")
	case a.Status != verdict.Pass:
		parts = append(parts, "not known to be accepted")
	default:
		parts = append(parts, "accepted")
	}
	if n := a.Excused(); n > 0 {
		parts = append(parts, Count(n, "finding")+" waived")
	}
	return fmt.Sprintf("; policy %s: %s", a.Policy, strings.Join(parts, ", "))
}

// acceptance writes what a policy requires and is not met, and every exception.
func (t *text) acceptance() {
	a := t.Acceptance
	if a == nil {
		return
	}
	t.part()
	t.labelled("Policy", fmt.Sprintf("%s (sha256 %.12s), %s", a.Policy, a.SHA256, acceptanceWords[a.Status]))
	for _, u := range a.Unmet {
		if u.Requirement == "verdict" && t.terse >= fewer {
			continue // the causes are shown by themselves
		}
		t.acceptanceLine(marks[u.Status], strings.TrimSpace(u.Requirement+" "+u.Code), u.Text, u.Count)
	}
	for i := range a.Waived {
		w := &a.Waived[i]
		t.acceptanceLine("~", "waived "+w.Waiver.What(), w.Text+follows(w), w.Count)
		t.para("", "", column+2, granted(&w.Waiver))
	}
	for i := range a.Void {
		t.acceptanceLine("-", "void "+a.Void[i].Waiver.What(), a.Void[i].Why, 1)
	}
}

// summed is in one line what a policy makes of a result, with every exception; empty
// without a policy.
func summed(a *verdict.Acceptance) string {
	if a == nil {
		return ""
	}
	parts := []string{fmt.Sprintf("%s (sha256 %.12s), %s", a.Policy, a.SHA256, acceptanceWords[a.Status])}
	for _, u := range a.Unmet {
		parts = append(parts, "not met: "+strings.TrimSpace(u.Requirement+" "+u.Code))
	}
	for i := range a.Waived {
		w := &a.Waived[i].Waiver
		parts = append(parts, fmt.Sprintf("waived: %s (%s)", w.What(), granted(w)))
	}
	return strings.Join(parts, "; ")
}

// acceptanceWords say what a policy makes of a result.
var acceptanceWords = map[verdict.Status]string{
	verdict.Pass: "accepted", verdict.Fail: "not accepted", verdict.Inconclusive: "not known to be accepted",
}

func (t *text) acceptanceLine(mark, what, text string, count int) {
	if count > 1 {
		text += fmt.Sprintf(" (and %d alike)", count-1)
	}
	t.labelled("", fmt.Sprintf("%s %s: %s", mark, what, text))
}

// granted says why, by whom and until when a waiver was granted.
func granted(w *verdict.Waiver) string {
	return fmt.Sprintf("%s; owner %s, until %s", w.Reason, w.Owner, w.Expires.UTC().Format(time.RFC3339))
}

// follows counts what a waived finding explains.
func follows(w *verdict.Waived) string {
	sum := 0
	for _, one := range w.Consequences {
		sum += one.Count
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf(", with %s that follow from it", Count(sum, "finding"))
}

// acceptanceLines is how many more lines a report has for a policy.
func acceptanceLines(j *check.Judgement) int {
	if j.Acceptance == nil {
		return 0
	}
	return 4 + 3*len(j.Acceptance.Unmet) + 5*len(j.Acceptance.Waived) + 3*len(j.Acceptance.Void)
}

// shortAcceptance writes a line for the policy and one for each thing that is not
// met or is waived.
func shortAcceptance(b *strings.Builder, a *verdict.Acceptance) {
	if a == nil {
		return
	}
	fmt.Fprintf(b, "POLICY %s unmet=%d waived=%d %s\n", a.Status, len(a.Unmet), a.Excused(), clean(a.Policy))
	for _, u := range a.Unmet {
		fmt.Fprintf(b, "UNMET %s%s %s count=%d %s\n", u.Requirement, slash(u.Code), u.Status, u.Count, clean(u.Text))
	}
	for i := range a.Waived {
		w := &a.Waived[i]
		fmt.Fprintf(b, "WAIVED %s %s count=%d owner=%s expires=%s %s\n", w.Waiver.Code+w.Waiver.Requirement,
			clean(plain(w.Subjects[0])), w.Count, clean(strings.ReplaceAll(w.Waiver.Owner, " ", "_")),
			w.Waiver.Expires.UTC().Format(time.RFC3339), clean(w.Text))
	}
	for i := range a.Void {
		v := &a.Void[i]
		fmt.Fprintf(b, "VOID %s %s\n", v.Waiver.Code+v.Waiver.Requirement, clean(v.Why))
	}
}

func slash(code string) string {
	if code == "" {
		return ""
	}
	return "/" + code
}
