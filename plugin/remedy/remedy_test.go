package remedy

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

func TestFor(t *testing.T) {
	for _, test := range []struct {
		name         string
		finding      verdict.Finding
		distribution string
		want         string // a part of the first command, or of the title
	}{
		{"a leak in VXLAN on K3s", verdict.Finding{Code: "WG0601", Variant: "vxlan"}, "k3s",
			"flannel-backend: wireguard-native"},
		{"on RKE2", verdict.Finding{Code: "WG0601", Variant: "vxlan"}, "rke2", "HelmChartConfig"},
		{"elsewhere", verdict.Finding{Code: "WG0601", Variant: "geneve"}, "", "encrypting backend"},
		{"a leak past a tunnel", verdict.Finding{Code: "WG0601",
			Variant: "past", Facts: map[string]string{"node": "node-1"}}, "k3s", "past the tunnel of node-1"},
		{"a stale overlay", verdict.Finding{Code: "WG0401", Variant: "vxlan",
			Facts: map[string]string{"node": "node-1", "link": "flannel.1"}}, "k3s", "ip link delete flannel.1"},
		{"a table's name that a shell would read",
			verdict.Finding{Code: "WG0501", Variant: "nft-rule", Facts: with(ruleFacts, "table", "$(reboot)")}, "",
			"Accept UDP port 51820 from the other node"},
		{"a link's name that a shell would read",
			verdict.Finding{Code: "WG0401", Variant: "vxlan",
				Facts: map[string]string{"node": "node-1", "link": "a;reboot"}}, "k3s", ""},
		{"no remedy", verdict.Finding{Code: "WG9999"}, "k3s", ""},
	} {
		hint, ok := For(test.finding, test.distribution)
		text := hint.Title
		for _, step := range hint.Steps {
			text += "\n" + step.Command
		}
		if ok != (test.want != "") || !strings.Contains(text, test.want) {
			t.Errorf("%s: %v %q, want %q", test.name, ok, text, test.want)
		}
		if strings.Contains(text, "reboot)") || strings.Contains(text, ";reboot") {
			t.Errorf("%s: a fact from a node reached a command: %q", test.name, text)
		}
	}
}

func TestPlaceholder(t *testing.T) {
	for text, want := range map[string]bool{
		"ip link delete {link}": true, "plain": false, `{"Type": "wireguard"}`: false, "{a}{": true, "{": false,
		"metadata: {name: x, namespace: {node}}": true, "{link": false, "{}": false, "{}{link}": true,
	} {
		if got := placeholder(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
