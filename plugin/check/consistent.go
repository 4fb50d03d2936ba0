package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// inconsistent reports what a node wrote that cannot be true, empty if it all
// fits. Such evidence, made by a fault or by an intruder, proves nothing.
func inconsistent(n *graph.Node) string {
	for _, l := range n.Links {
		if !roleFits(n, l) {
			return fmt.Sprintf("%s of %s is a %s link and cannot have the role %q", l.Name, n.Name, kind(l), l.Role)
		}
	}
	for _, c := range n.Captures {
		switch link := n.Link(c.Link); {
		case link == nil && c.Role == evidence.RoleInside:
			// a tunnel that came up after the links were read; see elsewhere
		case (link == nil || link.Role == evidence.RoleInside) && began(n, c):
		case link == nil:
			return fmt.Sprintf("%s captured on %s, which is not one of its links", n.Name, c.Link)
		case link.Role != c.Role:
			return fmt.Sprintf("the capture on %s of %s was made as of role %q, and the link has the role %q", c.Link,
				n.Name, c.Role, link.Role)
		}
	}
	if text := misplaced(n); text != "" {
		return text
	}
	for _, name := range n.MarkedLinks() {
		if l := n.Link(name); l != nil && l.Role == evidence.RoleWireGuard && n.Capture(name) == nil {
			return fmt.Sprintf("packets of the run were seen on %s of %s, and no capture of it was reported",
				name, n.Name)
		}
	}
	for _, c := range n.Captures {
		if miscounted(c) {
			return fmt.Sprintf("the counts of the capture on %s of %s do not add up", c.Link, n.Name)
		}
	}
	return ""
}

// homesOf are the nodes by the internal addresses that the API has of them.
func homesOf(g *graph.Graph) map[netip.Addr]*graph.Node {
	homes := map[netip.Addr]*graph.Node{}
	for _, n := range g.Nodes {
		for _, a := range n.Node.Addresses {
			if addr, err := netip.ParseAddr(a.Addr); err == nil && a.Type == "InternalIP" {
				homes[addr] = n
			}
		}
	}
	return homes
}

// displaced reports that a node's links have the address of another node, and not
// its own: what was written there is of the other.
func displaced(n *graph.Node, homes map[netip.Addr]*graph.Node) string {
	var foreign []string
	for _, a := range n.Addresses {
		addr := a.Prefix.Addr()
		switch home := homes[addr]; home {
		case nil:
		case n:
			return ""
		default:
			foreign = append(foreign, fmt.Sprintf("%s of %s has the address %s of %s, and no link has its own", a.Link,
				n.Name, addr, home.Name))
		}
	}
	slices.Sort(foreign)
	return strings.Join(foreign[:min(len(foreign), 1)], "")
}

// miscounted reports whether a capture counted more of a part than of the whole:
// every frame has one class, and what left is some of what was seen.
func miscounted(c *evidence.Capture) bool {
	classes := uint64(0)
	for _, count := range c.Classes {
		classes = max(classes, classes+count) // an overflow is not a way out
		if classes < count {
			return true
		}
	}
	return c.TXFrames > c.Frames || c.TXBytes > c.Bytes || classes > c.Frames
}

// insideKinds are the kinds of link whose frames stay on the host or emerge
// again on another link of it, which is judged itself (see probe/host, role.go).
var insideKinds = []string{
	"bridge", "openvswitch", "vrf", "dummy", "ifb", "nlmon", "tun", "veth", "netkit",
	"vxlan", "geneve", "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan", "ipip", "sit",
	"ip6tnl", "bareudp", "vti", "vti6", "xfrm",
}

// roleFits reports whether a link of its kind can have the role that it was
// given. Any link may be outside: that is the role of doubt.
func roleFits(n *graph.Node, l *evidence.Link) bool {
	switch l.Role {
	case evidence.RoleOutside:
		return true
	case evidence.RoleWireGuard:
		return isWireGuard(n, l)
	case evidence.RoleInside:
		return !l.Up || l.Type == "loopback" || slices.Contains(insideKinds, l.Kind) && !halfPair(l)
	}
	return false
}

// halfPair reports whether a link is one end of a pair whose other end is nowhere:
// neither in another network namespace nor on this host.
func halfPair(l *evidence.Link) bool {
	return slices.Contains(podPipes, l.Kind) && !l.PeerNS && l.Parent == ""
}

// isWireGuard reports whether a link is WireGuard by its kind, or a tun device
// whose process has WireGuard's control socket.
func isWireGuard(n *graph.Node, l *evidence.Link) bool {
	socket := func(s *evidence.Socket) bool { return s.Device == l.Name }
	return l.Kind == "wireguard" || l.Kind == "tun" && slices.ContainsFunc(n.Sockets, socket)
}

// carriesInner reports whether a link is a tunnel into which the messages of
// another device of the node go.
func carriesInner(n *graph.Node, l *evidence.Link) bool {
	return (l.Role == evidence.RoleWireGuard || evidence.OtherTunnel(l)) && n.SendsInto(l.Name)
}

// misplaced reports where a tunnel was seen on the wire and cannot have been:
// ciphertext leaves the host, or enters another tunnel to which a device's
// messages are routed, through links whose captures counted it.
func misplaced(n *graph.Node) string {
	for _, name := range slices.Sorted(maps.Keys(n.OnWire)) {
		link, capture := n.Link(name), n.Capture(name)
		switch {
		case name == "":
			return fmt.Sprintf("WireGuard messages of %s were seen on none of its links", n.Name)
		case link == nil || capture == nil || link.Role != evidence.RoleOutside && !carriesInner(n, link):
			return fmt.Sprintf("WireGuard messages of %s were seen on %s, which is not one of its external interfaces",
				n.Name, name)
		case capture.Classes["wireguard"] == 0:
			return fmt.Sprintf("WireGuard messages were seen on %s of %s, and its capture counted none", name, n.Name)
		case capture.Frames < n.OnWire[name]:
			return fmt.Sprintf("the capture on %s of %s counted %s, fewer than the WireGuard messages that were "+
				"seen there",
				name, n.Name, plural(capture.Frames, "frame"))
		}
	}
	return ""
}
