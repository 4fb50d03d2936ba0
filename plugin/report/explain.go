package report

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
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
	if c.Advice {
		t.labelled("Advice", "information only: it never fails a run, nor warns")
	} else {
		t.labelled("Failed", meaning(c))
	}
	t.labelled("Reads", sentence(c.Reads))
	if c.Proof != "" {
		t.labelled("Proof", stepOf(c.Proof))
	}
	if len(c.After) > 0 {
		t.labelled("Follows", "it can be a consequence of "+strings.Join(c.After, ", "))
	}
	for _, e := range grouping(c.Code) {
		t.line("")
		if about := e.about(); about != "" {
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
	when []occasion
}

// occasion is a case in words, and the systems to which a remedy for it belongs.
type occasion struct {
	about   string
	systems []string
}

// grouping joins the remedies of a code that are the same.
func grouping(code string) (all []entry) {
	for _, e := range remedy.Of(code) {
		at := slices.IndexFunc(all, func(one entry) bool { return reflect.DeepEqual(one.Hint, e.Hint) })
		if at < 0 {
			at = len(all)
			all = append(all, entry{Hint: e.Hint})
		}
		all[at].add(cases[code][e.Variant], e)
	}
	return all
}

// add adds what a remedy is for: a case, "" for any, on a system, "" for any.
func (e *entry) add(about string, of remedy.Entry) {
	if about == "" && of.Variant != "" {
		about = "In the case “" + of.Variant + "”"
	}
	at := slices.IndexFunc(e.when, func(w occasion) bool { return w.about == about })
	if at < 0 {
		at = len(e.when)
		e.when = append(e.when, occasion{about: about})
	}
	if system := systems[of.Distribution]; system != "" {
		e.when[at].systems = append(e.when[at].systems, system)
	}
}

// about says what a remedy is for: "If the device is down, on K3s or RKE2".
func (e *entry) about() string {
	var parts []string
	for _, w := range e.when {
		on := strings.Join(w.systems, " or ")
		switch {
		case on != "" && w.about != "":
			parts = append(parts, w.about+", on "+on)
		case on != "":
			parts = append(parts, "On "+on)
		case w.about != "":
			parts = append(parts, w.about)
		}
	}
	return strings.Join(parts, "; ")
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
