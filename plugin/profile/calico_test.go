package profile

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// felixNode is a node of Calico with a key, or without if it is empty.
func felixNode(key string) surveyed {
	annotations := map[string]string{
		"projectcalico.org/IPv4Address": "192.0.2.10/24", "projectcalico.org/IPv4WireguardInterfaceAddr": "10.42.0.1",
	}
	if key != "" {
		annotations["projectcalico.org/WireguardPublicKey"] = key
	}
	return surveyed{annotations: annotations}
}

func configured(objects ...string) evidence.Cluster {
	about := evidence.Cluster{Objects: map[string]map[string]string{}}
	for _, object := range objects {
		name, fields, _ := strings.Cut(object, " ")
		values := map[string]string{}
		for field := range strings.FieldsSeq(fields) {
			key, value, _ := strings.Cut(field, "=")
			values[key] = value
		}
		about.Objects[name] = values
	}
	return about
}

// Calico encrypts where its configuration says so, and where that says nothing if keys are
// published; what a node's own configuration says comes first.
func TestCalico(t *testing.T) {
	const on, off = "FelixConfiguration//default wireguardEnabled=true",
		"FelixConfiguration//default wireguardEnabled=false"
	const six, override = "FelixConfiguration//default wireguardEnabledV6=true",
		"FelixConfiguration//node.node-1 wireguardEnabled=false"
	with, without := felixNode("key"), felixNode("")
	for _, test := range []struct {
		name     string
		about    evidence.Cluster
		nodes    []surveyed
		profile  string
		title    string
		encrypts bool
		backends string
	}{
		{"on", configured(on), []surveyed{with, with}, "calico-wireguard", "Calico with WireGuard", true,
			"wireguard wireguard"},
		{"on, and one key is missing", configured(on), []surveyed{with, without}, "calico-wireguard",
			"Calico with WireGuard", true, "wireguard wireguard"},
		{"on for IPv6", configured(six), []surveyed{with, with}, "calico-wireguard", "Calico with WireGuard", true,
			"wireguard wireguard"},
		{"not read", configured(), []surveyed{with, without}, "calico-wireguard", "Calico with WireGuard", true,
			"wireguard wireguard"},
		{"not read, and no keys", configured(), []surveyed{without, without}, "calico-unencapsulated",
			"Calico, WireGuard off", false, "unencapsulated unencapsulated"},
		{"off, with VXLAN", configured(off, "IPPool//p vxlanMode=CrossSubnet ipipMode=Never"),
			[]surveyed{without, without}, "calico-vxlan", "Calico, WireGuard off", false, "vxlan vxlan"},
		{"off, with IP in IP", configured(off, "IPPool//p ipipMode=Always", "IPPool//q vxlanMode=Always disabled=true"),
			[]surveyed{with, without}, "calico-ipip", "Calico, WireGuard off", false, "ipip ipip"},
		{"off on one node", configured(on, override), []surveyed{with, without}, "calico-wireguard",
			"Calico with WireGuard", true, "wireguard unencapsulated"},
		{"on on one node only", configured(off, "FelixConfiguration//node.node-0 wireguardEnabled=true"),
			[]surveyed{with, without}, "calico-wireguard", "Calico with WireGuard", true, "wireguard unencapsulated"},
	} {
		g := cluster(evidence.Run{}, test.about, test.nodes...)
		p := Decide(g)
		wantEqual(t, test.name, p.Name, test.profile)
		wantEqual(t, test.name, p.Title, test.title)
		wantEqual(t, test.name+": encrypts", p.Encrypts, test.encrypts)
		wantEqual(t, test.name+": fails closed", p.FailClosed, false)
		wantEqual(t, test.name+": runs as", p.RunsAs, "calico")
		wantEqual(t, test.name+": backends", p.Backends["node-0"]+" "+p.Backends["node-1"], test.backends)
		fails := strings.Contains(scopeOf(p), "fails open")
		wantEqual(t, test.name+": says that it fails open", fails, test.encrypts)
	}
}

func scopeOf(p Profile) string {
	text := ""
	for _, line := range p.Scope {
		text += line.What + ": " + line.Why + "\n"
	}
	return text
}

// A node of Canal is Flannel's, and marks of two networks are those of none.
func TestCalicoIsNotAlone(t *testing.T) {
	canal := felixNode("key")
	canal.annotations = with(canal.annotations, flannelPrefix+"backend-type", "vxlan")
	both := felixNode("key")
	both.annotations = with(both.annotations, "network.cilium.io/wg-pub-key", "key")
	for want, node := range map[string]surveyed{"flannel-vxlan": canal, "unknown": both} {
		p := Decide(cluster(evidence.Run{}, evidence.Cluster{}, node, node))
		wantEqual(t, "name", p.Name, want)
	}
}

// What Felix names a node's device, its port, key and endpoint, by family.
func TestCalicoNames(t *testing.T) {
	node := felixNode("four")
	node.annotations["projectcalico.org/WireguardPublicKeyV6"] = "six"
	node.annotations["projectcalico.org/IPv6Address"] = "2001:db8::10/64"
	plain := configured("FelixConfiguration//default wireguardEnabled=true wireguardEnabledV6=true")
	custom := configured("FelixConfiguration//default wireguardEnabled=true wireguardEnabledV6=true "+
		"wireguardInterfaceName=wg.all wireguardListeningPort=51999",
		"FelixConfiguration//node.node-0 wireguardInterfaceName=wg.own wireguardInterfaceNameV6=wg.six")
	for _, test := range []struct {
		name        string
		about       evidence.Cluster
		family      int
		device, key string
		endpoint    string
		port        uint16
	}{
		{"IPv4", plain, 4, "wireguard.cali", "four", "192.0.2.10", 51820},
		{"IPv6", plain, 6, "wg-v6.cali", "six", "2001:db8::10", 51821},
		{"IPv4, configured", custom, 4, "wg.own", "four", "192.0.2.10", 51999},
		{"IPv6, configured", custom, 6, "wg.six", "six", "2001:db8::10", 51821},
	} {
		g := cluster(evidence.Run{}, test.about, node, node)
		p := Decide(g)
		n := g.Nodes[0]
		wantEqual(t, test.name, p.Device(n, test.family), test.device)
		wantEqual(t, test.name, p.Published(n, test.family), test.key)
		wantEqual(t, test.name, p.Endpoint(n, test.family), netip.MustParseAddr(test.endpoint))
		wantEqual(t, test.name, p.Port(n, test.family), test.port)
	}
	g := cluster(evidence.Run{}, configured("FelixConfiguration//default wireguardEnabled=true"), node)
	wantEqual(t, "not switched on", Decide(g).Device(g.Nodes[0], 6), "")
	override := configured("FelixConfiguration//default wireguardEnabled=true",
		"FelixConfiguration//node.node-0 wireguardEnabled=false")
	g = cluster(evidence.Run{}, override, node, node)
	wantEqual(t, "missed on a node of its own", Decide(g).Device(g.Nodes[0], 4), "wireguard.cali")
	g = cluster(evidence.Run{}, evidence.Cluster{}, felixNode("four"))
	wantEqual(t, "not read", Decide(g).Device(g.Nodes[0], 4)+Decide(g).Device(g.Nodes[0], 6), "wireguard.cali")
	g = cluster(evidence.Run{}, plain, node)
	wantEqual(t, "address", Decide(g).Address(g.Nodes[0], 4), netip.MustParseAddr("10.42.0.1"))
	wantEqual(t, "no address", Decide(g).Address(g.Nodes[0], 6), netip.Addr{})
	bare := &graph.Node{Node: evidence.Node{Addresses: []evidence.NodeAddress{
		{Type: "Hostname", Addr: "n"}, {Type: "InternalIP", Addr: "2001:db8::11"}, {Type: "InternalIP",
			Addr: "192.0.2.11"},
	}}}
	wantEqual(t, "endpoint without an annotation", calicoEndpoint(bare, 4), netip.MustParseAddr("192.0.2.11"))
}

// Host encryption decides what is said of the hosts' own traffic, and nothing else.
func TestCalicoHostEncryption(t *testing.T) {
	const on = "FelixConfiguration//default wireguardEnabled=true"
	for about, want := range map[string]string{
		on: "wireguardHostEncryptionEnabled is off",
		on + " wireguardHostEncryptionEnabled=true": "wireguardHostEncryptionEnabled is on",
	} {
		p := Decide(cluster(evidence.Run{}, configured(about), felixNode("key"), felixNode("key")))
		if text := scopeOf(p); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// Blocks of Calico's own IPAM are where pods are; what Kubernetes assigned may be unused.
func TestCalicoAssigns(t *testing.T) {
	g := cluster(evidence.Run{}, configured(), felixNode("key"), felixNode("key"))
	p := Decide(g)
	g.Nodes[1].IPAM = evidence.IPAMCalico
	wantEqual(t, "Node.spec", p.Assigned(g.Nodes[0]), false)
	wantEqual(t, "blocks", p.Assigned(g.Nodes[1]), true)
}
