package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A pod that becomes Ready after it was given up counts all the same.
func TestLateReady(t *testing.T) {
	api := fake.NewSimpleClientset()
	counted(api)
	c := client(api)
	p, err := c.Open(t.Context(), manifests.Run{ID: "abc234", Image: "i", Lifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave()
	if err := p.Add(t.Context(), []manifests.Placing{{Role: "pod", Node: "a"}}); err != nil {
		t.Fatal(err)
	}
	pod := podVersion("1", corev1.ConditionTrue)
	p.seePod(&corev1.Pod{ObjectMeta: pod.ObjectMeta}, false)
	p.giveUp(errors.New("over"))
	problems := p.Problems()
	if len(problems) != 1 || problems[0].Class != evidence.ProblemTimeout || problems[0].On != "a" ||
		!strings.Contains(problems[0].Text, "not scheduled") {
		t.Errorf("problems %+v", problems)
	}
	p.seePod(pod, false)
	ready := 0
	p.Await(t.Context(), func(Waiting) {}, func(evidence.Pod) { ready++ })
	if len(p.Problems()) != 0 || ready != 1 {
		t.Errorf("problems %+v, %d Ready", p.Problems(), ready)
	}
}

// counted lets an API count quotas, as the controller for them does.
func counted(api *fake.Clientset) {
	api.PrependReactor("create", "resourcequotas", func(action clienttesting.Action) (bool, runtime.Object, error) {
		quota := action.(clienttesting.CreateAction).GetObject().(*corev1.ResourceQuota)
		quota.Status.Hard = quota.Spec.Hard
		return false, nil, nil
	})
}

// A quota is there and counted before the first Job is; one that nothing counts
// would keep every pod out, so it is removed.
func TestQuotasComeFirst(t *testing.T) {
	for _, counts := range []bool{true, false} {
		t.Run(fmt.Sprint(counts), func(t *testing.T) {
			t.Parallel()
			api := fake.NewSimpleClientset()
			if counts {
				counted(api)
			}
			run := manifests.Run{ID: "abc234", Image: "i", Lifetime: time.Minute, Nodes: 2, NewPods: 1}
			p, err := client(api).Open(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Leave()
			left, err := api.CoreV1().ResourceQuotas(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
			if err != nil || (len(left.Items) == 2) != counts {
				t.Errorf("%d quotas, %v", len(left.Items), err)
			}
			inPods := api.NetworkingV1().NetworkPolicies("kubectl-wg-abc234-pods")
			policies, err := inPods.List(t.Context(), metav1.ListOptions{})
			if err != nil || len(policies.Items) != 1 {
				t.Errorf("%d policies, %v", len(policies.Items), err)
			}
		})
	}
}

// In a namespace that is not the run's own nothing but Jobs and a Secret is made.
func TestNamespaceThatExists(t *testing.T) {
	api := fake.NewSimpleClientset()
	run := manifests.Run{ID: "abc234", Namespace: "mine", Image: "i", Lifetime: time.Minute}
	p, err := client(api).Open(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave()
	placings := []manifests.Placing{{Role: "probe", Node: "a"}, {Role: "pod", Node: "a"}}
	if err := p.Add(t.Context(), placings); err != nil {
		t.Fatal(err)
	}
	if err := p.Provide(t.Context(), map[string]string{"MARK": "m"}); err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	for _, action := range api.Actions() {
		if action.GetVerb() == "create" {
			made[action.GetNamespace()+"/"+action.GetResource().Resource]++
		}
	}
	if len(made) != 2 || made["mine/jobs"] != 2 || made["mine/secrets"] != 1 {
		t.Errorf("made %v", made)
	}
	secret, err := api.CoreV1().Secrets("mine").Get(t.Context(), "wg-abc234", metav1.GetOptions{})
	if err != nil || len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].Name != "wg-abc234-pod-0" {
		t.Errorf("%+v, %v", secret, err)
	}
}
