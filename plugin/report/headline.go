package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// kindWords are the kinds as a headline shows them.
var kindWords = map[verdict.Kind]string{
	verdict.Plaintext: "PLAINTEXT", verdict.Blocked: "BLOCKED", verdict.Misconfigured: "MISCONFIGURED",
	verdict.Unproven: "NOT PROVEN",
}

// headline is the verdict in one sentence, the same in every format: of a PASS
// what was shown, else the kind and the first cause. It claims no more than was
// observed.
func headline(j *check.Judgement) string {
	return found(j) + accepted(j)
}

// found is the verdict in one sentence, whatever a policy makes of it.
func found(j *check.Judgement) string {
	switch {
	case j.Verdict == verdict.Passed:
		return "Pod traffic " + between(j) + over(j) + " is encrypted by WireGuard"
	case len(j.Causes) == 0:
		return "NOT PROVEN: the proof is incomplete"
	}
	return kindWords[j.Kind()] + ": " + happened(j)
}

// happened says what the first cause does to traffic, and names the others.
func happened(j *check.Judgement) string {
	first := &j.Causes[0]
	n := newNames(j)
	text := ""
	switch where := n.ofFindings(first.All(), first.Count); {
	case first.LeakCount > 0:
		text = leaked(j, first)
	case first.Status == verdict.Inconclusive:
		text = strings.TrimSuffix(first.Text, ".")
		if j.Totals.Pairs > 0 {
			text += fmt.Sprintf(" (%s of %s directions proven)", grouped(proven(j)), grouped(j.Totals.Pairs))
		}
	case where != "":
		text = fmt.Sprintf("%s (%s)", failed(&first.Finding), where)
	default:
		text = failed(&first.Finding)
	}
	return text + besides(j) + noPlaintext(j)
}

// leaked says of which pairs a packet was seen in plaintext because of a cause.
func leaked(j *check.Judgement, c *verdict.Cause) string {
	leak := &c.Finding
	if c.Leak != nil {
		leak = c.Leak
	}
	if where := newNames(j).of(c.Leaks, c.LeakCount); where != "" {
		return fmt.Sprintf("%s (%s)", failed(leak), where)
	}
	return failed(leak)
}

// besides names the other causes of a verdict.
func besides(j *check.Judgement) string {
	others := j.Decisive()[1:]
	switch len(others) {
	case 0:
		return ""
	case 1:
		return "; also: " + failed(&others[0].Finding)
	}
	return fmt.Sprintf("; and %d other causes", len(others))
}

// noPlaintext adds to a failure without a leak that none was seen, where it would
// have been seen.
func noPlaintext(j *check.Judgement) string {
	if j.Verdict != verdict.Failed || j.Kind() == verdict.Plaintext {
		return ""
	}
	for _, step := range j.Totals.Steps {
		if step.Step == verdict.P6Reliable && good(step.Statuses) < j.Totals.Pairs {
			return ""
		}
	}
	return "; no plaintext was seen"
}

// failed says what is wrong, by the check's own wording.
func failed(f *verdict.Finding) string {
	switch {
	case f.Status != verdict.Fail && f.Status != verdict.Warn:
		return "not proven: " + f.Title
	case f.Failed != "":
		return f.Failed
	}
	return "not true: " + f.Title
}

// proven counts the directions whose proof is complete.
func proven(j *check.Judgement) int { return good(j.Totals.Statuses) }

// good counts what passed.
func good(statuses map[verdict.Status]int) int {
	return statuses[verdict.Pass] + statuses[verdict.Warn]
}

func between(j *check.Judgement) string {
	nodes := len(j.Graph.Nodes)
	if j.Graph.Pairs.All() {
		return fmt.Sprintf("between %d nodes", nodes)
	}
	pairs := j.Totals.Pairs / max(1, len(j.Graph.Run.Families))
	return fmt.Sprintf("in the %s tested of %s directions between %d nodes", grouped(pairs), grouped(nodes*(nodes-1)),
		nodes)
}

// over names the families of a verdict, unless there is only one to speak of.
func over(j *check.Judgement) string {
	untested := func(f verdict.Finding) bool { return f.Code == "WG0801" && f.Status == verdict.Warn }
	switch families := j.Graph.Run.Families; {
	case len(families) > 1:
		return " over IPv4 and IPv6"
	case slices.ContainsFunc(j.Findings, untested):
		return fmt.Sprintf(" over IPv%d alone", families[0])
	}
	return ""
}

// limits are what a PASS does not rest on, though a reader would expect it.
func limits(j *check.Judgement) (notes []string) {
	if j.Verdict != verdict.Passed {
		return nil
	}
	if j.Graph.Run.Minor < evidence.Minor {
		// Recordings of minor version 0 hold neither what other pods sent nor which
		// other paths the kernel has.
		notes = append(notes, "Packets of other pods and other paths were not read by the version that recorded this.")
	} else if unreadPaths(j) {
		notes = append(notes, "Programs that cannot be read decide about paths: their decision was seen on the test "+
			"packets only.")
	}
	return notes
}

// unreadPaths reports whether a warning about other paths is of what cannot be read.
func unreadPaths(j *check.Judgement) bool {
	read := 0
	for _, f := range j.Findings {
		if f.Code == "WG0402" && f.Status == verdict.Warn && f.Variant == check.VariantOwnTunnel {
			read++
		}
	}
	return j.Totals.Of("WG0402").Statuses[verdict.Warn] > read
}

func (t *text) headline() {
	t.verdictLine(headline(t.Judgement))
	t.gap()
}

func (t *text) verdictLine(text string) {
	label := fmt.Sprintf("%s %s  ", marks[statusOf(t.Verdict)], t.Verdict)
	style := statusStyles[statusOf(t.Verdict)]
	if t.Color {
		style = bold + ";" + style
	}
	t.para(style, label, 8, text)
}

// lastLine repeats the verdict where the eye is after a command has ended.
func (t *text) lastLine() {
	t.gap()
	text := fmt.Sprintf("%s of %s directions proven", grouped(proven(t.Judgement)), grouped(t.Totals.Pairs))
	code, reason := t.Exit(t.FailOnWarn)
	switch {
	case t.Verdict == verdict.Passed:
		if n := t.Warnings(); n > 0 {
			text += ", " + Count(n, "warning")
		}
	case len(t.Causes) > 0:
		text = kindWords[t.Kind()] + ": " + text
		if causes := len(t.Decisive()); causes > 1 {
			text += ", " + Count(causes, "cause")
		}
	}
	switch {
	case reason != "":
		text += fmt.Sprintf(" (exit %d: %s)", code, reason)
	case code != 0:
		text += fmt.Sprintf(" (exit %d)", code)
	}
	t.verdictLine(text + t.more())
}

// more names where there is more to see.
func (t *text) more() string {
	switch {
	case len(t.Causes) > 0:
		return "; kubectl wg explain " + t.Causes[0].Code
	case !t.Details:
		return "; per pair: --details"
	}
	return ""
}
