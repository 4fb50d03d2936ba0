package remedy

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Where Calico encrypts nothing, what switches it on is printed, however its packets were seen.
func TestCalicoIsSwitchedOn(t *testing.T) {
	for _, variant := range []string{"bare", "vxlan", "ip-in-ip", "unknown"} {
		hint, ok := For(verdict.Finding{Code: "WG0601", Variant: variant, Facts: map[string]string{"node": "n"}},
			Calico)
		if !ok || len(hint.Steps) != 1 ||
			!strings.Contains(hint.Steps[0].Command, `'{"spec":{"wireguardEnabled":true}}'`) {
			t.Errorf("%s: %+v", variant, hint)
		}
	}
}

// Nothing has Calico's pods looked up in the main table, past its own table: that would lead them past the tunnel.
func TestNothingGoesPastCalicosTable(t *testing.T) {
	facts := map[string]string{"node": "n", "peer": "m", "device": "wireguard.cali", "link": "eth0",
		"route": "10.42.1.0/26", "table": "1", "range": "10.42.1.0/26", "ip": "4", "here": "10.42.0.0/26",
		"there": "10.42.1.0/26", "before": "98", "priority": "99"}
	for _, variant := range []string{"", "rule", "thrown", "none"} {
		hint, _ := For(verdict.Finding{Code: "WG0401", Variant: variant, Facts: facts}, Calico)
		for _, step := range hint.Steps {
			if !strings.Contains(step.Command, "k8s-app=calico-node") {
				t.Errorf("%q: %s", variant, step.Command)
			}
		}
	}
}
