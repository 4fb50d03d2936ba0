package cluster

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func node(change func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{}, Annotations: map[string]string{}},
		Status: corev1.NodeStatus{
			NodeInfo:   corev1.NodeSystemInfo{OperatingSystem: "linux"},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
	change(n)
	return n
}

func TestExcluded(t *testing.T) {
	workers, _ := labels.Parse("role=worker")
	down := node(func(n *corev1.Node) { n.Status.Conditions = nil })
	windows := node(func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" })
	virtual := node(func(n *corev1.Node) { n.Labels["type"] = "virtual-kubelet" })
	for name, test := range map[string]struct {
		node      *corev1.Node
		selection Selection
		reason    string
		chosen    bool
	}{
		"tested":        {node(func(*corev1.Node) {}), Selection{}, "", false},
		"cordoned":      {node(func(n *corev1.Node) { n.Spec.Unschedulable = true }), Selection{}, "", false},
		"not named":     {node(func(*corev1.Node) {}), Selection{Names: []string{"m"}}, "not selected", true},
		"not labelled":  {node(func(*corev1.Node) {}), Selection{Selector: workers}, "not selected", true},
		"not ready":     {down, Selection{}, "it is not Ready", false},
		"named, not up": {down, Selection{Names: []string{"n"}}, "it is not Ready", false},
		"windows":       {windows, Selection{}, "it runs windows", false},
		"virtual":       {virtual, Selection{}, "it is a virtual node without a host to look at", false},
	} {
		t.Run(name, func(t *testing.T) {
			if reason, chosen := excluded(test.node, test.selection); reason != test.reason || chosen != test.chosen {
				t.Errorf("%q, chosen %t", reason, chosen)
			}
		})
	}
}

// Why a node is not Ready is kept, on one line, bounded and without secrets.
func TestNotReadyIsKept(t *testing.T) {
	condition := func(status corev1.ConditionStatus, reason, message string) *corev1.Node {
		return node(func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory"},
				{Type: corev1.NodeReady, Status: status, Reason: reason, Message: message},
			}
		})
	}
	for name, test := range map[string]struct {
		node *corev1.Node
		want string
	}{
		"Ready":        {condition(corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"), ""},
		"no condition": {node(func(n *corev1.Node) { n.Status.Conditions = nil }), ""},
		"not Ready": {condition(corev1.ConditionFalse, "KubeletNotReady",
			"container runtime network not ready:\n  cni"),
			"KubeletNotReady: container runtime network not ready: cni"},
		"unknown": {condition(corev1.ConditionUnknown, "NodeStatusUnknown", ""), "NodeStatusUnknown:"},
		"a secret": {condition(corev1.ConditionFalse, "R", "join with --token abcdef0123456789"),
			"R: join with --token (hidden)"},
	} {
		about, _ := describe(test.node, ofNode{}, keptLabels)
		if about.NotReady != test.want {
			t.Errorf("%s: %q, want %q", name, about.NotReady, test.want)
		}
	}
	about, _ := describe(condition(corev1.ConditionFalse, "R", strings.Repeat("<", 5000)), ofNode{}, keptLabels)
	if len(about.NotReady) > maxText || strings.Contains(about.NotReady, "<") {
		t.Errorf("%d bytes: %q", len(about.NotReady), about.NotReady)
	}
}

// What a policy selects nodes by is kept too, and the record names it.
func TestFurtherLabels(t *testing.T) {
	labelled := node(func(n *corev1.Node) { n.Labels["team"] = "payments" })
	about, _ := describe(labelled, ofNode{}, labelNames([]string{"team", "kubernetes.io/os"}))
	if about.Labels["team"] != "payments" {
		t.Errorf("%v", about.Labels)
	}
	if names := labelNames([]string{"team", "kubernetes.io/os"}); len(names) != len(keptLabels)+1 || !slices.Contains(names, "team") {
		t.Errorf("%v", names)
	}
}

func TestDescribeKeepsWhatBearsOnTheNetwork(t *testing.T) {
	const data = `{"Port":51820,"PublicKey":"k"}`
	about, problems := describe(node(func(n *corev1.Node) {
		n.Labels["kubernetes.io/os"] = "linux"
		n.Labels["team"] = "secret project"
		n.Annotations["flannel.alpha.coreos.com/backend-type"] = "wireguard"
		n.Annotations["flannel.alpha.coreos.com/backend-data"] = `{"PublicKey":"k","Port":51820,"PrivateKey":"p"}`
		n.Annotations["flannel.alpha.coreos.com/backend-v6-data"] = "null"
		n.Annotations["flannel.alpha.coreos.com/other"] = "x"
		n.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
		n.Annotations["k3s.io/node-env"] = `{"K3S_TOKEN":"x"}`
		n.Annotations["k3s.io/node-args"] = `["server","--token","tk","--flannel-backend","wireguard-native","--v"]`
		n.Annotations["projectcalico.org/IPv4Address"] = strings.Repeat("x", 3000)
	}), ofNode{annotations: map[string]string{
		"network.cilium.io/wg-pub-key":          "key",
		"flannel.alpha.coreos.com/backend-type": "of the other object",
	}}, keptLabels)
	want := map[string]string{
		"flannel.alpha.coreos.com/backend-type":    "wireguard",
		"flannel.alpha.coreos.com/backend-data":    data,
		"flannel.alpha.coreos.com/backend-v6-data": "",
		"network.cilium.io/wg-pub-key":             "key",
		"k3s.io/node-args":                         `["server","--flannel-backend","wireguard-native"]`,
	}
	if len(about.Annotations) != len(want) || len(about.Labels) != 1 {
		t.Errorf("annotations %v, labels %v", about.Annotations, about.Labels)
	}
	for name, value := range want {
		if about.Annotations[name] != value {
			t.Errorf("%s = %s", name, about.Annotations[name])
		}
	}
	if len(problems) != 1 || problems[0].On != "projectcalico.org/IPv4Address" {
		t.Errorf("problems %+v", problems)
	}
}

// Whatever a node's object holds, it fits one message: a node that could not be
// recorded would not be judged.
func TestDescribeFitsAMessage(t *testing.T) {
	for name, filler := range map[string]string{
		"escaped": strings.Repeat("<>", 1000),
		"control": strings.Repeat("\x01", 2000),
		"long":    strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			about, problems := describe(fullNode(filler),
				ofNode{annotations: map[string]string{"kilo.squat.ai/endpoint": filler}}, keptLabels)
			message := evidence.Message{Stream: evidence.PluginStream, Seq: 4294967295, Node: &about}
			if line, err := evidence.Encode(&message); err != nil {
				t.Errorf("%v: %.200s", err, line)
			}
			if len(problems) == 0 {
				t.Error("no problem reports what was left out")
			}
		})
	}
}

// fullNode has the filler in every field that is read.
func fullNode(filler string) *corev1.Node {
	return node(func(n *corev1.Node) {
		n.Name = strings.Repeat("n", 253)
		for _, label := range keptLabels {
			n.Labels[label] = filler[:min(len(filler), 63)]
		}
		for annotation := range keptAnnotations {
			n.Annotations[annotation] = filler
		}
		for range 100 {
			address := corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: filler[:40]}
			n.Status.Addresses = append(n.Status.Addresses, address)
			n.Spec.PodCIDRs = append(n.Spec.PodCIDRs, "2001:db8:1111:2222:3333:4444:5555:6666/128")
		}
		info := &n.Status.NodeInfo
		info.KubeletVersion, info.OSImage, info.KernelVersion = filler, filler, filler
		info.ContainerRuntimeVersion, info.Architecture = filler, filler
	})
}

func TestArguments(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{`["agent"]`, `["agent"]`},
		{`not a list`, ``},
		{
			`["server","--flannel-external-ip","--node-ip","192.0.2.1"]`,
			`["server","--flannel-external-ip","--node-ip","192.0.2.1"]`,
		}, {
			`["server","--flannel-external-ip","false"]`,
			`["server","--flannel-external-ip","false"]`,
		}, {
			`["server","--flannel-external-ip=false"]`,
			`["server","--flannel-external-ip","false"]`,
		}, {
			`["server","--vpn-auth","name=tailscale,joinKey=tskey,controlServerURL=https://x"]`,
			`["server","--vpn-auth","name=tailscale,(hidden)"]`,
		}, {
			`["server","--vpn-auth-file","/etc/x"]`,
			`["server","--vpn-auth-file","(hidden)"]`,
		}, {
			`["server","--flannel-backend","wireguard-native=Mode=auto,PSK=x"]`,
			`["server","--flannel-backend","wireguard-native=Mode=auto"]`,
		}, {
			`["server","--token","--flannel-conf","/etc/c","--etcd-arg","hunter2","--datastore-endpoint=x://u:p@h"]`,
			`["server","--flannel-conf","/etc/c"]`,
		},
	} {
		if got := arguments(test.given); got != test.want {
			t.Errorf("%s: %s, want %s", test.given, got, test.want)
		}
	}
}

func TestNetConf(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{
			`{"Network":"10.42.0.0/16","Backend":{"Type":"wireguard","PSK":"s","PersistentKeepaliveInterval":25}}`,
			`{"Backend":{"PSK":"(preshared key set)","PersistentKeepaliveInterval":25,"Type":"wireguard"},` +
				`"Network":"10.42.0.0/16"}`,
		}, {
			`{"backend":{"type":"wireguard","psk":"s","Other":"x"},"x":1}`,
			`{"Backend":{"PSK":"(preshared key set)","Type":"wireguard"}}`,
		},
		{`{"Backend":{"Type":"wireguard","PSK":""}}`, `{"Backend":{"Type":"wireguard"}}`},
		{`{"Backend":{"Type":{"PSK":"s"}}}`, `{"Backend":{}}`},
		{`{"Backend":"s"}`, `{"Backend":null}`},
		{`s`, ``},
	} {
		if got := netConf(test.given); got != test.want {
			t.Errorf("%s: %s, want %s", test.given, got, test.want)
		}
	}
}
