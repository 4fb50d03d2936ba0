package node

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

func TestCNIConfFollowsFlannel(t *testing.T) {
	for mtu, want := range map[string]int{"1420": 1420, "1450": 1450, "1500": 1500} {
		data, err := cniConf([]string{"10.42.1.0/24", "2001:db8:42:1::/64"}, []string{"10.42.0.0/16", "2001:db8:42::/56"}, "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_MTU="+mtu+"\nFLANNEL_IPMASQ=true\n")
		if err != nil {
			t.Fatal(err)
		}
		var conf struct {
			Name    string
			Plugins []struct {
				Type, Bridge string
				MTU          int
				IPAM         struct {
					Ranges [][]struct{ Subnet string }
					Routes []struct{ Dst string }
				}
			}
		}
		if err := json.Unmarshal(data, &conf); err != nil {
			t.Fatal(err)
		}
		bridge := conf.Plugins[0]
		if bridge.Type != "bridge" || bridge.Bridge != "cni0" || bridge.MTU != want ||
			fmt.Sprint(bridge.IPAM) != "{[[{10.42.1.0/24}] [{2001:db8:42:1::/64}]] [{10.42.0.0/16} {2001:db8:42::/56}]}" {
			t.Errorf("MTU %s: got %+v", mtu, bridge)
		}
	}
	for _, bad := range []string{"", "FLANNEL_MTU=", "FLANNEL_MTU=many\n"} {
		if _, err := cniConf([]string{"10.42.1.0/24"}, []string{"10.42.0.0/16"}, bad); err == nil {
			t.Errorf("no error without an MTU: %q", bad)
		}
	}
}

func TestServiceConfigs(t *testing.T) {
	config := HostConfig{Cgroup: "kubectl-wg-lab-x", Network: topology.Network{Backend: "wireguard"}}
	node := Node{Name: "node-2", Address: topology.Node(2)}
	files, err := serviceConfigs(config, node)
	if err != nil {
		t.Fatal(err)
	}
	for path, wants := range map[string][]string{
		containerdConfigFile: {"restrict_oom_score_adj = true", "enable_unprivileged_icmp = true", `sandbox = "localhost/lab/pause:1"`},
		kubeletConfigFile: {
			"cgroupRoot: /kubectl-wg-lab-x/node-2\n", "cgroupsPerQOS: true\n", "anonymous: {enabled: false}",
			"containerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n",
		},
	} {
		for _, want := range wants {
			if !strings.Contains(string(files[path]), want) {
				t.Errorf("%s lacks %q:\n%s", path, want, files[path])
			}
		}
		if strings.Contains(string(files[path]), "<no value>") {
			t.Errorf("%s has a gap:\n%s", path, files[path])
		}
	}
	for families, ip := range map[topology.Families]string{"": "192.0.2.12", topology.OnlyIPv6: "2001:db8::12", topology.Dual: "192.0.2.12,2001:db8::12"} {
		args := strings.Join(kubeletArgs(node, families), " ")
		if !strings.Contains(args, "--node-ip="+ip+" ") || !strings.Contains(args, "--hostname-override=node-2") {
			t.Errorf("kubelet's arguments: %s", args)
		}
	}
}

func TestConfigSurvivesItsFile(t *testing.T) {
	path := t.TempDir() + "/config.json"
	if err := WriteConfig(path, HostConfig{Lab: "x", Nodes: []Node{{Name: "node-1", Address: topology.Node(1), Files: map[string]string{CAFile: "ca"}}}}); err != nil {
		t.Fatal(err)
	}
	got, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	node, err := got.node("node-1")
	if err != nil || node.Address != topology.Node(1) || node.Files[CAFile] != "ca" {
		t.Errorf("got %+v (%v)", node, err)
	}
	if _, err := got.node("node-2"); err == nil {
		t.Error("a node that is not configured was found")
	}
}
