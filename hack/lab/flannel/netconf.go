package flannel

import (
	"encoding/json"
	"fmt"
)

// NetConf renders flannel's network configuration as K3s writes it (pkg/agent/flannel/setup.go).
func NetConf(network, backendType string) ([]byte, error) {
	type backendConf struct {
		Type                        string
		PersistentKeepaliveInterval int `json:",omitempty"`
	}
	conf := backendConf{Type: backendType}
	if backendType == "wireguard" {
		conf.PersistentKeepaliveInterval = 25
	}
	data, err := json.Marshal(struct {
		Network     string
		EnableIPv6  bool
		EnableIPv4  bool
		IPv6Network string
		Backend     backendConf
	}{Network: network, EnableIPv4: true, IPv6Network: "::/0", Backend: conf})
	if err != nil {
		return nil, fmt.Errorf("rendering flannel's network configuration: %w", err)
	}
	return data, nil
}
