package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Node is what was found of one node.
type Node struct {
	Name      string         `json:"name"`
	Server    bool           `json:"server"` // runs a part of the control plane
	Kernel    string         `json:"kernel,omitempty"`
	System    string         `json:"system,omitempty"` // its OS image
	Arch      string         `json:"arch,omitempty"`
	WireGuard verdict.Status `json:"wireguard"` // whether its kernel makes links
	Loaded    bool           `json:"moduleLoaded"`
	TUN       bool           `json:"tun"` // a WireGuard in userspace would have its driver
	// Hints are what keeps modules from being loaded, or algorithms from being approved.
	Hints   []string `json:"hints,omitempty"`
	Address string   `json:"address,omitempty"` // where a tunnel would end
	Private bool     `json:"addressPrivate"`
	Own     bool     `json:"addressOwn"` // false if a NAT has to forward to it
	MTU     int      `json:"mtu,omitempty"`
}

func (j *judging) node(n *graph.Node) {
	addr := j.end(n, 4)
	if !j.needed[4] || !addr.IsValid() {
		addr = j.end(n, 6)
	}
	node := Node{
		Name: n.Name, Server: j.server(n), Kernel: n.Kernel, System: n.OSImage, Arch: n.Arch,
		WireGuard: j.makesLinks(n), Own: true, MTU: linkMTU(n),
	}
	if n.Trial != nil {
		node.Loaded, node.TUN, node.Hints = n.Trial.Loaded, n.Trial.TUN, hints(n)
	}
	if addr.IsValid() {
		node.Address, node.Private, node.Own = addr.String(), private(addr), owns(n, addr)
	}
	j.Nodes = append(j.Nodes, node)
	j.portsOf(n)
	j.published(n)
}

// makesLinks judges the trial.
func (j *judging) makesLinks(n *graph.Node) verdict.Status {
	facts := map[string]string{"node": n.Name, "system": n.OSImage}
	out := verdict.Say(verdict.Pass, "")
	switch t := n.Trial; {
	case t == nil:
		out = verdict.Say(verdict.Inconclusive, "no WireGuard link was tried on %s: %s", n.Name, j.untried(n))
		out.Variant = "untried"
	case t.Made:
		return verdict.Pass
	case t.NoModules != nil && *t.NoModules && !t.Loaded:
		out = verdict.Say(verdict.Fail, "the kernel of %s (%s) has no WireGuard loaded and loads no further module "+
			"(kernel.modules_disabled is 1)", n.Name, n.Kernel)
		out.Variant = "locked"
	case t.Missing:
		out = verdict.Say(verdict.Fail, "the kernel of %s (%s, %s) knows no links of the kind wireguard and found no "+
			"module for them: %s", n.Name, n.Kernel, n.OSImage, t.Error)
		if !remedy.HasShell(n.OSImage) {
			out.Variant = "image"
		}
		if t.TUN {
			out.Add("; a WireGuard in userspace would run there (its TUN driver is loaded), which no network " +
				"plugin starts by itself")
		}
	default:
		out = verdict.Say(verdict.Inconclusive, "the pod on %s could not make a WireGuard link: %s", n.Name, t.Error)
		out.Variant = "untried"
	}
	for _, hint := range hints(n) {
		out.Add("; %s", hint)
	}
	if out.Status == verdict.Fail && j.hasTunnel(n) {
		out.Status = verdict.Warn
		out.Add("; the tunnel that is there runs in userspace")
	}
	out.Facts = facts
	j.say("WG0203", verdict.Subject{Node: n.Name}, out)
	return out.Status
}

// hasTunnel reports whether the network plugin's own tunnel is on a node already.
func (j *judging) hasTunnel(n *graph.Node) bool {
	return slices.ContainsFunc(n.Devices, func(d *evidence.Device) bool {
		return d.Name == j.Profile.Device(n, 4) || d.Name == j.Profile.Device(n, 6)
	})
}

// untried says why there was no trial on a node.
func (j *judging) untried(n *graph.Node) string {
	for _, p := range slices.Concat(n.TrialProblems, j.Graph.Problems) {
		if p.On == n.Name || p.What == "trial" {
			return p.Text
		}
	}
	return "it was left out"
}

// hints are what the kernel of a node says of modules and algorithms.
func hints(n *graph.Node) (all []string) {
	if n.Hello.FIPS != nil && *n.Hello.FIPS {
		all = append(all, "FIPS mode is on, and FIPS 140 approves none of WireGuard's algorithms")
	}
	t := n.Trial
	if t == nil {
		return all
	}
	if t.Lockdown != "" && t.Lockdown != "none" {
		all = append(all, "lockdown is "+t.Lockdown+": unsigned modules are refused")
	}
	if t.SecureBoot != nil && *t.SecureBoot {
		all = append(all, "Secure Boot is on: modules need a signature of an enrolled key")
	}
	if t.NoModules != nil && *t.NoModules && t.Made {
		all = append(all, "kernel.modules_disabled is 1: no further module is loaded")
	}
	return all
}

// portsOf judges whether the tunnel's ports are free. The device that the network
// plugin has already may have them.
func (j *judging) portsOf(n *graph.Node) {
	for _, use := range n.PortUses {
		subject := verdict.Subject{Node: n.Name, Family: use.Family}
		facts := map[string]string{"node": n.Name, "port": fmt.Sprint(use.Port.Port)}
		device := holder(n, use.Port.Port)
		switch {
		case use.Bound, j.ofTunnel(n, use):
			continue
		case !use.Taken:
			out := verdict.Say(verdict.Inconclusive, "UDP port %d of %s could not be bound (IPv%d): %s",
				use.Port.Port, n.Name,
				use.Family, use.Error)
			out.Facts = facts
			j.say("WG0204", subject, out)
			continue
		}
		out := verdict.Say(verdict.Fail, "another program on %s has UDP port %d (IPv%d)",
			n.Name, use.Port.Port, use.Family)
		if device != "" {
			out = verdict.Say(verdict.Fail, "%s, a WireGuard device on %s, has UDP port %d",
				device, n.Name, use.Port.Port)
			out.Variant = "device"
			facts["link"] = device
		}
		if !j.needed[use.Family] {
			out.Status = verdict.Warn
		}
		out.Facts = facts
		j.say("WG0204", subject, out)
	}
}

// ofTunnel reports whether the network plugin's own tunnel has a port already.
func (j *judging) ofTunnel(n *graph.Node, use *evidence.PortUse) bool {
	if use == nil || use.Bound {
		return false
	}
	device := holder(n, use.Port.Port)
	return device != "" && device == j.Profile.Device(n, use.Family)
}

// holder is the WireGuard device of a node with that port, "" if there is none.
func holder(n *graph.Node, port uint16) string {
	for _, d := range n.Devices {
		if d.Port == port {
			return d.Name
		}
	}
	return ""
}

// published judges where a node says that a tunnel to it would end.
func (j *judging) published(n *graph.Node) {
	for _, family := range []int{4, 6} {
		addr := j.end(n, family)
		if !j.needed[family] || !addr.IsValid() || owns(n, addr) {
			continue
		}
		out := verdict.Say(verdict.Warn, "%s publishes %s, which none of its links has: a NAT has to forward the "+
			"tunnel's UDP port to it, and to hold the mapping while nothing is sent", n.Name, addr)
		out.Variant = "translated"
		out.Facts = map[string]string{"node": n.Name, "address": addr.String()}
		j.say("WG0306", verdict.Subject{Node: n.Name, Family: family}, out)
	}
}

// end is where a tunnel to a node would end: the address that the network plugin
// publishes, else the node's internal one; the zero Addr if it has none of the family.
func (j *judging) end(n *graph.Node, family int) netip.Addr {
	if addr := j.Profile.Endpoint(n, family); addr.IsValid() {
		return addr
	}
	for _, a := range n.Node.Addresses {
		addr, err := netip.ParseAddr(a.Addr)
		if err == nil && a.Type == "InternalIP" && familyOf(addr) == family {
			return addr
		}
	}
	return netip.Addr{}
}

// server reports whether a node runs a part of the control plane, as far as it or its
// labels say so.
func (j *judging) server(n *graph.Node) bool {
	if role := j.Profile.Configured(n).Role; role != "" {
		return role == "server"
	}
	for label := range n.Labels {
		switch role := strings.TrimPrefix(label, "node-role.kubernetes.io/"); role {
		case "control-plane", "master", "etcd":
			return true
		}
	}
	return false
}

// owns reports whether an address is one of a node's links, or those were not read.
func owns(n *graph.Node, addr netip.Addr) bool {
	has := func(a *evidence.Address) bool { return a.Prefix.Addr() == addr }
	return len(n.Addresses) == 0 || slices.ContainsFunc(n.Addresses, has)
}

// linkMTU is the least MTU of a node's links that leave the host, 0 if none was read.
func linkMTU(n *graph.Node) (least int) {
	for _, link := range n.Outside() {
		if least == 0 || link.MTU < least {
			least = link.MTU
		}
	}
	return least
}

// shared is the address space of providers' NATs (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// private reports whether an address means something within one network only.
func private(addr netip.Addr) bool {
	return addr.IsPrivate() || addr.IsLinkLocalUnicast() || shared.Contains(addr)
}

func familyOf(addr netip.Addr) int {
	if addr.Is4() {
		return 4
	}
	return 6
}
