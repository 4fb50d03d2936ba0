package profile

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// mark is a node annotation by which a network is known.
type mark struct{ annotation, name string }

// marks are the node annotations by which networks without a profile of their
// own are known, so that a remedy can name their settings. They decide nothing
// else: such a network is judged by the evidence alone.
var marks = []mark{
	{"network.cilium.io/", "cilium"},
	{"io.cilium.network.", "cilium"}, // before Cilium 1.14
}

// named returns the name of the network whose annotations the nodes have, "" if
// they have those of none or of several.
func named(g *graph.Graph) string {
	var found []string
	for _, n := range g.Nodes {
		for _, mark := range append(slices.Clone(marks), mark{calicoPrefix, "calico"}) {
			if annotated(n, mark.annotation) && !slices.Contains(found, mark.name) {
				found = append(found, mark.name)
			}
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}
