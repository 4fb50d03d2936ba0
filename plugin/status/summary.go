package status

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// counts are what a cluster has.
type counts struct {
	nodes, lost, devices, userspace, peers, handshaken int
	traffic                                            Traffic
}

func (c *Cluster) count() (sum counts) {
	sum.nodes = len(c.Nodes)
	for _, n := range c.Nodes {
		if n.Lost != "" {
			sum.lost++
		}
		for _, d := range n.Devices {
			sum.devices++
			sum.peers += len(d.Peers)
			if d.Userspace {
				sum.userspace++
			}
			for _, p := range d.Peers {
				if p.Handshake != 0 {
					sum.handshaken++
				}
			}
			device := d.Sum()
			sum.traffic.RX += device.RX
			sum.traffic.TX += device.TX
		}
	}
	return sum
}

// Summary is the state of the cluster in one line.
func (c *Cluster) Summary() string {
	sum := c.count()
	parts := []string{report.Count(sum.nodes, "node"), report.Count(sum.devices, "device"), report.Count(sum.peers, "peer")}
	if sum.peers > 0 {
		parts = append(parts, fmt.Sprintf("%d with a handshake", sum.handshaken))
	}
	parts = append(parts, fmt.Sprintf("%s received, %s sent", size(sum.traffic.RX), size(sum.traffic.TX)))
	line := strings.Join(parts, ", ")
	by := map[verdict.Status]int{}
	for _, p := range c.Problems {
		by[p.Status]++
	}
	var wrong []string
	if n := by[verdict.Fail]; n > 0 {
		wrong = append(wrong, report.Count(n, "failure"))
	}
	if n := by[verdict.Inconclusive]; n > 0 {
		wrong = append(wrong, fmt.Sprintf("%d not known", n))
	}
	if n := by[verdict.Warn]; n > 0 {
		wrong = append(wrong, report.Count(n, "warning"))
	}
	if len(wrong) == 0 {
		return line + "; no problem found"
	}
	return line + "; " + strings.Join(wrong, ", ")
}

// Next is the command that helps next.
func (c *Cluster) Next() string {
	if len(c.Problems) == 0 || c.Problems[0].Status < verdict.Inconclusive { // the gravest is first
		return "kubectl wg verify proves what crosses the wire; this is what the devices report"
	}
	p := c.Problems[0]
	command := "kubectl wg verify"
	if p.Subject.Peer != "" {
		command += " --nodes " + p.Subject.Node + "," + p.Subject.Peer
	}
	return command + " finds the cause and how to fix it; kubectl wg explain " + p.Code + " explains the check"
}

func (c *Cluster) summaryLines() []string {
	return []string{clean(c.Summary()), clean("next: " + c.Next())}
}

// statusWords are what a problem's line begins with.
var statusWords = map[verdict.Status]string{
	verdict.Fail: "FAIL", verdict.Inconclusive: "UNKNOWN", verdict.Warn: "WARN",
}

// shownProblems bounds the problems in words.
const shownProblems = 12

// problemLines are the problems in words, between empty lines. Of those with one code
// and status only the first is worded if they are many.
func (c *Cluster) problemLines() []string {
	lines := []string{""}
	for _, g := range c.grouped() {
		first := g[0].line()
		if len(g) > 1 {
			first += fmt.Sprintf(" (and %d more like this)", len(g)-1)
		}
		lines = append(lines, first)
	}
	if len(lines) > shownProblems+1 {
		more := fmt.Sprintf("… and %d more kinds of problems", len(lines)-shownProblems-1)
		lines = append(lines[:shownProblems+1], more)
	}
	if len(lines) > 1 {
		lines = append(lines, "")
	}
	return lines
}

// grouped are the problems one by one, or by code and status where they are many.
func (c *Cluster) grouped() (groups [][]Problem) {
	const few = 6
	for _, p := range c.Problems {
		last := len(groups) - 1
		alike := last >= 0 && groups[last][0].Code == p.Code && groups[last][0].Status == p.Status
		if alike && len(c.Problems) > few {
			groups[last] = append(groups[last], p)
		} else {
			groups = append(groups, []Problem{p})
		}
	}
	return groups
}

func (p *Problem) line() string {
	text := p.Text
	if p.CausedBy != "" {
		text += " (caused by " + p.CausedBy + ")"
	}
	return clean(fmt.Sprintf("%-7s %s  %s", statusWords[p.Status], p.Code, text))
}

// Changes are lines for the problems that came since an earlier state, and for those
// that are gone.
func (c *Cluster) Changes(before *Cluster) (lines []string) {
	for _, p := range c.Problems {
		isKnown := func(other Problem) bool { return p.same(other) && p.Status == other.Status }
		if !slices.ContainsFunc(before.Problems, isKnown) {
			lines = append(lines, p.line())
		}
	}
	for _, p := range before.Problems {
		if !slices.ContainsFunc(c.Problems, p.same) {
			lines = append(lines, clean(fmt.Sprintf("%-7s %s  no longer: %s", "OK", p.Code, p.Text)))
		}
	}
	return lines
}

// same reports whether another problem is this one, whatever its figures and its
// status are.
func (p *Problem) same(other Problem) bool {
	return p.Code == other.Code && p.Subject == other.Subject && p.Device == other.Device && p.Key == other.Key
}
