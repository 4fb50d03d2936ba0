package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const (
	calicoCNIFile = "10-calico.conflist"
	// calicoMTU is what Calico gives pods on links of 1500 bytes where WireGuard may carry their packets (felix
	// dataplane/linux/int_dataplane.go: 60 bytes less for IPv4).
	calicoMTU = 1440
)

// bootCalico starts Felix and what makes its routes, and has pods be made by Calico's CNI plugin, with Calico's IPAM.
func bootCalico(ctx context.Context, _ HostConfig, node Node, services *services, logs map[string]*os.File) error {
	for _, dir := range []string{"/var/lib/calico", "/var/run/calico", "/var/log/calico"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("preparing Calico's directories: %w", err)
		}
	}
	go services.keep(ctx, "felix", logs["felix"], selfPath, "felix", "--node", node.Name)
	go services.keep(ctx, "routes", logs["routes"], selfPath, "calico-routes", "--node", node.Name)
	conf, err := calicoConf(node.Name)
	if err != nil {
		return err
	}
	return placeCNI(calicoCNIFile, conf)
}

// calicoConf is the CNI configuration as calico-node's install-cni writes it.
func calicoConf(name string) ([]byte, error) {
	type object = map[string]any
	conf, err := json.MarshalIndent(object{
		"name": "k8s-pod-network", "cniVersion": "0.3.1",
		"plugins": []any{
			object{
				"type": "calico", "log_level": "warning", "datastore_type": "kubernetes", "mtu": calicoMTU,
				"nodename": name, "nodename_file_optional": true,
				"ipam":       object{"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "false"},
				"policy":     object{"type": "k8s"},
				"kubernetes": object{"kubeconfig": FlannelKubeconfig},
			},
			object{"type": "portmap", "snat": true, "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("rendering the CNI configuration: %w", err)
	}
	return conf, nil
}

// placeCNI writes a CNI configuration. containerd does not notice a file that is moved in from another directory.
func placeCNI(name string, conf []byte) error {
	next := filepath.Join(cniDir, "."+name)
	if err := os.WriteFile(next, conf, 0o644); err != nil {
		return fmt.Errorf("writing the CNI configuration: %w", err)
	}
	if err := os.Rename(next, filepath.Join(cniDir, name)); err != nil {
		return fmt.Errorf("writing the CNI configuration: %w", err)
	}
	return nil
}
