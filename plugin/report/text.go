package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

const (
	defaultWidth = 80
	minWidth     = 40
	maxWidth     = 120 // longer lines are hard to read
	// screen is how many lines a terminal has at least, but one for the prompt.
	screen = 23
	// perCause is how many more lines a report has for each further cause.
	perCause = 14
)

// The columns of the text report.
const (
	margin = 2  // of everything but the verdict
	column = 12 // where what follows a label begins
)

// writeText writes the text report, top down: the verdict in one sentence, what
// was verified, each cause with its evidence and its fix, the proof, warnings,
// what is not covered, and the verdict again. Colours say nothing that the words
// do not.
func writeText(w io.Writer, j *check.Judgement, options Options) error {
	_, err := io.WriteString(w, fit(j, options))
	return err
}

// terseness is how much of a report is left out, so that it fits one screen.
type terseness int

// Each leaves out what those before do.
const (
	full     terseness = iota
	fewer              // empty lines between the parts only, one reading of each cause
	least              // no expectation, what follows and what is covered in one line
	dense              // commands of several nodes in one line
	packed             // no empty lines
	untitled           // no titles of checks, notes behind the fix
	densest            // no readings but a leak, no API server, what is said of several commands once
)

// fit returns the report as long as it may be on one screen, or as short as it
// can be. With details nothing is left out.
func fit(j *check.Judgement, options Options) string {
	if options.Details || options.Verbose {
		return newText(j, options, full).report()
	}
	limit := lines(j)
	plain := options
	plain.Color = false
	t := newText(j, plain, full)
	for t.terse < densest && rows(t.report(), t.width) > limit {
		t.Reset()
		t.terse++
	}
	t.Reset()
	t.Color = options.Color
	return t.report()
}

// lines is how many lines a report may have: a screen, and more for further causes
// and for what was asked for besides pods.
func lines(j *check.Judgement) int {
	further := max(len(j.Decisive())-1, 0)
	besides := 2 * min(len(j.Causes)-len(j.Decisive()), 1)
	classes := len(j.Graph.AskedClasses())
	return screen + perCause*further + besides + 2*classes + acceptanceLines(j)
}

// text is a report that is being written.
type text struct {
	strings.Builder
	*check.Judgement
	Options
	names names
	width int
	terse terseness
	sum   func() total // the figures of the run, which take time to sum
}

func newText(j *check.Judgement, options Options, terse terseness) *text {
	width := options.Width
	if width == 0 {
		width = defaultWidth
	}
	return &text{
		Judgement: j, Options: options, names: newNames(j), terse: terse,
		width: min(max(width, minWidth), maxWidth),
		sum:   sync.OnceValue(func() total { return totalOf(j.Graph) }),
	}
}

func (t *text) report() string {
	t.headline()
	t.header()
	t.acceptance()
	t.causes()
	t.proof()
	t.classes()
	t.warnings()
	t.information()
	t.scope()
	if t.Details {
		t.pairs()
	}
	if t.Verbose {
		t.findings()
	}
	t.lastLine()
	return t.String()
}

func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

// gap is an empty line within a part of the report, part one before a part.
func (t *text) gap() {
	if t.terse < fewer {
		t.WriteByte('\n')
	}
}

func (t *text) part() {
	if t.terse < packed {
		t.WriteByte('\n')
	}
}

// para writes text behind a label, at a column, wrapped to the width. A label that
// is longer moves the first line. Its style is one of paint.
func (t *text) para(style, label string, indent int, text string) {
	begin := max(indent, utf8.RuneCountInString(label))
	for i, line := range Wrap(clean(text), max(t.width-begin, minWidth/2), max(t.width-indent, minWidth/2)) {
		if i > 0 {
			label, style = "", ""
			begin = indent
		}
		pad := strings.Repeat(" ", begin-utf8.RuneCountInString(label))
		t.line("%s", strings.TrimRight(t.paint(style, label)+pad+line, " "))
	}
}

// labelled writes text behind a label in the columns of the report.
func (t *text) labelled(label, text string) {
	label = strings.Repeat(" ", margin) + label
	if len(label) >= column {
		label += " "
	}
	t.para(bold, label, column, text)
}

// The styles of paint, as SGR codes of ECMA-48.
const (
	bold    = "1"
	command = "36"
)

var statusStyles = map[verdict.Status]string{
	verdict.Pass: "32", verdict.Warn: "33", verdict.Fail: "31", verdict.Inconclusive: "35", verdict.NotApplicable: "2",
}

var marks = map[verdict.Status]string{
	verdict.Pass: "✓", verdict.Warn: "!", verdict.Fail: "✗", verdict.Inconclusive: "?", verdict.NotApplicable: "–",
}

// mark is one character a status, the same width with and without colour.
func (t *text) mark(s verdict.Status) string { return t.paint(statusStyles[s], marks[s]) }

func (t *text) paint(style, word string) string {
	if !t.Color || style == "" || word == "" {
		return word
	}
	return "\x1b[" + style + "m" + word + "\x1b[0m"
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

// Count is a number of things with an s for more than one.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", grouped(n), what)
}

// grouped writes a number with a comma between thousands.
func grouped[N int | uint64](n N) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
