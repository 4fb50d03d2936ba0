package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Explain writes what a check is for, what it reads and what fixes its
// failure, as plain text.
func Explain(w io.Writer, c verdict.Check) error {
	var t text
	t.line("%s  %s", c.Code, c.Title)
	t.line("")
	t.line("%s", c.Why)
	t.line("")
	t.line("Reads: %s.", c.Reads)
	if c.Proof != "" {
		t.line("Part of the proof: %s.", step(c.Proof))
	}
	if len(c.After) > 0 {
		t.line("Can be a consequence of: %s.", strings.Join(c.After, ", "))
	}
	for _, entry := range remedy.Of(c.Code) {
		t.line("")
		if about := about(entry); about != "" {
			t.line("%s:", about)
		}
		t.fix(entry.Hint)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// about says what an entry is for: "vxlan, on k3s".
func about(e remedy.Entry) string {
	parts := []string{}
	if e.Variant != "" {
		parts = append(parts, e.Variant)
	}
	if e.Distribution != "" {
		parts = append(parts, "on "+e.Distribution)
	}
	return strings.Join(parts, ", ")
}

func step(p verdict.Proof) string {
	for _, proof := range verdict.Proofs {
		if proof.Step == p {
			return fmt.Sprintf("%s, %s", p, proof.Title)
		}
	}
	return string(p)
}

// Document writes all checks as one page of Markdown, a section for each code.
func Document(w io.Writer, table []verdict.Check) error {
	var t text
	t.line("# Checks")
	t.line("")
	t.line("Written by `make generate` from the table that judges. Each check reads as a true sentence when it passes; rows stand")
	t.line("in causal order, so what comes first can explain what comes later. Codes are stable and never used again.")
	for _, c := range table {
		t.line("")
		t.line("## %s", c.Code)
		t.line("")
		t.line("**%s.** %s", c.Title, c.Why)
		t.line("")
		t.line("- Reads: %s.", c.Reads)
		if c.Proof != "" {
			t.line("- Part of the proof: %s.", step(c.Proof))
		}
		if len(c.After) > 0 {
			t.line("- Can be a consequence of: %s.", strings.Join(c.After, ", "))
		}
		for _, entry := range remedy.Of(c.Code) {
			t.document(entry)
		}
	}
	_, err := io.WriteString(w, t.String())
	return err
}

func (t *text) document(e remedy.Entry) {
	t.line("")
	title := e.Hint.Title
	if about := about(e); about != "" {
		title = "(" + about + ") " + title
	}
	t.line("To fix it: %s.", title)
	if e.Hint.Disruption != "" {
		t.line("Disruption: %s.", e.Hint.Disruption)
	}
	for _, s := range e.Hint.Steps {
		t.line("")
		t.line("On %s:", s.On)
		t.line("")
		for _, line := range strings.Split(s.Command, "\n") {
			t.line("    %s", line)
		}
		if s.Note != "" {
			t.line("")
			t.line("(%s)", s.Note)
		}
	}
	if e.Hint.Note != "" {
		t.line("")
		t.line("%s", e.Hint.Note)
	}
}
