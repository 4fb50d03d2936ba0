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
		{`["server","--flannel-external-ip","true"]`, Configuration{Role: "server", Backend: "vxlan", ExternalIP: true}},
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
