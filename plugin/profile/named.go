package profile

import (
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// marks are the node annotations by which networks without a profile of their
// own are known, so that a remedy can name their settings. They decide nothing
// else: such a network is judged by the evidence alone.
var marks = []struct{ annotation, name string }{
	{"projectcalico.org/", "calico"},
}

// named returns the name of the network whose annotations the nodes have, "" if
// they have those of none or of several.
func named(g *graph.Graph) string {
	var found []string
	for _, n := range g.Nodes {
		for annotation := range n.Annotations {
			for _, mark := range marks {
				if strings.HasPrefix(annotation, mark.annotation) && !slices.Contains(found, mark.name) {
					found = append(found, mark.name)
				}
			}
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}
