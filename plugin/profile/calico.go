package profile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// calicoPrefix is the prefix of Calico's node annotations (libcalico-go
// lib/backend/k8s/conversion).
const calicoPrefix = "projectcalico.org/"

// calico recognises Calico by what it writes to its nodes. A node of Canal has
// Flannel's lease as well and is Flannel's; one with the marks of another network
// next to Calico's is of neither for sure.
func calico(g *graph.Graph) (Profile, bool) {
	marked := counted(g, func(n *graph.Node) bool { return annotated(n, calicoPrefix) })
	if marked == 0 || slices.ContainsFunc(g.Nodes, ofAnother) {
		return Profile{}, false
	}
	f := felixOf(g)
	carrier := calicoEncapsulation(g.Cluster.Objects)
	p := Profile{
		Name: "calico-" + carrier, Title: "Calico, WireGuard off", RunsAs: "calico",
		Backend: carrier, Backends: map[string]string{},
		Device: routedTo(g, calicoEndpoint), Published: func(*graph.Node, int) string { return "" },
		Endpoint: calicoEndpoint, Assigned: func(n *graph.Node) bool { return n.IPAM == evidence.IPAMCalico },
		Borrows: true,
	}
	p.Recognised = []string{fmt.Sprintf("annotations %s* on %d of %d nodes", calicoPrefix, marked, len(g.Nodes))}
	for _, family := range []int{4, 6} {
		if keys := counted(g, publishes(family)); keys > 0 {
			p.Recognised = append(p.Recognised, fmt.Sprintf("IPv%d keys of %d nodes", family, keys))
		}
	}
	for _, n := range g.Nodes {
		p.Backends[n.Name] = carrier
		if f.encrypts(n.Name) {
			p.Backends[n.Name] = wireguard
			p.Encrypts = true
		}
	}
	p.Scope = calicoScope(f, p.Encrypts)
	p.EncryptsHosts = p.Encrypts && f.value("", "wireguardHostEncryptionEnabled") == "true"
	if !p.Encrypts {
		return p, true
	}
	p.Name = "calico-wireguard"
	p.Title = "Calico with WireGuard"
	p.Backend = wireguard
	p.Device = f.devices(g)
	p.Published = calicoPublished
	p.Port = f.port
	p.Address = calicoAddress
	return p, true
}

const wireguard = "wireguard"

// counted returns how many nodes are of a kind.
func counted(g *graph.Graph, is func(*graph.Node) bool) (nodes int) {
	for _, n := range g.Nodes {
		if is(n) {
			nodes++
		}
	}
	return nodes
}

func publishes(family int) func(*graph.Node) bool {
	return func(n *graph.Node) bool { return calicoPublished(n, family) != "" }
}

func annotated(n *graph.Node, prefix string) bool {
	for name := range n.Annotations {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// ofAnother reports whether a node has the marks of a network that Calico does
// not run alongside.
func ofAnother(n *graph.Node) bool {
	return slices.ContainsFunc(ciliumPrefixes, func(prefix string) bool { return annotated(n, prefix) })
}

// felix is Felix's configuration, by object: "default" for all nodes, "node.NAME"
// for one, whose fields take precedence (felix/config); and the families of which
// some node publishes a key.
type felix struct {
	objects   map[string]map[string]string
	published map[int]bool
}

func felixOf(g *graph.Graph) felix {
	f := felix{g.Cluster.Objects, map[int]bool{}}
	for _, family := range []int{4, 6} {
		f.published[family] = slices.ContainsFunc(g.Nodes, publishes(family))
	}
	return f
}

// value is what a field has for a node, or for all if node is empty; empty if it
// is not set or was not read.
func (f felix) value(node, field string) string {
	own := f.objects["FelixConfiguration//node."+node]
	return cmp.Or(own[field], f.objects["FelixConfiguration//default"][field])
}

// encrypts reports whether Felix on a node is to use WireGuard for any family.
func (f felix) encrypts(node string) bool {
	return f.encryptsFamily(node, 4) || f.encryptsFamily(node, 6)
}

// encryptsFamily reports whether Felix on a node is to use WireGuard for a family.
// Where its configuration does not say, which can also stand in its environment,
// keys that are published do: Felix takes its key back when WireGuard is switched off.
func (f felix) encryptsFamily(node string, family int) bool {
	four, six := f.value(node, "wireguardEnabled"), f.value(node, "wireguardEnabledV6")
	switch {
	case four == "" && six == "":
		return f.published[family]
	case family == 6:
		return six == "true"
	}
	return four == "true"
}

// devices is device for the nodes of a graph, worked out once: it is asked of each edge.
func (f felix) devices(g *graph.Graph) func(*graph.Node, int) string {
	names := map[*graph.Node][2]string{}
	for _, n := range g.Nodes {
		names[n] = [2]string{f.device(n, 4), f.device(n, 6)}
	}
	return func(n *graph.Node, family int) string {
		if family == 6 {
			return names[n][1]
		}
		return names[n][0]
	}
}

// device is the name of the WireGuard device that a node should have, felix/config's
// default if it has no other; empty if the family is not encrypted. On a node with a
// configuration of its own without WireGuard the device of the others is missed.
func (f felix) device(n *graph.Node, family int) string {
	node := n.Name
	if !f.encrypts(node) {
		node = ""
	}
	switch {
	case f.encrypts(node) && !f.encryptsFamily(node, family):
		return ""
	case family == 6:
		return cmp.Or(f.value(node, "wireguardInterfaceNameV6"), "wg-v6.cali")
	}
	return cmp.Or(f.value(node, "wireguardInterfaceName"), "wireguard.cali")
}

// port is the UDP port of a node's device.
func (f felix) port(n *graph.Node, family int) uint16 {
	field, usual := "wireguardListeningPort", uint16(51820)
	if family == 6 {
		field, usual = "wireguardListeningPortV6", 51821
	}
	if port, err := strconv.ParseUint(f.value(n.Name, field), 10, 16); err == nil && port > 0 {
		return uint16(port)
	}
	return usual
}

// calicoPublished is the key that Felix publishes for a node's device.
func calicoPublished(n *graph.Node, family int) string {
	if family == 6 {
		return n.Annotations[calicoPrefix+"WireguardPublicKeyV6"]
	}
	return n.Annotations[calicoPrefix+"WireguardPublicKey"]
}

// calicoEndpoint is where the others send a node's datagrams: the address that
// calico-node detected, without its mask, else the node's InternalIP.
func calicoEndpoint(n *graph.Node, family int) netip.Addr {
	text, _, _ := strings.Cut(n.Annotations[fmt.Sprintf("%sIPv%dAddress", calicoPrefix, family)], "/")
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr
	}
	for _, address := range n.Node.Addresses {
		addr, err := netip.ParseAddr(address.Addr)
		if err == nil && address.Type == "InternalIP" && addr.Is4() == (family == 4) {
			return addr
		}
	}
	return netip.Addr{}
}

// calicoAddress is the address that was assigned to a node's device.
func calicoAddress(n *graph.Node, family int) netip.Addr {
	addr, _ := netip.ParseAddr(n.Annotations[fmt.Sprintf("%sIPv%dWireguardInterfaceAddr", calicoPrefix, family)])
	return addr
}

// calicoEncapsulation is what carries pods' packets that WireGuard does not: what
// the IPPools ask for, VXLAN first.
func calicoEncapsulation(objects map[string]map[string]string) string {
	modes := []struct{ field, name string }{{"vxlanMode", "vxlan"}, {"ipipMode", "ipip"}}
	for _, mode := range modes {
		for object, fields := range objects {
			value := fields[mode.field]
			if strings.HasPrefix(object, "IPPool/") && value != "" && value != "Never" && fields["disabled"] != "true" {
				return mode.name
			}
		}
	}
	return "unencapsulated"
}

// calicoScope is commonScope with what Calico does differently: host encryption,
// and what it does with nodes that publish no key.
func calicoScope(f felix, enabled bool) []Scope {
	if !enabled {
		return commonScope
	}
	scope := []Scope{{
		What: "nodes that publish no key",
		Why: "Calico fails open: what is for pods of such a node leaves in plaintext, without an error, " +
			"also of a node that joins or loses its key after this run",
	}}
	for _, line := range commonScope {
		if strings.HasPrefix(line.What, "host network") {
			line.Why = "in plaintext by design: wireguardHostEncryptionEnabled is off; control-plane connections use " +
				"TLS of their own"
			if f.value("", "wireguardHostEncryptionEnabled") == "true" {
				line.Why = "wireguardHostEncryptionEnabled is on, so it is to be encrypted as well; " +
					"this run tested pods"
			}
		}
		scope = append(scope, line)
	}
	return scope
}
