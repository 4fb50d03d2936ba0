package profile

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// configured is a cluster whose ConfigMap of Cilium has some options, and two nodes
// that publish keys.
func agents(options map[string]string) *graph.Graph {
	about := evidence.Cluster{Objects: map[string]map[string]string{ciliumConfig: options}}
	return cluster(evidence.Run{Families: []int{4}}, about, agent("a"), agent("b"))
}

// agent is a node whose agent publishes a key, "" for none.
func agent(key string) surveyed {
	annotations := map[string]string{"network.cilium.io/ipv4-pod-cidr": "10.42.0.0/24"}
	if key != "" {
		annotations["network.cilium.io/wg-pub-key"] = key
	}
	return surveyed{annotations: annotations}
}

// options returns the options of native routing with WireGuard, changed by pairs of
// a name and a value.
func options(changes ...string) map[string]string {
	all := map[string]string{"enable-wireguard": "true", "routing-mode": "native", "enable-ipv4": "true"}
	for i := 0; i+1 < len(changes); i += 2 {
		all[changes[i]] = changes[i+1]
	}
	return all
}

// The ConfigMap decides whether the agents encrypt, and how packets travel.
func TestCiliumByItsConfiguration(t *testing.T) {
	for _, test := range []struct {
		options  map[string]string
		name     string
		title    string
		encrypts bool
		wraps    bool
	}{
		{options(), "cilium-wireguard-native", "Cilium, WireGuard, native routing", true, false},
		{options("routing-mode", "tunnel"), "cilium-wireguard-vxlan", "Cilium, WireGuard, tunnel (VXLAN)", true, true},
		{options("routing-mode", "tunnel", "tunnel-protocol", "geneve"), "cilium-wireguard-geneve",
			"Cilium, WireGuard, tunnel (Geneve)", true, true},
		{map[string]string{"enable-wireguard": "true", "tunnel": "disabled"}, "cilium-wireguard-native",
			"Cilium, WireGuard, native routing", true, false}, // before 1.14
		{map[string]string{"enable-wireguard": "true", "tunnel": "geneve"}, "cilium-wireguard-geneve",
			"Cilium, WireGuard, tunnel (Geneve)", true, true},
		{map[string]string{"enable-wireguard": "true"}, "cilium-wireguard-vxlan",
			"Cilium, WireGuard, tunnel (VXLAN)", true, true}, // the default
		{options("enable-wireguard", "false"), "cilium-native", "Cilium, WireGuard off, native routing", false, false},
		{map[string]string{"routing-mode": "tunnel"}, "cilium-vxlan",
			"Cilium, WireGuard off, tunnel (VXLAN)", false, false},
		{options("enable-wireguard", "false", "enable-ipsec", "true"), "cilium-ipsec-native",
			"Cilium, IPsec and not WireGuard, native routing", false, false},
		{options("enable-wireguard", "false", "enable-ztunnel", "true"), "cilium-ztunnel-native",
			"Cilium, ztunnel and not WireGuard, native routing", false, false},
	} {
		g := agents(test.options)
		p := Decide(g)
		wantEqual(t, "name", p.Name, test.name)
		wantEqual(t, "title", p.Title, test.title)
		wantEqual(t, test.name+": runs as", p.RunsAs, "cilium")
		wantEqual(t, test.name+": encrypts", p.Encrypts, test.encrypts)
		wantEqual(t, test.name+": redirects", p.Redirects, test.encrypts)
		wantEqual(t, test.name+": wraps", p.Wraps != nil, test.wraps)
		n := g.Nodes[0]
		key, device, port := "", "", uint16(0)
		if test.encrypts {
			key, device, port = "a", "cilium_wg0", 51871
		}
		for _, family := range []int{4, 6} { // one device and key for both
			wantEqual(t, test.name+": key", p.Published(n, family), key)
			wantEqual(t, test.name+": device", p.Device(n, family), device)
			wantEqual(t, test.name+": port", p.Port(n, family), port)
		}
		wantEqual(t, test.name+": one backend", len(p.Backends) > 0, !test.encrypts)
	}
}

// Without the ConfigMap keys decide, and links.
func TestCiliumByWhatTheNodesShow(t *testing.T) {
	old := surveyed{annotations: map[string]string{"io.cilium.network.wg-pub-key": "old"}}
	g := cluster(evidence.Run{}, evidence.Cluster{}, old, agent(""))
	p := Decide(g)
	wantEqual(t, "one key", p.Name, "cilium-wireguard-native")
	wantEqual(t, "the older annotation", p.Published(g.Nodes[0], 4), "old")
	wantEqual(t, "a node without a key", p.Published(g.Nodes[1], 4), "")

	g = cluster(evidence.Run{}, evidence.Cluster{}, agent(""), agent(""))
	wantEqual(t, "no key", Decide(g).Title, "Cilium, whose configuration was not read, native routing")

	g = cluster(evidence.Run{}, evidence.Cluster{}, agent("a"), agent("b"))
	g.Nodes[1].Links = append(g.Nodes[1].Links, &evidence.Link{Name: "cilium_geneve"})
	wantEqual(t, "a tunnel's link", Decide(g).Name, "cilium-wireguard-geneve")
}

// Nodes keep the annotations of a network that they had before: where they have
// those of two, the one whose link is there runs.
func TestCiliumBesideAnother(t *testing.T) {
	both := func() *graph.Graph {
		node := agent("a")
		maps.Copy(node.annotations, lease(0, "wireguard"))
		return cluster(evidence.Run{}, evidence.Cluster{}, node, node)
	}
	wantEqual(t, "no link of Cilium", Decide(both()).Name, "flannel-wireguard")
	g := both()
	g.Nodes[0].Links = append(g.Nodes[0].Links, &evidence.Link{Name: "cilium_host"})
	wantEqual(t, "a link of Cilium", Decide(g).Name, "cilium-wireguard-native")
}

// An agent's device is reached at the node's InternalIP: IPv4 if Cilium has that,
// of both families of pods.
func TestCiliumEndpoint(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")
	both := []evidence.NodeAddress{
		{Type: "Hostname", Addr: "node-0"}, {Type: "ExternalIP", Addr: "203.0.113.1"},
		{Type: "InternalIP", Addr: six.String()}, {Type: "InternalIP", Addr: four.String()},
	}
	for _, test := range []struct {
		name      string
		options   map[string]string
		addresses []evidence.NodeAddress
		want      netip.Addr
	}{
		{"both", options(), both, four},
		{"IPv6 alone", options("enable-ipv4", "false"), both, six},
		{"only that address", options(), both[:3], six},
		{"a tunnel over IPv6", options("routing-mode", "tunnel", "underlay-protocol", "ipv6"), both, six},
		{"native routing has no tunnel", options("underlay-protocol", "ipv6"), both, four},
		{"no InternalIP", options(), both[:2], netip.Addr{}},
	} {
		g := agents(test.options)
		g.Nodes[0].Node.Addresses = test.addresses
		p := Decide(g)
		for _, family := range []int{4, 6} {
			wantEqual(t, test.name, p.Endpoint(g.Nodes[0], family), test.want)
		}
	}
}

// What the encryption leaves out is said, as it is configured.
func TestCiliumScope(t *testing.T) {
	const first, nodes, out = "pods that a node does not know yet", "pods to nodes", "opt out of it"
	for _, test := range []struct {
		name        string
		options     map[string]string
		says, spare []string
	}{
		{"the defaults", options(), []string{first, nodes, "its programs", "L7 proxy"},
			[]string{"strict mode's range", "opt out", "of a mesh"}},
		{"strict mode", options("enable-encryption-strict-mode-egress",
			"true", "encryption-strict-egress-cidr", "10.42.0.0/16"),
			[]string{"strict mode's range", "10.42.0.0/16"}, []string{first}},
		{"strict mode before 1.19", options("enable-encryption-strict-mode",
			"true", "encryption-strict-mode-cidr", "10.42.0.0/16"),
			[]string{"strict mode's range", "10.42.0.0/16"}, []string{first}},
		{"node encryption", options("encrypt-node", "true"), []string{"nodes to nodes"}, []string{out, nodes}},
		{"of no node", options("encrypt-node", "true", "node-encryption-opt-out-labels", ""),
			[]string{nodes, "no agent takes part in it"}, []string{"nodes to nodes"}},
		{"no proxy", options("enable-l7-proxy", "false"), nil, []string{"L7 proxy"}},
		{"a mesh", options("cluster-id", "3"), []string{"pods of other clusters"}, nil},
		{"off", options("enable-wireguard", "false"), nil, []string{first, nodes, "its programs"}},
	} {
		text := ""
		for _, line := range Decide(agents(test.options)).Scope {
			text += line.What + " (" + line.Why + ")\n"
		}
		for _, part := range test.says {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is not in the scope:\n%s", test.name, part, text)
			}
		}
		for _, part := range test.spare {
			if strings.Contains(text, part) {
				t.Errorf("%s: %q is in the scope:\n%s", test.name, part, text)
			}
		}
	}
}

// Who opts out of node encryption is what the agents publish, whatever the labels that
// were read; without that, what the selector says, of which an empty one selects all, as
// agents of 1.20.2 did.
func TestCiliumOptOut(t *testing.T) {
	const control = "node-role.kubernetes.io/control-plane"
	selector := func(text string) map[string]string {
		return options("encrypt-node", "true", "node-encryption-opt-out-labels", text)
	}
	for _, test := range []struct {
		name      string
		options   map[string]string
		published []bool
		out       []bool
		hosts     bool
	}{
		{"off", options(), nil, []bool{false, false}, false},
		{"the default", options("encrypt-node", "true"), nil, []bool{true, false}, true},
		{"a selector of values", selector(control + "=false"), nil, []bool{false, false}, true},
		{"one that selects all others", selector("!" + control), nil, []bool{false, true}, true},
		{"an empty one", selector(""), nil, []bool{true, true}, false},
		{"no selector", selector("=,="), nil, []bool{false, false}, true},
		{"published, whatever the labels", options("encrypt-node", "true"), []bool{true, false}, []bool{false, true}, true},
		{"published of none, by a label that was not read", selector("edge=yes"), []bool{false, false}, []bool{true, true}, false},
		{"published of all", selector(""), []bool{true, true}, []bool{false, false}, true},
	} {
		g := agents(test.options)
		g.Nodes[0].Labels = map[string]string{control: "true"}
		for i, is := range test.published {
			g.Nodes[i].Node.NodeEncryption = &is
		}
		p := Decide(g)
		wantEqual(t, test.name, p.EncryptsHosts, test.hosts)
		for i, n := range g.Nodes {
			wantEqual(t, test.name+", "+n.Name, p.OptedOut(n), test.out[i])
		}
		all := test.hosts && !test.out[0] && !test.out[1]
		wantEqual(t, test.name+", promised", p.Promise(evidence.ClassNodeNode).Encrypted, all)
	}
}

// What a run tries of the nodes' own packets is not said to be untried.
func TestCiliumScopeOfHosts(t *testing.T) {
	g := agents(options("encrypt-node", "true"))
	g.Run.Scope = []string{evidence.ScopeHosts}
	for _, line := range Decide(g).Scope {
		if line.What == "nodes to nodes" && strings.Contains(line.Why, "the test pods are not hosts") {
			t.Errorf("%s", line.Why)
		}
	}
}

// Only strict mode makes Cilium drop what it cannot encrypt.
func TestCiliumFailsOpen(t *testing.T) {
	wantEqual(t, "by default", Decide(agents(options())).FailClosed, false)
	strict := options("enable-encryption-strict-mode-egress", "true")
	wantEqual(t, "strict mode", Decide(agents(strict)).FailClosed, true)
	strict["enable-wireguard"] = "false"
	wantEqual(t, "without WireGuard", Decide(agents(strict)).FailClosed, false)
}

// A WireGuard of the machines below Cilium's tunnel carries its packets.
func TestCiliumOverWireGuardOfTheMachines(t *testing.T) {
	about := evidence.Cluster{Objects: map[string]map[string]string{ciliumConfig: {"routing-mode": "tunnel"}}}
	wg0 := func(to string) surveyed {
		return surveyed{devices: []string{"wg0"}, routes: map[string]string{to: "wg0"}}
	}
	g := cluster(evidence.Run{}, about, wg0("192.0.2.11"), wg0("192.0.2.10"))
	for i, n := range g.Nodes {
		n.Node.Addresses = []evidence.NodeAddress{{Type: "InternalIP", Addr: "192.0.2.1" + string(rune('0'+i))}}
	}
	p := Decide(g)
	wantEqual(t, "name", p.Name, "cilium-vxlan-over-wireguard")
	wantEqual(t, "device", p.Device(g.Nodes[0], 4), "wg0")
	wantEqual(t, "overhead", p.Below != nil && p.Below.Overhead[4] == 50, true)
}
