package profile

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// K3s writes its arguments as one list, the role first. A server that names no
// backend runs vxlan, K3s' default; agents have that from their server, and a
// file of --flannel-conf may name any.
func TestK3sConfiguration(t *testing.T) {
	for _, test := range []struct {
		args string
		want Configuration
	}{
		{``, Configuration{}},
		{`[]`, Configuration{}},
		{`not json`, Configuration{}},
		{`["server"]`, Configuration{Role: "server", Backend: "vxlan"}},
		{`["agent"]`, Configuration{Role: "agent"}},
		{`["server","--flannel-backend","wireguard-native"]`,
			Configuration{Role: "server", Backend: "wireguard", Explicit: true}},
		{`["server","--flannel-backend=wireguard-native"]`,
			Configuration{Role: "server", Backend: "wireguard", Explicit: true}},
		{`["server","--flannel-backend","host-gw","--flannel-iface","eth1"]`,
			Configuration{Role: "server", Backend: "host-gw", Explicit: true}},
		{`["agent","--flannel-backend","vxlan"]`, Configuration{Role: "agent", Backend: "vxlan", Explicit: true}},
		{`["server","--flannel-conf","/etc/flannel.json"]`, Configuration{Role: "server"}},
		{`["server","--flannel-conf=/etc/flannel.json"]`, Configuration{Role: "server"}},
		{`["server","--flannel-backend","wireguard-native=Mode=auto,PersistentKeepaliveInterval=25"]`,
			Configuration{Role: "server", Backend: "wireguard", Explicit: true}},
		{`["server","--flannel-backend=wireguard-native=Mode=auto"]`,
			Configuration{Role: "server", Backend: "wireguard", Explicit: true}},
		{`["server","--flannel-backend","none"]`, Configuration{Role: "server", Explicit: true}},
		{`["server","--vpn-auth","name=tailscale,(hidden)"]`, Configuration{Role: "server", Backend: "extension"}},
		{`["server","--vpn-auth-file=(hidden)"]`, Configuration{Role: "server", Backend: "extension"}},
		{`["agent","--vpn-auth","name=tailscale,(hidden)"]`, Configuration{Role: "agent"}},
		{`["server","--flannel-external-ip","true"]`,
			Configuration{Role: "server", Backend: "vxlan", ExternalIP: true}},
		{`["server","--flannel-external-ip","false"]`, Configuration{Role: "server", Backend: "vxlan"}},
		{`["server","--flannel-external-ip=false"]`, Configuration{Role: "server", Backend: "vxlan"}},
		{`["server","--flannel-external-ip"]`, Configuration{Role: "server", Backend: "vxlan", ExternalIP: true}},
	} {
		annotations := with(lease(0, "vxlan"), "k3s.io/node-args", test.args)
		g := cluster(evidence.Run{}, evidence.Cluster{}, surveyed{annotations: annotations})
		if got := Decide(g).Configured(g.Nodes[0]); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.args, got, test.want)
		}
	}
}

// The first WireGuard backend of K3s was a script: its lease says "extension".
func TestK3sLegacyWireGuard(t *testing.T) {
	args := `["server","--flannel-backend","wireguard"]`
	for backend, want := range map[string]string{"extension": "extension", "wireguard": "wireguard"} {
		g := cluster(evidence.Run{}, evidence.Cluster{},
			surveyed{annotations: with(lease(0, backend), "k3s.io/node-args", args)})
		wantEqual(t, backend, Decide(g).Configured(g.Nodes[0]).Backend, want)
	}
}

// What K3s hands pods' packets to is named, if it says what that is.
func TestK3sWithAVPN(t *testing.T) {
	for _, test := range []struct{ backend, args, name, title string }{
		{"extension", `["server","--vpn-auth","name=tailscale,(hidden)"]`, "k3s-tailscale",
			"K3s with Tailscale (--vpn-auth)"},
		{"extension", `["agent","--vpn-auth=name=tailscale,(hidden)"]`, "k3s-tailscale",
			"K3s with Tailscale (--vpn-auth)"},
		{"extension", `["server","--vpn-auth-file","(hidden)"]`, "k3s-vpn", "K3s with a VPN (--vpn-auth)"},
		{"extension", `["server","--vpn-auth","name=x;reboot"]`, "k3s-vpn", "K3s with a VPN (--vpn-auth)"},
		{"extension", `["server"]`, "flannel-extension", "K3s with Flannel, backend extension"},
		{"vxlan", `["server","--vpn-auth","name=tailscale,(hidden)"]`, "flannel-vxlan",
			"K3s with Flannel, backend vxlan"},
	} {
		p := Decide(cluster(evidence.Run{}, evidence.Cluster{},
			surveyed{annotations: with(lease(0, test.backend), "k3s.io/node-args", test.args)}))
		wantEqual(t, test.args, p.Name, test.name)
		wantEqual(t, test.args, p.Title, test.title)
		wantEqual(t, test.args, p.Delegates, test.backend == "extension")
		wantEqual(t, test.args, p.Encrypts, false)
	}
}

// A server has another unit than an agent. What a node wrote when it started
// counts before its label.
func TestK3sUnits(t *testing.T) {
	const label = "node-role.kubernetes.io/control-plane"
	g := cluster(evidence.Run{}, evidence.Cluster{},
		surveyed{annotations: with(lease(0, "wireguard"), "k3s.io/node-args", `["server"]`)},
		surveyed{annotations: with(lease(1, "wireguard"), "k3s.io/node-args", `["agent"]`)},
		surveyed{annotations: lease(2, "wireguard")},
	)
	p := Decide(g)
	wantEqual(t, "server", p.Unit(g.Nodes[0]), "k3s")
	wantEqual(t, "agent", p.Unit(g.Nodes[1]), "k3s-agent")
	wantEqual(t, "a node that says nothing", p.Unit(g.Nodes[2]), "")
	g.Nodes[0].Labels = map[string]string{label: "true"}
	p = Decide(g)
	wantEqual(t, "one without the label that a server has", p.Unit(g.Nodes[2]), "k3s-agent")
	g.Nodes[2].Labels = map[string]string{label: "true"}
	wantEqual(t, "one with it", Decide(g).Unit(g.Nodes[2]), "k3s")
	g.Nodes[2].Labels = map[string]string{"node-role.kubernetes.io/etcd": "true"}
	wantEqual(t, "one that only keeps the data", Decide(g).Unit(g.Nodes[2]), "k3s")
	g.Nodes[0].Annotations["k3s.io/node-args"] = `["server","--flannel-backend","none"]`
	p = Decide(g)
	wantEqual(t, "K3s does not run Flannel", p.Unit(g.Nodes[1]), "")
	wantEqual(t, "then it runs by its manifest", p.RunsAs, "flannel")
}

// No other distribution has units that restart its network.
func TestNoUnitsElsewhere(t *testing.T) {
	for _, node := range []surveyed{{annotations: lease(0, "wireguard")}, {},
		{annotations: lease(0, "vxlan"), kubelet: "v1.33.1+rke2r1"}} {
		g := cluster(evidence.Run{}, evidence.Cluster{}, node)
		wantEqual(t, "unit", Decide(g).Unit(g.Nodes[0]), "")
	}
}

// Annotations of two networks at once are those of none.
func TestTwoNetworks(t *testing.T) {
	both := map[string]string{"network.cilium.io/wg-pub-key": "key", "projectcalico.org/IPv4Address": "192.0.2.10/24"}
	for _, annotations := range []map[string]string{nil, both, {"kilo.squat.ai/key": "key"}} {
		g := cluster(evidence.Run{}, evidence.Cluster{}, surveyed{}, surveyed{annotations: annotations})
		if p := Decide(g); p.RunsAs != "" || p.Name != "unknown" {
			t.Errorf("%v: %q, %q", annotations, p.RunsAs, p.Name)
		}
	}
}
