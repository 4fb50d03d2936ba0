package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// ofNode is what a network's own objects say of one node; the zero value is nothing.
type ofNode struct {
	annotations map[string]string
	ranges      map[string][]netip.Prefix // by the IPAM that assigns them, see evidence.Node
	encrypted   *bool                     // see evidence.Node, NodeEncryption
}

// maxOwnRanges is how many ranges of a network's own IPAM are kept of a node:
// Calico assigns 20 blocks to a node at most unless it is configured otherwise
// (maxBlocksPerHost of its IPAMConfiguration).
const maxOwnRanges = 64

// blockAffinities say which of Calico's blocks are assigned to which node.
var blockAffinities = calico("blockaffinities")

// affinity returns the node and the block of a BlockAffinity, and whether it
// stands: one that is claimed or released at the moment holds no pods
// (libcalico-go lib/backend/model/block_affinity.go). Blocks of load balancers
// have a type of their own.
func affinity(object *unstructured.Unstructured) (node string, block netip.Prefix, stands bool) {
	spec, _, _ := unstructured.NestedMap(object.Object, "spec")
	text := func(name string) string { return fmt.Sprint(cmp.Or[any](spec[name], "")) }
	block, err := netip.ParsePrefix(text("cidr"))
	stands = err == nil && text("state") == "confirmed" && text("deleted") != "true" &&
		(text("type") == "" || text("type") == "host")
	return text("node"), block, stands
}

// withoutBlocks completes what Calico assigned: where it assigned blocks to any
// node, one that has none has no range yet, whatever Kubernetes assigned to it.
func (found *configuration) withoutBlocks(nodes []corev1.Node) {
	calico := func(of ofNode) bool { return len(of.ranges[evidence.IPAMCalico]) > 0 }
	if !slices.ContainsFunc(slices.Collect(maps.Values(found.nodes)), calico) {
		return
	}
	for i := range nodes {
		if slices.ContainsFunc(slices.Collect(maps.Keys(nodes[i].Annotations)), ofCalico) {
			found.assigned(nodes[i].Name, evidence.IPAMCalico, nil)
		}
	}
}

// pools returns the ranges from which a CiliumNode's pods get their addresses:
// those of the modes kubernetes and cluster-pool, and those of multi-pool.
func pools(object *unstructured.Unstructured) []netip.Prefix {
	texts, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "ipam", "podCIDRs")
	allocated, _, _ := unstructured.NestedSlice(object.Object, "spec", "ipam", "pools", "allocated")
	for _, pool := range allocated {
		if pool, ok := pool.(map[string]any); ok {
			more, _, _ := unstructured.NestedStringSlice(pool, "cidrs")
			texts = append(texts, more...)
		}
	}
	var ranges []netip.Prefix
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			ranges = append(ranges, prefix)
		}
	}
	return ranges
}

// podRanges returns where a node's pods are, what assigns that, and how many
// ranges had to be left out.
func podRanges(n *corev1.Node, own ofNode) (ranges []netip.Prefix, ipam string, left int) {
	ranges, limit := specRanges(n), maxRanges
	for _, name := range []string{evidence.IPAMCilium, evidence.IPAMCalico} {
		assigned, ok := own.ranges[name]
		if !ok || ofFlannel(n) {
			continue
		}
		if assigned = sorted(assigned); !slices.Equal(assigned, sorted(ranges)) {
			ranges, ipam, limit = slices.Compact(assigned), name, maxOwnRanges
		}
		break
	}
	if len(ranges) > limit {
		ranges, left = ranges[:limit], len(ranges)-limit
	}
	return ranges, ipam, left
}

func ofCalico(annotation string) bool { return strings.HasPrefix(annotation, "projectcalico.org/") }

func sorted(ranges []netip.Prefix) []netip.Prefix {
	return slices.SortedFunc(slices.Values(ranges), netip.Prefix.Compare)
}

// ofFlannel reports whether Flannel has a lease for the node, whose range is that
// of the Node: what is there of another network is left from it, or is Canal.
func ofFlannel(n *corev1.Node) bool {
	return n.Annotations["flannel.alpha.coreos.com/backend-type"] != ""
}

// specRanges returns the ranges that Kubernetes assigned to the node.
func specRanges(n *corev1.Node) []netip.Prefix {
	texts := n.Spec.PodCIDRs
	if len(texts) == 0 && n.Spec.PodCIDR != "" {
		texts = []string{n.Spec.PodCIDR}
	}
	var ranges []netip.Prefix
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil {
			ranges = append(ranges, prefix)
		}
	}
	return ranges
}
