package profile

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// submarinerDevices are the names of its WireGuard device, the older one last
// (submariner-io/submariner pkg/cable/wireguard/driver.go).
var submarinerDevices = []string{"submariner", "subwg0"}

// submariner adds to the scope what Submariner carries, which is nothing between the
// nodes of one cluster: it is known by the label of its gateways, or by its device.
func submariner(g *graph.Graph) []Scope {
	if !slices.ContainsFunc(g.Nodes, runsSubmariner) {
		return nil
	}
	return []Scope{{What: "traffic with other clusters (Submariner)",
		Why: "it leaves through gateway nodes, whose tunnels are not part of this run; its link vx-submariner to " +
			"them does not encrypt by itself"}}
}

func runsSubmariner(n *graph.Node) bool {
	return n.Labels["submariner.io/gateway"] == "true" || slices.ContainsFunc(n.Links, func(l *evidence.Link) bool {
		return l.Role == evidence.RoleWireGuard && slices.Contains(submarinerDevices, l.Name)
	})
}
