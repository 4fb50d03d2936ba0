package report

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Explain writes what a check is for, what it reads and what fixes its
// failure, as plain text.
func Explain(w io.Writer, c verdict.Check) error {
	t := text{width: defaultWidth, Options: Options{Details: true}}
	t.line("%s  %s", c.Code, c.Title)
	t.line("")
	t.para("", "", 0, c.Why)
	t.line("")
	t.labelled("Failed", meaning(c))
	t.labelled("Reads", sentence(c.Reads))
	if c.Proof != "" {
		t.labelled("Proof", stepOf(c.Proof))
	}
	if len(c.After) > 0 {
		t.labelled("Follows", "it can be a consequence of "+strings.Join(c.After, ", "))
	}
	for _, e := range grouping(c.Code) {
		t.line("")
		if about := strings.Join(e.when, "; "); about != "" {
			t.para("", "", margin, about+":")
		}
		t.fix(shown(e.Hint, "<$1>"))
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// meaning says what is wrong when a check fails, and what that means.
func meaning(c verdict.Check) string {
	kind := c.Kind
	if kind == "" {
		kind = verdict.Misconfigured
	}
	return fmt.Sprintf("%s (%s)", failed(&verdict.Finding{Status: verdict.Fail, Title: c.Title, Failed: c.Failed}), kind)
}

func stepOf(p verdict.Proof) string {
	for _, proof := range verdict.Proofs {
		if proof.Step == p {
			return fmt.Sprintf("%s, %s", p, proof.Title)
		}
	}
	return string(p)
}

// entry is a remedy with all that it is for.
type entry struct {
	remedy.Hint
	when []string
}

// grouping joins the remedies of a code that are the same.
func grouping(code string) (all []entry) {
	for _, e := range remedy.Of(code) {
		about := when(code, e)
		known := false
		for i := range all {
			if reflect.DeepEqual(all[i].Hint, e.Hint) {
				known = true
				all[i].when = append(all[i].when, about)
			}
		}
		if !known {
			one := entry{Hint: e.Hint}
			if about != "" {
				one.when = []string{about}
			}
			all = append(all, one)
		}
	}
	return all
}

var placeholder = regexp.MustCompile(`\{([a-z]+)\}`)

// shown is a hint whose {names} are written <name> in commands, as manuals do,
// and in prose as it says.
func shown(h remedy.Hint, prose string) remedy.Hint {
	name := func(s string) string { return placeholder.ReplaceAllString(s, prose) }
	h.Title = name(h.Title)
	h.Disruption = name(h.Disruption)
	h.Note = name(h.Note)
	steps := make([]remedy.Step, len(h.Steps))
	for i, s := range h.Steps {
		command := placeholder.ReplaceAllString(s.Command, "<$1>")
		steps[i] = remedy.Step{On: name(s.On), Command: command, Note: name(s.Note)}
	}
	h.Steps = steps
	return h
}
