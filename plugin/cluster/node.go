package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What of a node is kept: the rest says nothing about its network and would
// only make recordings long and telling.
var (
	keptAnnotations = []string{
		"flannel.alpha.coreos.com/",
		"k3s.io/node-args", "k3s.io/internal-ip", "k3s.io/external-ip",
		"rke2.io/node-args", "rke2.io/internal-ip", "rke2.io/external-ip",
		"alpha.kubernetes.io/provided-node-ip",
		"projectcalico.org/",
		"network.cilium.io/", "io.cilium.network.",
		"kilo.squat.ai/",
		"node.antrea.io/",
		"networking.talos.dev/",
	}
	keptLabels = []string{
		"kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/hostname",
		"node-role.kubernetes.io/", "node.kubernetes.io/instance-type",
		"topology.kubernetes.io/", "egress.k3s.io/cluster",
		"plan.upgrade.cattle.io/", "microk8s.io/cluster",
		"eks.amazonaws.com/compute-type", "eks.amazonaws.com/nodegroup",
		"cloud.google.com/gke-os-distribution", "kubernetes.azure.com/os-sku",
		"node.openshift.io/os_id", "type",
	}
)

// The largest annotation, and the largest sum per node, that fit a message
// with room for the rest.
const (
	maxAnnotation  = 2 << 10
	maxAnnotations = 5 << 10
)

// describe turns a node into evidence. Extra annotations come from the CNI's
// own object about the node.
func describe(n *corev1.Node, extra map[string]string) (evidence.Node, []evidence.Problem) {
	info := n.Status.NodeInfo
	about := evidence.Node{
		Name: n.Name, Labels: map[string]string{}, Annotations: map[string]string{},
		Kubelet: info.KubeletVersion, OSImage: info.OSImage, Kernel: info.KernelVersion,
		Runtime: info.ContainerRuntimeVersion, OS: info.OperatingSystem, Arch: info.Architecture,
		Ready: ready(n), Cordoned: n.Spec.Unschedulable,
	}
	for _, address := range n.Status.Addresses {
		switch address.Type {
		case corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeHostName:
			about.Addresses = append(about.Addresses, evidence.NodeAddress{Type: string(address.Type), Addr: address.Address})
		}
	}
	ranges := n.Spec.PodCIDRs
	if len(ranges) == 0 && n.Spec.PodCIDR != "" {
		ranges = []string{n.Spec.PodCIDR}
	}
	for _, text := range ranges {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			about.PodCIDRs = append(about.PodCIDRs, prefix)
		}
	}
	for name, value := range n.Labels {
		if kept(name, keptLabels) {
			about.Labels[name] = value
		}
	}
	all := maps.Clone(n.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	for name, value := range extra {
		if _, ok := all[name]; !ok {
			all[name] = value
		}
	}
	var problems []evidence.Problem
	room := maxAnnotations
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !kept(name, keptAnnotations) {
			continue
		}
		value := all[name]
		if strings.HasSuffix(name, "/node-args") {
			value = withoutSecrets(value)
		}
		if len(value) > maxAnnotation || len(name)+len(value) > room {
			problems = append(problems, evidence.Problem{
				Class: evidence.ProblemDamaged, What: "annotation", On: name,
				Text: fmt.Sprintf("on node %s it has %d bytes, which is too long; it was left out", n.Name, len(value)),
			})
			continue
		}
		room -= len(name) + len(value)
		about.Annotations[name] = value
	}
	return about, problems
}

func kept(name string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		if strings.HasSuffix(entry, "/") || strings.HasSuffix(entry, ".") {
			return strings.HasPrefix(name, entry)
		}
		return name == entry
	})
}

// withoutSecrets blanks the values of flags that look secret. K3s blanks those
// it knows; this is for those it does not. Text that is no JSON list is dropped.
func withoutSecrets(args string) string {
	var list []string
	if json.Unmarshal([]byte(args), &list) != nil {
		return ""
	}
	for i, arg := range list {
		name, _, joined := strings.Cut(arg, "=")
		if !secretive(name) {
			continue
		}
		switch {
		case joined:
			list[i] = name + "=********"
		case i+1 < len(list) && !strings.HasPrefix(list[i+1], "-"):
			list[i+1] = "********"
		}
	}
	blanked, _ := json.Marshal(list) // a list of strings always encodes
	return string(blanked)
}

func secretive(flag string) bool {
	if !strings.HasPrefix(flag, "-") {
		return false
	}
	flag = strings.ToLower(flag)
	return flag == "-t" || slices.ContainsFunc([]string{"token", "secret", "password", "access-key", "datastore-endpoint", "vpn-auth"},
		func(word string) bool { return strings.Contains(flag, word) })
}

func ready(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// excluded says why a node does not take part, empty if it does, and whether
// the operator chose that. A cordoned or tainted node takes part: its pods run.
func excluded(n *corev1.Node, selection Selection) (reason string, chosen bool) {
	switch {
	case !selection.has(n):
		return "not selected", true
	case n.Labels["type"] == "virtual-kubelet", n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
		return "it is a virtual node without a host to look at", false
	case n.Status.NodeInfo.OperatingSystem != "" && n.Status.NodeInfo.OperatingSystem != "linux":
		return "it runs " + n.Status.NodeInfo.OperatingSystem, false
	case !ready(n):
		return "it is not Ready", false
	}
	return "", false
}
