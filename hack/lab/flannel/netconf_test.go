package flannel

import (
	"os"
	"path/filepath"
	"testing"
)

// The texts are those that K3s writes (domain facts: pkg/agent/flannel/setup.go).
func TestNetConf(t *testing.T) {
	for backend, want := range map[string]string{
		"wireguard": `{"Network":"10.42.0.0/16","EnableIPv6":false,"EnableIPv4":true,"IPv6Network":"::/0","Backend":{"Type":"wireguard","PersistentKeepaliveInterval":25}}`,
		"vxlan":     `{"Network":"10.42.0.0/16","EnableIPv6":false,"EnableIPv4":true,"IPv6Network":"::/0","Backend":{"Type":"vxlan"}}`,
	} {
		got, err := NetConf("10.42.0.0/16", backend)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s:\ngot  %s\nwant %s", backend, got, want)
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
