package profile

import (
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// programs are what the names of a system's own BPF programs begin with, by the
// beginning of the name of a link that shows that the system runs on a node.
// Whoever loads a program gives it its name: that is trusted as far as the system
// itself is.
var programs = map[string]string{ciliumHost: ciliumPrograms, "cali": "cali"}

const ciliumPrograms = "cil_"

// OwnProgram reports whether a BPF program is known to be part of the cluster's
// network. One that tcx attached has no name that a probe may read; Cilium is
// known to attach its own there.
func OwnProgram(n *graph.Node, d *evidence.Diversion) bool {
	if d.By != "tc" {
		return false
	}
	for link, program := range programs {
		runs := slices.ContainsFunc(n.Links, func(l *evidence.Link) bool { return strings.HasPrefix(l.Name, link) })
		unnamed := d.Program == "" && d.ID != 0 && program == ciliumPrograms
		if runs && (unnamed || d.Program != "" && strings.HasPrefix(d.Program, program)) {
			return true
		}
	}
	return false
}
