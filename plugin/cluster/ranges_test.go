package cluster

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func block(node, cidr, state, deleted, kind string) *unstructured.Unstructured {
	spec := map[string]any{"node": node, "cidr": cidr, "state": state, "deleted": deleted}
	if kind != "" {
		spec["type"] = kind
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "crd.projectcalico.org/v1", "kind": "BlockAffinity", "spec": spec,
		"metadata": map[string]any{"name": node + "-" + strings.NewReplacer(".", "-", "/", "-").Replace(cidr)},
	}}
}

func ciliumNode(name string, ipam map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"ipam": ipam},
	}}
}

// assignedTo is a node to which Kubernetes itself assigned a range.
func assignedTo(name, podRange string, annotations ...string) *corev1.Node {
	n := named(node(func(n *corev1.Node) { n.Spec.PodCIDRs = []string{podRange} }), name)
	for _, annotation := range annotations {
		n.Annotations[annotation] = "192.0.2.1/24"
	}
	return n
}

// Where a network assigns ranges by itself, those are where the pods are.
func TestRangesOfANetworksOwnIPAM(t *testing.T) {
	const calico, flannel = "projectcalico.org/IPv4Address", "flannel.alpha.coreos.com/backend-type"
	for name, test := range map[string]struct {
		nodes []runtime.Object
		own   []runtime.Object
		want  string // of the nodes, by name
	}{
		"none": {[]runtime.Object{assignedTo("a", "10.42.0.0/24")}, nil, "[10.42.0.0/24]"},
		"Calico's blocks, and a node without one": {
			[]runtime.Object{assignedTo("a", "10.42.0.0/24", calico), assignedTo("b", "10.42.1.0/24", calico)},
			[]runtime.Object{
				block("a", "10.42.7.64/26", "confirmed", "false", "host"), block("a",
					"10.42.5.0/26", "confirmed", "false", ""),
				block("a", "10.42.8.0/26", "pending", "false", ""), block("a", "10.42.9.0/26", "confirmed", "true", ""),
				block("b", "10.42.9.64/26", "confirmed", "false", "virtual"), block("b",
					"nonsense", "confirmed", "false", ""),
			},
			"[10.42.5.0/26 10.42.7.64/26]calico []calico",
		},
		"Calico's blocks below Flannel": {
			[]runtime.Object{assignedTo("a", "10.42.0.0/24", calico, flannel)},
			[]runtime.Object{block("a", "10.42.5.0/26", "confirmed", "false", "")},
			"[10.42.0.0/24]",
		},
		"Cilium's pools": {
			[]runtime.Object{assignedTo("a", "10.42.0.0/24"), assignedTo("b", "10.42.1.0/24"),
				assignedTo("c", "10.42.2.0/24")},
			[]runtime.Object{
				ciliumNode("a", map[string]any{"podCIDRs": []any{"10.42.0.0/24"}}),
				ciliumNode("b", map[string]any{"podCIDRs": []any{"10.0.1.0/24", "fd00::/120"}}),
				ciliumNode("c", map[string]any{"pools": map[string]any{"allocated": []any{
					map[string]any{"pool": "default", "cidrs": []any{"10.0.2.0/27"}},
					map[string]any{"pool": "other", "cidrs": []any{"10.9.2.0/27"}},
				}}}),
			},
			"[10.42.0.0/24] [10.0.1.0/24 fd00::/120]cilium [10.0.2.0/27 10.9.2.0/27]cilium",
		},
	} {
		t.Run(name, func(t *testing.T) {
			survey, err := client(fake.NewSimpleClientset(test.nodes...), test.own...).Survey(t.Context(), Selection{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range survey.Nodes {
				got = append(got, fmt.Sprint(n.PodCIDRs, n.IPAM))
			}
			if got := strings.Join(got, " "); got != test.want || len(survey.Problems) > 0 {
				t.Errorf("%s, want %s; problems %v", got, test.want, survey.Problems)
			}
		})
	}
}

// That a node takes part in node encryption is what its agent publishes.
func TestNodeEncryption(t *testing.T) {
	key := func(name string, encryption map[string]any) *unstructured.Unstructured {
		node := ciliumNode(name, map[string]any{})
		node.Object["spec"].(map[string]any)["encryption"] = encryption
		return node
	}
	nodes := []runtime.Object{assignedTo("a", "10.42.0.0/24"), assignedTo("b", "10.42.1.0/24"), assignedTo("c", "10.42.2.0/24")}
	own := []runtime.Object{key("a", map[string]any{"key": int64(255)}), key("b", map[string]any{})}
	survey, err := client(fake.NewSimpleClientset(nodes...), own...).Survey(t.Context(), Selection{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range survey.Nodes {
		said := n.NodeEncryption
		if (said == nil) != (n.Name == "c") || said != nil && *said != (n.Name == "a") {
			t.Errorf("%s: %v", n.Name, said)
		}
	}
}

// A node's many blocks fit its message, and what does not is reported.
func TestManyBlocksAreBounded(t *testing.T) {
	var blocks []netip.Prefix
	for i := range 100 {
		blocks = append(blocks,
			netip.PrefixFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8:aaaa:bbbb:cccc:dddd:%x:0", i)), 122))
	}
	full := fullNode(strings.Repeat("x", 1<<10))
	delete(full.Annotations, "flannel.alpha.coreos.com/backend-type")
	about, problems := describe(full, ofNode{ranges: map[string][]netip.Prefix{evidence.IPAMCalico: blocks}}, keptLabels)
	if len(about.PodCIDRs) != maxOwnRanges || about.RangesLeft != 100-maxOwnRanges || about.IPAM != evidence.IPAMCalico {
		t.Errorf("%d ranges of %q", len(about.PodCIDRs), about.IPAM)
	}
	if _, err := evidence.Encode(&evidence.Message{Stream: evidence.PluginStream, Seq: 4294967295,
		Node: &about}); err != nil {
		t.Error(err)
	}
	reported := func(p evidence.Problem) bool {
		return p.What == "pod ranges" && strings.Contains(p.Text, "36 pod ranges")
	}
	if !slices.ContainsFunc(problems, reported) {
		t.Errorf("none of %d problems reports the ranges that were left out", len(problems))
	}
}
