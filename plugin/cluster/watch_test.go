package cluster

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// podVersion is a pod of the run as it is in a version of the cluster.
func podVersion(version string, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "wg-abc234-pod-0-abcde", Namespace: "mine", ResourceVersion: version,
			Labels: map[string]string{manifests.LabelRun: "abc234"},
		},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
		},
	}
}

// A watch that breaks goes on from the last change. Where the server no longer
// knows that change, the pods are listed again, so that nothing is missed.
func TestFollow(t *testing.T) {
	api := fake.NewSimpleClientset()
	var mu sync.Mutex
	var lists int
	var versions []string // from which watches began
	api.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		mu.Lock()
		defer mu.Unlock()
		if lists++; lists == 1 {
			return true, &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "3"}}, nil
		}
		return true, &corev1.PodList{
			ListMeta: metav1.ListMeta{ResourceVersion: "9"},
			Items:    []corev1.Pod{*podVersion("8", corev1.ConditionTrue)},
		}, nil
	})
	api.PrependWatchReactor("pods", func(action clienttesting.Action) (bool, watch.Interface, error) {
		mu.Lock()
		defer mu.Unlock()
		versions = append(versions, action.(clienttesting.WatchAction).GetWatchRestrictions().ResourceVersion)
		changes := watch.NewFakeWithChanSize(1, false)
		switch len(versions) {
		case 1:
			changes.Add(podVersion("5", corev1.ConditionFalse))
			changes.Stop()
		case 2:
			changes.Error(&metav1.Status{
				Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired,
			})
		}
		return true, changes, nil
	})
	run := manifests.Run{ID: "abc234", Namespace: "mine", Image: "i", Lifetime: time.Minute}
	p, err := client(api).Open(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(t.Context(), []manifests.Placing{{Role: "pod", Node: "a"}}); err != nil {
		t.Fatal(err)
	}
	ready := 0
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p.Await(ctx, func(Waiting) {}, func(evidence.Pod) { ready++ })
	p.Leave()
	if want := []string{"3", "5"}; ready != 1 || lists != 2 || !slices.Equal(versions[:2], want) {
		t.Errorf("%d Ready, %d lists, watches from %v, want %v", ready, lists, versions, want)
	}
}
