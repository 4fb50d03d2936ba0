package report

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Bounds of what the text report spells out; -o json goes further.
const (
	maxNodes    = 20
	maxPairs    = 40
	maxFindings = 60
	maxAlike    = 10 // findings of one code, where there are many pairs
)

func (t *text) pairs(j *check.Judgement, verbose bool) {
	if j.Totals.Pairs == 0 {
		return
	}
	t.line("")
	if j.Totals.Pairs > detailed && !verbose || !j.Complete {
		t.matrix(j.Result)
		return
	}
	for _, p := range j.Pairs {
		t.line("%s  %s", t.mark(p.Status), t.subject(p.Subject))
		for _, proof := range verdict.Proofs {
			t.line("   %s %s %-18s %s", t.mark(p.Steps[proof.Step]), proof.Step, proof.Title,
				clean(p.Notes[proof.Step]))
		}
	}
}

// matrix prints how many pairs each step holds for, and then only the pairs
// for which one does not: nodes of which nothing is proven in one go.
func (t *text) matrix(r *verdict.Result) {
	for _, step := range r.Totals.Steps {
		good := step.Statuses[verdict.Pass] + step.Statuses[verdict.Warn]
		t.line("%s %-18s %d of %d pairs", step.Step, step.Title, good, r.Totals.Pairs)
	}
	if left := r.Totals.Statuses[verdict.Fail] + r.Totals.Statuses[verdict.Inconclusive]; left == r.Totals.Pairs &&
		left > maxPairs {
		t.line("No pair is proven.")
		return
	}
	senders, receivers := t.nodes(r)
	shown := 0
	for _, p := range r.Pairs {
		switch {
		case p.Status == verdict.Pass || p.Status == verdict.Warn:
			continue
		case senders[p.Node] || receivers[p.Peer]:
			continue
		case shown == maxPairs:
			t.line("… and more; -o json has them")
			return
		}
		shown++
		steps := []string{}
		for _, proof := range verdict.Proofs {
			if s := p.Steps[proof.Step]; s != verdict.Pass {
				steps = append(steps, fmt.Sprintf("%s %s", proof.Step, s))
			}
		}
		t.line("%s %s: %s", t.mark(p.Status), t.subject(p.Subject), strings.Join(steps, ", "))
	}
}

// nodes prints the nodes of which nothing is proven in one direction or both,
// and returns them.
func (t *text) nodes(r *verdict.Result) (senders, receivers map[string]bool) {
	senders, receivers = map[string]bool{}, map[string]bool{}
	shown := 0
	for _, n := range r.Totals.Unproven {
		what := ""
		switch sender, receiver := n.Sender(), n.Receiver(); {
		case sender && receiver:
			what = fmt.Sprintf("none of its %d pairs", n.Sends+n.Receives)
		case sender:
			what = fmt.Sprintf("nothing of what it sends (%s)", count(n.Sends, "pair"))
		case receiver:
			what = fmt.Sprintf("nothing of what it receives (%s)", count(n.Receives, "pair"))
		default:
			continue
		}
		senders[n.Node], receivers[n.Node] = n.Sender(), n.Receiver()
		if shown++; shown <= maxNodes {
			t.line("%s: %s is proven", clean(n.Node), what)
		}
	}
	if shown > maxNodes {
		t.line("… and %d more nodes", shown-maxNodes)
	}
	return senders, receivers
}

// findings prints what is not fine and not the first cause, and with verbose
// everything. Of many pairs it prints what no other finding explains.
func (t *text) findings(j *check.Judgement, verbose bool) {
	lines, told := []string{}, map[string]bool{}
	add := func(line string) {
		if !told[line] {
			told[line] = true
			lines = append(lines, line)
		}
	}
	printed := map[string]int{} // by code and status
	for i := range j.Findings {
		f := &j.Findings[i]
		fine := f.Status == verdict.Pass || f.Status == verdict.NotApplicable
		if f == j.FirstCause || !verbose && fine {
			continue
		}
		line := fmt.Sprintf("%s %s %s: %s", t.mark(f.Status), f.Code, t.subject(f.Subject), clean(f.Text))
		switch {
		case j.Complete && f.CausedBy == "":
		case j.Complete:
			line += " [caused by " + f.CausedBy + "]"
		case f.CausedBy != "" || !fine && printed[f.Code+f.Status.String()] == maxAlike:
			continue
		}
		printed[f.Code+f.Status.String()]++
		add(line)
	}
	if !j.Complete {
		t.counts(j.Result, add)
	}
	if len(lines) == 0 {
		return
	}
	t.line("")
	t.line("Findings:")
	for i, line := range lines {
		if i == maxFindings && !verbose {
			t.line("  … and %d more; -o json has all", len(lines)-i)
			return
		}
		t.line("  %s", line)
	}
}

// counts adds a line per code and status of which there are more than one.
func (t *text) counts(r *verdict.Result, add func(string)) {
	for _, c := range r.Totals.Checks {
		for _, status := range []verdict.Status{verdict.Fail, verdict.Inconclusive, verdict.Warn} {
			n := c.Statuses[status]
			if n < 2 {
				continue
			}
			line := fmt.Sprintf("%s %s: %d in all", t.mark(status), c.Code, n)
			if explained := n - c.Causes[status]; explained > 0 && status != verdict.Warn {
				line += fmt.Sprintf(", %d caused by another", explained)
			}
			add(line)
		}
	}
}
