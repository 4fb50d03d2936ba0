package preflight

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// scriptHead is what each script begins with. A node's reboot ends the connection, so
// its exit status says nothing; that it is done shows in a new boot id.
const scriptHead = `#!/bin/sh
# The plan of "kubectl wg preflight". Review it before you run it.
#
# It asks before each step; WG_YES=1 answers yes to all. Commands on a node are run
# as root by "ssh NODE sudo sh -c COMMAND"; WG_RUN names a program of yours that
# takes the node's name and the command instead. A node that reboots is waited for,
# WG_BOOT seconds at most (900).
set -eu

run_on() {
  if [ -n "${WG_RUN:-}" ]; then "$WG_RUN" "$1" "$2" </dev/null; return; fi
  quoted=$(printf '%s' "$2" | sed "s/'/'\\\\''/g")
  ssh "$1" "sudo sh -c '$quoted'" </dev/null
}

ask() {
  printf '\n%s\n' "$1"
  [ "${WG_YES:-}" = 1 ] && return 0
  printf 'Go on? [y/N] '
  read -r answer
  [ "$answer" = y ] || { echo 'stopped'; exit 1; }
}

boot_id() { kubectl get node "$1" -o 'jsonpath={.status.nodeInfo.bootID}'; }

reboot_node() {
  before=$(boot_id "$1")
  run_on "$1" reboot || true
  waited=0
  while [ "$(boot_id "$1" 2>/dev/null || echo "$before")" = "$before" ] && [ "$waited" -lt "${WG_BOOT:-900}" ]; do
    sleep 5
    waited=$((waited + 5))
  done
  kubectl wait --for=condition=Ready "node/$1" --timeout=10m
}
`

// Script is the plan as a shell script to review.
func (r *Result) Script() string {
	var b strings.Builder
	b.WriteString(scriptHead)
	if r.Plan.Window != "" {
		fmt.Fprintf(&b, "\n%s", comment("Impact: "+r.Plan.Window))
	}
	for _, note := range r.Plan.Notes {
		b.WriteString(comment("Note: " + note))
	}
	for i, stage := range r.Plan.Stages {
		fmt.Fprintf(&b, "\n%s", comment(fmt.Sprintf("%d. %s.", i+1, stage.Title)))
		for _, note := range stage.Notes {
			b.WriteString(comment("   " + note))
		}
		for _, step := range stage.Steps {
			r.scriptStep(&b, step)
		}
	}
	return b.String()
}

func (r *Result) scriptStep(b *strings.Builder, step remedy.Step) {
	if step.Note != "" {
		b.WriteString(comment("   " + step.Note))
	}
	if step.On == remedy.Operator {
		fmt.Fprintf(b, "ask %s\n%s\n", quote("here: "+firstLine(step.Command)), report.Printable(step.Command))
		return
	}
	for _, name := range r.on(step) {
		fmt.Fprintf(b, "ask %s\n", quote(name+": "+firstLine(step.Command)))
		if step.Command == "reboot" {
			fmt.Fprintf(b, "reboot_node %s\n", quote(name))
			continue
		}
		fmt.Fprintf(b, "run_on %s %s\n", quote(name), quote(step.Command))
	}
}

func firstLine(text string) string {
	line, _, more := strings.Cut(text, "\n")
	if more {
		line += " …"
	}
	return line
}

// quote makes one word of the shell of a text.
func quote(text string) string {
	return "'" + strings.ReplaceAll(report.Printable(text), "'", `'\''`) + "'"
}

// comment makes lines of a comment of a text, which can name what comes from nodes.
func comment(text string) string {
	var b strings.Builder
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	room := 90 - len(indent)
	for _, line := range report.Wrap(report.PrintableLine(text), room, room) {
		fmt.Fprintf(&b, "# %s%s\n", indent, line)
	}
	return b.String()
}
