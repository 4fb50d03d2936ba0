package control

import (
	"context"
	_ "embed" // of Calico's objects
	"fmt"
	"net/netip"
	"strings"

	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/node"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// calicoObjects are what an installation of Calico creates besides its kinds: one pool of IPv4 without encapsulation, and
// Felix with WireGuard.
//
//go:embed calico.yaml
var calicoObjects string

// calicoReserved holds the ranges that Kubernetes assigns to the nodes of a lab, of which Calico's IPAM uses none: pods are
// elsewhere, and the first address of each is that of the node's device.
var calicoReserved = netip.PrefixFrom(topology.PodCIDR(1).Addr(), 20).String()

// calicoNode is a Node with what calico-node finds out and assigns.
func calicoNode(n node.Node) *core.Node {
	first := netip.MustParsePrefix(n.PodCIDRs[0]).Addr().Next()
	return &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: n.Name, Annotations: map[string]string{
			"projectcalico.org/IPv4Address":                n.Address.IPv4.String(),
			"projectcalico.org/IPv4WireguardInterfaceAddr": first.String(),
		}},
		Spec: core.NodeSpec{PodCIDR: n.PodCIDRs[0], PodCIDRs: n.PodCIDRs},
	}
}

// CreateCalico creates Calico's kinds and objects, and lets its agents do all.
func CreateCalico(ctx context.Context, client kubernetes.Interface, kubectl Kubectl, crds string) error {
	binding := &rbac.ClusterRoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: "calico"},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: flannelUser}},
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("granting Calico's role: %w", err)
	}
	objects := strings.NewReplacer("PODS", topology.PodNetwork, "RESERVED", calicoReserved).Replace(calicoObjects)
	for _, step := range []struct {
		input string
		args  []string
	}{
		{"", []string{"create", "--filename", crds}},
		{"", []string{"wait", "--for=condition=Established", "--timeout=120s", "crd", "--all"}},
		{objects, []string{"create", "--filename", "-"}},
	} {
		if err := kubectl.run(ctx, step.input, step.args...); err != nil {
			return fmt.Errorf("creating Calico's objects: %w", err)
		}
	}
	return nil
}
