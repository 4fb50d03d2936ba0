package compare

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// headline is the comparison in one sentence.
func (c *Comparison) headline() string {
	text := "Nothing changed"
	switch {
	case c.Before.Verdict != c.After.Verdict:
		text = fmt.Sprintf("%s, was %s", c.After.Verdict, c.Before.Verdict)
	case c.Direction != Same:
		text = "Still " + c.After.Verdict
	default:
		return text + ": " + c.After.Verdict
	}
	var parts []string
	for _, part := range []struct {
		count int
		word  Direction
	}{{c.Pairs.Worse, Worse}, {c.Pairs.Better, Better}, {c.Pairs.Changed, Changed}} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", report.Count(part.count, "direction"), part.word))
		}
	}
	switch {
	case len(parts) > 0:
	case c.Pairs.Compared == 0:
		parts = []string{"no direction was tested in both"}
	default:
		parts = []string{"the proofs of all directions are as before"}
	}
	return text + ": " + strings.Join(parts, ", ")
}

// labels are how the first line names a direction.
var labels = map[Direction]string{Same: "= SAME", Worse: "✗ WORSE", Better: "✓ BETTER", Changed: "~ CHANGED"}

// WriteText writes the comparison for a reader.
func (c *Comparison) WriteText(w io.Writer) error {
	t := &text{}
	t.line("%s  %s", labels[c.Direction], c.Headline)
	t.line("")
	t.summary("Before", c.Before)
	t.summary("After", c.After)
	for _, part := range []struct {
		title string
		of    Direction
	}{{"Worse", Worse}, {"Better", Better}, {"Changed, neither better nor worse", Changed}} {
		t.part(c, part.title, part.of)
	}
	t.notes(c)
	t.line("")
	t.line("%s", c.last())
	_, err := io.WriteString(w, t.String())
	return err
}

// last says what the exit code says.
func (c *Comparison) last() string {
	if !c.Regression {
		return "No regression."
	}
	for _, code := range c.Codes {
		if grave(code.Changes) {
			return "A regression (exit 1); kubectl wg explain " + code.Code
		}
	}
	return "A regression (exit 1)."
}

type text struct{ strings.Builder }

// line writes one line. What came from a report cannot break it.
func (t *text) line(format string, args ...any) {
	t.WriteString(strings.TrimRight(report.PrintableLine(fmt.Sprintf(format, args...)), " "))
	t.WriteByte('\n')
}

func (t *text) summary(label string, s Summary) {
	t.line("%-6s  %-12s  %d of %s proven, %s, %s", label, s.Verdict, s.Proven, report.Count(s.Pairs, "direction"),
		report.Count(s.Nodes, "node"), s.Network)
	t.line("        %s  run %s of %s, judged by %s", s.Name, s.Run, cmp.Or(s.Started, "an unknown time"), s.Version)
}

// Bounds of one part of the text.
const (
	maxLines = 10 // pairs, or codes
	maxTexts = 3  // of one code
)

// part writes what changed in one direction, if anything did.
func (t *text) part(c *Comparison, title string, of Direction) {
	pairs := inDirection(c.Pairs.Changes, of)
	total := map[Direction]int{Worse: c.Pairs.Worse, Better: c.Pairs.Better, Changed: c.Pairs.Changed}[of]
	var own, explained []Code
	for _, code := range c.Codes {
		switch some := inDirection(code.Changes, of); {
		case len(some) == 0:
		case slices.ContainsFunc(some, func(one Change) bool { return one.CausedBy == "" }):
			own = append(own, code)
		default:
			explained = append(explained, code)
		}
	}
	if len(pairs)+len(own)+len(explained) == 0 {
		return
	}
	t.line("")
	t.line("%s", title)
	for _, one := range pairs[:min(len(pairs), maxLines)] {
		t.line("  %s  %s → %s%s", one.Subject.Named([]int{4, 6}), one.From, one.To, steps(one.Steps))
	}
	if more := total - min(len(pairs), maxLines); more > 0 {
		t.line("  and %s more", report.Count(more, "direction"))
	}
	for _, code := range own[:min(len(own), maxLines)] {
		t.code(code, of)
	}
	if more := len(own) - maxLines; more > 0 {
		t.line("  and %s more", report.Count(more, "check"))
	}
	if len(explained) > 0 {
		t.line("  Consequences: %s", list(names(explained)))
	}
}

// code writes what one check found elsewhere, with the words of the graver report.
func (t *text) code(code Code, of Direction) {
	some := inDirection(code.Changes, of)
	total := map[Direction]int{Worse: code.Worse, Better: code.Better, Changed: code.Changed}[of]
	t.line("  %s  “%s”", code.Code, code.Title)
	for _, one := range some[:min(len(some), maxTexts)] {
		t.line("          %s → %s  %s", one.From, one.To, one.Subject.Named([]int{4, 6}))
		if one.Text != "" {
			t.line("            %s", one.Text)
		}
	}
	if more := total - min(len(some), maxTexts); more > 0 {
		t.line("          and %d more", more)
	}
}

func (t *text) notes(c *Comparison) {
	all := c.Notes
	if p := c.Pairs; p.OnlyBefore+p.OnlyAfter > 0 {
		all = append(slices.Clone(all), fmt.Sprintf(
			"directions tested only before: %d, only after: %d, of which %d are not proven",
			p.OnlyBefore, p.OnlyAfter, p.UnprovenAfter))
	}
	if c.Pairs.Unknown > 0 {
		all = append(slices.Clone(all), fmt.Sprintf("not comparable, because a report does not list them: %s",
			report.Count(c.Pairs.Unknown, "direction")))
	}
	if len(all) == 0 {
		return
	}
	t.line("")
	t.line("Notes")
	for _, note := range all {
		t.line("  %s", note)
	}
}

func inDirection(changes []Change, of Direction) (some []Change) {
	for _, one := range changes {
		if one.Direction == of {
			some = append(some, one)
		}
	}
	return some
}

func names(codes []Code) (all []string) {
	for _, code := range codes {
		all = append(all, code.Code)
	}
	return all
}

// steps names the steps of a proof that changed.
func steps(changed []verdict.Proof) string {
	var words []string
	for _, proof := range verdict.Proofs {
		if slices.Contains(changed, proof.Step) {
			words = append(words, fmt.Sprintf("%s %s", proof.Step, proof.Title))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "  (" + strings.Join(words, ", ") + ")"
}
