package profile

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestAntrea(t *testing.T) {
	one := surveyed{
		annotations: map[string]string{"node.antrea.io/wireguard-public-key": "key"}, devices: []string{"wg-antrea"},
		keys: map[string]string{"wg-antrea": "key"}, internal: []string{"192.0.2.10", "2001:db8::10"},
	}
	two := surveyed{annotations: map[string]string{
		"node.antrea.io/wireguard-public-key": "other",
		"node.antrea.io/transport-addresses":  "198.51.100.2, 2001:db8::2",
	}, internal: []string{"192.0.2.11"}}
	g := cluster(evidence.Run{}, evidence.Cluster{}, one, two, surveyed{internal: []string{"192.0.2.12"}})
	p := Decide(g)
	wantEqual(t, "name", p.Name, "antrea-wireguard")
	wantEqual(t, "runs as", p.RunsAs, "antrea")
	wantEqual(t, "encrypts", p.Encrypts, true)
	wantEqual(t, "fails closed", p.FailClosed, true)
	wantEqual(t, "recognised", p.Recognised[0], "node.antrea.io/wireguard-public-key on 2 of 3 nodes")
	wantEqual(t, "the device that has the key", p.Device(g.Nodes[0], 4), "wg-antrea")
	wantEqual(t, "the device by default", p.Device(g.Nodes[1], 6), "antrea-wg0")
	wantEqual(t, "key", p.Published(g.Nodes[1], 4), "other")
	wantEqual(t, "no key", p.Published(g.Nodes[2], 4), "")
	for node, want := range [][2]string{{"192.0.2.10", "2001:db8::10"}, {"198.51.100.2", "2001:db8::2"},
		{"192.0.2.12", "invalid IP"}} {
		wantEqual(t, "endpoint", p.Endpoint(g.Nodes[node], 4).String(), want[0])
		wantEqual(t, "endpoint of IPv6", p.Endpoint(g.Nodes[node], 6).String(), want[1])
	}
}

// Without a key on any node Antrea does not encrypt by WireGuard, and is not known.
func TestAntreaWithoutWireGuard(t *testing.T) {
	p := Decide(cluster(evidence.Run{}, evidence.Cluster{},
		surveyed{annotations: map[string]string{"node.antrea.io/transport-addresses": "198.51.100.2"}}))
	wantEqual(t, "name", p.Name, "unknown")
}
