package profile

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// kiloNode is what kg writes to a node: without a granularity as releases before it
// was written, without a WireGuard address where it does not lead its location.
func kiloNode(granularity, location, tunnelIP string) surveyed {
	annotations := map[string]string{
		"kilo.squat.ai/key": "key", "kilo.squat.ai/endpoint": "198.51.100.7:51820",
		"kilo.squat.ai/internal-ip": "10.0.0.7/24", "kilo.squat.ai/location": location,
	}
	for key, value := range map[string]string{"granularity": granularity, "wireguard-ip": tunnelIP} {
		if value != "" {
			annotations["kilo.squat.ai/"+key] = value
		}
	}
	return surveyed{annotations: annotations}
}

func TestKilo(t *testing.T) {
	one := kiloNode("full", "", "10.4.0.1/16")
	one.devices = []string{"wg-mesh"}
	one.keys = map[string]string{"wg-mesh": "key"}
	g := cluster(evidence.Run{}, evidence.Cluster{}, one, kiloNode("full", "", "10.4.0.2/16"))
	p := Decide(g)
	wantEqual(t, "name", p.Name, "kilo")
	wantEqual(t, "title", p.Title, "Kilo, mesh granularity full")
	wantEqual(t, "runs as", p.RunsAs, "kilo")
	wantEqual(t, "encrypts", p.Encrypts, true)
	wantEqual(t, "recognised", p.Recognised[0], "kilo.squat.ai/key on 2 of 2 nodes")
	wantEqual(t, "the device that has the key", p.Device(g.Nodes[0], 4), "wg-mesh")
	wantEqual(t, "the device by default", p.Device(g.Nodes[1], 6), "kilo0")
	wantEqual(t, "key", p.Published(g.Nodes[1], 6), "key")
	wantEqual(t, "endpoint", p.Endpoint(g.Nodes[0], 4).String(), "198.51.100.7")
	wantEqual(t, "endpoint of the other family", p.Endpoint(g.Nodes[0], 6).IsValid(), false)
	wantEqual(t, "port", p.Port(g.Nodes[0], 4), 51820)
}

// Kilo on one node is a VPN server, whatever network the nodes have among themselves.
func TestKiloOnOneNodeCarriesNothing(t *testing.T) {
	vpn := kiloNode("", "", "10.4.0.1/16")
	for key, value := range lease(0, "vxlan") {
		vpn.annotations[key] = value
	}
	p := Decide(cluster(evidence.Run{}, evidence.Cluster{}, vpn, surveyed{annotations: lease(1, "vxlan")}))
	wantEqual(t, "name", p.Name, "flannel-vxlan")
}

// Kilo stands before Flannel, which carries packets for it inside of a location.
func TestKiloWithFlannel(t *testing.T) {
	nodes := []surveyed{kiloNode("", "a", "10.4.0.1/16"), kiloNode("", "b", "10.4.0.2/16")}
	for i := range nodes {
		for key, value := range lease(i, "vxlan") {
			nodes[i].annotations[key] = value
		}
	}
	p := Decide(cluster(evidence.Run{}, evidence.Cluster{}, nodes...))
	wantEqual(t, "name", p.Name, "kilo")
	wantEqual(t, "title", p.Title, "Kilo, mesh granularity location")
}

func TestKiloIsClearByDesign(t *testing.T) {
	const first, second = "10.4.0.1/16", "10.4.0.2/16"
	alone := kiloNode("location", "a", second)
	delete(alone.annotations, "kilo.squat.ai/internal-ip")
	labelled := func(region, ip string) surveyed {
		n := kiloNode("location", "", ip)
		delete(n.annotations, "kilo.squat.ai/location")
		n.labels = map[string]string{"topology.kubernetes.io/region": region}
		return n
	}
	for _, test := range []struct {
		name     string
		from, to surveyed
		want     string // a part of the reason, "" if it is encrypted
	}{
		{"full", kiloNode("full", "a", first), kiloNode("full", "a", second), ""},
		{"one location", kiloNode("location", "a", first), kiloNode("location", "a", ""),
			"node-0 and node-1 are in one location (a), and with the mesh granularity location"},
		{"one location without a name", kiloNode("location", "", first), kiloNode("location", "", ""),
			"in one location, and"},
		{"the granularity is not written", kiloNode("", "a", first), kiloNode("", "a", ""), "granularity location"},
		{"both lead theirs", kiloNode("location", "a", first), kiloNode("location", "b", second), ""},
		{"the sender does not lead", kiloNode("location", "a", ""), kiloNode("location", "b", second),
			"node-0 is not the node that leads its location (a)"},
		{"the receiver does not lead", kiloNode("location", "a", first), kiloNode("location", "b", ""),
			"node-1 is not the node that leads its location (b)"},
		{"cross, one location", kiloNode("cross", "a", first), kiloNode("cross", "a", second), "granularity cross"},
		{"cross, two locations", kiloNode("cross", "a", first), kiloNode("cross", "b", second), ""},
		{"without an internal address", kiloNode("location", "a", first), alone, ""},
		{"by the label of one region", labelled("eu", first), labelled("eu", ""), "in one location (eu)"},
		{"by the labels of two regions", labelled("eu", first), labelled("us", second), ""},
	} {
		g := cluster(evidence.Run{}, evidence.Cluster{}, test.from, test.to)
		got := Decide(g).Clear(g.Nodes[0], g.Nodes[1])
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// With the granularity location only the endpoint of the node that leads one is in
// use: the others may well have one address.
func TestKiloEndpointsInUse(t *testing.T) {
	named := kiloNode("full", "a", "10.4.0.3/16")
	named.annotations["kilo.squat.ai/force-endpoint"] = "node.example.com:51820"
	forced := kiloNode("full", "a", "10.4.0.3/16")
	forced.annotations["kilo.squat.ai/force-endpoint"] = "[2001:db8::7]:51999"
	for _, test := range []struct {
		name   string
		node   surveyed
		family int
		want   string
	}{
		{"leads", kiloNode("location", "a", "10.4.0.1/16"), 4, "198.51.100.7"},
		{"does not lead", kiloNode("location", "a", ""), 4, "invalid IP"},
		{"full", kiloNode("full", "a", ""), 4, "198.51.100.7"},
		{"a name", named, 4, "invalid IP"},
		{"forced", forced, 6, "2001:db8::7"},
		{"forced, the other family", forced, 4, "invalid IP"},
	} {
		g := cluster(evidence.Run{}, evidence.Cluster{}, test.node, kiloNode("full", "b", "10.4.0.9/16"))
		wantEqual(t, test.name, Decide(g).Endpoint(g.Nodes[0], test.family).String(), test.want)
	}
}
