package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/flannel"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

const (
	containerdConfigFile = "/etc/containerd/config.toml"
	kubeletConfigFile    = "/etc/kubernetes/kubelet.yaml"
	cniFile              = "10-flannel.conflist"
)

// restrict_oom_score_adj: without CAP_SYS_RESOURCE runc dies with "can't get final child's PID from pipe: EOF".
var containerdConfig = template.Must(template.New("containerd").Parse(`version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "{{.Socket}}"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{{.Pause}}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
enable_unprivileged_icmp = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{{.CNIBin}}"]
conf_dir = "{{.CNI}}"

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
`))

// cgroupsPerQOS has to be on: without it containerd puts containers into a cgroup that all labs would share. Nothing is
// reserved, evicted or collected, the machine's resources being none of the lab's business.
var kubeletConfig = template.Must(template.New("kubelet").Parse(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: {{.CA}}}
authorization: {mode: Webhook}
tlsCertFile: {{.Certificate}}
tlsPrivateKeyFile: {{.Key}}
containerRuntimeEndpoint: unix://{{.Socket}}
clusterDomain: cluster.local
clusterDNS: [{{.DNS}}]
resolvConf: /etc/resolv.conf
cgroupDriver: cgroupfs
cgroupRoot: {{.Cgroup}}
cgroupsPerQOS: true
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 100
kubeAPIBurst: 200
`))

func writeServiceConfigs(config HostConfig, node Node) error {
	files, err := serviceConfigs(config, node)
	if err != nil {
		return err
	}
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return nil
}

// serviceConfigs renders the services' configuration files, by their paths.
func serviceConfigs(config HostConfig, node Node) (map[string][]byte, error) {
	values := map[string]string{
		"Socket": containerdSocket, "Pause": build.PauseImage, "CNIBin": cniBinDir, "CNI": cniDir,
		"CA": CAFile, "Certificate": KubeletCertificate, "Key": KubeletKey, "DNS": config.Families.DNS(),
		"Cgroup": filepath.Join("/", config.Cgroup, node.Name),
	}
	containerd, err := execute(containerdConfig, values)
	if err != nil {
		return nil, err
	}
	kubelet, err := execute(kubeletConfig, values)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{containerdConfigFile: containerd, kubeletConfigFile: kubelet}
	if config.Calico() {
		return files, nil
	}
	files[flannel.NetConfFile], err = flannel.NetConf(config.Network)
	return files, err
}

func execute(source *template.Template, values map[string]string) ([]byte, error) {
	var out bytes.Buffer
	if err := source.Execute(&out, values); err != nil {
		return nil, fmt.Errorf("rendering the configuration of %s: %w", source.Name(), err)
	}
	return out.Bytes(), nil
}

func kubeletArgs(node Node, families topology.Families) []string {
	return []string{
		"--config=" + kubeletConfigFile,
		"--kubeconfig=" + KubeletKubeconfig,
		"--hostname-override=" + node.Name,
		"--node-ip=" + families.NodeIP(node.Address),
		// cAdvisor looks at every cgroup each time; under emulation that alone fills a processor.
		"--housekeeping-interval=1m",
	}
}

// writeCNI writes the pod network once flannel has said how large its packets may be.
func writeCNI(node Node, families topology.Families, subnetFile string) error {
	subnet, err := os.ReadFile(subnetFile)
	if err != nil {
		return fmt.Errorf("reading flannel's subnet file: %w", err)
	}
	conf, err := cniConf(node.PodCIDRs, families.PodNetworks(), string(subnet))
	if err != nil {
		return err
	}
	return placeCNI(cniFile, conf)
}

// cniConf is what flannel's CNI plugin hands on to the plugin `bridge` under K3s: a pod has an address of each range, and
// routes to the networks.
func cniConf(podCIDRs, networks []string, subnetEnv string) ([]byte, error) {
	mtu := 0
	for line := range strings.Lines(subnetEnv) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "FLANNEL_MTU="); ok {
			mtu, _ = strconv.Atoi(value)
		}
	}
	if mtu == 0 {
		return nil, fmt.Errorf("reading flannel's subnet file: no FLANNEL_MTU in %q", subnetEnv)
	}
	type object = map[string]any
	var ranges, routes []any
	for _, podCIDR := range podCIDRs {
		ranges = append(ranges, []any{object{"subnet": podCIDR}})
	}
	for _, network := range networks {
		routes = append(routes, object{"dst": network})
	}
	data, err := json.MarshalIndent(object{
		"cniVersion": "1.0.0",
		"name":       "cbr0",
		"plugins": []any{
			object{
				"type": "bridge", "bridge": "cni0", "mtu": mtu,
				"isDefaultGateway": true, "hairpinMode": true, "forceAddress": true, "ipMasq": false,
				"ipam": object{"type": "host-local", "ranges": ranges, "routes": routes},
			},
			object{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("rendering the CNI configuration: %w", err)
	}
	return data, nil
}
