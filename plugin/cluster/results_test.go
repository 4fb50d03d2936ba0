package cluster

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

var resultsPlace = Place{Namespace: "kubectl-wg-acceptance", Name: "wg-report"}

// rulesOf reads the rules of a role in manifests/acceptance.
func rulesOf(t *testing.T, file string) []rbacv1.PolicyRule {
	t.Helper()
	text, err := os.ReadFile("../../manifests/acceptance/rbac/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.Unmarshal(text, &role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

// allowedBy answers access reviews as a server does that has these rules.
func allowedBy(rules []rbacv1.PolicyRule) *fake.Clientset {
	api := fake.NewSimpleClientset()
	api.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		review.Status.Allowed = slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
			return grants(&r, review.Spec.ResourceAttributes)
		})
		return true, review, nil
	})
	return api
}

func grants(r *rbacv1.PolicyRule, on *authorizationv1.ResourceAttributes) bool {
	resource := on.Resource
	if on.Subresource != "" {
		resource += "/" + on.Subresource
	}
	return slices.Contains(r.APIGroups, on.Group) && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, on.Verb) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, on.Name))
}

// With all rules of manifests/acceptance a run is permitted; without any one of them
// it is refused before anything is created, by the name of what lacks. The rules for
// the configuration of networks are no condition: what they give is then not known.
func TestEachRuleIsNeeded(t *testing.T) {
	rules := slices.Concat(rulesOf(t, "cluster-role.yaml"), rulesOf(t, "role.yaml"))
	optional := []string{"felixconfigurations", "ciliumnodes"}
	permitted := func(rules []rbacv1.PolicyRule) error {
		c := client(allowedBy(rules))
		return errors.Join(c.Permitted(t.Context(), manifests.Run{ID: "a", NewPods: 1}), c.CanKeep(t.Context(), resultsPlace, true))
	}
	if err := permitted(rules); err != nil {
		t.Fatal(err)
	}
	for i, rule := range rules {
		err := permitted(slices.Delete(slices.Clone(rules), i, i+1))
		configuration := slices.Contains(optional, rule.Resources[0]) || slices.Contains(rule.ResourceNames, "cilium-config")
		if configuration {
			if err != nil {
				t.Errorf("without %v: %v", rule, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), rule.Verbs[0]+" "+rule.Resources[0]) &&
			!strings.Contains(err.Error(), rule.Verbs[len(rule.Verbs)-1]+" "+rule.Resources[0]) {
			t.Errorf("without %v: %v", rule, err)
		}
		var missing *MissingAccess
		var noResults *NoResults
		if !errors.As(err, &missing) && !errors.As(err, &noResults) {
			t.Errorf("without %v there is no hint: %v", rule, err)
		}
	}
}

// A ConfigMap is made, and updated the next time; one of another program is left.
func TestKeep(t *testing.T) {
	theirs := Place{Namespace: resultsPlace.Namespace, Name: "theirs"}
	api := fake.NewSimpleClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: theirs.Namespace, Name: theirs.Name},
	})
	c := client(api)
	for _, text := range []string{"one", "two"} {
		written, err := c.Keep(t.Context(), resultsPlace, func(before *corev1.ConfigMap) (Result, error) {
			if (before == nil) != (text == "one") {
				t.Errorf("before %s there was %v", text, before)
			}
			return Result{Labels: map[string]string{manifests.LabelVerdict: "PASS"}, Data: map[string]string{"verdict": text}}, nil
		})
		if err != nil || written.Data["verdict"] != text || written.Labels[manifests.LabelManagedBy] != manifests.ManagedBy {
			t.Errorf("%+v, %v", written, err)
		}
		if err := c.Report(t.Context(), written, text, "Verified", strings.Repeat("x", 5000), true); err != nil {
			t.Error(err)
		}
	}
	events, err := api.CoreV1().Events("kubectl-wg-acceptance").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 2 || len(events.Items[0].Message) != 1024 || events.Items[0].InvolvedObject.Name != "wg-report" {
		t.Errorf("%+v, %v", events, err)
	}
	_, err = c.Keep(t.Context(), theirs, func(*corev1.ConfigMap) (Result, error) { return Result{}, nil })
	var foreign *Foreign
	if !errors.As(err, &foreign) || foreign.Hint() == "" {
		t.Error(err)
	}
}

// Where another run updates a ConfigMap meanwhile, it is read again, and nothing of
// the other's is lost.
func TestKeepAfterAConflict(t *testing.T) {
	api := fake.NewSimpleClientset()
	c := client(api)
	calls := 0
	add := func(before *corev1.ConfigMap) (Result, error) {
		calls++
		if before == nil {
			return Result{Data: map[string]string{"n": "1"}}, nil
		}
		return Result{Data: map[string]string{"n": before.Data["n"] + "1"}}, nil
	}
	if _, err := c.Keep(t.Context(), resultsPlace, add); err != nil {
		t.Fatal(err)
	}
	api.PrependReactor("update", "configmaps", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return calls < 4, nil, apierrors.NewConflict(action.GetResource().GroupResource(), "wg-report", errors.New("changed"))
	})
	written, err := c.Keep(t.Context(), resultsPlace, add)
	if err != nil || written.Data["n"] != "11" || calls != 4 {
		t.Errorf("%v, %v after %d calls", written, err, calls)
	}
}
