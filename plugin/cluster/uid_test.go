package cluster

import (
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// The cluster and the operator are named in what is recorded. Where that may not be
// read, nothing else is missing.
func TestSurveyNamesClusterAndUser(t *testing.T) {
	for name, test := range map[string]struct {
		permitted bool
		uid, user string
	}{
		"permitted": {true, "6e1f", "jane@example.org"},
		"forbidden": {false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			api := fake.NewSimpleClientset(named(node(func(*corev1.Node) {}), "a"), named(node(func(*corev1.Node) {}), "b"),
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "6e1f"}})
			answer := func(action clienttesting.Action) (bool, runtime.Object, error) {
				if !test.permitted {
					return true, nil, forbidden(action, "")
				}
				review := &authenticationv1.SelfSubjectReview{}
				review.Status.UserInfo.Username = "jane@example.org"
				return true, review, nil
			}
			api.PrependReactor("create", "selfsubjectreviews", answer)
			if !test.permitted {
				api.PrependReactor("get", "namespaces", answer)
			}
			survey, err := client(api).Survey(t.Context(), Selection{})
			if err != nil {
				t.Fatal(err)
			}
			if survey.Cluster.UID != test.uid || survey.Cluster.User != test.user {
				t.Errorf("cluster %q, user %q", survey.Cluster.UID, survey.Cluster.User)
			}
			if len(survey.Problems) > 0 {
				t.Errorf("problems %v", survey.Problems)
			}
		})
	}
}

func TestImageOf(t *testing.T) {
	pod := &corev1.Pod{}
	if got := imageOf(pod); got != "" {
		t.Errorf("%q before the kubelet says anything", got)
	}
	const image = "registry.example/wg-probe@sha256:0123"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{ImageID: image}}
	if got := imageOf(pod); got != image {
		t.Errorf("%q", got)
	}
}
