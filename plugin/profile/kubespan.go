package profile

import (
	"cmp"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// KubeSpan of Talos (siderolabs/talos pkg/machinery/constants, controllers/kubespan).
// A statement of nftables marks what is for the other nodes' addresses, a rule looks
// the mark up in a table of its own, whose only route leads into the device.
const (
	kubespanKey    = "networking.talos.dev/kubespan-public-key"
	kubespanDevice = "kubespan"
)

// kubespan recognises KubeSpan by the public keys that Talos writes to its nodes.
func kubespan(g *graph.Graph) (machines, bool) {
	keyed := 0
	for _, n := range g.Nodes {
		if n.Annotations[kubespanKey] != "" {
			keyed++
		}
	}
	if keyed == 0 {
		return machines{}, false
	}
	return machines{
		name: "kubespan", title: "KubeSpan", runsAs: "kubespan",
		recognised: fmt.Sprintf("%s on %d of %d nodes", kubespanKey, keyed, len(g.Nodes)),
		device: func(n *graph.Node) string {
			return cmp.Or(holder(n, n.Annotations[kubespanKey]), kubespanDevice)
		},
		published: func(n *graph.Node, _ int) string { return n.Annotations[kubespanKey] },
		usual:     kubespanDevice,
		marked:    true,
		chains:    "kubespan_",
		// With advertiseKubernetesNetworks pods' packets go into it as they are, else
		// as the network plugin wraps them: no object of the cluster says which.
		unknown: true,
		scope: []Scope{{What: "what KubeSpan does while a peer is down",
			Why: "with allowDownPeerBypass in the machine configuration it sends in clear then, and no object of the " +
				"cluster shows whether it is set"}},
	}, true
}
