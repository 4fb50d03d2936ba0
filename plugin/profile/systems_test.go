package profile

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A cluster without a lease of Flannel is judged by evidence alone: no key is
// published, no endpoint, no port and no backend, and nothing fails closed.
func TestUnknownSystem(t *testing.T) {
	g := cluster(evidence.Run{}, evidence.Cluster{}, surveyed{}, surveyed{})
	p := Decide(g)
	wantEqual(t, "name", p.Name, "unknown")
	wantEqual(t, "title", p.Title, "a network this version does not know")
	wantEqual(t, "encrypts", p.Encrypts, false)
	wantEqual(t, "fails closed", p.FailClosed, false)
	n := g.Nodes[0]
	wantEqual(t, "key", p.Published(n, 4), "")
	wantEqual(t, "endpoint", p.Endpoint(n, 4), netip.Addr{})
	wantEqual(t, "port", p.Port(n, 4), 0)
	wantEqual(t, "configuration", p.Configured(n), Configuration{})
	wantEqual(t, "overwrite", p.Overwrite(n), Overwrite{})
}

// The carrier of an unknown system is the WireGuard device that the kernel's
// answers for the other pods lead to, in each family.
func TestRoutedDevice(t *testing.T) {
	g := cluster(evidence.Run{}, evidence.Cluster{},
		surveyed{devices: []string{"wg4", "wg6"}, routes: map[string]string{"10.42.1.2": "wg4", "fd42:1::2": "wg6"}},
		surveyed{devices: []string{"wg4"}, routes: map[string]string{"10.42.0.2": "eth0", "10.42.0.3": "wg4"}},
		surveyed{routes: map[string]string{"10.42.1.2": "wg4"}}, // a link of that name, but no WireGuard
	)
	p := Decide(g)
	for _, test := range []struct {
		node, family int
		want         string
	}{{0, 4, "wg4"}, {0, 6, "wg6"}, {1, 4, "wg4"}, {1, 6, ""}, {2, 4, ""}} {
		if got := p.Device(g.Nodes[test.node], test.family); got != test.want {
			t.Errorf("node %d, IPv%d: %q, want %q", test.node, test.family, got, test.want)
		}
	}
}

// K3s and RKE2 write the annotation node-args, and both have a kubelet version
// with their name behind a plus sign (v1.33.1+k3s1); either mark is enough, on
// any node. Where no node has one, what the API said of the cluster counts.
func TestDistribution(t *testing.T) {
	for _, test := range []struct {
		name  string
		about evidence.Cluster
		nodes []surveyed
		want  string
	}{
		{"K3s by its annotation", evidence.Cluster{},
			[]surveyed{{annotations: map[string]string{"k3s.io/node-args": "[]"}}}, "k3s"},
		{"K3s by its kubelet", evidence.Cluster{}, []surveyed{{kubelet: "v1.33.1+k3s1"}},
			"k3s"},
		{"RKE2 by its annotation", evidence.Cluster{},
			[]surveyed{{annotations: map[string]string{"rke2.io/node-args": "[]"}}}, "rke2"},
		{"RKE2 by its kubelet, on the second node", evidence.Cluster{},
			[]surveyed{{kubelet: "v1.33.1"}, {kubelet: "v1.33.1+rke2r1"}}, "rke2"},
		{"only by the API server", evidence.Cluster{Distribution: "rke2"}, []surveyed{{kubelet: "v1.33.1"}},
			"rke2"},
		{"another", evidence.Cluster{}, []surveyed{{kubelet: "v1.33.1-eks-1234"}},
			""},
	} {
		p := Decide(cluster(evidence.Run{}, test.about, test.nodes...))
		wantEqual(t, test.name, p.Distribution, test.want)
		system := map[string]string{"k3s": "K3s with ", "rke2": "RKE2 with "}[test.want]
		wantEqual(t, test.name, p.Title, system+"a network this version does not know")
	}
}

// What runs Flannel is the distribution, or Flannel's own manifest; of a network
// that is not known it is not known either.
func TestRunsAs(t *testing.T) {
	const kubelet = "v1.33.1+k3s1"
	for _, test := range []struct {
		name string
		node surveyed
		want string
	}{
		{"K3s", surveyed{annotations: lease(0, "vxlan"), kubelet: kubelet}, "k3s"},
		{"Flannel", surveyed{annotations: lease(0, "wireguard")}, "flannel"},
		{"another network on K3s", surveyed{kubelet: kubelet}, ""},
		{"another network", surveyed{}, ""},
	} {
		p := Decide(cluster(evidence.Run{}, evidence.Cluster{}, test.node))
		wantEqual(t, test.name, p.RunsAs, test.want)
	}
}

// An address that a node publishes in place of its own is named with what asks for it.
func TestOverwrite(t *testing.T) {
	for key, value := range map[string]string{"public-ip-overwrite": "203.0.113.7",
		"public-ipv6-overwrite": "2001:db8::7"} {
		g := cluster(evidence.Run{}, evidence.Cluster{},
			surveyed{annotations: with(lease(0, "vxlan"), flannelPrefix+key, value)},
			surveyed{annotations: lease(1, "vxlan")})
		p := Decide(g)
		want := Overwrite{By: "public-ip-overwrite", Option: "--flannel-external-ip"}
		wantEqual(t, "none", p.Overwrite(g.Nodes[1]), want)
		want.Address = value
		wantEqual(t, key, p.Overwrite(g.Nodes[0]), want)
	}
}

// The backend is what the leases name. One node with wireguard makes it the
// expected one for all; else most nodes decide.
func TestFlannelBackend(t *testing.T) {
	for _, test := range []struct {
		name     string
		backends []string // "" for a node without a lease
		want     string
		known    []string
	}{
		{"all alike", []string{"vxlan", "vxlan"}, "vxlan", []string{"vxlan on 2 of 2 nodes"}},
		{"most", []string{"vxlan", "host-gw", "host-gw"}, "host-gw",
			[]string{"host-gw on 2 of 3 nodes", "vxlan on 1 of 3 nodes"}},
		{"most, the other way", []string{"vxlan", "vxlan", "host-gw"}, "vxlan",
			[]string{"host-gw on 1 of 3 nodes", "vxlan on 2 of 3 nodes"}},
		{"one of three encrypts", []string{"vxlan", "wireguard", "vxlan"}, "wireguard",
			[]string{"vxlan on 2 of 3 nodes", "wireguard on 1 of 3 nodes"}},
		{"a node without a lease", []string{"wireguard", ""}, "wireguard", []string{"wireguard on 1 of 2 nodes"}},
	} {
		var nodes []surveyed
		for i, backend := range test.backends {
			one := surveyed{}
			if backend != "" {
				one.annotations = lease(i, backend)
			}
			nodes = append(nodes, one)
		}
		g := cluster(evidence.Run{}, evidence.Cluster{}, nodes...)
		p := Decide(g)
		wantEqual(t, test.name, p.Name, "flannel-"+test.want)
		wantEqual(t, test.name, p.Title, "Flannel, backend "+test.want)
		wantEqual(t, test.name, p.Backend, test.want)
		encrypts := test.want == "wireguard"
		wantEqual(t, test.name+": encrypts", p.Encrypts, encrypts)
		wantEqual(t, test.name+": fails closed", p.FailClosed, encrypts)
		var known []string
		for _, phrase := range test.known {
			known = append(known, "flannel.alpha.coreos.com/backend-type="+phrase)
		}
		if !slices.Equal(p.Recognised, known) {
			t.Errorf("%s: recognised by %q, want %q", test.name, p.Recognised, known)
		}
		for i, backend := range test.backends {
			wantEqual(t, test.name, p.Backends[g.Nodes[i].Name], backend)
		}
	}
}

// Only the encrypting backend names devices, keys and ports: those of another
// are not WireGuard's.
func TestFlannelNamesWhatEncrypts(t *testing.T) {
	data := `{"PublicKey":"key","Port":51820}`
	for backend, want := range map[string]string{"wireguard": "key", "vxlan": ""} {
		annotations := with(lease(0, backend), flannelPrefix+"backend-data", data)
		g := cluster(evidence.Run{}, evidence.Cluster{}, surveyed{annotations: annotations})
		p := Decide(g)
		n := g.Nodes[0]
		wantEqual(t, backend+": key", p.Published(n, 4), want)
		wantEqual(t, backend+": has a port", p.Port(n, 4) == 51820, want != "")
		wantEqual(t, backend+": has a device", p.Device(n, 4) == "flannel-wg", want != "")
		wantEqual(t, backend+": endpoint", p.Endpoint(n, 4), netip.MustParseAddr("192.0.2.10"))
	}
}
