package measure

import (
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	client "k8s.io/client-go/testing"
)

// A server that ends watches delays the start it is measured by and no more, up
// to a point.
func TestEndedWatches(t *testing.T) {
	for _, ended := range []int{0, 1, maxWatches - 1, maxWatches} {
		server := fake.NewClientset()
		watches := 0
		server.PrependWatchReactor("pods", func(client.Action) (bool, watch.Interface, error) {
			pods := watch.NewFakeWithChanSize(1, false)
			if watches++; watches > ended {
				pods.Add(readyPod("node-1"))
			} else {
				pods.Stop()
			}
			return true, pods, nil
		})
		all := objects{
			namespaces: []core.Namespace{{ObjectMeta: meta.ObjectMeta{Name: "run"}}},
			jobs:       []batch.Job{{ObjectMeta: meta.ObjectMeta{Namespace: "run", Name: "node-1"}}},
		}
		_, _, err := bare(t.Context(), server, all)
		if (err == nil) != (ended < maxWatches) || watches != min(ended+1, maxWatches) {
			t.Errorf("%d watches ended: %d were made, %v", ended, watches, err)
		}
	}
}

func readyPod(name string) runtime.Object {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Status:     core.PodStatus{Conditions: []core.PodCondition{{Type: core.PodReady, Status: core.ConditionTrue}}},
	}
}
