package run

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A node whose object is full of what JSON writes six times as long is judged
// like the others: three nodes stay three.
func TestAFullNodeIsJudged(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.full(t, "b")
	out := w.verify(t.Context(), nil)
	if out.err != nil {
		t.Fatal(out.err)
	}
	if got := len(out.judgement.Graph.Nodes); got != 3 || out.judgement.Totals.Pairs != 6 {
		t.Errorf("%d nodes, %d pairs", got, out.judgement.Totals.Pairs)
	}
	noted := false
	for _, p := range out.judgement.Graph.Problems {
		noted = noted || p.What == "annotation"
	}
	if !noted {
		t.Error("nothing says that annotations were left out")
	}
}

func (w *world) full(t *testing.T, node string) {
	t.Helper()
	n, err := w.api.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	filler := strings.Repeat("<>", 1000)
	n.Annotations = map[string]string{
		"networking.talos.dev/self-ips": filler, "networking.talos.dev/x": filler,
		"kilo.squat.ai/endpoint": filler, "kilo.squat.ai/location": filler, "alpha.kubernetes.io/provided-node-ip": filler,
	}
	n.Status.NodeInfo = corev1.NodeSystemInfo{OperatingSystem: "linux", OSImage: filler, KernelVersion: filler, KubeletVersion: filler}
	if _, err := w.api.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// What does not fit the record makes the run inconclusive, never smaller.
func TestWhatCannotBeRecordedIsNotPassed(t *testing.T) {
	said := recording.New()
	r := newRecord("test", said)
	r.add(evidence.Message{Node: &evidence.Node{Name: strings.Repeat("n", 9000)}})
	r.end(&evidence.Run{Families: []int{4}})
	judgement := check.Judge(said)
	if judgement.Verdict != verdict.Undecided || !strings.Contains(judgement.Graph.Gap, "could not be recorded whole") {
		t.Errorf("verdict %s, gap %q", judgement.Verdict, judgement.Graph.Gap)
	}
}
