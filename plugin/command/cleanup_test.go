package command

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
)

// left is a cluster with what one run left: its namespaces, of some age, and a
// Job unless it has none.
func left(age time.Duration, jobs ...batchv1.JobStatus) *fake.Clientset {
	labels := map[string]string{manifests.LabelManagedBy: manifests.ManagedBy, manifests.LabelRun: "abc234"}
	created := metav1.NewTime(time.Now().Add(-age))
	var objects []runtime.Object
	for _, name := range (manifests.Run{ID: "abc234"}).Namespaces() {
		about := metav1.ObjectMeta{Name: name, Labels: labels, CreationTimestamp: created}
		objects = append(objects, &corev1.Namespace{ObjectMeta: about})
	}
	for _, status := range jobs {
		about := metav1.ObjectMeta{Namespace: "kubectl-wg-abc234", Name: "wg-abc234-probe-0", Labels: labels}
		objects = append(objects, &batchv1.Job{ObjectMeta: about, Status: status})
	}
	return fake.NewSimpleClientset(objects...)
}

func TestCleanup(t *testing.T) {
	running := batchv1.JobStatus{Active: 1}
	ended := batchv1.JobStatus{Failed: 1}
	jobs := []string{"jobs"}
	named := []string{"abc234"}
	for name, test := range map[string]struct {
		api       *fake.Clientset
		forbidden []string
		runs      []string
		want      string
		remains   int
		unseen    bool
	}{
		"nothing":               {fake.NewSimpleClientset(), nil, nil, "nothing to clean up", 0, false},
		"left":                  {left(time.Hour, ended), nil, nil, "removed namespaces kubectl-wg-abc234 ", 0, false},
		"left, Jobs removed":    {left(time.Minute), nil, nil, "removed namespaces", 0, false},
		"left a moment ago":     {left(time.Second, ended), nil, nil, "removed namespaces", 0, false},
		"running":               {left(time.Hour, running), nil, nil, "skipped namespaces", 2, false},
		"begins":                {left(time.Second), nil, nil, "it may be starting", 2, false},
		"begins, is named":      {left(time.Second), nil, named, "removed namespaces", 0, false},
		"Jobs unseen":           {left(time.Hour, running), jobs, nil, "you are not allowed to see whether", 2, true},
		"Jobs unseen, is named": {left(time.Hour, running), jobs, named, "removed namespaces", 0, false},
		"another is named":      {left(time.Hour, running), jobs, []string{"other"}, "", 2, true},
		"all unseen":            {left(time.Hour), []string{"jobs", "namespaces"}, nil, "", 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			refuseLists(test.api, test.forbidden)
			var out, errs bytes.Buffer
			r := &root{streams: Streams{Out: &out, Err: &errs}, config: genericclioptions.NewConfigFlags(false)}
			client := cluster.New(test.api, nil, nil, slog.New(slog.DiscardHandler))
			err := r.runCleanup(t.Context(), client, cleanupFlags{}, test.runs)
			var unseen *cluster.Unseen
			if errors.As(err, &unseen) != test.unseen || (err == nil) == test.unseen {
				t.Errorf("err = %v", err)
			}
			got := out.String()
			if !strings.Contains(got, test.want) || test.unseen && strings.Contains(got, "nothing to clean up") {
				t.Errorf("stdout %q", got)
			}
			test.api.ReactionChain = test.api.ReactionChain[len(test.forbidden):]
			namespaces, err := test.api.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
			if err != nil || len(namespaces.Items) != test.remains {
				t.Errorf("%d namespaces remain, %v", len(namespaces.Items), err)
			}
		})
	}
}

func refuseLists(api *fake.Clientset, resources []string) {
	for _, resource := range slices.Clone(resources) {
		api.PrependReactor("list", resource, func(action clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), "", errors.New("no"))
		})
	}
}

// A run that is named and of which there is nothing is an error; the others are
// removed.
func TestCleanupOfNothing(t *testing.T) {
	for name, test := range map[string]struct {
		runs    []string
		out     string
		missing string
	}{
		"no such run":   {[]string{"xyz"}, "", "nothing to clean up of xyz"},
		"one of two":    {[]string{"abc234", "xyz"}, "removed namespaces", "nothing to clean up of xyz"},
		"twice":         {[]string{"abc234", "abc234"}, "removed namespaces", ""},
		"its namespace": {[]string{"kubectl-wg-abc234-pods", "kubectl-wg-abc234"}, "removed namespaces", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			r := &root{streams: Streams{Out: &out, Err: &errs}, config: genericclioptions.NewConfigFlags(false)}
			client := cluster.New(left(time.Hour), nil, nil, slog.New(slog.DiscardHandler))
			err := r.runCleanup(t.Context(), client, cleanupFlags{}, test.runs)
			if (err == nil) != (test.missing == "") || err != nil && (err.Error() != test.missing || fail(&errs, err) != exitCouldNotRun) {
				t.Errorf("err = %v", err)
			}
			if !strings.HasPrefix(out.String(), test.out) || test.out == "" && out.Len() > 0 {
				t.Errorf("stdout %q", out.String())
			}
		})
	}
}

// What is being removed already is not announced as what would be removed.
func TestCleanupDryRun(t *testing.T) {
	for _, removing := range []bool{false, true} {
		api := left(time.Hour, batchv1.JobStatus{Failed: 1})
		if removing {
			for _, name := range (manifests.Run{ID: "abc234"}).Namespaces() {
				namespace, err := api.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				namespace.Status.Phase = corev1.NamespaceTerminating
				namespace.DeletionTimestamp = &metav1.Time{Time: time.Now()}
				if _, err := api.CoreV1().Namespaces().Update(t.Context(), namespace, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var out, errs bytes.Buffer
		r := &root{streams: Streams{Out: &out, Err: &errs}, config: genericclioptions.NewConfigFlags(false)}
		client := cluster.New(api, nil, nil, slog.New(slog.DiscardHandler))
		if err := r.runCleanup(t.Context(), client, cleanupFlags{dryRun: true}, nil); err != nil {
			t.Error(err)
		}
		if got := out.String() + errs.String(); strings.Contains(got, "already being removed: ") != removing {
			t.Errorf("being removed: %t: %s", removing, got)
		}
	}
}
