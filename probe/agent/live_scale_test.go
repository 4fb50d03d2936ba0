//go:build linux

package agent

import (
	"fmt"
	"os"
	"testing"
)

// TestLiveScale shows how long the first reading takes where kube-proxy has many
// Services. It takes minutes, and runs only if WG_TEST_SCALE is set.
func TestLiveScale(t *testing.T) {
	if os.Getenv("WG_TEST_SCALE") == "" {
		t.Skip("needs minutes: set WG_TEST_SCALE=1")
	}
	for _, tool := range []string{"iptables-nft-restore", "iptables-legacy-restore"} {
		for _, n := range []int{1000, 4000} {
			c := liveCase{name: fmt.Sprint(tool, "-", n),
				prepare: restored(tool, k3sSets, kubeProxyIptables(n), k3sRules), verdict: "PASS"}
			t.Run(c.name, c.run)
		}
	}
}
