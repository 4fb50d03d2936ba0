package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// What an administrator has to run is printed whole, and is safe to paste.
func TestMissingAccessHint(t *testing.T) {
	for name, test := range map[string]struct {
		access MissingAccess
		want   []string
	}{
		"cluster": {MissingAccess{User: "jane"}, []string{
			"kubectl wg verify --print-role | kubectl apply -f - && kubectl create clusterrolebinding kubectl-wg " +
				"--clusterrole=kubectl-wg --user=jane",
		}},
		"namespace": {MissingAccess{Namespace: "mine", User: "system:serviceaccount:ci:bot"}, []string{
			"--print-role -n mine |", "create rolebinding kubectl-wg -n mine --role=kubectl-wg --serviceaccount=ci:bot",
			"create clusterrolebinding kubectl-wg-nodes --clusterrole=kubectl-wg-nodes",
		}},
		"unsafe":  {MissingAccess{User: "a'; rm -rf /"}, []string{`--user='a'\''; rm -rf /'`}},
		"unknown": {MissingAccess{}, []string{"--user=YOUR-NAME"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, want := range test.want {
				if got := test.access.Hint(); !strings.Contains(got, want) {
					t.Error(got)
				}
			}
		})
	}
}

// The server knows the operator's name.
func TestUser(t *testing.T) {
	api := fake.NewSimpleClientset()
	api.PrependReactor("create", "selfsubjectreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authenticationv1.SelfSubjectReview{Status: authenticationv1.SelfSubjectReviewStatus{
			UserInfo: authenticationv1.UserInfo{Username: "jane"},
		}}, nil
	})
	api.PrependReactor("create", "selfsubjectaccessreviews",
		func(action clienttesting.Action) (bool, runtime.Object, error) {
			return true, action.(clienttesting.CreateAction).GetObject(), nil
		})
	err := client(api).Permitted(t.Context(), manifests.Run{Namespace: "mine"})
	var missing *MissingAccess
	if !errors.As(err, &missing) || missing.User != "jane" || missing.Namespace != "mine" {
		t.Errorf("%+v, %v", missing, err)
	}
}

// Credentials that are not accepted, and a namespace that is not there, have hints.
func TestHintsOfAnswers(t *testing.T) {
	c := client(fake.NewSimpleClientset())
	err := c.call(t.Context(), "listing the nodes",
		func(context.Context) error { return apierrors.NewUnauthorized("Unauthorized") })
	var unauthorized *Unauthorized
	if !errors.As(err, &unauthorized) || !strings.Contains(unauthorized.Hint(), "expired") {
		t.Error(err)
	}
	ending := apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "x", errors.New("being terminated"))
	ending.ErrStatus.Details.Causes = append(ending.ErrStatus.Details.Causes,
		metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	for name, answer := range map[string]error{
		"does not exist":   apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "mine"),
		"is being removed": ending,
	} {
		api := fake.NewSimpleClientset()
		api.PrependReactor("create",
			"jobs", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, answer })
		err := client(api).tryObjects(t.Context(), manifests.Run{ID: "a", Namespace: "mine"},
			[]manifests.Placing{{Role: "pod"}})
		var missing *NoNamespace
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), name) || missing.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A quota that cannot take the run's pods is found before they are made.
func TestQuotaTooSmall(t *testing.T) {
	list := func(pairs ...string) corev1.ResourceList {
		all := corev1.ResourceList{}
		for i := 0; i < len(pairs); i += 2 {
			all[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
		}
		return all
	}
	placings := []manifests.Placing{{Role: "probe", Node: "a"}, {Role: "pod", Node: "a"}}
	for name, test := range map[string]struct {
		hard, used corev1.ResourceList
		scopes     []corev1.ResourceQuotaScope
		want       string
	}{
		"room": {list("pods", "2"), list("pods", "0"), nil, ""},
		"pods": {list("pods", "7"), list("pods", "6"), nil,
			"the quota q of namespace mine allows 7 pods, of which 6 are used; the run needs 2"},
		"Jobs":         {list("count/jobs.batch", "1"), nil, nil, "allows 1 count/jobs.batch"},
		"processors":   {list("requests.cpu", "20m"), nil, nil, "the run needs 30m"},
		"memory limit": {list("limits.memory", "100Mi"), nil, nil, "the run needs 288Mi"},
		"other things": {list("services", "0"), nil, nil, ""},
		"of some pods": {list("pods", "0"), nil, []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			api := fake.NewSimpleClientset(&corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "q", Namespace: "mine"},
				Spec:       corev1.ResourceQuotaSpec{Scopes: test.scopes},
				Status:     corev1.ResourceQuotaStatus{Hard: test.hard, Used: test.used},
			})
			err := client(api).fits(t.Context(), manifests.Run{ID: "a", Namespace: "mine", Lifetime: time.Minute},
				placings)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v", err)
			}
		})
	}
	api := fake.NewSimpleClientset()
	api.PrependReactor("list", "resourcequotas", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, forbidden(action, "")
	})
	if err := client(api).fits(t.Context(), manifests.Run{ID: "a", Namespace: "mine"}, placings); err != nil {
		t.Errorf("quotas that cannot be read: %v", err)
	}
}

// The pods of a run before count until they are gone; they are waited for.
func TestQuotaWaitsForEndingPods(t *testing.T) {
	now := metav1.Now()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "mine", Name: "p", DeletionTimestamp: &now,
		Labels: map[string]string{manifests.LabelManagedBy: manifests.ManagedBy},
	}}
	one := corev1.ResourceList{"pods": resource.MustParse("1")}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "q", Namespace: "mine"},
		Status:     corev1.ResourceQuotaStatus{Hard: one, Used: one},
	}
	api := fake.NewSimpleClientset(pod, quota)
	time.AfterFunc(100*time.Millisecond, func() {
		gone := quota.DeepCopy()
		gone.Status.Used = nil
		api.Tracker().Update(corev1.SchemeGroupVersion.WithResource("resourcequotas"), gone, "mine")
		api.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "mine", "p")
	})
	placings := []manifests.Placing{{Role: "pod", Node: "a"}}
	if err := client(api).fits(t.Context(), manifests.Run{ID: "a", Namespace: "mine"}, placings); err != nil {
		t.Error(err)
	}
}

// A removal that hangs is explained by the namespace's own conditions.
func TestRemovalThatHangs(t *testing.T) {
	const why = "Discovery failed for some groups: metrics.k8s.io/v1beta1"
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-wg-abc234"}, Status: corev1.NamespaceStatus{
		Conditions: []corev1.NamespaceCondition{
			{Type: corev1.NamespaceDeletionDiscoveryFailure, Status: corev1.ConditionTrue, Message: why},
			{Type: corev1.NamespaceDeletionContentFailure, Status: corev1.ConditionFalse, Message: "all is well"},
		},
	}}
	api := fake.NewSimpleClientset(n)
	api.PrependReactor("delete",
		"namespaces", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("timed out"))
	defer cancel()
	shown := ""
	l := Leftover{Run: "abc234", Own: true, Namespaces: []string{n.Name}}
	err := client(api).RemoveLeftover(ctx, l, func(reason string) { shown = reason })
	want := "NamespaceDeletionDiscoveryFailure: " + why
	if shown != want || err == nil || !strings.Contains(err.Error(), "still removing it (timed out): "+want) {
		t.Errorf("shown %q, err = %v", shown, err)
	}
}

// A policy that rejects the probe's Job, and not the test pod's, is known before
// anything is created.
func TestPolicy(t *testing.T) {
	const policy = `admission webhook "validate.kyverno.svc-fail" denied the request: policy Job/default/x for resource violation: disallow-host-namespaces`
	for name, test := range map[string]struct {
		namespace, text string
		rejects         string // the roles
		want            bool
	}{
		"host namespaces": {"", policy, "probe", true},
		"policy of its own": {"", "ValidatingAdmissionPolicy 'no-host' with binding 'all' denied request: no",
			"probe", true},
		"that namespace":    {"", policy, "probe pod", false},
		"no permission":     {"", "User jane cannot create jobs", "probe", false},
		"nothing":           {"", "", "", false},
		"a named namespace": {"mine", policy, "probe", false},
	} {
		t.Run(name, func(t *testing.T) {
			api := fake.NewSimpleClientset()
			api.PrependReactor("create", "jobs", func(action clienttesting.Action) (bool, runtime.Object, error) {
				create := action.(clienttesting.CreateActionImpl)
				if len(create.CreateOptions.DryRun) == 0 {
					t.Error("a Job was created")
				}
				role := create.Object.(*batchv1.Job).Labels[manifests.LabelRole]
				if strings.Contains(test.rejects, role) {
					return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), "x",
						errors.New(test.text))
				}
				return true, create.Object, nil
			})
			run := manifests.Run{ID: "a", Namespace: test.namespace, Lifetime: time.Minute}
			if got := client(api).Policy(t.Context(), run); (got != "") != test.want {
				t.Error(got)
			}
		})
	}
}
