package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// level reports who encrypts, the network plugin or the machines below it, and what of
// this cluster speaks for the other way. Both are right: it is a choice.
func (v *view) level() verdict.Outcome {
	optedOut := v.optedOut()
	switch inner, outer := v.twice(); {
	case outer != "":
		out := advise("pod traffic is encrypted twice: what %s sends goes into %s, another WireGuard", inner, outer)
		out.Variant = "twice"
		return out
	case v.Below != nil:
		return pass("a WireGuard of the machines encrypts what goes between their addresses in it, be it of pods or " +
			"of the host network")
	case !v.Encrypts:
		return skip("no WireGuard is known to be meant for the pods' traffic")
	case v.EncryptsHosts && len(optedOut) > 0:
		return pass("the network plugin encrypts pod traffic and what goes between the nodes themselves, but not "+
			"with those that opt out of it: %s", some(optedOut))
	case v.EncryptsHosts:
		return pass("the network plugin encrypts pod traffic and what goes between the nodes themselves")
	}
	reasons := slices.Concat(v.publicly(), v.sites(), v.acrossNAT(), v.meshed())
	if len(reasons) == 0 {
		return pass("the network plugin encrypts pod traffic and not that of the host network; " +
			"nothing shows that this crosses public addresses or lies between sites")
	}
	out := advise("the network plugin encrypts pod traffic and not that of the host network (kubelet, etcd, "+
		"hostNetwork pods), and %s", strings.Join(slices.Concat(reasons, v.between()), "; "))
	out.Variant = "plugin"
	return out
}

// optedOut names the nodes that leave their own traffic out of the encryption.
func (v *view) optedOut() (names []string) {
	for _, n := range v.Nodes {
		if v.OptedOut(n) {
			names = append(names, n.Name)
		}
	}
	return names
}

// twice names a device of a node whose messages go into another WireGuard device of
// the node, and that one; "" if there is none.
func (v *view) twice() (inner, outer string) {
	for _, n := range v.Nodes {
		for _, d := range n.Devices {
			if !n.SendsInto(d.Name) {
				continue
			}
			for _, family := range v.Run.Families {
				if carrier := n.Carrier(family).Name; carrier != "" && carrier != d.Name {
					return carrier + " of " + n.Name, d.Name
				}
			}
		}
	}
	return "", ""
}

// publicly names nodes that are reached at addresses of the Internet.
func (v *view) publicly() []string {
	var open, closed []string
	for _, n := range v.Nodes {
		switch addr := v.addressOf(n); {
		case !addr.IsValid():
		case public(addr):
			open = append(open, n.Name)
		default:
			closed = append(closed, n.Name)
		}
	}
	switch {
	case len(open) == 0:
		return nil
	case len(closed) == 0:
		return []string{"the nodes are reached at public addresses: " + some(open)}
	}
	return []string{fmt.Sprintf("some nodes are reached at public addresses (%s), others at private ones (%s): "+
		"they are at several sites, or one is reached from outside", some(open), some(closed))}
}

// addressOf is where a node says that its tunnel ends, else its internal address.
func (v *view) addressOf(n *graph.Node) netip.Addr {
	for _, family := range v.Run.Families {
		if addr := n.Carrier(family).Endpoint; addr.IsValid() {
			return addr
		}
	}
	for _, a := range n.Node.Addresses {
		if addr, err := netip.ParseAddr(a.Addr); err == nil && a.Type == "InternalIP" {
			return addr
		}
	}
	return netip.Addr{}
}

// unassigned are global addresses that no host of the Internet has: for examples
// (RFC 5737, RFC 3849, RFC 9637) and benchmarks (RFC 2544).
var unassigned = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"),
}

// public reports whether an address is one of the Internet.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsGlobalUnicast() && !private(addr) &&
		!slices.ContainsFunc(unassigned, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// topologies are the labels that say where a node is, the widest first
// (kubernetes.io/docs/reference/labels-annotations-taints).
var topologies = []struct{ label, what string }{
	{"topology.kubernetes.io/region", "regions"}, {"topology.kubernetes.io/zone", "zones"},
}

// sites reports that the nodes are at several sites, by their labels.
func (v *view) sites() []string {
	for _, topology := range topologies {
		places := map[string]bool{}
		for _, n := range v.Nodes {
			if place := n.Labels[topology.label]; place != "" {
				places[place] = true
			}
		}
		if len(places) > 1 {
			return []string{fmt.Sprintf("the nodes are in %d %s: %s", len(places), topology.what,
				some(slices.Sorted(maps.Keys(places))))}
		}
	}
	return nil
}

// acrossNAT names nodes that others reach through a NAT: they are in another network.
func (v *view) acrossNAT() []string {
	var names []string
	for _, n := range v.Nodes {
		if slices.ContainsFunc(v.Run.Families, func(family int) bool { return v.behindNAT(n, family) }) {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"a NAT is in front of " + some(names)}
}

// behindNAT reports whether some node reaches another one through a NAT.
func (v *view) behindNAT(n *graph.Node, family int) bool {
	return n.Carrier(family).Device != nil && slices.ContainsFunc(v.Nodes, func(other *graph.Node) bool {
		return other != n && !v.reachesAsPublished(other, n, family) && v.translated(v.Edge(other, n, family)) != ""
	})
}

// meshed reports that pods belong to a mesh, which encrypts what they send.
func (v *view) meshed() []string {
	marks := v.Cluster.Objects[evidence.MeshesObject]
	var seen []string
	for _, mark := range slices.Sorted(maps.Keys(marks)) {
		seen = append(seen, fmt.Sprintf("%s on %s", mark, marks[mark]))
	}
	if len(seen) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("pods in namespaces of a mesh (%s) encrypt what they send to each other themselves",
		list(seen))}
}

// between reports that several control-plane nodes talk to each other.
func (v *view) between() []string {
	var names []string
	for _, n := range v.Nodes {
		if controls(n.Labels) {
			names = append(names, n.Name)
		}
	}
	if len(names) < 2 {
		return nil
	}
	return []string{fmt.Sprintf("%d control-plane nodes talk to each other there, by TLS of their own", len(names))}
}

// controls reports whether labels are those of a control-plane node.
func controls(labels map[string]string) bool {
	for _, role := range []string{"control-plane", "master", "etcd"} {
		if _, has := labels["node-role.kubernetes.io/"+role]; has {
			return true
		}
	}
	return false
}

// fewNames is how many names a sentence has at most.
const fewNames = 3

// some names a few, and counts the rest.
func some(names []string) string {
	if more := len(names) - fewNames; more > 0 {
		return fmt.Sprintf("%s and %d more", list(names[:fewNames]), more)
	}
	return list(names)
}

// subject names the subject of a sentence, with its verb for one and for several.
func subject(names []string, one, several string) string {
	if len(names) == 1 {
		return names[0] + " " + one
	}
	return some(names) + " " + several
}
