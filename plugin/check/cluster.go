package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// clusterChecks are WG01xx: what the API says of the cluster and of this run.
func (v *view) clusterChecks() []verdict.Check {
	return []verdict.Check{
		{
			Code: "WG0101", Title: "the network plugin is one that encrypts, the same on every node",
			Why:   "A backend that does not encrypt sends pod traffic in clear unless an encrypting network lies below it; nodes with different backends do not reach each other.",
			Reads: "node annotations of the network plugin",
			Scope: verdict.PerCluster, Judge: v.backend,
		},
		{
			Code: "WG0102", Title: "every node takes part",
			Why:   "A node that was not tested is not proven: a single one without WireGuard can carry the traffic that matters.",
			Reads: "nodes: conditions, taints, operating system",
			Scope: verdict.PerCluster, Judge: v.everyNode,
		},
		{
			Code: "WG0103", Title: "the run's pods started and answered",
			Why:   "Without a probe and a test pod on a node there is no evidence of it.",
			Reads: "pods, events, the plugin's own account",
			Scope: verdict.PerNode, Needs: []verdict.Need{verdict.NeedProbe, verdict.NeedPod}, Judge: v.started,
		},
		{
			Code: "WG0107", Title: "the test pod has an address of the family that is tested",
			Why:   "What was asked for and cannot be tested is not proven. A cluster of one family has no traffic of the other; that is no failure, and no proof either.",
			Reads: "the test pod's addresses, the node's pod ranges",
			Scope: verdict.PerNodeFamily, After: []string{"WG0103"}, Judge: v.addressed,
		},
	}
}

func (v *view) backend(f *verdict.Focus) verdict.Outcome {
	if v.Backends == nil {
		return warn("%s: judged by the evidence alone, no configuration to compare it with", v.Title)
	}
	used := map[string][]string{}
	for _, n := range f.Nodes {
		backend := v.Backends[n.Name]
		if backend == "" {
			backend = "none"
		}
		used[backend] = append(used[backend], n.Name)
	}
	if len(used) > 1 {
		var groups []string
		for _, backend := range slices.Sorted(maps.Keys(used)) {
			groups = append(groups, fmt.Sprintf("%s on %s", backend, list(used[backend])))
		}
		out := fail("the nodes run different backends: %s", list(groups))
		out.Variant = "mixed"
		return out
	}
	if v.Below != nil {
		return pass("%s", v.Title)
	}
	if !v.Encrypts {
		out := warn("%s does not encrypt; only an encrypting network below it could", v.Title)
		out.Variant = "plain"
		return out
	}
	return pass("%s on all %d nodes", v.Title, len(f.Nodes))
}

func (v *view) everyNode(f *verdict.Focus) verdict.Outcome {
	var chosen, left []string
	for _, n := range f.Nodes {
		if !n.Ready {
			left = append(left, n.Name+" (it is not Ready)")
		}
	}
	for _, n := range f.Excluded {
		text := n.Name + " (" + n.Excluded + ")"
		if n.Chosen {
			chosen = append(chosen, text)
		} else {
			left = append(left, text)
		}
	}
	lost := lostMessage(f.Problems)
	switch {
	case len(left) > 0:
		return unknown("not tested: %s", list(left))
	case f.Run.Nodes > len(f.Nodes):
		return unknown("the run placed its pods on %d nodes, and its record describes %d of them", f.Run.Nodes, len(f.Nodes))
	case lost != nil:
		return unknown("the record of the run lacks a message: %s", lost.Text)
	case len(f.Nodes) < 2:
		return unknown("%d node takes part, a proof needs two", len(f.Nodes))
	case len(chosen) > 0:
		return pass("%d nodes; left out on request: %s", len(f.Nodes), list(chosen))
	}
	return pass("all %d nodes", len(f.Nodes))
}

// lostMessage returns the plugin's problem that a message did not fit its
// record: what it was about, as a node, is then not known. Nil if there is none.
func lostMessage(problems []evidence.Problem) *evidence.Problem {
	for i := range problems {
		if problems[i].What == "account" {
			return &problems[i]
		}
	}
	return nil
}

func (v *view) addressed(f *verdict.Focus) verdict.Outcome {
	if ip := f.Node.PodIP(f.Family); ip.IsValid() {
		return pass("the test pod on %s is %s", f.Node.Name, ip)
	}
	if !hasFamily(f.Node, f.Family) {
		return unknown("the pods on %s have no IPv%d addresses", f.Node.Name, f.Family)
	}
	return unknown("the test pod on %s has no IPv%d address, though the node has a range for it", f.Node.Name, f.Family)
}

// hasFamily says whether pods on the node are meant to have addresses of the
// family, as far as anything tells.
func hasFamily(n *verdict.Node, family int) bool {
	told := len(n.PodCIDRs) > 0 || len(n.PodIPs) > 0
	return !told || n.PodIP(family).IsValid() ||
		slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Addr().Is4() == (family == 4) })
}

func (v *view) started(f *verdict.Focus) verdict.Outcome {
	for _, p := range f.Problems {
		if p.On == f.Node.Name {
			out := unknown("%s", p.Text)
			out.Variant = string(p.Class)
			if p.Hint != "" {
				out.Readings = []verdict.Reading{{Node: p.On, What: "hint", Text: p.Hint}}
			}
			return out
		}
	}
	n := f.Node
	for _, role := range []string{"probe", "pod"} {
		if pod := n.Pods[role]; pod == nil || !pod.Ready {
			return unknown("the %s on %s never became Ready", role, n.Name)
		}
	}
	return pass("probe ready after %d ms, test pod after %d ms", n.Pods["probe"].Wait, n.Pods["pod"].Wait)
}
