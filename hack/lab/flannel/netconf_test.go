package flannel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// The texts are those that K3s writes (pkg/agent/flannel/setup.go), but for the modes, which it does not know.
func TestNetConf(t *testing.T) {
	for _, test := range []struct {
		network topology.Network
		want    string
	}{
		{
			topology.Network{Backend: "wireguard"},
			`{"Network":"10.42.0.0/16","EnableIPv6":false,"EnableIPv4":true,"IPv6Network":"::/0","Backend":{"Type":"wireguard","PersistentKeepaliveInterval":25}}`,
		},
		{
			topology.Network{Backend: "vxlan"},
			`{"Network":"10.42.0.0/16","EnableIPv6":false,"EnableIPv4":true,"IPv6Network":"::/0","Backend":{"Type":"vxlan"}}`,
		},
		{
			topology.Network{Backend: "wireguard", Families: topology.Dual},
			`{"Network":"10.42.0.0/16","EnableIPv6":true,"EnableIPv4":true,"IPv6Network":"2001:db8:42::/56","Backend":{"Type":"wireguard","PersistentKeepaliveInterval":25}}`,
		},
		{
			topology.Network{Backend: "vxlan", Families: topology.OnlyIPv6},
			`{"Network":"0.0.0.0/0","EnableIPv6":true,"EnableIPv4":false,"IPv6Network":"2001:db8:42::/56","Backend":{"Type":"vxlan"}}`,
		},
		{
			topology.Network{Backend: "wireguard", Families: topology.Dual, Mode: topology.OverIPv6},
			`{"Network":"10.42.0.0/16","EnableIPv6":true,"EnableIPv4":true,"IPv6Network":"2001:db8:42::/56",` +
				`"Backend":{"Type":"wireguard","PersistentKeepaliveInterval":25,"Mode":"ipv6","ListenPortV6":51820}}`,
		},
	} {
		got, err := NetConf(test.network)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.network.Label(), got, test.want)
		}
	}
}

func TestKeySurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flannel", "wgkey")
	first, err := loadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := loadKey(path)
	if err != nil || second != first {
		t.Errorf("another key after a restart (%v)", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode %v (%v), want 0400", info.Mode(), err)
	}
}
