package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func networkPod(name, node string, labels map[string]string, containers ...corev1.ContainerStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", Labels: labels},
		Spec:       corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{ContainerStatuses: containers},
	}
}

func TestLogSources(t *testing.T) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	api := fake.NewSimpleClientset(
		networkPod("flannel-a", "n1", map[string]string{"app": "flannel", "k8s-app": "flannel"},
			corev1.ContainerStatus{Name: "kube-flannel", State: running}, corev1.ContainerStatus{Name: "other", State: running}),
		networkPod("flannel-b", "n2", map[string]string{"k8s-app": "flannel"},
			corev1.ContainerStatus{Name: "kube-flannel", State: waiting, RestartCount: 3}),
		networkPod("cilium-a", "n3", map[string]string{"k8s-app": "cilium"},
			corev1.ContainerStatus{Name: "cilium-agent", State: running, RestartCount: 1}),
		networkPod("coredns", "n1", map[string]string{"k8s-app": "kube-dns"}, corev1.ContainerStatus{Name: "coredns", State: running}),
	)
	c := New(api, nil, nil, slog.New(slog.DiscardHandler))
	for nodes, want := range map[string]string{
		"":   "n1/flannel-a/kube-flannel/false n2/flannel-b/kube-flannel/true n3/cilium-a/cilium-agent/true n3/cilium-a/cilium-agent/false",
		"n2": "n2/flannel-b/kube-flannel/true", "n9": "",
	} {
		sources, err := c.LogSources(context.Background(), "", strings.Fields(nodes))
		var got []string
		for _, s := range sources {
			got = append(got, fmt.Sprintf("%s/%s/%s/%v", s.Node, s.Pod, s.Container, s.Previous))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v", nodes, got, err)
		}
	}
	var lines []string
	err := c.Log(context.Background(), LogSource{Namespace: "kube-system", Pod: "flannel-a"}, time.Now(), false,
		func(line string) { lines = append(lines, line) })
	if err != nil || len(lines) != 1 {
		t.Errorf("%q, %v", lines, err)
	}
}

// A line without end takes no memory without end.
func TestEachLine(t *testing.T) {
	var lengths []int
	text := "short\n" + strings.Repeat("x", 10*maxLogLine) + "\nlast"
	if err := eachLine(strings.NewReader(text), func(line string) { lengths = append(lengths, len(line)) }); err != nil {
		t.Error(err)
	}
	if fmt.Sprint(lengths) != fmt.Sprint([]int{5, maxLogLine, 4}) {
		t.Error(lengths)
	}
}
