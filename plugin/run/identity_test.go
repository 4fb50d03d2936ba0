package run

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// The evidence names the revision of the plugin and the images of its pods, and has
// the phases of the run in order, none before the one that it follows.
func TestRunIsIdentified(t *testing.T) {
	const image = "registry.example/wg-probe@sha256:0123"
	w := newWorld(t, "a", "b")
	w.pod = func(_ *batchv1.Job, pod *corev1.Pod) {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{ImageID: image}}
	}
	out := w.verify(t.Context(), func(o *Options) { o.Revision = "abc-dirty" })
	if out.err != nil {
		t.Fatal(out.err)
	}
	recorded := graph.New(out.recording)
	if recorded.Run.Revision != "abc-dirty" {
		t.Errorf("revision %q", recorded.Run.Revision)
	}
	for _, n := range recorded.Nodes {
		for role, pod := range n.Pods {
			if pod.Image != image {
				t.Errorf("%s on %s: image %q", role, n.Name, pod.Image)
			}
		}
	}
	var names []string
	after := int64(0)
	for _, phase := range recorded.Run.Phases {
		names = append(names, phase.Name)
		if phase.Began < after || phase.Took < 0 {
			t.Errorf("%+v begins before %d ms", phase, after)
		}
		after = phase.Began
	}
	if got := strings.Join(names, ", "); got != "reading cluster state, checking permissions, starting probe pods, testing" {
		t.Errorf("phases %q", got)
	}
}
