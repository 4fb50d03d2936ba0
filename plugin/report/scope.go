package report

import (
	"strings"
	"unicode/utf8"
)

// cut adds of a list what fits one line, and a word on what is left out.
func (t *text) cut(text string, list []string) string {
	const more = "; … (--details)"
	sep := "; not: "
	for _, one := range list {
		longer := text + sep + one
		sep = "; "
		if column+utf8.RuneCountInString(longer+more) > t.width {
			return text + more
		}
		text = longer
	}
	return text
}

// scope says what the verdict is about and what it is not, in two lines; with
// details why not.
func (t *text) scope() {
	t.gap()
	var covered, not []string
	for _, s := range t.Profile.Scope {
		switch {
		case s.Proven:
			covered = append(covered, s.What)
		case t.Details && s.Why != "":
			not = append(not, s.What+": "+s.Why)
		default:
			not = append(not, s.What)
		}
	}
	inside := strings.Join(covered, "; ")
	if n := t.Warnings(); n > 0 && t.uncounted() {
		inside += "; " + Count(n, "warning")
	}
	switch {
	case len(not) == 0:
		t.labelled("Covered", inside)
	case t.terse >= least && !t.Details:
		t.labelled("Covered", t.cut(inside, not))
	case t.Details:
		t.labelled("Covered", inside)
		t.labelled("", "Not covered:")
		for _, one := range not {
			t.para("", strings.Repeat(" ", column)+"- ", column+2, one)
		}
	default:
		t.labelled("Covered", inside)
		t.labelled("", "Not covered: "+strings.Join(not, "; "))
	}
}
