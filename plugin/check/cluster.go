package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (v *view) backend() verdict.Outcome {
	if v.Backends == nil {
		return warn("%s: judged by the evidence alone, no configuration to compare it with", v.Title)
	}
	used := map[string][]string{}
	for _, n := range v.Nodes {
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
	return pass("%s on all %d nodes", v.Title, len(v.Nodes))
}

func (v *view) everyNode() verdict.Outcome {
	var chosen, left []string
	for _, n := range v.Nodes {
		if !n.Ready {
			left = append(left, n.Name+" (it is not Ready)")
		}
	}
	for _, n := range v.Excluded {
		text := n.Name + " (" + n.Excluded + ")"
		if n.Chosen {
			chosen = append(chosen, text)
		} else {
			left = append(left, text)
		}
	}
	lost := lostMessage(v.Problems)
	switch {
	case len(left) > 0:
		return unknown("not tested: %s", list(left))
	case v.Run.Nodes > len(v.Nodes):
		return unknown("the run placed its pods on %d nodes, and its record describes %d of them", v.Run.Nodes,
			len(v.Nodes))
	case lost != nil:
		return unknown("the record of the run lacks a message: %s", lost.Text)
	case len(v.Nodes) < 2:
		return unknown("%d node takes part, a proof needs two", len(v.Nodes))
	case len(chosen) > 0:
		return pass("%d nodes; left out on request: %s", len(v.Nodes), list(chosen))
	}
	return pass("all %d nodes", len(v.Nodes))
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

func (v *view) addressed(n *graph.Node, family int) verdict.Outcome {
	if ip := n.PodIP(family); ip.IsValid() {
		return pass("the test pod on %s is %s", n.Name, ip)
	}
	if !hasFamily(n, family) {
		return unknown("the pods on %s have no IPv%d addresses", n.Name, family)
	}
	return unknown("the test pod on %s has no IPv%d address, though the node has a range for it", n.Name, family)
}

// hasFamily reports whether pods on the node are meant to have addresses of the
// family, as far as anything tells.
func hasFamily(n *graph.Node, family int) bool {
	told := len(n.PodCIDRs) > 0 || len(n.PodIPs) > 0
	return !told || n.PodIP(family).IsValid() ||
		slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Addr().Is4() == (family == 4) })
}

func (v *view) started(n *graph.Node) verdict.Outcome {
	for _, p := range v.Problems {
		if p.On == n.Name {
			out := unknown("%s", p.Text)
			out.Variant = string(p.Class)
			if p.Hint != "" {
				out.Readings = []verdict.Reading{{Node: p.On, What: "hint", Text: p.Hint}}
			}
			return out
		}
	}
	for _, role := range []string{"probe", "pod"} {
		if pod := n.Pods[role]; pod == nil || !pod.Ready {
			return unknown("the %s on %s never became Ready", role, n.Name)
		}
	}
	return pass("probe ready after %d ms, test pod after %d ms", n.Pods["probe"].Wait, n.Pods["pod"].Wait)
}
