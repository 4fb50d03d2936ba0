package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Plan is how the cluster comes to encrypt, in order.
type Plan struct {
	System string `json:"system"` // what runs the network plugin
	// Window says what is interrupted, and for how long.
	Window string   `json:"window,omitempty"`
	Stages []Stage  `json:"stages"`
	Notes  []string `json:"notes,omitempty"`
}

// Stage is a part of a plan that is done before the next.
type Stage struct {
	Title string        `json:"title"`
	Notes []string      `json:"notes,omitempty"`
	Steps []remedy.Step `json:"steps,omitempty"`
}

// newPlan writes the plan of what was found.
func newPlan(r *Result) Plan {
	plan := Plan{System: r.Profile.RunsAs}
	if fixes := repairs(r); len(fixes.Steps)+len(fixes.Notes) > 0 {
		plan.Stages = append(plan.Stages, fixes)
	}
	plan.Stages = append(plan.Stages, modules(r))
	if r.Profile.Encrypts {
		plan.Stages = append(plan.Stages, Stage{
			Title: "Nothing to switch: the network plugin is configured to encrypt with WireGuard",
			Steps: []remedy.Step{{On: remedy.Operator, Command: "kubectl wg verify"}},
		})
		return plan
	}
	hint, known := remedy.Switch(plan.System)
	if !known {
		plan.Stages = append(plan.Stages, Stage{
			Title: "Switch the network plugin to WireGuard",
			Notes: []string{"how this network plugin (" + r.Profile.Title + ") is switched is not known to this " +
				"version: its documentation says whether it can; a WireGuard between the machines works below " +
				"any of them"},
		})
		return plan
	}
	plan.Window = hint.Disruption
	change := Stage{Title: hint.Title, Steps: slices.Clone(hint.Steps)}
	if hint.Note != "" {
		change.Notes = append(change.Notes, hint.Note)
	}
	change.Notes = append(change.Notes, configurationNotes(r)...)
	last := len(change.Steps) - 1
	if last >= 0 && change.Steps[last].Command == "kubectl wg verify" {
		change.Steps = change.Steps[:last]
	}
	plan.Stages = append(plan.Stages, change, afterwards(r))
	plan.Notes = levelNotes(r)
	return plan
}

// repairs are the fixes of what has to be right before.
func repairs(r *Result) Stage {
	stage := Stage{Title: "Repair what was found"}
	for _, f := range r.Findings {
		if f.Status != verdict.Fail || f.Code == "WG0203" {
			continue // modules have a stage of their own
		}
		switch {
		case f.Fix == nil:
			stage.Notes = append(stage.Notes, f.Code+": "+f.Text)
		case len(f.Fix.Steps) == 0:
			stage.Notes = append(stage.Notes, fmt.Sprintf("%s: %s. %s", f.Code, f.Fix.Title, f.Fix.Note))
		default:
			stage.Steps = joined(stage.Steps, f.Fix.Steps)
			if f.Fix.Note != "" {
				stage.Notes = append(stage.Notes, f.Code+": "+f.Fix.Note)
			}
		}
	}
	return stage
}

// modules gives nodes without WireGuard the module, by their systems, and has the
// others load it at boot.
func modules(r *Result) Stage {
	stage := Stage{Title: "The kernel module, on nodes that make no WireGuard link yet"}
	missing := map[string][]string{} // nodes by their system
	var untried, userspace []string
	for _, n := range r.Nodes {
		switch n.WireGuard {
		case verdict.Pass:
		case verdict.Warn:
			userspace = append(userspace, n.Name)
		case verdict.Fail:
			missing[n.System] = append(missing[n.System], n.Name)
		default:
			untried = append(untried, n.Name)
		}
	}
	switch {
	case len(missing)+len(untried) > 0:
	case len(userspace) > 0:
		return Stage{Title: "The kernel module: the tunnel runs in userspace on " + some(userspace) +
			"; WG0203 has what the kernel's needs"}
	default:
		return Stage{Title: "The kernel module: every node's kernel makes WireGuard links, nothing to install"}
	}
	if len(untried) > 0 {
		stage.Notes = append(stage.Notes, "not known of "+some(untried)+": no link was tried there")
	}
	for _, n := range r.Nodes {
		nodes := missing[n.System]
		if len(nodes) == 0 || nodes[0] != n.Name {
			continue
		}
		advice, install := remedy.Module(n.System)
		note := fmt.Sprintf("%s (%s, kernel %s): %s", some(nodes), n.System, n.Kernel, advice)
		stage.Notes = append(stage.Notes, note)
		for _, name := range nodes {
			stage.Steps = append(stage.Steps, moduleSteps(name, n.System, install)...)
		}
	}
	stage.Steps = append(stage.Steps, remedy.Step{
		On: remedy.Operator, Command: "kubectl wg preflight", Note: "again, until it is ready",
	})
	return stage
}

// moduleSteps are the commands by which a node gets the module, if there are any.
func moduleSteps(node, system, install string) (steps []remedy.Step) {
	if !remedy.HasShell(system) {
		return nil
	}
	if install != "" {
		steps = append(steps, remedy.Step{On: node, Command: install})
	}
	return append(steps, remedy.Step{On: node, Command: "modprobe wireguard", Note: "fails until the module is there"})
}

// configurationNotes are what the configuration of this cluster needs besides the
// switch.
func configurationNotes(r *Result) (notes []string) {
	if r.Sizes.Path > 0 && r.Sizes.Path < r.Sizes.Link {
		notes = append(notes, fmt.Sprintf("the network carries packets of %d bytes and the links have an MTU of "+
			"%d: set the tunnel's MTU to %d", r.Sizes.Path, r.Sizes.Link, r.Sizes.Tunnel))
	}
	if r.Profile.RunsAs == remedy.K3s {
		notes = append(notes, "flannel-backend belongs into /etc/rancher/k3s/config.yaml of servers only, the "+
			"same on all; the flag --flannel-backend=wireguard-native in a unit or INSTALL_K3S_EXEC does the "+
			"same, and must not contradict it")
		var agents []string
		for _, n := range r.Graph.Nodes {
			c := r.Profile.Configured(n)
			if c.Role == "agent" && c.Backend != "" {
				agents = append(agents, n.Name)
			}
		}
		if len(agents) > 0 {
			notes = append(notes,
				"remove flannel-backend from the configuration of the agents "+some(agents)+": it stops them")
		}
		if translated(r) {
			notes = append(notes, "nodes are reached at addresses that a NAT forwards: every node needs "+
				"node-external-ip, every server flannel-external-ip: true; K3s sets keepalives of 25 s itself")
		}
	}
	return notes
}

// translated reports whether a node is published at an address that it does not have.
func translated(r *Result) bool {
	return slices.ContainsFunc(r.Nodes, func(n Node) bool { return !n.Own })
}

// afterwards is what remains to be done after the switch.
func afterwards(r *Result) Stage {
	stage := Stage{Title: "Afterwards"}
	reboots := false
	if hint, known := remedy.Switch(r.Profile.RunsAs); known {
		reboots = slices.ContainsFunc(hint.Steps, func(s remedy.Step) bool { return s.Command == "reboot" })
	}
	tunnel := ""
	if r.Sizes.Tunnel > 0 {
		tunnel = fmt.Sprintf(" of %d bytes", r.Sizes.Tunnel)
	}
	if reboots {
		stage.Notes = append(stage.Notes, "the reboots recreate all pods with the tunnel's MTU"+tunnel+
			"; a node that was not rebooted keeps old links, and pods whose large packets are lost")
	} else {
		stage.Notes = append(stage.Notes, "pods keep the MTU that they were created with: recreate those with a "+
			"larger one than the tunnel's"+tunnel+" (kubectl rollout restart of deployments, daemon sets and stateful sets)")
	}
	stage.Steps = []remedy.Step{{On: remedy.Operator, Command: "kubectl wg verify"}}
	return stage
}

// levelNotes report whether the network plugin or the machines should encrypt, and why.
func levelNotes(r *Result) []string {
	if len(r.Level) == 0 {
		return []string{"the network plugin's own WireGuard fits: it encrypts between pods and knows every node " +
			"by itself. Traffic of the host network (kubelet, etcd, hostNetwork pods) stays outside; its " +
			"control plane uses TLS of its own"}
	}
	return []string{"consider a WireGuard between the machines in its place, which covers the host network too " +
		"and has keys and peers of its own to be kept: " + strings.Join(r.Level, "; ")}
}

// some names the first of many nodes.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// on are the nodes on which a step is run, servers first; none for the operator's
// own machine.
func (r *Result) on(step remedy.Step) (names []string) {
	switch step.On {
	case remedy.Operator:
		return nil
	case remedy.EachServer, remedy.EachNode:
		for _, server := range []bool{true, false} {
			for _, n := range r.Nodes {
				if n.Server == server && (server || step.On == remedy.EachNode) {
					names = append(names, n.Name)
				}
			}
		}
		return names
	}
	return []string{step.On}
}
