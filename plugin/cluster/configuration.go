package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A keeper has the names of the values that are kept, each with a function that
// returns what is kept of the value.
type keeper map[string]func(string) string

// all keeps the values of these names unchanged.
func all(names ...string) keeper {
	kept := keeper{}
	for _, name := range names {
		kept[name] = plain
	}
	return kept
}

var flannelConfig = keeper{"net-conf.json": netConf}

// configMaps are the CNIs' ConfigMaps, and what is kept of them.
var configMaps = []struct {
	namespace, name string
	keep            keeper
}{
	{"kube-flannel", "kube-flannel-cfg", flannelConfig},
	{"kube-system", "kube-flannel-cfg", flannelConfig},
	{"kube-system", "rke2-canal-config", flannelConfig},
	{"kube-system", "canal-config", flannelConfig},
	{"kube-system", "cilium-config", all(
		"enable-wireguard", "enable-wireguard-userspace-fallback", "wireguard-encapsulate",
		"wireguard-persistent-keepalive", "wireguard-track-all-ips-fallback",
		"encrypt-node", "encrypt-interface", "node-encryption-opt-out-labels",
		"enable-encryption-strict-mode", "encryption-strict-mode-cidr",
		"encryption-strict-mode-allow-remote-node-identities", "enable-encryption-strict-mode-egress",
		"encryption-strict-egress-cidr", "encryption-strict-egress-allow-remote-node-identities",
		"enable-encryption-strict-mode-ingress", "enable-ipsec", "enable-ztunnel", "enable-l7-proxy", "ipam",
		"underlay-protocol",
		"enable-ipv4", "enable-ipv6", "routing-mode", "tunnel", "tunnel-protocol", "tunnel-port", "mtu", "devices",
		"cilium-version", "enable-endpoint-routes", "enable-bpf-masquerade", "cluster-name", "cluster-id",
		"datapath-mode", "auto-direct-node-routes", "ipv4-native-routing-cidr", "ipv6-native-routing-cidr",
		"cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr",
	)},
}

// customObjects are CNIs' own kinds and the fields of their spec that are kept.
var customObjects = []struct {
	resource schema.GroupVersionResource
	kind     string
	keep     keeper
}{
	{calico("felixconfigurations"), "FelixConfiguration", all(
		"wireguardEnabled", "wireguardEnabledV6", "wireguardHostEncryptionEnabled", "wireguardInterfaceName",
		"wireguardInterfaceNameV6", "wireguardKeepAlive", "wireguardListeningPort", "wireguardListeningPortV6",
		"wireguardMTU", "wireguardMTUV6", "wireguardRoutingRulePriority", "wireguardThreadingEnabled", "bpfEnabled",
	)},
	{calico("ippools"), "IPPool", all("cidr", "ipipMode", "vxlanMode", "natOutgoing", "disabled", "nodeSelector")},
}

func calico(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: resource}
}

// ciliumNodes have in their annotations what other CNIs write to the Node.
var ciliumNodes = schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumnodes"}

// maxObjects is how many bytes of configuration fit the Cluster message.
const maxObjects = 6 << 10

// configuration is what was read from the CNIs' own objects.
type configuration struct {
	mu       sync.Mutex
	room     int // bytes of maxObjects that are left
	objects  map[string]map[string]string
	nodes    map[string]ofNode
	problems []evidence.Problem
}

// configuration reads all of these objects at the same time. A missing object or
// kind is not a problem: most clusters have none of them.
func (c *Client) configuration(ctx context.Context) *configuration {
	found := &configuration{
		room:    maxObjects,
		objects: map[string]map[string]string{},
		nodes:   map[string]ofNode{},
	}
	var readers sync.WaitGroup
	for _, source := range configMaps {
		readers.Go(func() {
			err := c.call(ctx, "reading a ConfigMap", func(ctx context.Context) error {
				object, err := c.api.CoreV1().ConfigMaps(source.namespace).Get(ctx, source.name, metav1.GetOptions{})
				if err == nil {
					found.add("ConfigMap/"+source.namespace+"/"+source.name, source.keep.of(object.Data))
				}
				return err
			})
			found.failed(err, source.namespace+"/"+source.name)
		})
	}
	for _, source := range customObjects {
		readers.Go(func() {
			err := c.each(ctx, source.resource, func(object *unstructured.Unstructured) {
				spec, _, _ := unstructured.NestedMap(object.Object, "spec")
				found.add(source.kind+"/"+object.GetNamespace()+"/"+object.GetName(), source.keep.of(flat(spec)))
			})
			found.failed(err, source.resource.Resource)
		})
	}
	readers.Go(func() {
		err := c.each(ctx, ciliumNodes, func(object *unstructured.Unstructured) {
			found.assigned(object.GetName(), evidence.IPAMCilium, object.GetAnnotations(), pools(object)...)
			key, _, _ := unstructured.NestedInt64(object.Object, "spec", "encryption", "key")
			found.encrypted(object.GetName(), key != 0)
		})
		found.failed(err, ciliumNodes.Resource)
	})
	readers.Go(func() {
		err := c.each(ctx, blockAffinities, func(object *unstructured.Unstructured) {
			if node, block, stands := affinity(object); stands {
				found.assigned(node, evidence.IPAMCalico, nil, block)
			}
		})
		found.failed(err, blockAffinities.Resource)
	})
	readers.Go(func() { c.meshes(ctx, found) })
	readers.Wait()
	return found
}

func (c *Client) each(
	ctx context.Context, resource schema.GroupVersionResource, visit func(*unstructured.Unstructured),
) error {
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.objects.Resource(resource).List(ctx, options)
	}
	_, err := c.list(ctx, resource.Resource, metav1.ListOptions{}, page, func(item runtime.Object) {
		visit(item.(*unstructured.Unstructured))
	})
	return err
}

func (found *configuration) add(name string, values map[string]string) {
	found.mu.Lock()
	defer found.mu.Unlock()
	size := len(name)
	if encoded, err := json.Marshal(values); err == nil {
		size += len(encoded)
	}
	if size > found.room {
		found.problems = append(found.problems, evidence.Problem{
			Class: evidence.ProblemDamaged, What: "configuration", On: name,
			Text: fmt.Sprintf("an object of %d bytes is too long for the record; it was left out", size),
		})
		return
	}
	found.room -= size
	found.objects[name] = values
}

// assigned adds what a network's own object says of a node.
func (found *configuration) assigned(node, ipam string, annotations map[string]string, ranges ...netip.Prefix) {
	found.mu.Lock()
	defer found.mu.Unlock()
	of := found.nodes[node]
	if annotations != nil {
		of.annotations = annotations
	}
	if of.ranges == nil {
		of.ranges = map[string][]netip.Prefix{}
	}
	of.ranges[ipam] = append(of.ranges[ipam], ranges...)
	found.nodes[node] = of
}

// encrypted adds whether a CiliumNode has others encrypt what they send to the node.
func (found *configuration) encrypted(node string, is bool) {
	found.mu.Lock()
	defer found.mu.Unlock()
	of := found.nodes[node]
	of.encrypted = &is
	found.nodes[node] = of
}

func (found *configuration) failed(err error, on string) {
	if err == nil || apierrors.IsNotFound(err) {
		return
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	found.problems = append(found.problems, problem(err, "configuration", on))
}

// of returns what is kept of values.
func (k keeper) of(values map[string]string) map[string]string {
	kept := map[string]string{}
	for name, clean := range k {
		if value, ok := values[name]; ok {
			kept[name] = clean(value)
		}
	}
	return kept
}

// flat renders each field of a spec as text: strings as they are, others as JSON.
func flat(spec map[string]any) map[string]string {
	texts := map[string]string{}
	for name, value := range spec {
		if text, ok := value.(string); ok {
			texts[name] = text
		} else if encoded, err := json.Marshal(value); err == nil {
			texts[name] = string(encoded)
		}
	}
	return texts
}
