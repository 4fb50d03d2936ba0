package profile

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// Antrea, since 1.3 (antrea-io/antrea pkg/agent/types/annotations.go,
// pkg/agent/wireguard/client_linux.go).
const (
	antreaKey       = "node.antrea.io/wireguard-public-key"
	antreaAddresses = "node.antrea.io/transport-addresses"
	antreaDevice    = "antrea-wg0"
)

// antrea recognises Antrea with WireGuard by the public keys that its agents write
// to their nodes. Pods are behind Open vSwitch; the host's routes lead the pod ranges
// of the other nodes into the device, whether it has a peer for them or not.
func antrea(g *graph.Graph) (Profile, bool) {
	keyed := 0
	for _, n := range g.Nodes {
		if n.Annotations[antreaKey] != "" {
			keyed++
		}
	}
	if keyed == 0 {
		return Profile{}, false
	}
	return Profile{
		Name: "antrea-wireguard", Title: "Antrea, traffic encryption WireGuard", RunsAs: "antrea",
		Recognised: []string{fmt.Sprintf("%s on %d of %d nodes", antreaKey, keyed, len(g.Nodes))},
		Encrypts:   true, FailClosed: true,
		Assigned: func(*graph.Node) bool { return true }, // its agents take Node.spec.podCIDRs
		Device: func(n *graph.Node, _ int) string {
			return cmp.Or(holder(n, n.Annotations[antreaKey]), antreaDevice)
		},
		Published: func(n *graph.Node, _ int) string { return n.Annotations[antreaKey] },
		Endpoint:  antreaEndpoint,
		Scope:     commonScope,
	}, true
}

// antreaEndpoint is the address that an agent publishes where it is configured which link
// to use, else the node's own.
func antreaEndpoint(n *graph.Node, family int) netip.Addr {
	for text := range strings.SplitSeq(n.Annotations[antreaAddresses], ",") {
		addr, err := netip.ParseAddr(strings.TrimSpace(text))
		if err == nil && addr.Is4() == (family == 4) {
			return addr
		}
	}
	return internalIP(n, family)
}
