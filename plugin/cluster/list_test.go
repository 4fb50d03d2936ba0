package cluster

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// A list is read by pages. Where the server no longer knows the list that the
// next page belongs to, all of it is read at once.
func TestList(t *testing.T) {
	for name, test := range map[string]struct {
		expired  bool
		requests int
	}{"pages": {false, 2}, "expired": {true, 3}} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			page := func(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
				requests++
				switch {
				case options.Limit == 0:
					return listOf(0, 5), nil
				case options.Continue == "":
					first := listOf(0, 3)
					first.Continue = "3"
					return first, nil
				case test.expired:
					return nil, apierrors.NewResourceExpired("too old")
				}
				return listOf(3, 5), nil
			}
			visited := map[string]bool{}
			visit := func(item runtime.Object) { visited[item.(*corev1.Pod).Name] = true }
			c := client(fake.NewSimpleClientset())
			version, err := c.list(t.Context(), "pods", metav1.ListOptions{}, page, visit)
			if err != nil || version != "7" || len(visited) != 5 {
				t.Errorf("visited %v, version %q, err = %v", visited, version, err)
			}
			if requests != test.requests {
				t.Errorf("%d requests, want %d", requests, test.requests)
			}
		})
	}
}

func listOf(from, to int) *corev1.PodList {
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
	for i := from; i < to; i++ {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i)}})
	}
	return list
}
