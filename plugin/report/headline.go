package report

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// headline is the verdict in a sentence or two, the same in every format. Of a
// PASS it says what was shown and no more. A packet that was seen in clear is
// in it, whatever else is wrong.
func headline(j *check.Judgement) string {
	switch {
	case j.Verdict == verdict.Passed:
		return passed(j)
	case j.FirstCause == nil:
		return "The proof is incomplete."
	}
	text := sentence(j.FirstCause.Text)
	if j.Leak != nil && j.Leak != j.FirstCause {
		text += " So " + sentence(j.Leak.Text)
	}
	if j.Besides != nil {
		text += " Besides, " + sentence(j.Besides.Text)
	}
	return text
}

// passed says what a PASS rests on. Recordings of minor version 0 hold neither
// what other pods sent nor which other ways the kernel has.
func passed(j *check.Judgement) string {
	text := fmt.Sprintf("Pod traffic between %s%s is encrypted by WireGuard: ", between(j), over(j))
	if j.Graph.Run.Minor < evidence.Minor {
		return text + "every test packet was seen inside the tunnel, and none outside it. " +
			"Other pods' packets and other paths were not read by the version that recorded this."
	}
	text += "every test packet was inside the tunnel, no packet of any pod was seen outside it"
	if paths := j.Totals.Of("WG0402"); paths.Statuses[verdict.Warn] > 0 {
		return text + ". Programs that cannot be read decide about paths: their decision was seen on the test " +
			"packets only."
	}
	return text + ", and no rule or route leads past it."
}

func between(j *check.Judgement) string {
	nodes := len(j.Graph.Nodes)
	if j.Graph.Pairs.All() {
		return fmt.Sprintf("the %d nodes", nodes)
	}
	pairs := j.Totals.Pairs / max(1, len(j.Graph.Run.Families))
	return fmt.Sprintf("the %s tested of %d nodes", count(pairs, "ordered pair"), nodes)
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
