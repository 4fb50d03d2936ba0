package profile

import (
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// extension is the backend with which Flannel only runs commands that are given
// to it: K3s has Tailscale carry the pods' packets so, and had its first
// WireGuard backend do it until v1.26.
const extension = "extension"

// delegate describes a cluster with the backend extension.
func (p *Profile) delegate(g *graph.Graph) {
	if p.Backend != extension {
		return
	}
	p.Delegates = true
	for _, n := range g.Nodes {
		if vpn := k3sVPN(n); vpn != "" {
			p.Name = "k3s-" + vpn
			p.Title = vpnTitles[vpn]
			p.Recognised = append(p.Recognised, "--vpn-auth in k3s.io/node-args of "+n.Name)
			break
		}
	}
}

// vpnTitles are the VPNs that K3s can have carry pods' packets, by their names.
var vpnTitles = map[string]string{"tailscale": "Tailscale (--vpn-auth)", "vpn": "a VPN (--vpn-auth)"}

// k3sVPN is the name of the VPN that K3s was configured to use, "vpn" if it is not one
// that is known, "" if there is none.
func k3sVPN(n *graph.Node) string {
	for name, value := range flags(k3sArguments(n)) {
		if name != "--vpn-auth" && name != "--vpn-auth-file" {
			continue
		}
		for part := range strings.SplitSeq(value, ",") {
			vpn, named := strings.CutPrefix(part, "name=")
			if named && vpnTitles[vpn] != "" {
				return vpn
			}
		}
		return "vpn"
	}
	return ""
}

// tailscaleDevice is the name of its TUN device, tailscalePort the UDP port that its
// program takes where that is free. The WireGuard in it has no control socket
// (tailscale v1.80.0 has no UAPI listener).
const (
	tailscaleDevice = "tailscale0"
	tailscalePort   = 41641
)

// runsTailscale reports whether Tailscale's TUN device is up on some node.
func runsTailscale(g *graph.Graph) bool {
	return slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool {
		l := n.Link(tailscaleDevice)
		return l != nil && l.Kind == "tun" && l.Up && l.Role == evidence.RoleInside
	})
}

// tailscalePorts are the ports on which Tailscale sends, none where it does not run.
func tailscalePorts(g *graph.Graph) []uint16 {
	if !runsTailscale(g) {
		return nil
	}
	return []uint16{tailscalePort}
}

// tailscale adds to the scope what of Tailscale cannot be read, where it runs.
func tailscale(g *graph.Graph) []Scope {
	if !runsTailscale(g) {
		return nil
	}
	return []Scope{{What: "what Tailscale does with what goes into " + tailscaleDevice,
		Why: "its program has no control socket: its keys, its peers, and whether a connection is direct or relayed, " +
			"cannot be read; that nothing left in clear is shown as for any network"}}
}
