package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// dnsPod is a Ready pod of the cluster's DNS.
func dnsPod(name, node string, change func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
			{Name: "dns-tcp", ContainerPort: 54, Protocol: corev1.ProtocolTCP},
			{Name: "dns", ContainerPort: 5353, Protocol: corev1.ProtocolUDP},
		}}}},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			PodIPs:     []corev1.PodIP{{IP: "10.42.1.9"}, {IP: "2001:db8:42::9"}},
		},
	}
	change(pod)
	return pod
}

// Of each node one pod is asked in each family, at the port that it names, unless it is
// not Ready or in its node's network. That there is none is an error that says so.
func TestDNSServers(t *testing.T) {
	nodes := []evidence.Node{{Index: 0, Name: "a"}, {Index: 1, Name: "b"}}
	same := func(*corev1.Pod) {}
	deleted := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }
	for name, test := range map[string]struct {
		pods []*corev1.Pod
		want string
	}{
		"one": {[]*corev1.Pod{dnsPod("x", "b", same)}, "1 10.42.1.9:5353, 1 [2001:db8:42::9]:5353"},
		"two on a node": {[]*corev1.Pod{
			dnsPod("x", "b", same),
			dnsPod("y", "b", func(p *corev1.Pod) { p.Status.PodIPs = []corev1.PodIP{{IP: "10.42.1.8"}} }),
		}, "1 10.42.1.9:5353, 1 [2001:db8:42::9]:5353"},
		"one on each, without a port": {[]*corev1.Pod{
			dnsPod("x", "b", func(p *corev1.Pod) { p.Status.PodIPs = p.Status.PodIPs[:1] }),
			dnsPod("y", "a", func(p *corev1.Pod) {
				p.Spec.Containers = nil
				p.Status.PodIPs = []corev1.PodIP{{IP: "10.42.0.8"}, {IP: "nonsense"}}
			}),
		}, "0 10.42.0.8:53, 1 10.42.1.9:5353"},
		"being deleted":          {[]*corev1.Pod{dnsPod("x", "b", deleted)}, ""},
		"not Ready":              {[]*corev1.Pod{dnsPod("x", "b", func(p *corev1.Pod) { p.Status.Conditions = nil })}, ""},
		"in its node's network":  {[]*corev1.Pod{dnsPod("x", "b", func(p *corev1.Pod) { p.Spec.HostNetwork = true })}, ""},
		"on a node not under it": {[]*corev1.Pod{dnsPod("x", "c", same)}, ""},
		"in another namespace":   {[]*corev1.Pod{dnsPod("x", "b", func(p *corev1.Pod) { p.Namespace = "default" })}, ""},
		"something else":         {[]*corev1.Pod{dnsPod("x", "b", func(p *corev1.Pod) { p.Labels = nil })}, ""},
		"none":                   {nil, ""},
	} {
		api := fake.NewSimpleClientset()
		for _, pod := range test.pods {
			if err := api.Tracker().Add(pod); err != nil {
				t.Fatal(err)
			}
		}
		servers, problems := client(api).DNSServers(t.Context(), nodes)
		var have []string
		for _, s := range servers {
			have = append(have, fmt.Sprint(s.Node, " ", s.Addr))
		}
		if got := strings.Join(have, ", "); got != test.want || (len(problems) > 0) != (test.want == "") {
			t.Errorf("%s: %q, %v, want %q", name, got, problems, test.want)
		}
	}
}

// That the pods may not be listed is said as it is.
func TestDNSServersForbidden(t *testing.T) {
	api := fake.NewSimpleClientset()
	api.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("not you"))
	})
	servers, problems := client(api).DNSServers(t.Context(), []evidence.Node{{Name: "a"}})
	if len(servers) != 0 || len(problems) != 1 || problems[0].Class != evidence.ProblemPermission ||
		problems[0].What != "DNS" || !strings.Contains(problems[0].Text, "not you") {
		t.Errorf("%v, %+v", servers, problems)
	}
}
