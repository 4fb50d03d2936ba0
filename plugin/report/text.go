package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// detailed is up to how many pairs each step is printed with its figures;
// above, a pair is a line and only what deviates is spelled out.
const detailed = 12

// The text report, top down: the verdict in one sentence, then what decided it
// with its readings and what fixes it, then the proof pair by pair, warnings,
// and what the proof does not cover. Nothing is longer than it must be; colours
// say nothing that the words do not.
func writeText(w io.Writer, j *check.Judgement, options Options) error {
	t := &text{color: options.Color, families: j.Graph.Run.Families}
	t.headline(j)
	t.cause(j)
	t.pairs(j, options.Verbose)
	t.findings(j, options.Verbose)
	t.scope(j)
	_, err := io.WriteString(w, t.String())
	return err
}

type text struct {
	strings.Builder
	color    bool
	families []int // of the run: with more than one each is named
}

func (t *text) headline(j *check.Judgement) {
	t.line("%s  %s", t.paint(statusOf(j.Verdict), string(j.Verdict)), clean(headline(j)))
	t.line("%s, %s. Run %s.", clean(j.Profile.Title), count(len(j.Graph.Nodes), "node"), clean(j.Graph.Run.ID))
}

func statusOf(v verdict.Verdict) verdict.Status {
	switch v {
	case verdict.Passed:
		return verdict.Pass
	case verdict.Failed:
		return verdict.Fail
	}
	return verdict.Inconclusive
}

func (t *text) cause(j *check.Judgement) {
	f := j.FirstCause
	if f == nil {
		return
	}
	t.line("")
	t.line("First cause: %s, %s. What should be true: %s.", f.Code, t.subject(f.Subject), f.Title)
	same := alike(j)[1:]
	if others := j.Totals.Of(f.Code).Causes[f.Status] - 1; others == 1 && len(same) == 1 {
		t.line("  The same for %s.", t.subject(same[0].Subject))
	} else if others > 0 {
		t.line("  The same for %d others.", others)
	}
	for _, r := range f.Readings {
		where := ""
		if r.Node != "" {
			where = clean(r.Node) + ": "
		}
		t.line("  %s%s: %s", where, clean(r.What), clean(r.Text))
	}
	if hint, ok := fix(j); ok {
		t.line("")
		t.fix(hint)
	}
	t.line("  More: kubectl wg explain %s", f.Code)
}

// maxSteps is how many steps of a remedy are printed: no one types more.
const maxSteps = 40

// fix prints a hint.
func (t *text) fix(h remedy.Hint) {
	t.line("To fix it: %s.", clean(h.Title))
	if h.Disruption != "" {
		t.line("  Disruption: %s.", clean(h.Disruption))
	}
	for i, step := range h.Steps {
		if i == maxSteps {
			t.line("  … and %d more steps; -o json has all that are known", len(h.Steps)-i)
			break
		}
		where := "on " + clean(step.On)
		if step.On == remedy.Operator {
			where = "where you use kubectl"
		}
		t.line("  %d. %s:", i+1, where)
		for _, line := range strings.Split(step.Command, "\n") {
			t.line("       %s", clean(line))
		}
		if step.Note != "" {
			t.line("     (%s)", clean(step.Note))
		}
	}
	if h.Note != "" {
		t.line("  %s", clean(h.Note))
	}
}

func (t *text) scope(j *check.Judgement) {
	t.line("")
	t.line("Scope of this verdict:")
	for _, s := range j.Profile.Scope {
		switch {
		case s.Proven && j.Verdict == verdict.Passed:
			t.line("  proven: %s", s.What)
		case s.Proven:
			t.line("  tested: %s", s.What)
		default:
			t.line("  outside: %s (%s)", s.What, s.Why)
		}
	}
}

func (t *text) subject(s verdict.Subject) string { return clean(s.Named(t.families)) }

func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

// mark is one character a status, the same width with and without colour.
func (t *text) mark(s verdict.Status) string {
	signs := map[verdict.Status]string{
		verdict.Pass: "✓", verdict.Warn: "!", verdict.Fail: "✗", verdict.Inconclusive: "?", verdict.NotApplicable: "–",
	}
	return t.paint(s, signs[s])
}

func (t *text) paint(s verdict.Status, word string) string {
	if !t.color {
		return word
	}
	codes := map[verdict.Status]string{verdict.Pass: "32", verdict.Warn: "33", verdict.Fail: "31",
		verdict.Inconclusive: "35", verdict.NotApplicable: "2"}
	return "\x1b[" + codes[s] + "m" + word + "\x1b[0m"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sentence ends text with a full stop. It may begin with a node's name, so its
// first letter stays as it is.
func sentence(text string) string { return strings.TrimSuffix(text, ".") + "." }
