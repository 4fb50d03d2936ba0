package report

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// families are what the first digits of a code stand for, in the order of the page.
var families = []struct{ prefix, title string }{
	{"WG01", "Cluster, configuration and this run"},
	{"WG02", "Hosts and devices"},
	{"WG03", "Peers and keys"},
	{"WG04", "Routes"},
	{"WG05", "Reachability and packet sizes"},
	{"WG06", "The proof on the wire"},
	{"WG07", "Performance"},
	{"WG08", "Scope and advice"},
}

// Document writes all checks as one page of Markdown: a table of contents, then a
// section for each code. A remedy is written once, where it occurs first.
func Document(w io.Writer, table []verdict.Check) error {
	p := page{}
	p.line("# Checks")
	p.line("")
	p.line("Written by `make generate` from the table that judges. The title of a check is what is true when it passes. Codes are")
	p.line("stable and never used again. `kubectl wg explain CODE` prints a section. In commands `<node>` and the like stand for")
	p.line("what the report fills in.")
	p.contents(table)
	for _, family := range families {
		for _, c := range table {
			if strings.HasPrefix(c.Code, family.prefix) {
				p.section(c)
			}
		}
	}
	_, err := io.WriteString(w, p.String())
	return err
}

// page is Markdown that is being written.
type page struct {
	strings.Builder
	written []written
}

// written is a remedy that is on the page, and the code under which it stands.
type written struct {
	remedy.Hint
	code string
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

func (p *page) contents(table []verdict.Check) {
	for _, family := range families {
		p.line("")
		p.line("**%s**", family.title)
		p.line("")
		for _, c := range table {
			if strings.HasPrefix(c.Code, family.prefix) {
				p.line("- [%s](#%s) %s", c.Code, strings.ToLower(c.Code), c.Title)
			}
		}
	}
}

func (p *page) section(c verdict.Check) {
	p.line("")
	p.line("## %s", c.Code)
	p.line("")
	p.line("**%s.** %s", c.Title, c.Why)
	p.line("")
	if c.Advice {
		p.line("- Information only: it never fails a run, nor warns.")
	} else {
		p.line("- A failure means: %s.", meaning(c))
	}
	p.line("- Reads: %s.", c.Reads)
	if c.Proof != "" {
		p.line("- Part of the proof: %s.", stepOf(c.Proof))
	}
	if len(c.After) > 0 {
		p.line("- Can be a consequence of: %s.", strings.Join(c.After, ", "))
	}
	for _, e := range grouping(c.Code) {
		p.remedy(c.Code, e)
	}
}

func (p *page) remedy(code string, e entry) {
	h := shown(e.Hint, "`<$1>`")
	p.line("")
	about := e.about()
	if about == "" {
		about = "Fix"
	}
	for _, before := range p.written {
		if reflect.DeepEqual(before.Hint, e.Hint) {
			p.line("*%s:* %s, as under [%s](#%s).", about, h.Title, before.code, strings.ToLower(before.code))
			return
		}
	}
	p.written = append(p.written, written{e.Hint, code})
	p.line("*%s:* %s", about, sentence(h.Title))
	if h.Disruption != "" {
		p.line("Impact: %s", sentence(h.Disruption))
	}
	for _, s := range h.Steps {
		p.step(s)
	}
	if h.Note != "" {
		p.line("")
		p.line("%s", h.Note)
	}
}

func (p *page) step(s remedy.Step) {
	where := map[string]string{remedy.Operator: "On your workstation"}[s.On]
	if where == "" {
		where = "On " + s.On
	}
	if s.Note != "" {
		where += " (" + s.Note + ")"
	}
	p.line("")
	p.line("%s:", where)
	p.line("")
	for _, line := range strings.Split(s.Command, "\n") {
		p.line("    %s", line)
	}
}
