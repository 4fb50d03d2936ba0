package cluster

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Services have the addresses that the server gave them; one that it refuses is a
// problem with its node's name, and the others are made. In a namespace that exists
// they belong to a Job of the run, so that they go with it.
func TestServe(t *testing.T) {
	api := fake.NewSimpleClientset()
	var owners int
	api.PrependReactor("create", "services", func(action clienttesting.Action) (bool, runtime.Object, error) {
		service := action.(clienttesting.CreateAction).GetObject().(*corev1.Service)
		if service.Name == "wg-abc234-1" {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, service.Name,
				errors.New("no ports left"))
		}
		owners += len(service.OwnerReferences)
		service.Spec.ClusterIPs = []string{"10.43.0.9", "2001:db8:43::9"}
		service.Spec.Ports[0].NodePort = 30123
		return true, service, nil
	})
	run := manifests.Run{ID: "abc234", Namespace: "mine", Image: "i", Lifetime: time.Minute, Services: true}
	p, err := client(api).Open(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave()
	if err := p.Add(t.Context(), []manifests.Placing{{Role: "pod", Node: "a"}}); err != nil {
		t.Fatal(err)
	}
	services, problems, err := p.Serve(t.Context(), []evidence.Node{{Index: 0, Name: "a"}, {Index: 1, Name: "b"}})
	if err != nil || len(services) != 1 || len(problems) != 1 || owners != 1 {
		t.Fatalf("%+v, %+v, %v, %d owners", services, problems, err, owners)
	}
	ips := []netip.Addr{netip.MustParseAddr("10.43.0.9"), netip.MustParseAddr("2001:db8:43::9")}
	if s := services[0]; s.Node != 0 || s.Port != evidence.PodClassPort || s.NodePort != 30123 ||
		!slices.Equal(s.IPs, ips) {
		t.Errorf("%+v", s)
	}
	if q := problems[0]; q.What != "service" || q.On != "" || !strings.Contains(q.Text, "on b") ||
		!strings.Contains(q.Text, "no ports left") {
		t.Errorf("%+v", q)
	}
}

// A run without Services does not ask for the permission to make them.
func TestPermissionForServices(t *testing.T) {
	for _, services := range []bool{false, true} {
		api := fake.NewSimpleClientset()
		api.PrependReactor("create", "selfsubjectaccessreviews",
			func(action clienttesting.Action) (bool, runtime.Object, error) {
				return true, action.(clienttesting.CreateAction).GetObject(), nil // all are denied
			})
		err := client(api).Permitted(t.Context(), manifests.Run{ID: "abc234", Services: services})
		var missing *MissingAccess
		if !errors.As(err, &missing) || slices.Contains(missing.What, "create services") != services ||
			strings.Contains(missing.Hint(), "--print-role --scope services |") != services {
			t.Errorf("%v: %v", services, err)
		}
	}
}
