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
// beside Calico's is of neither for sure.
func calico(g *graph.Graph) (Profile, bool) {
	marked, keys := 0, 0
	for _, n := range g.Nodes {
		if annotated(n, calicoPrefix) {
			marked++
		}
		if calicoPublished(n, 4)+calicoPublished(n, 6) != "" {
			keys++
		}
	}
	if marked == 0 || slices.ContainsFunc(g.Nodes, ofAnother) {
		return Profile{}, false
	}
	f := felix(g.Cluster.Objects)
	carrier := calicoEncapsulation(g.Cluster.Objects)
	enabled := slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return f.encrypts(n.Name, keys > 0) })
	p := Profile{
		Name: "calico-" + carrier, Title: "Calico, WireGuard off", RunsAs: "calico",
		Backend: carrier, Backends: map[string]string{}, Encrypts: enabled,
		Device: routedTo(g, calicoEndpoint), Published: func(*graph.Node, int) string { return "" }, Endpoint: calicoEndpoint,
		Assigned: func(n *graph.Node) bool { return n.IPAM == evidence.IPAMCalico }, Borrows: true,
		EncryptsHosts: enabled && f.value("", "wireguardHostEncryptionEnabled") == "true",
		Scope:         calicoScope(f, enabled),
	}
	p.Recognised = []string{fmt.Sprintf("annotations %s* on %d of %d nodes", calicoPrefix, marked, len(g.Nodes))}
	if keys > 0 {
		p.Recognised = append(p.Recognised, fmt.Sprintf("%sWireguardPublicKey on %d of %d nodes", calicoPrefix, keys, len(g.Nodes)))
	}
	for _, n := range g.Nodes {
		p.Backends[n.Name] = carrier
		if f.encrypts(n.Name, keys > 0) {
			p.Backends[n.Name] = wireguard
		}
	}
	if !p.Encrypts {
		return p, true
	}
	p.Name, p.Title, p.Backend = "calico-wireguard", "Calico with WireGuard", wireguard
	p.Device = func(n *graph.Node, family int) string {
		if !f.encryptsFamily(n.Name, family, slices.ContainsFunc(g.Nodes, publishes(family))) {
			return ""
		}
		return f.device(n, family)
	}
	p.Published, p.Port, p.Address = calicoPublished, f.port, calicoAddress
	return p, true
}

const wireguard = "wireguard"

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
// not run beside.
func ofAnother(n *graph.Node) bool {
	return slices.ContainsFunc(ciliumPrefixes, func(prefix string) bool { return annotated(n, prefix) })
}

// felix is Felix's configuration, by object: "default" for all nodes, "node.NAME"
// for one, whose fields take precedence (felix/config).
type felix map[string]map[string]string

// value is what a field has for a node, or for all if node is empty; empty if it
// is not set or was not read.
func (f felix) value(node, field string) string {
	own := f["FelixConfiguration//node."+node]
	return cmp.Or(own[field], f["FelixConfiguration//default"][field])
}

// encrypts reports whether Felix on a node is to use WireGuard for any family. Where
// its configuration does not say, which can also stand in its environment, keys that
// are published do: Felix takes its key back when WireGuard is switched off.
func (f felix) encrypts(node string, published bool) bool {
	four, six := f.value(node, "wireguardEnabled"), f.value(node, "wireguardEnabledV6")
	return four == "true" || six == "true" || four == "" && six == "" && published
}

// encryptsFamily is encrypts for one family, of which keys are published or not. On a
// node with a configuration of its own without WireGuard the others' device is missed.
func (f felix) encryptsFamily(node string, family int, published bool) bool {
	if !f.encrypts(node, published) {
		node = ""
	}
	four, six := f.value(node, "wireguardEnabled"), f.value(node, "wireguardEnabledV6")
	switch {
	case four == "" && six == "":
		return published
	case family == 6:
		return six == "true"
	}
	return four == "true"
}

// device is the name of a node's WireGuard device, felix/config's default if
// it has no other.
func (f felix) device(n *graph.Node, family int) string {
	if family == 6 {
		return cmp.Or(f.value(n.Name, "wireguardInterfaceNameV6"), "wg-v6.cali")
	}
	return cmp.Or(f.value(n.Name, "wireguardInterfaceName"), "wireguard.cali")
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
		Why: "Calico fails open: what is for pods of such a node leaves in plaintext, without an error, also of a node " +
			"that joins or loses its key after this run",
	}}
	for _, line := range commonScope {
		if strings.HasPrefix(line.What, "host network") {
			line.Why = "in plaintext by design: wireguardHostEncryptionEnabled is off; control-plane connections use TLS of their own"
			if f.value("", "wireguardHostEncryptionEnabled") == "true" {
				line.Why = "wireguardHostEncryptionEnabled is on, so it is to be encrypted as well; this run tested pods"
			}
		}
		scope = append(scope, line)
	}
	return scope
}
