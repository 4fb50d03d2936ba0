package cluster

import (
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
	for name, test := range map[string]struct {
		node      *corev1.Node
		selection Selection
		reason    string
		chosen    bool
	}{
		"takes part":    {node(func(*corev1.Node) {}), Selection{}, "", false},
		"cordoned":      {node(func(n *corev1.Node) { n.Spec.Unschedulable = true }), Selection{}, "", false},
		"not named":     {node(func(*corev1.Node) {}), Selection{Names: []string{"m"}}, "not selected", true},
		"not labelled":  {node(func(*corev1.Node) {}), Selection{Selector: workers}, "not selected", true},
		"not ready":     {node(func(n *corev1.Node) { n.Status.Conditions = nil }), Selection{}, "it is not Ready", false},
		"named, not up": {node(func(n *corev1.Node) { n.Status.Conditions = nil }), Selection{Names: []string{"n"}}, "it is not Ready", false},
		"windows":       {node(func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" }), Selection{}, "it runs windows", false},
		"virtual":       {node(func(n *corev1.Node) { n.Labels["type"] = "virtual-kubelet" }), Selection{}, "it is a virtual node without a host to look at", false},
	} {
		t.Run(name, func(t *testing.T) {
			if reason, chosen := excluded(test.node, test.selection); reason != test.reason || chosen != test.chosen {
				t.Errorf("%q, chosen %t", reason, chosen)
			}
		})
	}
}

func TestDescribeKeepsWhatBearsOnTheNetwork(t *testing.T) {
	about, problems := describe(node(func(n *corev1.Node) {
		n.Labels["kubernetes.io/os"] = "linux"
		n.Labels["team"] = "secret project"
		n.Annotations["flannel.alpha.coreos.com/backend-type"] = "wireguard"
		n.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
		n.Annotations["k3s.io/node-env"] = `{"K3S_TOKEN":"x"}`
		n.Annotations["k3s.io/node-args"] = `["server","--token","tk","--flannel-backend","wireguard-native","--etcd-s3-secret-key=sk","--agent-token","--v"]`
		n.Annotations["projectcalico.org/Long"] = strings.Repeat("x", 3000)
	}), map[string]string{"network.cilium.io/wg-pub-key": "key", "flannel.alpha.coreos.com/backend-type": "of the other object"})
	want := map[string]string{
		"flannel.alpha.coreos.com/backend-type": "wireguard",
		"network.cilium.io/wg-pub-key":          "key",
		"k3s.io/node-args":                      `["server","--token","********","--flannel-backend","wireguard-native","--etcd-s3-secret-key=********","--agent-token","--v"]`,
	}
	if len(about.Annotations) != len(want) || len(about.Labels) != 1 {
		t.Errorf("annotations %v, labels %v", about.Annotations, about.Labels)
	}
	for name, value := range want {
		if about.Annotations[name] != value {
			t.Errorf("%s = %s", name, about.Annotations[name])
		}
	}
	if len(problems) != 1 || problems[0].On != "projectcalico.org/Long" {
		t.Errorf("problems %+v", problems)
	}
}

// A node full of annotations still fits one message.
func TestDescribeFitsAMessage(t *testing.T) {
	about, _ := describe(node(func(n *corev1.Node) {
		for i := range 100 {
			n.Annotations["kilo.squat.ai/"+strings.Repeat("k", i)] = strings.Repeat("\x01", 300)
		}
	}), nil)
	message := evidence.Message{Node: &about}
	if _, err := evidence.Encode(&message); err != nil {
		t.Logf("escapes can make it longer than a message, which the account replaces: %v", err)
	}
	size := 0
	for name, value := range about.Annotations {
		size += len(name) + len(value)
	}
	if size > maxAnnotations {
		t.Errorf("%d bytes of annotations", size)
	}
}
