package cluster

import (
	"errors"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

func TestRemoval(t *testing.T) {
	const ours, others = manifests.ManagedBy, "someone"
	labels := func(run, manager string) map[string]string {
		return map[string]string{manifests.LabelManagedBy: manager, manifests.LabelRun: run}
	}
	namespace := func(name, run, manager string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels(run, manager)}}
	}
	job := func(namespace, run, manager string, succeeded int32) *batchv1.Job {
		about := metav1.ObjectMeta{Namespace: namespace, Name: "wg-" + run, Labels: labels(run, manager)}
		return &batchv1.Job{ObjectMeta: about, Status: batchv1.JobStatus{Succeeded: succeeded}}
	}
	api := fake.NewSimpleClientset(
		namespace("kubectl-wg-abc234", "abc234", ours),
		namespace("kubectl-wg-abc234-pods", "abc234", ours),
		namespace("production", "abc234", ours), // the label alone is not enough
		namespace("kubectl-wg-xyz", "abc234", others),
		job("kubectl-wg-abc234", "abc234", ours, 0),
		job("kubectl-wg-abc234-pods", "abc234", ours, 1),
		job("mine", "def567", ours, 1),
		job("mine", "ghj678", others, 0),
	)
	c := client(api)
	leftovers, err := c.Leftovers(t.Context(), "")
	if err != nil || len(leftovers) != 2 {
		t.Fatalf("%+v, %v", leftovers, err)
	}
	first, second := leftovers[0], leftovers[1]
	if got := first.What(); got != "namespaces kubectl-wg-abc234 and kubectl-wg-abc234-pods" {
		t.Error(got)
	}
	if !first.Own || first.Running != 1 || first.Jobs != 2 {
		t.Errorf("%+v", first)
	}
	if second.Namespaces[0] != "mine" || second.Own || second.Running != 0 {
		t.Errorf("%+v", second)
	}
	if in, err := c.Leftovers(t.Context(), "mine"); err != nil || len(in) != 1 || in[0].Run != "def567" {
		t.Errorf("in one namespace: %+v, %v", in, err)
	}
	if err := c.RemoveLeftover(t.Context(), first, func(string) {}); err != nil {
		t.Error(err)
	}
	for _, name := range first.Namespaces {
		_, err := api.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.remove(t.Context(), first); err != nil {
		t.Errorf("removing it twice: %v", err)
	}
	if _, err := api.CoreV1().Namespaces().Get(t.Context(), "production", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// What may not be listed is unknown: the error says what, and a run whose Jobs
// cannot be seen is not taken for one that has ended.
func TestLeftoversThatCannotBeSeen(t *testing.T) {
	labels := map[string]string{manifests.LabelManagedBy: manifests.ManagedBy, manifests.LabelRun: "abc234"}
	about := metav1.ObjectMeta{Name: "kubectl-wg-abc234", Labels: labels}
	for name, test := range map[string]struct {
		forbidden []string // resource in namespace
		what      string
		found     int
		unknown   bool
	}{
		"nothing":          {nil, "", 1, false},
		"Jobs everywhere":  {[]string{"jobs in "}, "Jobs in all namespaces", 1, false},
		"Jobs":             {[]string{"jobs in ", "jobs in kubectl-wg-abc234"}, "Jobs in all namespaces", 1, true},
		"namespaces":       {[]string{"namespaces in "}, "namespaces", 0, false},
		"namespaces, Jobs": {[]string{"namespaces in ", "jobs in "}, "namespaces and Jobs in all namespaces", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			api := fake.NewSimpleClientset(&corev1.Namespace{ObjectMeta: about})
			api.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
				what := action.GetResource().Resource + " in " + action.GetNamespace()
				return slices.Contains(test.forbidden, what), nil, forbidden(action, "")
			})
			leftovers, err := client(api).Leftovers(t.Context(), "")
			var unseen *Unseen
			errors.As(err, &unseen)
			if (unseen == nil) != (test.what == "") {
				t.Errorf("err = %v", err)
			}
			if unseen != nil && !strings.Contains(err.Error(), "to list "+test.what+":") {
				t.Errorf("err = %v", err)
			}
			if len(leftovers) != test.found || test.found > 0 && leftovers[0].Unknown != test.unknown {
				t.Errorf("%+v", leftovers)
			}
		})
	}
}
