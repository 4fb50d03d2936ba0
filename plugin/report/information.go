package report

import (
	"strings"
	"unicode/utf8"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// information writes what there is to consider: of a PASS one line that names it,
// with details all of it and what can be done. Who reads another verdict has more
// urgent things to read.
func (t *text) information() {
	advice := t.Result.Advice()
	switch {
	case len(advice) == 0:
	case t.Details:
		t.gap()
		for i := range advice {
			t.considered(i == 0, &advice[i])
		}
	case t.Verdict == verdict.Passed:
		t.gap()
		t.labelled(adviceLabel, t.topics(advice))
	}
}

const adviceLabel = "Advice"

// considered writes one piece of advice, and what can be done about it.
func (t *text) considered(first bool, f *verdict.Finding) {
	label := ""
	if first {
		label = adviceLabel
	}
	text := "i " + f.Code + " " + sentence(f.Text)
	if hint, known := remedy.For(*f, t.Profile.RunsAs); known {
		text += " Fix: " + sentence(hint.Title) + " " + hint.Note
	}
	t.labelled(label, strings.TrimRight(text, " "))
}

// topics names what there is advice about in one line, or only its codes.
func (t *text) topics(advice []verdict.Finding) string {
	var topics, codes []string
	for i := range advice {
		topics = append(topics, advice[i].Code+" "+advice[i].Failed)
		codes = append(codes, advice[i].Code)
	}
	const more = " (--details)"
	text := strings.Join(topics, ", ") + more
	if column+utf8.RuneCountInString(text) > t.width {
		text = strings.Join(codes, ", ") + more
	}
	return text
}
