package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// proof writes how many directions each step of the proof holds for: of a PASS a
// line a step with the figures behind it, else one table.
func (t *text) proof() {
	if t.Totals.Pairs == 0 {
		if follows := t.consequences(); follows != "" {
			t.labelled("Follows", follows)
		}
		return
	}
	t.part()
	if t.Verdict == verdict.Passed {
		t.steps()
		return
	}
	t.table()
	t.affected()
}

// steps writes a line a step.
func (t *text) steps() {
	figures := t.figures()
	counts := make([]string, len(t.Totals.Steps))
	longest := 0
	for i, step := range t.Totals.Steps {
		counts[i] = fmt.Sprintf("%s/%s", grouped(good(step.Statuses)), grouped(t.Totals.Pairs))
		longest = max(longest, len(counts[i]))
	}
	for i, step := range t.Totals.Steps {
		status := worst(step.Statuses)
		label := fmt.Sprintf("  %s %s %-18s  %*s  ", marks[status], step.Step, step.Title, longest, counts[i])
		t.para(statusStyles[status], label, utf8.RuneCountInString(label), figures[step.Step])
	}
	for _, note := range limits(t.Judgement) {
		t.labelled("Note", note)
	}
}

// figures are what a PASS rests on, a phrase a step.
func (t *text) figures() map[verdict.Proof]string {
	sum := t.sum()
	frames := fmt.Sprintf("0 of %s frames on %s", grouped(sum.FramesCaptured), listed(sum.links))
	return map[verdict.Proof]string{
		verdict.P1Delivered: fmt.Sprintf("%s answered, up to %d B, %s",
			grouped(sum.PacketsAnswered), sum.LargestPacket, strings.Join(sum.transports, " ")),
		verdict.P2InTunnel: fmt.Sprintf("%s in, %s out of %s",
			grouped(sum.InTunnelSent), grouped(sum.InTunnelReceived), listed(sum.carriers)),
		verdict.P3NoPlaintext: frames,
		verdict.P4Ciphertext:  Count(int(sum.DataMessagesSent), "WireGuard data message"),
		verdict.P5Counters: fmt.Sprintf("%s B, handshakes ≤ %.0f s old", grouped(sum.CapturedBytesSent),
			sum.HandshakeAge),
		verdict.P6Reliable:    fmt.Sprintf("control packets caught, %s frames lost", grouped(sum.FramesDropped)),
		verdict.P7Keys:        t.keys(),
		verdict.P8NoOtherPath: "no rule, route or filter leads past it",
	}
}

// keys is what the step of keys compared: not every network publishes them.
func (t *text) keys() string {
	for _, n := range t.Graph.Nodes {
		for _, family := range t.Graph.Run.Families {
			if t.Profile.Published(n, family) != "" {
				return "published key = device key = peer's key"
			}
		}
	}
	return "device key = peer's key"
}

// listed names a few, and counts the rest.
func listed(names []string) string {
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}

// worst is the gravest status of a step.
func worst(statuses map[verdict.Status]int) verdict.Status {
	gravest := verdict.Pass
	for status := range statuses {
		gravest = verdict.Worse(gravest, status)
	}
	return gravest
}

// table writes a column a step: for how many directions it holds. Where the
// terminal is too narrow for all it writes several.
func (t *text) table() {
	total := grouped(t.Totals.Pairs)
	width := len(total) + 2
	room := max(t.width-column-len(" of ")-len(total), 2*width)
	steps := t.Totals.Steps
	for len(steps) > 0 {
		n := min(len(steps), room/(width+1))
		t.columns(steps[:n], width, total)
		steps = steps[n:]
	}
}

// columns writes some steps of the table, each as wide as it says.
func (t *text) columns(steps []verdict.StepTotal, width int, total string) {
	heads, cells := "", ""
	for _, step := range steps {
		cell := grouped(good(step.Statuses))
		heads += fmt.Sprintf("%*s ", width, string(step.Step))
		cells += strings.Repeat(" ", width-1-len(cell)) + t.mark(worst(step.Statuses)) + cell + " "
	}
	const label = "  Proof"
	indent := strings.Repeat(" ", column-len(label))
	t.line("%s%s%s", t.paint(bold, label), indent, strings.TrimRight(heads, " "))
	t.line("%-*s%sof %s", column, "  Holds for", cells, total)
}

// affected names the directions that are not proven.
func (t *text) affected() {
	var parts []string
	for _, status := range []verdict.Status{verdict.Fail, verdict.Inconclusive} {
		count := t.Totals.Statuses[status]
		if count == 0 {
			continue
		}
		var subjects []verdict.Subject
		for _, p := range t.Pairs {
			if p.Status == status {
				subjects = append(subjects, p.Subject)
			}
		}
		where := t.names.counted(count)
		if len(subjects) > 0 {
			where = t.names.of(subjects, count)
		}
		what := map[verdict.Status]string{verdict.Fail: "failed", verdict.Inconclusive: "not proven"}[status]
		parts = append(parts, fmt.Sprintf("%s %s: %s", marks[status], what, where))
	}
	if len(parts) == 0 { // what failed is not a step of their proof
		parts = append(parts, "no direction at present: all are proven")
	}
	follows := t.consequences()
	if t.terse >= least {
		if follows != "" {
			parts = append(parts, follows)
		}
		parts = []string{strings.Join(parts, "; ")}
		follows = ""
	}
	label := "Affected"
	for _, part := range parts {
		t.labelled(label, part)
		label = ""
	}
	if follows != "" {
		t.labelled("Follows", follows)
	}
}
