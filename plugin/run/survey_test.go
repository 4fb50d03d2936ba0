package run

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// flannel makes nodes that Flannel runs on.
func (w *world) flannel(t *testing.T) {
	t.Helper()
	nodes, err := w.api.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes.Items {
		nodes.Items[i].Annotations = map[string]string{"flannel.alpha.coreos.com/backend-type": "wireguard"}
		if _, err := w.api.CoreV1().Nodes().Update(t.Context(), &nodes.Items[i], metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// What is known from the nodes alone is said before any pod is started.
func TestKnownBeforehand(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*Options)
		want    string
		flannel bool
	}{
		"no such family": {func(o *Options) { o.Families = []int{6} }, "--family 6: no node has an IPv6 pod range", true},
		"nothing selected": {
			func(o *Options) { o.Selection.Selector = labels.SelectorFromSet(labels.Set{"foo": "bar"}) },
			"no node matches --node-selector foo=bar", false,
		},
		"one selected": {
			func(o *Options) { o.Selection.Selector = labels.SelectorFromSet(labels.Set{"one": "yes"}) },
			"only a matches --node-selector one=yes; a proof needs two nodes", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			if test.flannel {
				w.flannel(t)
			}
			node, err := w.api.CoreV1().Nodes().Get(t.Context(), "a", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			node.Labels = map[string]string{"one": "yes"}
			if _, err := w.api.CoreV1().Nodes().Update(t.Context(), node, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			out := w.verify(t.Context(), test.change)
			var usage interface{ ExitCode() int }
			if out.err == nil || !strings.HasSuffix(out.err.Error(), test.want) || !errors.As(out.err, &usage) || usage.ExitCode() != 2 {
				t.Errorf("err = %v", out.err)
			}
			for _, action := range w.api.Actions() {
				if action.GetVerb() == "create" && action.GetResource().Resource == "namespaces" {
					t.Error("a namespace was created")
				}
			}
		})
	}
}

// What is only half known is tested.
func TestMissingFamily(t *testing.T) {
	node := func(name string, ranges ...string) evidence.Node {
		n := evidence.Node{Name: name}
		for _, text := range ranges {
			n.PodCIDRs = append(n.PodCIDRs, netip.MustParsePrefix(text))
		}
		return n
	}
	const v4, v6 = "10.42.0.0/24", "2001:db8::/64"
	for name, test := range map[string]struct {
		families  []int
		nodes     []evidence.Node
		fromNodes bool
		want      string
	}{
		"not asked for": {nil, []evidence.Node{node("a", v4), node("b", v4)}, true, ""},
		"missing":       {[]int{6}, []evidence.Node{node("a", v4), node("b", v4)}, true, "--family 6: no node has"},
		"on one":        {[]int{6}, []evidence.Node{node("a", v4, v6), node("b", v4)}, true, "--family 6: only a has an IPv6 pod range"},
		"one of two":    {[]int{4, 6}, []evidence.Node{node("a", v4), node("b", v4)}, true, ""},
		"own ranges":    {[]int{6}, []evidence.Node{node("a", v4), node("b", v4)}, false, ""},
		"not known":     {[]int{6}, []evidence.Node{node("a", v4), node("b")}, true, ""},
		"there":         {[]int{6}, []evidence.Node{node("a", v6), node("b", v6)}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := missingFamily(test.families, test.nodes, test.fromNodes)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// Nodes that take no part are named by their reason, not one by one.
func TestReasons(t *testing.T) {
	var nodes []evidence.Node
	for _, name := range strings.Split("abcdefgh", "") {
		nodes = append(nodes, evidence.Node{Name: name, Excluded: "it is not Ready"})
	}
	nodes = append(nodes, evidence.Node{Name: "x", Excluded: "not selected", Chosen: true})
	if got := strings.Join(reasons(nodes), "\n"); got != "a, b, c, d, e and 3 more: it is not Ready" {
		t.Error(got)
	}
}

// Why a pod did not start is recorded with the pod and its node.
func TestProblemNamesItsPod(t *testing.T) {
	for what, want := range map[string]string{
		"place probe": "the probe on a did not start: why", "place pod": "the test pod on a did not start: why",
		"place newcomer": "the new pod on a did not start: why",
	} {
		if got := named(evidence.Problem{What: what, On: "a", Text: "why"}).Text; got != want {
			t.Error(got)
		}
	}
}

// An API server that does not reach a kubelet is named in its own words.
func TestKubeletUnreachable(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		if node == "b" {
			return &cluster.KubeletUnreachable{At: "192.0.2.2:10250", Words: "i/o timeout"}
		}
		return honest(ctx, role, node, stdin, stdout)
	}
	out := w.verify(t.Context(), nil)
	if out.err != nil {
		t.Fatal(out.err)
	}
	const want = "the API server cannot reach the kubelet of b at 192.0.2.2:10250 (its words: i/o timeout); " +
		"kubectl exec and logs fail there too"
	found := 0
	for _, m := range out.recording.Messages("plugin") {
		if m.Problem != nil && m.Problem.Class == evidence.ProblemUnreachable && m.Problem.Text == want {
			found++
		}
	}
	if found != 2 { // the probe and the test pod
		t.Errorf("recorded %d times", found)
	}
	if cause := out.judgement.FirstCause; cause == nil || cause.Code != "WG0103" || cause.Variant != "unreachable" {
		t.Errorf("first cause %+v", cause)
	}
}

// In a namespace that is not the run's own its pods are waited for, and what
// still ends is said.
func TestPodsThatStillEnd(t *testing.T) {
	w := newWorld(t, "a", "b")
	var deleted atomic.Int32
	w.pod = func(_ *batchv1.Job, pod *corev1.Pod) {
		time.AfterFunc(3*time.Second, func() {
			w.api.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), pod.Namespace, pod.Name)
			deleted.Add(1)
		})
	}
	progress := &quiet{}
	out := w.verify(t.Context(), func(o *Options) { o.Objects.Namespace, o.Progress = "mine", progress })
	if out.err != nil || deleted.Load() != 4 || len(progress.notes) > 0 {
		t.Errorf("err = %v, %d pods had ended, notes %q", out.err, deleted.Load(), progress.notes)
	}
}
