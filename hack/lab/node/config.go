// Package node is one Kubernetes node, and the host of several: a network namespace on the lab's switch, a root file
// system, a process table and a host name of its own, and in it containerd, kubelet and flannel. It runs alike on the
// machine and inside a VM, and needs of its surroundings what package ground promises.
package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// HostConfig is what node-host is started with.
type HostConfig struct {
	Lab     string           `json:"lab"`
	Virtual bool             `json:"virtual"` // inside a VM: no switch is there yet, and no namespaces
	Bridge  topology.Address `json:"bridge"`  // node-host's own address on the switch
	Token   string           `json:"token"`

	Executable string `json:"executable"` // this program
	Dist       string `json:"dist"`       // build.Distribution
	Scratch    string `json:"scratch"`    // the nodes' own files
	Logs       string `json:"logs"`
	Cgroup     string `json:"cgroup"`

	topology.Network
	Nodes []Node `json:"nodes"`
}

// Node is one node's part of it.
type Node struct {
	Name     string           `json:"name"`
	Netns    string           `json:"netns"`
	Address  topology.Address `json:"address"`
	PodCIDRs []string         `json:"podCIDRs"`
	// Files are written into the node's file system, by absolute path: credentials, and what a scenario wants there.
	Files map[string]string `json:"files"`
}

// Paths inside of a node.
const (
	labDir    = "/opt/lab"
	binDir    = labDir + "/bin"
	imagesDir = labDir + "/images"
	selfPath  = labDir + "/lab"
	cniBinDir = "/opt/cni/bin"
	cniDir    = "/etc/cni/net.d"

	containerdSocket = "/run/containerd/containerd.sock"

	// CAFile and the following are where Node.Files has to bring credentials.
	CAFile             = "/etc/kubernetes/ca.crt"
	KubeletKubeconfig  = "/etc/kubernetes/kubelet.kubeconfig"
	KubeletCertificate = "/etc/kubernetes/kubelet.crt"
	KubeletKey         = "/etc/kubernetes/kubelet.key"
	FlannelKubeconfig  = "/etc/kubernetes/flannel.kubeconfig"
)

// LoadConfig reads what WriteConfig wrote.
func LoadConfig(path string) (HostConfig, error) {
	var config HostConfig
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return config, fmt.Errorf("reading the configuration of the node host: %w", err)
	}
	return config, nil
}

// WriteConfig writes the configuration, which holds private keys of the lab.
func WriteConfig(path string, config HostConfig) error {
	data, err := json.MarshalIndent(config, "", "  ")
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the configuration of the node host: %w", err)
	}
	return nil
}

// LogFile is the log of one of a node's services: node, containerd, kubelet, flannel.
func LogFile(logs, node, service string) string { return filepath.Join(logs, node+"-"+service+".log") }

func (c HostConfig) node(name string) (Node, error) {
	for _, node := range c.Nodes {
		if node.Name == name {
			return node, nil
		}
	}
	return Node{}, fmt.Errorf("no node %q in lab %s", name, c.Lab)
}

// environment is what every process of a node sees.
func environment() []string {
	return []string{
		"PATH=" + binDir + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"LANG=C.UTF-8",
		"CONTAINERD_ADDRESS=" + containerdSocket,
		"CONTAINERD_NAMESPACE=k8s.io",
	}
}
