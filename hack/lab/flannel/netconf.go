package flannel

import (
	"encoding/json"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// NetConf renders flannel's network configuration as K3s writes it (pkg/agent/flannel/setup.go). K3s itself names no
// mode; whoever wants one has to give it a whole configuration by --flannel-conf.
func NetConf(network topology.Network) ([]byte, error) {
	type backendConf struct {
		Type                        string
		PersistentKeepaliveInterval int           `json:",omitempty"`
		Mode                        topology.Mode `json:",omitempty"`
		ListenPortV6                int           `json:",omitempty"`
	}
	conf := backendConf{Type: network.Backend, Mode: network.Mode}
	if network.Backend == "wireguard" {
		conf.PersistentKeepaliveInterval = 25
	}
	if network.Mode == topology.OverIPv6 {
		// The one device listens on ListenPort, and flannel v0.28 publishes ListenPortV6 for its IPv6 address
		// (pkg/backend/wireguard/wireguard.go, newSubnetAttrs): with its two defaults nobody is reached.
		conf.ListenPortV6 = defaultPort
	}
	// Flannel wants a range of either family; K3s writes the empty one for what there is not.
	four, six := "0.0.0.0/0", "::/0"
	if network.Families.IPv4() {
		four = topology.PodNetwork
	}
	if network.Families.IPv6() {
		six = topology.PodNetwork6
	}
	data, err := json.Marshal(struct {
		Network     string
		EnableIPv6  bool
		EnableIPv4  bool
		IPv6Network string
		Backend     backendConf
	}{four, network.Families.IPv6(), network.Families.IPv4(), six, conf})
	if err != nil {
		return nil, fmt.Errorf("rendering flannel's network configuration: %w", err)
	}
	return data, nil
}
