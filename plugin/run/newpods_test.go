package run

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestNewPodsAreSpread(t *testing.T) {
	for _, row := range []struct {
		n, most int
		want    []int
	}{{1, 8, nil}, {2, 0, nil}, {2, 8, []int{0, 1}}, {10, 3, []int{0, 3, 6}}, {1000, 2, []int{0, 500}}} {
		if got := newPodNodes(row.n, row.most); !slices.Equal(got, row.want) {
			t.Errorf("of %d nodes, at most %d: %v, want %v", row.n, row.most, got, row.want)
		}
	}
}

// New pods are given where the others listen, never the run's key, get no
// session, and one that does not start is reported.
func TestNewPods(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	var mu sync.Mutex
	commands := map[string][]string{}
	w.pod = func(job *batchv1.Job, pod *corev1.Pod) {
		if job.Labels[manifests.LabelRole] != manifests.Newcomer {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		node := job.Annotations[manifests.AnnotationNode]
		commands[node] = job.Spec.Template.Spec.Containers[0].Command
		switch node {
		case "b": // it was done before anybody looked
			pod.Status.Phase, pod.Status.Conditions = corev1.PodSucceeded, nil
		case "c":
			pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}
		}
	}
	out := w.verify(t.Context(), func(o *Options) { o.NewPods = 8 })
	if out.err != nil {
		t.Fatal(out.err)
	}
	if w.sessions != 6 {
		t.Errorf("%d sessions, want those of probes and test pods", w.sessions)
	}
	command := strings.Join(commands["a"], " ")
	if !strings.Contains(command, "--index 0 ") || !strings.Contains(command, "--to 1@10.42.1.2:4000 --to 2@") {
		t.Errorf("command of the new pod on a: %s", command)
	}
	secret := w.secret
	if len(secret) != 2 || len(secret[evidence.EnvMark]) != 32 || len(secret[evidence.EnvKey]) != 64 {
		t.Errorf("the Secret has %v", secret)
	}
	for _, value := range secret {
		if strings.Contains(command, value) {
			t.Error("the command of the new pod has what only the Secret may have")
		}
	}
	ready, newPods, reported := map[string]bool{}, []evidence.Newcomer(nil), false
	for _, m := range out.recording.Messages(evidence.PluginStream) {
		switch {
		case m.Pod != nil && m.Pod.Role == manifests.Newcomer:
			ready[m.Pod.Node] = m.Pod.Ready
		case m.Run != nil:
			newPods = m.Run.Newcomers
		case m.Problem != nil && m.Problem.What == "place newcomer":
			reported = m.Problem.On == "c" && strings.Contains(m.Problem.Hint, "--new-pods 0")
		}
	}
	if !ready["a"] || !ready["b"] || ready["c"] || len(ready) != 3 || !reported {
		t.Errorf("ready %v, the one that failed is reported: %v", ready, reported)
	}
	if len(newPods) != 3 || newPods[2].Node != 2 || !slices.Equal(newPods[2].Targets, []int{0, 1}) {
		t.Errorf("the run has %+v", newPods)
	}
}

// A server that lets no new pod in does not keep the rest from being judged.
func TestNewPodsAreRefused(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.api.PrependReactor("create", "jobs", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create := action.(clienttesting.CreateActionImpl)
		if job, ok := create.Object.(*batchv1.Job); ok && job.Labels[manifests.LabelRole] == manifests.Newcomer {
			return true, nil, errors.New("no more")
		}
		return false, nil, nil
	})
	out := w.verify(t.Context(), func(o *Options) { o.NewPods = 1 })
	if out.err != nil || out.judgement == nil || out.judgement.Verdict == verdict.Passed {
		t.Fatalf("%v, judgement %v", out.err, out.judgement)
	}
	reported := false
	for _, m := range out.recording.Messages(evidence.PluginStream) {
		reported = reported || m.Problem != nil && m.Problem.What == "place newcomer" && m.Problem.On == "a" && strings.Contains(m.Problem.Text, "no more")
	}
	if !reported {
		t.Error("nothing reports that the new pod was refused")
	}
}
