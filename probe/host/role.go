//go:build linux

package host

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// facts are what the role of a link is decided from.
type facts struct {
	Kind     string // IFLA_INFO_KIND, empty for hardware
	Up       bool   // administratively
	Loopback bool
	PeerNS   bool // IFLA_LINK_NETNSID is set: the other end is in another namespace
	HostPeer bool // it is one of a pair whose other end is on this host as well
	Socket   bool // a control socket of a userspace WireGuard bears the link's name
	// Addresses of the link, and destinations of all unicast routes out of it,
	// in all tables; a default route is /0.
	Addresses []netip.Prefix
	Routes    []netip.Prefix
	Master    *masterFacts // nil if it is not a port of another link
}

// masterFacts are those of the bridge, bond or switch that a link is a port of.
type masterFacts struct {
	Addresses []netip.Prefix
	Ports     []string // kinds of all its ports, the link itself included
}

// again names the kinds whose frames go on through another link of the same
// host and are judged there, with the reason.
var again = map[string]string{
	"bridge":      "a bridge, its ports are judged themselves",
	"openvswitch": "a virtual switch, its ports are judged themselves",
	"vrf":         "a routing domain, its links are judged themselves",
	"vxlan":       overlay, "geneve": overlay, "gre": overlay, "gretap": overlay, "ip6gre": overlay,
	"ip6gretap": overlay, "erspan": overlay, "ip6erspan": overlay, "ipip": overlay, "sit": overlay, "ip6tnl": overlay,
	"bareudp": overlay, "vti": overlay, "vti6": overlay, "xfrm": overlay,
	"dummy": "a dummy, its frames go nowhere",
	"ifb":   "a queueing device, its frames go on through their own link",
}

const overlay = "an overlay device, its frames emerge again on an underlay link"

// paired names the kinds that come as two ends of a pipe.
var paired = []string{"veth", "netkit"}

// decide returns what frames on a link mean. A link is outside unless it is
// proven to be another; every doubt is an outside link. pods are the pod
// ranges of this node.
func decide(f facts, pods []netip.Prefix) (evidence.LinkRole, string) {
	switch reason, emerges := again[f.Kind]; {
	case f.Kind == "wireguard":
		return evidence.RoleWireGuard, "a WireGuard device"
	case f.Kind == "tun" && f.Socket:
		return evidence.RoleWireGuard, "a userspace WireGuard device"
	case f.Loopback:
		return evidence.RoleInside, "loopback"
	case !f.Up:
		return evidence.RoleInside, "down: nothing crosses it"
	case emerges:
		return evidence.RoleInside, reason
	case f.Kind == "tun":
		return evidence.RoleInside, "a tun device, what its process sends on emerges on another link"
	case slices.Contains(paired, f.Kind):
		return decidePair(f, pods)
	case f.Kind == "":
		return evidence.RoleOutside, "a network card"
	}
	return evidence.RoleOutside, "nothing proves that its frames stay on the host"
}

// decidePair distinguishes the host's end of a local pod's pipe from a node's
// uplink that happens to be such a pipe, as in LXC, in kind and in the lab.
func decidePair(f facts, pods []netip.Prefix) (evidence.LinkRole, string) {
	within := func(prefixes []netip.Prefix) bool {
		return !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return !inside(p, pods) })
	}
	elsewhere := func(p netip.Prefix) bool { return !p.IsSingleIP() && !inside(p, pods) }
	switch {
	case f.HostPeer:
		return evidence.RoleInside, "a pair with both ends on this host, its frames go on through the other end"
	case !f.PeerNS:
		return evidence.RoleOutside, "a pair whose other end is not in another network namespace"
	case !within(global(f.Addresses)):
		return evidence.RoleOutside, "a pair with an address of its own"
	case slices.ContainsFunc(global(f.Routes), elsewhere):
		return evidence.RoleOutside, "a pair that routes lead out of"
	case f.Master == nil:
		return evidence.RoleInside, "leads to a local pod"
	case !within(global(f.Master.Addresses)):
		return evidence.RoleOutside, "a port of a bridge with an address that is not the pods'"
	case slices.ContainsFunc(f.Master.Ports, uplink):
		return evidence.RoleOutside, "a port of a bridge that another kind of port may lead out of"
	}
	return evidence.RoleInside, "leads to a local pod through a bridge of pods"
}

// uplink reports whether a port of this kind could carry a pod's frames off the host.
func uplink(kind string) bool {
	_, emerges := again[kind]
	return !emerges && kind != "wireguard" && kind != "tun" && !slices.Contains(paired, kind)
}

// inside reports whether p lies in one of the ranges.
func inside(p netip.Prefix, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(r netip.Prefix) bool {
		return r.Bits() <= p.Bits() && r.Contains(p.Addr())
	})
}

// global leaves out what every link has by itself: link-local and multicast.
func global(prefixes []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool {
		return p.Bits() > 0 && (p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast())
	})
}
