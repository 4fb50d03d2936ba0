package check

import (
	"strings"
	"testing"
)

// The table is for any network: what one system calls things is for its profile
// and its remedies to say.
func TestChecksNameNoSystem(t *testing.T) {
	for _, c := range Documented() {
		text := strings.ToLower(c.Title + c.Why + c.Reads)
		for _, name := range []string{"flannel", "k3s", "rke2", "canal", "calico", "cilium", "tailscale", "talos"} {
			if strings.Contains(text, name) {
				t.Errorf("%s names %s", c.Code, name)
			}
		}
	}
}
