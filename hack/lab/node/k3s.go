package node

import (
	"os"
	"strings"
)

// k3sConfig is where K3s reads its options when it starts.
const k3sConfig = "/etc/rancher/k3s/config.yaml"

// FlannelInterface is the option flannel-iface of this node's K3s, empty if it is not set. The last line counts.
func FlannelInterface() (name string) {
	text, err := os.ReadFile(k3sConfig)
	if err != nil {
		return "" // K3s needs no such file
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "flannel-iface:"); ok {
			name = strings.TrimSpace(value)
		}
	}
	return name
}
