package cluster

import (
	"context"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// meshMarks are the labels and annotations of a namespace by which a mesh takes in
// its pods; one without a value counts whatever its value is.
var meshMarks = []struct{ key, value string }{
	{"istio.io/dataplane-mode", "ambient"}, {"istio-injection", "enabled"}, {"istio.io/rev", ""},
	{"linkerd.io/inject", "enabled"}, {"io.cilium/mtls-enabled", "true"},
}

// meshes counts the namespaces of meshes. Of a namespace nothing else is kept, not
// even its name.
func (c *Client) meshes(ctx context.Context, found *configuration) {
	counts := map[string]int{}
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.api.CoreV1().Namespaces().List(ctx, options)
	}
	_, err := c.list(ctx, "the namespaces", metav1.ListOptions{}, page, func(item runtime.Object) {
		countMarks(counts, item.(*corev1.Namespace))
	})
	found.failed(err, "namespaces")
	values := map[string]string{}
	for mark, count := range counts {
		values[mark] = strconv.Itoa(count)
	}
	if len(values) > 0 {
		found.add(evidence.MeshesObject, values)
	}
}

func countMarks(counts map[string]int, namespace *corev1.Namespace) {
	for _, mark := range meshMarks {
		for _, has := range []map[string]string{namespace.Labels, namespace.Annotations} {
			value, marked := has[mark.key]
			switch {
			case !marked || mark.value != "" && value != mark.value:
			case mark.value == "":
				counts[mark.key]++
			default:
				counts[mark.key+"="+mark.value]++
			}
		}
	}
}
