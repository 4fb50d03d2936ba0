package profile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// flannelPrefix is the default prefix of flannel's node annotations
// (flannel pkg/subnet/kube/annotations.go).
const flannelPrefix = "flannel.alpha.coreos.com/"

// flannel recognises K3s, RKE2 Canal and plain Flannel by the lease that each
// flanneld writes to its node. The lease is the effective backend; what the
// command line says may be older or newer.
func flannel(g *graph.Graph) (Profile, bool) {
	backends := map[string]string{}
	kinds := map[string]int{}
	for _, n := range g.Nodes {
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
		Device: routed, Published: func(*graph.Node, int) string { return "" },
		Endpoint: flannelEndpoint, Overwrite: flannelOverwrite, OldLink: flannelVXLAN, Configured: k3sConfiguration,
		Scope: commonScope, Promises: BackendHops(),
		RunsAs:   cmp.Or(distribution(g), "flannel"),
		Assigned: func(*graph.Node) bool { return true }, // flannel's lease is Node.spec.podCIDR
	}
	if p.RunsAs == "k3s" {
		p.Unit = k3sUnit(g)
		if slices.ContainsFunc(g.Nodes, k3sWithoutFlannel) {
			p.RunsAs = "flannel"
			p.Unit = nil
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		p.Recognised = append(p.Recognised, fmt.Sprintf("%sbackend-type=%s on %d of %d nodes", flannelPrefix, kind,
			kinds[kind], len(g.Nodes)))
	}
	if p.Encrypts {
		// A pod address without a peer is refused with ENOKEY, so the tunnel
		// itself fails closed; a more specific route past it does not.
		p.FailClosed = true
		// Its one route to all pods is every packet's, a node's own too.
		p.Promises = BackendHops().And(evidence.ClassNodePod)
		p.Device = flannelDevices(g)
		p.Published = flannelPublished
		p.Port = flannelPort
		return p, true
	}
	p.Device = routedTo(g, flannelEndpoint)
	p.delegate(g)
	return p, true
}

// The devices of the backend (flannel pkg/backend/wireguard/wireguard.go).
const (
	flannelWG  = "flannel-wg"
	flannelWG6 = "flannel-wg-v6" // of mode "separate" only
)

// flannelDevices names the device of a node and family. Mode "separate", the
// default, has a second one for IPv6; the modes auto, ipv4 and ipv6 carry both
// families in the first. No object says which mode it is, so what the nodes
// have decides: one that lost its second device must not look like another mode.
func flannelDevices(g *graph.Graph) func(*graph.Node, int) string {
	six := flannelWG6
	if !slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return n.Link(flannelWG6) != nil }) &&
		slices.ContainsFunc(g.Nodes, carriesIPv6) {
		six = flannelWG
	}
	return func(_ *graph.Node, family int) string {
		if family == 6 {
			return six
		}
		return flannelWG
	}
}

// carriesIPv6 reports whether the node's first device has an address of its IPv6
// pod range, as flannel gives it in every mode but separate.
func carriesIPv6(n *graph.Node) bool {
	return slices.ContainsFunc(n.Addresses, func(a *evidence.Address) bool {
		return a.Link == flannelWG && slices.ContainsFunc(n.PodCIDRs, func(podRange netip.Prefix) bool {
			return podRange.Addr().Is6() && podRange.Contains(a.Prefix.Addr())
		})
	})
}

// flannelVXLAN reports whether a link is one of the backend vxlan: flannel.VNI and
// flannel-v6.VNI (flannel pkg/backend/vxlan/vxlan.go).
func flannelVXLAN(name string) bool {
	return strings.HasPrefix(name, "flannel.") || strings.HasPrefix(name, "flannel-v6.")
}

// flannelPublished reads the key of a family from the lease,
// `{"PublicKey":"…","Port":51820}`; it is `null` if flannel has that family
// switched off. Both devices of a node use the same key.
func flannelPublished(n *graph.Node, family int) string {
	return strings.TrimSpace(flannelLease(n, family).PublicKey)
}

// flannelPort reads the port from the lease; older releases publish none.
func flannelPort(n *graph.Node, family int) uint16 { return flannelLease(n, family).Port }

func flannelLease(n *graph.Node, family int) (lease struct {
	PublicKey string
	Port      uint16
}) {
	name := "backend-data"
	if family == 6 {
		name = "backend-v6-data"
	}
	_ = json.Unmarshal([]byte(n.Annotations[flannelPrefix+name]), &lease) // what cannot be read was not published
	return lease
}

// flannelEndpoint is the published address of a family. Where that is switched
// off flannel publishes 0.0.0.0 all the same.
func flannelEndpoint(n *graph.Node, family int) netip.Addr {
	key := "public-ip"
	if family == 6 {
		key = "public-ipv6"
	}
	addr, err := netip.ParseAddr(n.Annotations[flannelPrefix+key])
	if err != nil || addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr
}

// flannelOverwrite is the address of an annotation that outlives the option which
// wrote it, --flannel-external-ip of K3s' servers.
func flannelOverwrite(n *graph.Node) Overwrite {
	o := Overwrite{By: "public-ip-overwrite", Option: "--flannel-external-ip"}
	for _, key := range []string{"public-ip-overwrite", "public-ipv6-overwrite"} {
		if value := n.Annotations[flannelPrefix+key]; value != "" {
			o.Address = value
		}
	}
	return o
}
