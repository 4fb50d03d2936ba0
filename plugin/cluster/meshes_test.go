package cluster

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Namespaces of meshes are counted by what marks them; of a namespace nothing else is
// kept, not its name either.
func TestMeshes(t *testing.T) {
	for _, test := range []struct {
		name   string
		labels []map[string]string
		notes  map[string]string
		want   map[string]string
	}{
		{name: "none", labels: []map[string]string{{"kubernetes.io/metadata.name": "shop"}}},
		{name: "two of ambient", labels: []map[string]string{{"istio.io/dataplane-mode": "ambient"},
			{"istio.io/dataplane-mode": "ambient"}}, want: map[string]string{"istio.io/dataplane-mode=ambient": "2"}},
		{name: "left out of it",
			labels: []map[string]string{{"istio.io/dataplane-mode": "none", "istio-injection": "disabled"}}},
		{name: "any revision", labels: []map[string]string{{"istio.io/rev": "canary"}},
			want: map[string]string{"istio.io/rev": "1"}},
		{name: "an annotation", labels: []map[string]string{nil},
			notes: map[string]string{"linkerd.io/inject": "enabled"},
			want:  map[string]string{"linkerd.io/inject=enabled": "1"}},
		{name: "ztunnel", labels: []map[string]string{{"io.cilium/mtls-enabled": "true"}},
			want: map[string]string{"io.cilium/mtls-enabled=true": "1"}},
	} {
		api := fake.NewSimpleClientset(named(node(func(*corev1.Node) {}), "a"))
		for i, labels := range test.labels {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop-" + string(rune('a'+i)),
				Labels:      labels,
				Annotations: test.notes}}
			if _, err := api.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		survey, err := client(api).Survey(t.Context(), Selection{})
		if err != nil {
			t.Fatal(err)
		}
		if got := survey.Cluster.Objects[evidence.MeshesObject]; !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
