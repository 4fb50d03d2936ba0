package report

import (
	"fmt"
	"unicode/utf8"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// pairs writes the figures of every step of every direction that the result lists.
func (t *text) pairs() {
	if len(t.Pairs) == 0 {
		return
	}
	t.gap()
	for _, p := range t.Pairs {
		t.para(statusStyles[p.Status], "  "+marks[p.Status]+" ", margin+2, t.names.one(p.Subject))
		for _, proof := range verdict.Proofs {
			status := p.Steps[proof.Step]
			label := fmt.Sprintf("    %s %s %-18s ", marks[status], proof.Step, proof.Title)
			t.para(statusStyles[status], label, utf8.RuneCountInString(label), p.Notes[proof.Step])
		}
		t.pairClasses(&p)
	}
	if left := t.Totals.Pairs - len(t.Pairs); left > 0 {
		t.labelled("", fmt.Sprintf("… and %s more directions", grouped(left)))
	}
}
