package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// flannelPrefix is the default prefix of flannel's node annotations
// (flannel pkg/subnet/kube/annotations.go).
const flannelPrefix = "flannel.alpha.coreos.com/"

// flannel recognises K3s, RKE2 Canal and plain Flannel by the lease that each
// flanneld writes to its node. The lease is the effective backend; what the
// command line says may be older or newer.
func flannel(c *verdict.Case) (Profile, bool) {
	backends := map[string]string{}
	kinds := map[string]int{}
	for _, n := range c.Nodes {
		if backend, ok := n.Annotations[flannelPrefix+"backend-type"]; ok {
			backends[n.Name] = backend
			kinds[backend]++
		}
	}
	if len(backends) == 0 {
		return Profile{}, false
	}
	backend := "wireguard"
	if kinds[backend] == 0 {
		backend = slices.MaxFunc(slices.Sorted(maps.Keys(kinds)), func(a, b string) int { return kinds[a] - kinds[b] })
	}
	p := Profile{
		Name: "flannel-" + backend, Title: "Flannel, backend " + backend,
		Backend: backend, Backends: backends, Encrypts: backend == "wireguard",
		Device: routed, Published: func(*verdict.Node, int) string { return "" },
		Endpoint: flannelEndpoint, Configured: k3sConfiguration, Scope: commonScope,
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		p.Recognised = append(p.Recognised, fmt.Sprintf("%sbackend-type=%s on %d of %d nodes", flannelPrefix, kind, kinds[kind], len(c.Nodes)))
	}
	if p.Encrypts {
		// A pod address without a peer is refused with ENOKEY, so the tunnel
		// itself fails closed; a more specific route past it does not.
		p.FailClosed = true
		p.Device, p.Published = flannelDevice, flannelPublished
	}
	return p, true
}

// flannelDevice names the device of a family: mode "separate" has a second one
// for IPv6, the modes auto, ipv4 and ipv6 carry both families in the first
// (flannel pkg/backend/wireguard/wireguard.go).
func flannelDevice(n *verdict.Node, family int) string {
	if family == 6 && (n.Device("flannel-wg-v6") != nil || n.Device("flannel-wg") == nil) {
		return "flannel-wg-v6"
	}
	return "flannel-wg"
}

// flannelPublished reads the key from the lease, `{"PublicKey":"…","Port":51820}`.
// Both devices of a node use the same key.
func flannelPublished(n *verdict.Node, family int) string {
	keys := []string{"backend-data", "backend-v6-data"}
	if family == 6 {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		var data struct{ PublicKey string }
		if json.Unmarshal([]byte(n.Annotations[flannelPrefix+key]), &data) == nil && data.PublicKey != "" {
			return strings.TrimSpace(data.PublicKey)
		}
	}
	return ""
}

func flannelEndpoint(n *verdict.Node, family int) netip.Addr {
	key := "public-ip"
	if family == 6 {
		key = "public-ipv6"
	}
	addr, _ := netip.ParseAddr(n.Annotations[flannelPrefix+key])
	return addr
}
