package cluster

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// A policy report is asked for before a run: its kind has to be there, and the role
// that is printed for it is enough.
func TestCanApply(t *testing.T) {
	for format, resource := range manifests.PolicyReports {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal(manifests.PolicyReportRole(format), &role); err != nil {
			t.Fatal(err)
		}
		api := allowedBy(role.Rules)
		var unknown *NoPolicyReports
		if err := client(api).CanApply(t.Context(), resource); !errors.As(err, &unknown) || !strings.Contains(unknown.Hint(), resource.Group) {
			t.Errorf("%s, without its kind: %v", format, err)
		}
		api.Resources = []*metav1.APIResourceList{{
			GroupVersion: resource.GroupVersion().String(), APIResources: []metav1.APIResource{{Name: resource.Resource}},
		}}
		if err := client(api).CanApply(t.Context(), resource); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		for _, verb := range []string{"create", "patch"} {
			less := slices.Clone(role.Rules)
			less[0].Verbs = slices.DeleteFunc(slices.Clone(less[0].Verbs), func(v string) bool { return v == verb })
			refused := allowedBy(less)
			refused.Resources = api.Resources
			var lacking *NoPolicyReportAccess
			err := client(refused).CanApply(t.Context(), resource)
			if !errors.As(err, &lacking) || !slices.Equal(lacking.Verbs, []string{verb}) ||
				!strings.Contains(lacking.Hint(), "--resource="+resource.GroupResource().String()) {
				t.Errorf("%s, without %s: %v", format, verb, err)
			}
		}
	}
}

// An object is applied under its own name, whoever wrote it before.
func TestApply(t *testing.T) {
	resource := manifests.PolicyReports["openreports"]
	objects := dynamicfake.NewSimpleDynamicClient(runtime.NewScheme())
	var applied clienttesting.PatchActionImpl
	objects.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		applied = action.(clienttesting.PatchActionImpl)
		return true, nil, nil
	})
	c := New(allowedBy(nil), objects, nil, slog.New(slog.DiscardHandler))
	text := "apiVersion: openreports.io/v1alpha1\nkind: ClusterReport\nmetadata:\n  name: one\n"
	name, err := c.Apply(t.Context(), resource, []byte(text))
	if err != nil || name != "clusterreports.openreports.io/one" {
		t.Errorf("%s, %v", name, err)
	}
	force := applied.PatchOptions.Force
	if applied.Resource != resource || applied.Name != "one" || applied.PatchOptions.FieldManager != manifests.ManagedBy ||
		force == nil || !*force || !strings.Contains(string(applied.Patch), `"kind":"ClusterReport"`) {
		t.Errorf("%+v", applied)
	}
	if _, err := c.Apply(t.Context(), resource, []byte("\t")); err == nil {
		t.Error("no YAML was applied")
	}
}
