package preflight

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Options are what the text can be asked for.
type Options struct {
	Color bool
	// Width is that of the terminal in columns, 0 for 80.
	Width int
	// Details lists every direction between nodes, and all nodes that have something alike.
	Details bool
}

// The columns of the text.
const (
	defaultWidth = 80
	minWidth     = 40
	maxWidth     = 120
	margin       = "  "
	column       = 12 // where what follows a label begins
)

var marks = map[verdict.Status]string{
	verdict.Pass: "✓", verdict.Warn: "!", verdict.Fail: "✗", verdict.Inconclusive: "?",
}

var styles = map[verdict.Status]string{
	verdict.Pass: "32", verdict.Warn: "33", verdict.Fail: "31", verdict.Inconclusive: "35",
}

var statuses = map[Verdict]verdict.Status{
	Ready: verdict.Pass, NotReady: verdict.Fail, Undecided: verdict.Inconclusive,
}

// Text writes the result for a person, top down: the verdict, the nodes, what the
// network carries, what is not fine with its fix, the plan, what to consider.
func (r *Result) Text(w io.Writer, options Options) error {
	t := &text{Result: r, Options: options}
	if t.Width == 0 {
		t.Width = defaultWidth
	}
	t.Width = min(max(t.Width, minWidth), maxWidth)
	t.headline()
	t.nodes()
	t.network()
	t.findings()
	t.plan()
	t.consider()
	t.line("\n%s", t.verdict())
	_, err := io.WriteString(w, t.String())
	return err
}

type text struct {
	strings.Builder
	*Result
	Options
}

func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

func (t *text) paint(style, word string) string {
	if !t.Color {
		return word
	}
	return "\x1b[" + style + "m" + word + "\x1b[0m"
}

func (t *text) mark(s verdict.Status) string { return t.paint(styles[s], marks[s]) }

// labelled writes text behind a label, wrapped.
func (t *text) labelled(label, text string) {
	pad := strings.Repeat(" ", column)
	room := max(t.Width-column, minWidth/2)
	for i, line := range report.Wrap(report.PrintableLine(text), room, room) {
		begin := pad
		if i == 0 {
			name := margin + label
			begin = t.paint("1", name) + strings.Repeat(" ", max(column-utf8.RuneCountInString(name), 1))
		}
		t.line("%s%s", begin, line)
	}
}

func (t *text) verdict() string {
	status := statuses[t.Verdict]
	return t.paint(styles[status], string(t.Verdict)) + "  " + t.summary()
}

// summary is the verdict in a sentence.
func (r *Result) summary() string {
	if r.Profile.Encrypts && r.Verdict == Ready {
		return "the network plugin is configured for WireGuard already: kubectl wg verify proves it"
	}
	count := map[verdict.Status]int{}
	for _, f := range r.Findings {
		count[f.Status]++
	}
	switch r.Verdict {
	case Ready:
		return fmt.Sprintf("%s can be switched to WireGuard by the plan", report.Count(len(r.Nodes), "node"))
	case NotReady:
		return report.Count(count[verdict.Fail], "finding") + " to repair before the switch"
	}
	return report.Count(count[verdict.Inconclusive], "finding") + " could not be decided"
}

func (t *text) headline() {
	t.line("%s\n", t.verdict())
	t.labelled("Cluster", t.cluster())
	state := "not encrypted by the network plugin today"
	if t.Profile.Encrypts {
		state = "configured to encrypt with WireGuard"
	}
	t.labelled("Network", t.Profile.Title+": "+state)
}

func (t *text) cluster() string {
	c := t.Graph.Cluster
	parts := []string{report.Count(len(t.Nodes), "node")}
	for _, part := range []string{c.Context, c.Server, c.Version} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// mostNodes is how many nodes the table has without details.
const mostNodes = 20

func (t *text) nodes() {
	t.line("")
	table := tabwriter.NewWriter(&t.Builder, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, margin+"NODE\tWIREGUARD\tADDRESS\tMTU\tKERNEL\tARCH\tSYSTEM")
	shown := t.Nodes
	if !t.Details {
		shown = shown[:min(len(shown), mostNodes)]
	}
	for _, n := range shown {
		cells := []string{n.Name, n.made(), n.where(), fmt.Sprint(n.MTU), n.Kernel, n.Arch, n.System}
		for i := range cells {
			cells[i] = report.PrintableLine(cells[i])
		}
		fmt.Fprintln(table, margin+strings.Join(cells, "\t"))
	}
	table.Flush()
	if more := len(t.Nodes) - len(shown); more > 0 {
		t.line("%s… and %d more (--details)", margin, more)
	}
	for _, n := range t.Graph.Excluded {
		reason := n.Excluded
		if n.NotReady != "" {
			reason += ": " + n.NotReady
		}
		t.line("%s%s", margin, report.PrintableLine(fmt.Sprintf("%s was left out: %s", n.Name, reason)))
	}
}

// made is what came of the trial in a word.
func (n *Node) made() string {
	switch {
	case n.WireGuard == verdict.Inconclusive:
		return "not known"
	case n.WireGuard == verdict.Warn:
		return "in userspace"
	case n.WireGuard == verdict.Fail && n.TUN:
		return "no (TUN: yes)"
	case n.WireGuard == verdict.Fail:
		return "no"
	case n.Loaded:
		return "yes, loaded"
	}
	return "yes"
}

func (n *Node) where() string {
	switch {
	case n.Address == "":
		return "not known"
	case !n.Own:
		return n.Address + " (NAT)"
	case n.Private:
		return n.Address + " (private)"
	}
	return n.Address
}

func (t *text) network() {
	t.line("")
	for _, group := range t.ports() {
		t.labelled("UDP "+fmt.Sprint(group.port), group.String())
	}
	if t.Sizes.Path == 0 {
		t.labelled("MTU", "not known: nothing was sent, or nothing arrived")
	} else {
		t.labelled("MTU", fmt.Sprintf("packets of %d bytes arrive in every direction that is reached; the least MTU of a "+
			"link is %d; %d remain for packets in the tunnel", t.Sizes.Path, t.Sizes.Link, t.Sizes.Tunnel))
	}
	if t.Details {
		for _, p := range t.Pairs {
			t.line("%s%s %s  UDP %d  %d bytes", margin, t.mark(p.Status), report.PrintableLine(p.Subject.String()), p.Port, p.Largest)
		}
	}
}

// portGroup is how many directions of a port and family are reached.
type portGroup struct {
	port         uint16
	family       int
	reached, all int
	taken        int // directions to nodes whose tunnel has the port
	needed       bool
}

func (g *portGroup) String() string {
	text := fmt.Sprintf("IPv%d, %d of %s reached", g.family, g.reached, report.Count(g.all, "direction"))
	if g.taken > 0 {
		text += fmt.Sprintf("; %d not tried: the tunnel has the port already", g.taken)
	}
	if !g.needed {
		text += " (no pods of this family today)"
	}
	return text
}

// ports counts the directions, in the order in which they were sent.
func (r *Result) ports() (groups []*portGroup) {
	byKey := map[[2]int]*portGroup{}
	for _, p := range r.Pairs {
		if p.Port == 0 {
			continue // nothing was sent
		}
		key := [2]int{p.Family, int(p.Port)}
		if byKey[key] == nil {
			byKey[key] = &portGroup{port: p.Port, family: p.Family, needed: p.Needed}
			groups = append(groups, byKey[key])
		}
		if p.Status == verdict.NotApplicable {
			byKey[key].taken++
			continue
		}
		byKey[key].all++
		if p.Largest > 0 {
			byKey[key].reached++
		}
	}
	return groups
}

func (t *text) findings() {
	for _, f := range t.Findings {
		t.line("")
		t.line("%s %s  %s", t.mark(f.Status), f.Code, report.PrintableLine(f.heading()))
		t.labelled("Found", f.Text)
		if len(f.Alike) > 0 {
			t.labelled("Alike", t.alike(f.Alike))
		}
		for _, reading := range f.Readings {
			t.labelled("Read", strings.TrimPrefix(reading.Node+": ", ": ")+reading.What+": "+reading.Text)
		}
		t.fix(f.Fix)
	}
}

// heading says what is wrong, or what could not be decided.
func (f *Finding) heading() string {
	if f.Status == verdict.Fail || f.Status == verdict.Warn {
		return f.Failed
	}
	return "not decided: " + f.Title
}

func (t *text) alike(subjects []verdict.Subject) string {
	const most = 6
	var names []string
	for i, s := range subjects {
		if i == most && !t.Details {
			names = append(names, fmt.Sprintf("and %d more (--details)", len(subjects)-i))
			break
		}
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

func (t *text) fix(hint *remedy.Hint) {
	if hint == nil {
		return
	}
	t.labelled("Fix", hint.Title)
	if hint.Disruption != "" {
		t.labelled("Impact", hint.Disruption)
	}
	if hint.Note != "" {
		t.labelled("Note", hint.Note)
	}
	t.steps(hint.Steps)
}

// steps writes commands as they can be pasted: they are never wrapped.
func (t *text) steps(steps []remedy.Step) {
	for _, step := range steps {
		prompt := "$"
		if step.On != remedy.Operator {
			prompt = report.PrintableLine(some(t.on(step))) + " #"
		}
		if strings.Contains(step.Command, "\n") {
			t.line("    %s\n%s", t.paint("1", prompt), t.paint("36", report.Printable(step.Command)))
		} else {
			t.line("    %s  %s", t.paint("1", prompt), t.paint("36", report.PrintableLine(step.Command)))
		}
		if step.Note != "" {
			t.labelled("", "("+step.Note+")")
		}
	}
}

func (t *text) plan() {
	t.line("\n%s", t.paint("1", "Plan"))
	if t.Plan.Window != "" {
		t.labelled("Impact", t.Plan.Window)
	}
	for i, stage := range t.Plan.Stages {
		t.labelled(fmt.Sprintf("%d.", i+1), stage.Title)
		for _, note := range stage.Notes {
			t.labelled("", note)
		}
		t.steps(stage.Steps)
	}
}

func (t *text) consider() {
	if len(t.Plan.Notes)+len(t.Advice) == 0 {
		return
	}
	t.line("\n%s", t.paint("1", "Consider"))
	for _, note := range t.Plan.Notes {
		t.labelled("", note)
	}
	for _, f := range t.Advice {
		t.labelled(f.Code, f.Text)
	}
}
