package profile

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// streams is a recording of which nothing is missing.
type streams map[string][]*evidence.Message

func (s streams) Streams() []string                          { return slices.Sorted(maps.Keys(s)) }
func (s streams) Messages(stream string) []*evidence.Message { return s[stream] }
func (s streams) Gap(string) string                          { return "" }

// surveyed is a node of a cluster that a test makes up: node-0 at 192.0.2.10,
// node-1 at 192.0.2.11 and so on.
type surveyed struct {
	annotations map[string]string // below flannelPrefix if they have no slash
	kubelet     string
	devices     []string
	keys        map[string]string // public key by device
	routes      map[string]string // link by the address that the kernel was asked about
	labels      map[string]string
	internal    []string // addresses of the type InternalIP
	also        []evidence.Message
}

// cluster is the graph of a run over nodes.
func cluster(run evidence.Run, about evidence.Cluster, nodes ...surveyed) *graph.Graph {
	s := streams{evidence.PluginStream: {{Run: &run}, {Cluster: &about}}}
	for index, of := range nodes {
		node := evidence.Node{Index: index, Name: fmt.Sprintf("node-%d", index), Kubelet: of.kubelet}
		node.Annotations = map[string]string{}
		for key, value := range of.annotations {
			node.Annotations[key] = value
		}
		node.Labels = of.labels
		for _, addr := range of.internal {
			node.Addresses = append(node.Addresses, evidence.NodeAddress{Type: "InternalIP", Addr: addr})
		}
		s[evidence.PluginStream] = append(s[evidence.PluginStream], &evidence.Message{Node: &node})
		probe := evidence.StreamName("probe", node.Name)
		s[probe] = []*evidence.Message{}
		for i := range of.also {
			s[probe] = append(s[probe], &of.also[i])
		}
		for _, device := range of.devices {
			s[probe] = append(s[probe], &evidence.Message{
				Device: &evidence.Device{Name: device, PublicKey: of.keys[device]},
			})
		}
		for to, link := range of.routes {
			route := evidence.Route{For: netip.MustParseAddr(to), Link: link}
			s[probe] = append(s[probe], &evidence.Message{Route: &route})
		}
	}
	return graph.New(s)
}

// lease is what flanneld writes to the node with an index.
func lease(index int, backend string) map[string]string {
	return map[string]string{
		flannelPrefix + "backend-type": backend,
		flannelPrefix + "public-ip":    fmt.Sprintf("192.0.2.%d", 10+index),
	}
}

// with returns annotations with one more.
func with(annotations map[string]string, key, value string) map[string]string {
	annotations = maps.Clone(annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	return annotations
}

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
