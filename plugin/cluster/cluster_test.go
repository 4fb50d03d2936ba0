package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func client(api *fake.Clientset, own ...runtime.Object) *Client {
	kinds := map[schema.GroupVersionResource]string{
		customObjects[0].resource: "FelixConfigurationList",
		customObjects[1].resource: "IPPoolList",
		ciliumNodes:               "CiliumNodeList",
		blockAffinities:           "BlockAffinityList",
	}
	objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, own...)
	return New(api, objects, nil, slog.New(slog.DiscardHandler))
}

func named(n *corev1.Node, name string) *corev1.Node { n.Name = name; return n }

func TestSurvey(t *testing.T) {
	api := fake.NewSimpleClientset(
		named(node(func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.3+k3s1" }), "b"),
		named(node(func(*corev1.Node) {}), "a"),
		named(node(func(n *corev1.Node) { n.Status.Conditions = nil }), "down"),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-flannel", Name: "kube-flannel-cfg"},
			Data: map[string]string{"net-conf.json": `{"Backend":{"Type":"wireguard"}}`, "cni-conf.json": "{}"}},
	)
	api.PrependReactor("get", "configmaps", func(action clienttesting.Action) (bool, runtime.Object, error) {
		name := action.(clienttesting.GetAction).GetName()
		return name == "cilium-config", nil, forbidden(action, name)
	})
	survey, err := client(api).Survey(t.Context(), Selection{})
	if err != nil {
		t.Fatal(err)
	}
	var numbered []string
	for _, n := range survey.Nodes {
		numbered = append(numbered, fmt.Sprint(n.Name, n.Index))
	}
	if got := strings.Join(numbered, " "); got != "a0 b1 down-1" {
		t.Errorf("nodes %s", got)
	}
	if survey.Cluster.Distribution != "k3s" {
		t.Errorf("distribution %q", survey.Cluster.Distribution)
	}
	conf := survey.Cluster.Objects["ConfigMap/kube-flannel/kube-flannel-cfg"]
	if len(conf) != 1 || !strings.Contains(conf["net-conf.json"], "wireguard") {
		t.Errorf("objects %v", survey.Cluster.Objects)
	}
	if len(survey.Problems) != 1 {
		t.Fatalf("problems %+v", survey.Problems)
	}
	if p := survey.Problems[0]; p.Class != evidence.ProblemPermission || p.On != "kube-system/cilium-config" {
		t.Errorf("problem %+v", p)
	}

	var unknown *UnknownNodes
	_, err = client(api).Survey(t.Context(), Selection{Names: []string{"a", "z"}})
	if !errors.As(err, &unknown) || unknown.Names[0] != "z" {
		t.Errorf("err = %v", err)
	}
}

func forbidden(action clienttesting.Action, name string) error {
	return apierrors.NewForbidden(action.GetResource().GroupResource(), name, errors.New("no"))
}

// What is not permitted is listed at once, and nothing is created.
func TestPreflightListsAllThatIsMissing(t *testing.T) {
	api := fake.NewSimpleClientset()
	answer := func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		switch about := review.Spec.ResourceAttributes; {
		case about.Resource == "namespaces", about.Resource == "networkpolicies", about.Subresource == "exec":
		default:
			review.Status.Allowed = true
		}
		return true, review, nil
	}
	api.PrependReactor("create", "selfsubjectaccessreviews", answer)
	for namespace, want := range map[string]string{
		"": "create namespaces, delete namespaces, create networkpolicies.networking.k8s.io, create pods/exec",
		// A namespace that exists is not created.
		"mine": "create pods/exec",
	} {
		run := manifests.Run{ID: "abc234", Image: "i", Namespace: namespace}
		err := client(api).Preflight(t.Context(), run, nil)
		var missing *MissingAccess
		if !errors.As(err, &missing) || strings.Join(missing.What, ", ") != want {
			t.Errorf("err = %v, want %s", err, want)
		}
	}
	for _, action := range api.Actions() {
		if action.GetVerb() == "create" && !strings.HasPrefix(action.GetResource().Resource, "selfsubject") {
			t.Errorf("created %s", action.GetResource().Resource)
		}
	}
}

// Requests are repeated to a server that has answered, not to one that never has.
func TestCallWaitsOnlyForAServerThatWasThere(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	c := client(fake.NewSimpleClientset())
	calls := 0
	away := func(context.Context) error {
		if calls++; calls < 3 {
			return refused
		}
		return nil
	}
	var unreachable *Unreachable
	if err := c.call(t.Context(), "asking", away); !errors.As(err, &unreachable) || calls != 1 {
		t.Errorf("err = %v after %d calls", err, calls)
	}
	c.reached.Store(true)
	if err := c.call(t.Context(), "asking", away); err != nil || calls != 3 {
		t.Errorf("err = %v after %d calls", err, calls)
	}
	err := c.callFor(t.Context(), time.Second, 50*time.Millisecond,
		"asking", func(context.Context) error { return refused })
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("err = %v", err)
	}
	// A request that was answered is not repeated.
	calls = 0
	err = c.call(t.Context(), "asking", func(context.Context) error {
		calls++
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New("no"))
	})
	if !apierrors.IsForbidden(err) || calls != 1 {
		t.Errorf("err = %v after %d calls", err, calls)
	}
}
