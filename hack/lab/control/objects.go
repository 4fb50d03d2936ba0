package control

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/node"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

const flannelUser = "flannel"

// CreateObjects gives the cluster what its distribution gives it: the nodes with the annotations that K3s and RKE2 write
// (pkg/agent of K3s), and flannel's permissions.
func CreateObjects(ctx context.Context, client kubernetes.Interface, network topology.Network, nodes []node.Node) error {
	role := &rbac.ClusterRole{
		ObjectMeta: meta.ObjectMeta{Name: "flannel"},
		Rules: []rbac.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"nodes/status"}, Verbs: []string{"patch"}},
		},
	}
	binding := &rbac.ClusterRoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: "flannel"},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: flannelUser}},
	}
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("creating flannel's role: %w", err)
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("granting flannel's role: %w", err)
	}
	for i, n := range nodes {
		object, err := nodeObject(n, network, i == 0)
		if err != nil {
			return err
		}
		if _, err := client.CoreV1().Nodes().Create(ctx, object, meta.CreateOptions{}); err != nil && !errors.IsAlreadyExists(err) {
			return fmt.Errorf("creating node %s: %w", n.Name, err)
		}
	}
	return nil
}

// nodeObject is a Node as its distribution registers it; kubelet adds the rest.
func nodeObject(n node.Node, network topology.Network, server bool) (*core.Node, error) {
	switch {
	case network.Calico():
		return calicoNode(n), nil
	case network.Cilium(), network.Distribution == topology.None:
		return plainNode(n, server), nil
	case network.Distribution == topology.RKE2:
		return rke2Node(n, network, server), nil
	}
	return k3sNode(n, network, server)
}

func k3sNode(n node.Node, network topology.Network, server bool) (*core.Node, error) {
	object := plainNode(n, server)
	args := []string{"agent"}
	object.Labels["node.kubernetes.io/instance-type"] = "k3s"
	if server {
		args = []string{"server", "--flannel-backend", k3sBackend(network.Backend)}
		if network.Families.IPv6() {
			args = append(args, "--cluster-cidr", strings.Join(network.Families.PodNetworks(), ","),
				"--service-cidr", strings.Join(network.Families.ServiceNetworks(), ","))
		}
		object.Labels["node-role.kubernetes.io/control-plane"] = "true"
	}
	args = append(args, "--node-ip", network.Families.NodeIP(n.Address))
	encoded, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("encoding the arguments of %s: %w", n.Name, err)
	}
	object.Annotations = map[string]string{
		"k3s.io/node-args":   string(encoded),
		"k3s.io/node-env":    "{}",
		"k3s.io/hostname":    n.Name,
		"k3s.io/internal-ip": network.Families.NodeIP(n.Address),
	}
	object.Spec.ProviderID = "k3s://" + n.Name
	return object, nil
}

// rke2Node is a Node as RKE2 registers it: its agent is that of K3s, with a name of its own.
func rke2Node(n node.Node, network topology.Network, server bool) *core.Node {
	object := plainNode(n, server)
	role := "agent"
	if server {
		role = "server"
		object.Labels["node-role.kubernetes.io/control-plane"] = "true"
	}
	object.Labels["node.kubernetes.io/instance-type"] = "rke2"
	object.Annotations = map[string]string{
		"rke2.io/node-args":   fmt.Sprintf("[%q]", role),
		"rke2.io/hostname":    n.Name,
		"rke2.io/internal-ip": network.Families.NodeIP(n.Address),
	}
	object.Spec.ProviderID = "rke2://" + n.Name
	return object
}

// k3sBackend is the word that K3s has for one of flannel's backends.
func k3sBackend(backend string) string {
	if backend == "wireguard" {
		return "wireguard-native"
	}
	return backend
}

// plainNode is a Node of no distribution.
func plainNode(n node.Node, server bool) *core.Node {
	labels := map[string]string{}
	if server {
		labels["node-role.kubernetes.io/control-plane"] = ""
	}
	return &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: n.Name, Labels: labels},
		Spec:       core.NodeSpec{PodCIDR: n.PodCIDRs[0], PodCIDRs: n.PodCIDRs},
	}
}
