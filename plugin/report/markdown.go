package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// markdown is a report in GitHub's Markdown that is being written: a comment of a
// pull request. A forge takes some 65,000 characters, so causes and steps are
// bounded as on a terminal.
type markdown struct {
	page
	*document
	names names
}

func writeMarkdown(w io.Writer, j *check.Judgement, options Options) error {
	d := newDocument(j, options)
	m := &markdown{document: &d, names: newNames(j)}
	m.line("## %s %s — %s", marks[statusOf(d.Verdict)], d.Verdict, literal(d.Headline))
	m.line("")
	m.line("%s", literal(m.sum()))
	for _, note := range d.Notes {
		m.line("")
		m.line("> %s", literal(note))
	}
	m.causes()
	m.proof()
	m.matrix()
	m.warnings()
	m.scope()
	m.about()
	_, err := io.WriteString(w, Printable(m.String()))
	return err
}

// literal is text in which nothing is markup. An @ begins no mention, so that a
// report notifies nobody.
func literal(text string) string {
	var b strings.Builder
	for _, r := range clean(text) {
		switch {
		case r == '@':
			b.WriteString("@<!-- -->")
			continue
		case strings.ContainsRune("\\`*_{}[]<>()#!|~&$", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// code is text in a code span.
func code(text string) string {
	fence := strings.Repeat("`", longestRun(text)+1)
	pad := ""
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		pad = " "
	}
	return fence + pad + strings.ReplaceAll(clean(text), "|", "\\|") + pad + fence
}

// longestRun is the length of the longest run of backticks in a text.
func longestRun(text string) (longest int) {
	run := 0
	for _, r := range text {
		run++
		if r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// sum is how much is proven, in one line.
func (m *markdown) sum() string {
	text := fmt.Sprintf("%s of %s directions between %s proven", grouped(good(m.Totals.Statuses)), grouped(m.Totals.Pairs),
		Count(m.Totals.Nodes, "node"))
	if m.Totals.Warnings > 0 {
		text += ", " + Count(m.Totals.Warnings, "warning")
	}
	text += fmt.Sprintf(", exit code %d", m.ExitCode)
	if m.Reason != "" {
		text += " (" + m.Reason + ")"
	}
	return text + "."
}

func (m *markdown) causes() {
	for i := range m.Causes {
		if i == maxBlocks {
			m.line("")
			m.line("… and %s.", Count(len(m.Causes)-i, "further cause"))
			return
		}
		m.cause(&m.Causes[i])
	}
}

func (m *markdown) cause(c *cause) {
	m.line("")
	m.line("### %s %s %s", marks[c.Status], c.Code, literal(c.Failed))
	m.line("")
	m.line("- **Expected:** %s", literal(sentence(c.Title)))
	m.line("- **Found:** %s", literal(sentence(c.Text)))
	if where := m.names.of(c.Subjects, c.Count); where != "" && c.Count > 1 {
		m.line("- **In all:** %s", literal(where))
	}
	if c.Leak != nil {
		m.line("- **Seen:** %s", literal(sentence(c.Leak.Text)))
	}
	for i := range c.Readings {
		if r := c.Readings[i]; !r.Raw && i < maxReadings {
			m.line("- **Seen:** %s", literal(inWords(r)))
		}
	}
	if c.Remedy == nil {
		return
	}
	m.line("- **Fix:** %s", literal(sentence(c.Remedy.Title)))
	if c.Remedy.Disruption != "" {
		m.line("- **Impact:** %s", literal(sentence(c.Remedy.Disruption)))
	}
	if c.Remedy.Note != "" {
		m.line("- **Note:** %s", literal(c.Remedy.Note))
	}
	m.commands(c)
}

// commands writes the steps of a fix, and what verifies it, as one block to copy
// from.
func (m *markdown) commands(c *cause) {
	var lines []string
	steps := joined(c.Remedy.Steps)
	for i, s := range steps {
		if i == maxSteps {
			lines = append(lines, fmt.Sprintf("# … and %d more steps", len(steps)-i))
			break
		}
		lines = append(lines, "# "+stepPlace(s), s.command)
	}
	lines = append(lines, "# verify again", c.Verify)
	text := strings.Join(lines, "\n")
	fence := strings.Repeat("`", max(3, longestRun(text)+1))
	m.line("")
	m.line("%ssh", fence)
	m.line("%s", text)
	m.line("%s", fence)
}

// stepPlace is where a step is run, and its note, in one line.
func stepPlace(s step) string {
	where := "on " + strings.Join(s.on, ", ") + ", as root"
	if s.on[0] == remedy.Operator {
		where = "on your workstation"
	}
	if s.note != "" {
		where += " (" + s.note + ")"
	}
	return clean(where)
}

func (m *markdown) proof() {
	if m.Totals.Pairs == 0 {
		return
	}
	m.line("")
	m.line("### Proof")
	m.line("")
	m.line("| | step | holds for |")
	m.line("|---|---|---:|")
	for _, step := range m.Totals.Steps {
		m.line("| %s | %s %s | %s of %s |", marks[worst(step.Statuses)], step.Step, step.Title,
			grouped(good(step.Statuses)), grouped(m.Totals.Pairs))
	}
}

// matrix writes what else was tested than pods.
func (m *markdown) matrix() {
	if len(m.Classes) == 0 {
		return
	}
	m.line("")
	m.line("### Other endpoints")
	m.line("")
	m.line("| | from and to | |")
	m.line("|---|---|---|")
	for _, row := range m.Classes {
		m.line("| %s | %s | %s |", marks[cellStatuses[row.Cell]], literal(row.Title), literal(row.words()))
	}
}

// warnings writes a line for each check that warns.
func (m *markdown) warnings() {
	if m.Totals.Warnings == 0 {
		return
	}
	m.line("")
	m.line("### Warnings")
	m.line("")
	for _, w := range m.warned() {
		m.line("- %s %s", w.Code, literal(w.Text))
	}
}

func (m *markdown) scope() {
	m.line("")
	m.line("<details><summary>Scope</summary>")
	m.line("")
	for _, s := range m.Scope {
		word := "Not covered"
		if s.Covered {
			word = "Covered"
		}
		text := s.What
		if s.Why != "" {
			text += ": " + s.Why
		}
		m.line("- **%s:** %s", word, literal(text))
	}
	m.line("")
	m.line("</details>")
}

// about writes what identifies the report, and how to compute it again.
func (m *markdown) about() {
	m.line("")
	m.line("<details><summary>About this report</summary>")
	m.line("")
	m.line("| | |")
	m.line("|---|---|")
	for _, f := range m.facts() {
		m.line("| %s | %s |", f.title, code(f.value))
	}
	m.line("")
	if command := m.recompute(); command != "" {
		m.line("Compute it again from the recording, without a cluster: %s", code(command))
		m.line("")
	}
	m.line("</details>")
}

// warned is a check that warns, in words: of one subject in its own.
type warned struct {
	verdict.Finding
	Count int
}

// warned are the checks that warn, each once.
func (d *document) warned() (all []warned) {
	seen := map[string]bool{}
	for i := range d.Findings {
		f := d.Findings[i]
		if f.Status != verdict.Warn || seen[f.Code] {
			continue
		}
		seen[f.Code] = true
		one := warned{f, d.Totals.Of(f.Code).Statuses[verdict.Warn]}
		if one.Count > 1 {
			one.Text = fmt.Sprintf("%s (%s)", failed(&f), Count(one.Count, "time"))
		}
		all = append(all, one)
	}
	return all
}

// recompute is the command that judges the recording again, empty without one.
func (d *document) recompute() string {
	if d.Recording == nil {
		return ""
	}
	return "kubectl wg replay " + shellWord(d.Recording.Name)
}

// shellWord makes one word of a text for a shell.
func shellWord(text string) string {
	const safe = nodeName + "ABCDEFGHIJKLMNOPQRSTUVWXYZ_/:,+@"
	if text != "" && strings.Trim(text, safe) == "" && text[0] != '-' {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
