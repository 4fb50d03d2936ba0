package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// maxBlocks is how many causes have a block of their own, the others a line.
const maxBlocks = 6

// causes writes a block for each cause that made the verdict, and a line for each
// that is only inconclusive besides them.
func (t *text) causes() {
	decisive := t.Decisive()
	for i := range decisive {
		if i == maxBlocks && !t.Details {
			break
		}
		t.part()
		label := "Cause"
		if len(decisive) > 1 {
			label = fmt.Sprintf("Cause %d/%d", i+1, len(decisive))
		}
		t.cause(label, &decisive[i])
	}
	shown := min(len(decisive), maxBlocks)
	if t.Details {
		shown = len(decisive)
	}
	rest := t.Causes[shown:]
	if len(rest) == 0 {
		return
	}
	t.gap()
	label := "Also"
	if t.terse == densest {
		t.labelled(label, marks[rest[0].Status]+" "+strings.Join(codesOf(rest), ", ")+" (--details)")
		return
	}
	for i := range rest {
		if i == maxBlocks && !t.Details {
			t.labelled("", fmt.Sprintf("… and %d more (--details)", len(rest)-i))
			break
		}
		c := &rest[i]
		t.labelled(label, fmt.Sprintf("%s %s  %s%s", marks[c.Status], c.Code, c.Text, t.andOthers(c)))
		label = ""
	}
}

// codesOf are the codes of causes, each once.
func codesOf(causes []verdict.Cause) (codes []string) {
	for i := range causes {
		if !slices.Contains(codes, causes[i].Code) {
			codes = append(codes, causes[i].Code)
		}
	}
	return codes
}

// andOthers names the further subjects of a cause, in brackets.
func (t *text) andOthers(c *verdict.Cause) string {
	if c.Count < 2 {
		return ""
	}
	return fmt.Sprintf(" (and %d alike)", c.Count-1)
}

// cause writes what was found, what was expected, the evidence and the fix.
func (t *text) cause(label string, c *verdict.Cause) {
	found := sentence(c.Text) + t.also(c)
	if t.terse >= untitled {
		t.labelled(label, c.Code+" "+found)
		t.evidence(c)
		t.fixOf(c)
		return
	}
	t.labelled(label, c.Code+" "+failed(&c.Finding))
	if t.terse < least && c.Status == verdict.Fail {
		t.labelled("Expected", c.Title)
	}
	t.labelled("Found", found)
	for i := range c.Alike {
		if other := &c.Alike[i]; t.Details || i < maxOthers && other.Variant != c.Variant {
			t.labelled("", sentence(other.Text))
		}
	}
	t.evidence(c)
	t.fixOf(c)
}

// maxOthers is how many findings of another kind than the first are written.
const maxOthers = 2

// also names the other subjects of which the same was found.
func (t *text) also(c *verdict.Cause) string {
	switch {
	case c.Count < 2:
		return ""
	case c.Count-1 > len(c.Alike):
		return fmt.Sprintf(" Also: %s more.", grouped(c.Count-1))
	case len(t.names.families) > 1 && c.Subject.Peer != "":
		return fmt.Sprintf(" In all: %s.", t.names.ofFindings(c.All(), c.Count))
	}
	return fmt.Sprintf(" Also: %s.", t.names.ofFindings(c.Alike, c.Count-1))
}

// evidence writes the readings that support a cause: what was seen in plaintext
// because of it comes first.
func (t *text) evidence(c *verdict.Cause) {
	var seen []string
	if c.Leak != nil {
		seen = append(seen, sentence(c.Leak.Text))
	}
	for _, r := range c.Readings {
		if !r.Raw || t.Verbose {
			seen = append(seen, inWords(r))
		}
	}
	switch {
	case t.Details || t.Verbose || len(seen) == 0:
	case t.terse == densest && c.Leak == nil:
		return
	case t.terse == full:
		seen = seen[:min(len(seen), maxReadings)]
	default:
		seen = seen[:1]
	}
	label := "Seen"
	for _, text := range seen {
		t.labelled(label, text)
		label = ""
	}
}

func inWords(r verdict.Reading) string {
	text := r.What + ": " + r.Text
	if r.Node != "" {
		text = r.Node + ": " + text
	}
	return text
}

// maxReadings is how many readings of a cause are printed without --details.
const maxReadings = 4

// consequences counts what follows from causes, "" if nothing does.
func (t *text) consequences() string {
	sum := 0
	for i := range t.Causes {
		sum += t.Causes[i].Explained()
	}
	if sum == 0 || t.Verbose {
		return ""
	}
	follow := "follow"
	if sum == 1 {
		follow = "follows"
	}
	return fmt.Sprintf("%s %s from this (-v)", Count(sum, "more finding"), follow)
}

// findings writes every finding, what explains it behind it, and the readings of
// what is not fine.
func (t *text) findings() {
	t.gap()
	t.labelled("Findings", "")
	for i := range t.Findings {
		f := &t.Findings[i]
		text := fmt.Sprintf("%s %s: %s", f.Code, t.names.one(f.Subject), f.Text)
		if f.CausedBy.Code != "" {
			text += fmt.Sprintf(" [caused by %s %s]", f.CausedBy.Code, t.names.one(f.CausedBy.Subject))
		}
		t.para(statusStyles[f.Status], "  "+marks[f.Status]+" ", margin+2, text)
		for _, r := range f.Readings {
			if f.Status >= verdict.Inconclusive {
				t.para("", "", margin+4, inWords(r))
			}
		}
	}
}

// sentence ends text with a full stop, unless it asks. It may begin with a node's name, so its
// first letter stays as it is.
func sentence(text string) string {
	if strings.HasSuffix(text, "?") {
		return text
	}
	return strings.TrimSuffix(text, ".") + "."
}
