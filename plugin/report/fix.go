package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// fix returns what fixes a cause wherever it was found, and false if nothing is known.
func fix(j *check.Judgement, c *verdict.Cause) (remedy.Hint, bool) {
	hint, known := remedy.ForAll(c.All(), j.Profile.RunsAs)
	return hint.WithUnits(j.Unit), known
}

// maxNamed is how many nodes a printed command to verify again names at most; of
// more the whole cluster is verified.
const maxNamed = 8

// again returns the command that verifies what a cause is about once it is fixed.
func again(c *verdict.Cause) string {
	const whole = "kubectl wg verify"
	var nodes []string
	for _, f := range c.All() {
		for _, name := range []string{f.Subject.Node, f.Subject.Peer} {
			if name != "" && !slices.Contains(nodes, name) {
				nodes = append(nodes, name)
			}
		}
	}
	strange := func(name string) bool { return strings.Trim(name, nodeName) != "" || name[0] == '-' }
	if len(nodes) < 2 || len(nodes) > maxNamed || slices.ContainsFunc(nodes, strange) || c.Count > len(c.Alike)+1 {
		return whole
	}
	slices.Sort(nodes)
	return whole + " --nodes " + strings.Join(nodes, ",")
}

// nodeName is what names of nodes consist of (RFC 1123), safe in a shell.
const nodeName = "abcdefghijklmnopqrstuvwxyz0123456789.-"

// fixOf writes what fixes a cause, and how to verify it.
func (t *text) fixOf(c *verdict.Cause) {
	hint, known := fix(t.Judgement, c)
	if !known {
		t.labelled("Fix", "none is known; kubectl wg explain "+c.Code+" says what the check reads")
		return
	}
	t.fix(hint)
	command := again(c) + scopeFlag(t.Judgement)
	last := len(hint.Steps) - 1
	if last < 0 || hint.Steps[last].Command != "kubectl wg verify" {
		t.command(step{[]string{remedy.Operator}, command, ""})
	}
}

// fix writes a hint: what it does, what it interrupts, its steps, and what no
// command can do.
func (t *text) fix(h remedy.Hint) {
	t.advice(h)
	steps := joined(h.Steps)
	for i, s := range steps {
		if t.terse >= densest && i > 0 && s.note == steps[i-1].note {
			s.note = "" // said already
		}
		if t.terse < dense && !t.Details && len(s.on) > 1 && len(s.on) <= few+1 {
			for _, on := range s.on {
				t.command(step{[]string{on}, s.command, s.note})
			}
			continue
		}
		if i == maxSteps && !t.Details {
			t.labelled("", fmt.Sprintf("… and %d more steps (--details)", len(steps)-i))
			return
		}
		t.command(s)
	}
}

// advice writes what a hint says besides its commands.
func (t *text) advice(h remedy.Hint) {
	impact := ""
	if h.Disruption != "" {
		impact = sentence(h.Disruption)
	}
	if t.terse >= untitled {
		if impact != "" {
			impact = "Impact: " + impact
		}
		t.labelled("Fix", strings.Join([]string{sentence(h.Title), impact, h.Note}, " "))
		return
	}
	t.labelled("Fix", sentence(h.Title))
	if impact != "" {
		t.labelled("Impact", impact)
	}
	if h.Note != "" {
		t.labelled("Note", h.Note)
	}
}

// maxSteps is how many steps of a fix are printed: no one types more.
const maxSteps = 20

// step is a command, and all places where it is to be run.
type step struct {
	on      []string
	command string
	note    string
}

// joined makes one step of those that are the same on several nodes. The order of
// the steps of each node stays.
func joined(steps []remedy.Step) (all []step) {
	for _, s := range steps {
		at := slices.IndexFunc(all, func(one step) bool {
			return one.command == s.Command && one.note == s.Note && one.on[0] != remedy.Operator
		})
		switch {
		case at < 0 || s.On == remedy.Operator:
			all = append(all, step{[]string{s.On}, s.Command, s.Note})
		case !slices.Contains(all[at].on, s.On):
			all[at].on = append(all[at].on, s.On)
		}
	}
	return all
}

// command writes one step: where, and what to type. It is never wrapped, and what
// has several lines stands at the margin, so that it can be pasted as it is.
func (t *text) command(s step) {
	lines := strings.Split(s.command, "\n")
	where := t.prompt(s.on)
	if len(lines) == 1 {
		t.line("    %s  %s", t.paint(bold, where), t.paint(command, clean(s.command)))
	} else {
		t.line("    %s", t.paint(bold, where))
		for _, line := range lines {
			t.line("%s", t.paint(command, clean(line)))
		}
	}
	if s.note != "" {
		t.para("", "", column, "("+s.note+")")
	}
}

// prompt says where a command is run: the names of nodes and # for root, or $ for
// the operator's own machine.
func (t *text) prompt(on []string) string {
	if on[0] == remedy.Operator {
		return "$"
	}
	if !t.Details && len(on) > few+1 {
		return clean(fmt.Sprintf("%s and %d more (--details) #", strings.Join(on[:few], ", "), len(on)-few))
	}
	return clean(strings.Join(on, ", ")) + " #"
}
