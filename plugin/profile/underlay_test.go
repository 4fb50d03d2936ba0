package profile

import (
	"fmt"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// under is a node of a cluster with a WireGuard of the machines, which reaches
// the other nodes by links.
func under(index int, backend string, devices []string, links ...string) surveyed {
	n := surveyed{annotations: lease(index, backend), devices: devices, routes: map[string]string{}}
	for other, link := range links {
		n.routes[fmt.Sprintf("192.0.2.%d", 10+other)] = link
	}
	return n
}

// A WireGuard of the machines below a backend that does not encrypt is known by
// the way to the addresses where the other nodes say that they are to be reached.
func TestUnderlay(t *testing.T) {
	wg0 := []string{"wg0"}
	for _, test := range []struct {
		name    string
		nodes   []surveyed
		below   bool
		devices []string // by node
	}{
		{"below vxlan", []surveyed{
			under(0, "vxlan", wg0, "lo", "wg0"), under(1, "vxlan", wg0, "wg0", "lo"),
		}, true, []string{"wg0", "wg0"}},
		{"below host-gw", []surveyed{
			under(0, "host-gw", wg0, "lo", "wg0"), under(1, "host-gw", wg0, "wg0", "lo"),
		}, true, []string{"wg0", "wg0"}},
		{"below an overlay that is not known", []surveyed{
			under(0, "udp", wg0, "lo", "wg0"), under(1, "udp", wg0, "wg0", "lo"),
		}, true, []string{"wg0", "wg0"}},
		{"below a backend that hands packets to others", []surveyed{
			under(0, "extension", wg0, "lo", "wg0"), under(1, "extension", wg0, "wg0", "lo"),
		}, false, []string{"", ""}},
		{"a device that is not used", []surveyed{
			under(0, "vxlan", wg0, "lo", "eth0"), under(1, "vxlan", wg0, "eth0", "lo"),
		}, false, []string{"", ""}},
		{"a route to the node itself", []surveyed{
			under(0, "vxlan", wg0, "wg0", "eth0"), under(1, "vxlan", wg0, "eth0", "wg0"),
		}, false, []string{"", ""}},
		{"a link that is not a WireGuard device", []surveyed{
			under(0, "vxlan", nil, "lo", "wg0"), under(1, "vxlan", nil, "wg0", "lo"),
		}, false, []string{"", ""}},
		{"one node past it", []surveyed{
			under(0, "vxlan", wg0, "lo", "wg0"), under(1, "vxlan", wg0, "eth0", "lo"),
		}, true, []string{"wg0", "wg0"}},
		{"one node without it", []surveyed{
			under(0, "vxlan", wg0, "lo", "wg0"), under(1, "vxlan", nil, "eth0", "lo"),
		}, true, []string{"wg0", ""}},
		{"two names", []surveyed{
			under(0, "vxlan", wg0, "lo", "wg0", "wg0"), under(1, "vxlan", []string{"tun9"}, "tun9", "lo", "tun9"),
			under(2, "vxlan", []string{"tun9", "wg0"}, "eth0", "eth0",
				"lo"), under(3, "vxlan", wg0, "wg0", "wg0", "wg0"),
		}, true, []string{"wg0", "tun9", "wg0", "wg0"}}, // most use wg0
	} {
		g := cluster(evidence.Run{}, evidence.Cluster{}, test.nodes...)
		p := Decide(g)
		if (p.Below != nil) != test.below {
			t.Errorf("%s: below %+v", test.name, p.Below)
		}
		for i, want := range test.devices {
			if got := p.Device(g.Nodes[i], 4); got != want {
				t.Errorf("%s: node %d has %q, want %q", test.name, i, got, want)
			}
		}
	}
}

// What wraps the pods' packets adds its headers, which count below it.
// VXLAN: IP 20 or 40, UDP 8, VXLAN 8, Ethernet 14 (RFC 7348); host-gw adds none.
func TestOverhead(t *testing.T) {
	for _, test := range []struct {
		backend   string
		four, six int
	}{{"vxlan", 50, 70}, {"host-gw", 0, 0}} {
		g := cluster(evidence.Run{}, evidence.Cluster{},
			under(0, test.backend, []string{"wg0"}, "lo", "wg0"), under(1, test.backend, []string{"wg0"}, "wg0", "lo"))
		p := Decide(g)
		wantEqual(t, "name", p.Name, "flannel-"+test.backend+"-over-wireguard")
		wantEqual(t, "title", p.Title, "Flannel, backend "+test.backend+", over WireGuard of the machines")
		wantEqual(t, test.backend, p.Below.Overhead[4], test.four)
		wantEqual(t, test.backend, p.Below.Overhead[6], test.six)
	}
}

// Where as many nodes use the one device as the other, every run of the judge
// must take the same: the first by name.
func TestUnderlayTie(t *testing.T) {
	both := []string{"wg0", "wg1"}
	g := cluster(evidence.Run{}, evidence.Cluster{},
		under(0, "vxlan", both, "lo", "wg0", "wg0"), under(1, "vxlan", both, "wg1", "lo", "wg1"),
		under(2, "vxlan", both, "eth0", "eth0", "lo"))
	for range 60 {
		if got := Decide(g).Device(g.Nodes[2], 4); got != "wg0" {
			t.Fatalf("node 2 has %q, want wg0", got)
		}
	}
}

// Nodes may be reached by IPv6 alone.
func TestUnderlayIPv6(t *testing.T) {
	node := func(index int, other string) surveyed {
		annotations := map[string]string{
			flannelPrefix + "backend-type": "vxlan", flannelPrefix + "public-ip": "0.0.0.0",
			flannelPrefix + "public-ipv6": fmt.Sprintf("2001:db8::%d", 1+index),
		}
		return surveyed{annotations: annotations, devices: []string{"wg0"}, routes: map[string]string{other: "wg0"}}
	}
	g := cluster(evidence.Run{}, evidence.Cluster{}, node(0, "2001:db8::2"), node(1, "2001:db8::1"))
	if p := Decide(g); p.Below == nil || p.Device(g.Nodes[0], 6) != "wg0" {
		t.Errorf("below %+v", p.Below)
	}
}

// plain is a node of a network that is not known, at 203.0.113.1 and so on, which
// reaches the other nodes by links.
func plain(index int, devices []string, links ...string) surveyed {
	n := surveyed{devices: devices, routes: map[string]string{},
		internal: []string{fmt.Sprintf("203.0.113.%d", 1+index)}}
	for other, link := range links {
		n.routes[fmt.Sprintf("203.0.113.%d", 1+other)] = link
	}
	return n
}

// Of a network that is not known a WireGuard of the machines is below it only where
// all nodes reach all others through one: an operator's own VPN is not.
func TestUnderlayOfAnUnknownNetwork(t *testing.T) {
	wg0 := []string{"wg0"}
	for _, test := range []struct {
		name  string
		nodes []surveyed
		below bool
	}{
		{"all through it", []surveyed{
			plain(0, wg0, "lo", "wg0", "wg0"), plain(1, wg0, "wg0", "lo", "wg0"), plain(2, wg0, "wg0", "wg0", "lo"),
		}, true},
		{"one way past it", []surveyed{
			plain(0, wg0, "lo", "wg0", "eth0"), plain(1, wg0, "wg0", "lo", "wg0"), plain(2, wg0, "wg0", "wg0", "lo"),
		}, false},
		{"one node without it", []surveyed{
			plain(0, wg0, "lo", "wg0", "wg0"), plain(1, wg0, "wg0", "lo", "wg0"), plain(2, nil, "eth0", "eth0", "lo"),
		}, false},
		{"not through it", []surveyed{plain(0, wg0, "lo", "eth0"), plain(1, wg0, "eth0", "lo")}, false},
		{"a node alone", []surveyed{plain(0, wg0, "lo")}, false},
	} {
		g := cluster(evidence.Run{}, evidence.Cluster{}, test.nodes...)
		p := Decide(g)
		if (p.Below != nil) != test.below {
			t.Errorf("%s: below %+v", test.name, p.Below)
		}
		if !test.below {
			wantEqual(t, test.name, p.Name, "unknown")
			continue
		}
		wantEqual(t, test.name, p.Name, "unknown-over-wireguard")
		wantEqual(t, test.name, p.Title, "a network this version does not know, over WireGuard of the machines")
		wantEqual(t, test.name, p.Below.Unknown, true)
		wantEqual(t, test.name, p.Below.Bare(), false)
		wantEqual(t, test.name, p.Endpoint(g.Nodes[1], 4).String(), "203.0.113.2")
		wantEqual(t, test.name, p.Endpoint(g.Nodes[1], 6).IsValid(), false)
	}
}

// A network plugin that encrypts itself has its own device, whatever the machines have.
func TestNoUnderlayOfWhatEncrypts(t *testing.T) {
	wg0 := []string{"wg0", "flannel-wg"}
	g := cluster(evidence.Run{}, evidence.Cluster{},
		under(0, "wireguard", wg0, "lo", "wg0"), under(1, "wireguard", wg0, "wg0", "lo"))
	p := Decide(g)
	if p.Below != nil || p.Device(g.Nodes[0], 4) != "flannel-wg" {
		t.Errorf("%s, below %+v", p.Name, p.Below)
	}
}
