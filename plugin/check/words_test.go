package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// words are the code and the variant of what a broken run is about, and a part of its text.
type words struct{ code, variant, text string }

// checkWords judges the broken runs that have words. Of each the finding is looked at that nothing else explains: it
// has a remedy, unless there is nothing to be fixed.
func checkWords(t *testing.T, runs []breakage, all map[string]words) {
	t.Helper()
	for _, row := range runs {
		want, ok := all[row.name]
		if !ok {
			continue
		}
		s := healthy(3)
		row.breaks(s)
		j := Judge(record(t, s))
		at := slices.IndexFunc(j.Findings, func(f verdict.Finding) bool {
			return f.Code == want.code && f.CausedBy.Code == "" && f.Status >= verdict.Warn
		})
		if at < 0 {
			t.Errorf("%s: no %s is found: %v", row.name, want.code, bad(j))
			continue
		}
		f := j.Findings[at]
		if f.Variant != want.variant || !strings.Contains(f.Text, want.text) {
			t.Errorf("%s: variant %q, %s\nwant %q, %s", row.name, f.Variant, f.Text, want.variant, want.text)
		}
		hint, ok := remedyOf(j, &f)
		if !ok && want.text != delegated {
			t.Errorf("%s: no remedy", row.name)
		}
		t.Logf("%s, %s\n\t%s: %s\n\t%s", row.name, j.Profile.Title, f.Code, f.Text, hint)
	}
}

// remedyOf is the title and the commands of a finding's remedy.
func remedyOf(j *Judgement, f *verdict.Finding) (string, bool) {
	hint, ok := remedy.For(*f, j.Profile.RunsAs)
	text := hint.Title
	for _, step := range hint.WithUnits(j.Unit).Steps {
		text += "\n\t\t" + step.On + ": " + step.Command
	}
	return text + "\n\t\t" + hint.Note, ok
}
