package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// configMaps are where CNIs keep their configuration, and the keys that bear
// on encryption. A key with a trailing * is a prefix.
var configMaps = []struct {
	namespace, name string
	keys            []string
}{
	{"kube-flannel", "kube-flannel-cfg", []string{"net-conf.json"}},
	{"kube-system", "kube-flannel-cfg", []string{"net-conf.json"}},
	{"kube-system", "rke2-canal-config", []string{"net-conf.json"}},
	{"kube-system", "canal-config", []string{"net-conf.json"}},
	{"kube-system", "cilium-config", []string{
		"enable-wireguard*", "wireguard-*", "encrypt-*", "encryption-*", "enable-encryption-*", "node-encryption-*",
		"enable-ipv4", "enable-ipv6", "routing-mode", "tunnel", "tunnel-*", "mtu", "devices", "cilium-version",
		"enable-endpoint-routes", "enable-bpf-masquerade", "cluster-name", "cluster-id", "datapath-mode",
	}},
}

// customObjects are CNIs' own kinds and the fields of their spec that are kept.
var customObjects = []struct {
	resource schema.GroupVersionResource
	kind     string
	keys     []string
}{
	{schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "felixconfigurations"},
		"FelixConfiguration", []string{"wireguard*", "bpfEnabled"}},
	{schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "ippools"},
		"IPPool", []string{"cidr", "ipipMode", "vxlanMode", "natOutgoing", "disabled", "nodeSelector"}},
}

// ciliumNodes carry in their annotations what other CNIs write to the Node.
var ciliumNodes = schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumnodes"}

// maxObjects is how many bytes of configuration fit the Cluster message.
const maxObjects = 6 << 10

// configuration is what the CNIs' own objects say.
type configuration struct {
	mu       sync.Mutex
	room     int
	objects  map[string]map[string]string
	nodes    map[string]map[string]string // annotations by node
	problems []evidence.Problem
}

// configuration reads them all at the same time. A missing object or kind is
// no problem: most clusters have none of them.
func (c *Client) configuration(ctx context.Context) *configuration {
	found := &configuration{room: maxObjects, objects: map[string]map[string]string{}, nodes: map[string]map[string]string{}}
	var readers sync.WaitGroup
	for _, source := range configMaps {
		readers.Go(func() {
			err := c.call(ctx, "reading a ConfigMap", func(ctx context.Context) error {
				object, err := c.api.CoreV1().ConfigMaps(source.namespace).Get(ctx, source.name, metav1.GetOptions{})
				if err == nil {
					found.add("ConfigMap/"+source.namespace+"/"+source.name, keep(object.Data, source.keys))
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
				found.add(source.kind+"/"+object.GetNamespace()+"/"+object.GetName(), keep(flat(spec), source.keys))
			})
			found.failed(err, source.resource.Resource)
		})
	}
	readers.Go(func() {
		err := c.each(ctx, ciliumNodes, func(object *unstructured.Unstructured) {
			found.mu.Lock()
			defer found.mu.Unlock()
			found.nodes[object.GetName()] = object.GetAnnotations()
		})
		found.failed(err, ciliumNodes.Resource)
	})
	readers.Wait()
	return found
}

func (c *Client) each(ctx context.Context, resource schema.GroupVersionResource, visit func(*unstructured.Unstructured)) error {
	page := metav1.ListOptions{Limit: 500}
	for {
		var list *unstructured.UnstructuredList
		err := c.call(ctx, "listing "+resource.Resource, func(ctx context.Context) (err error) {
			list, err = c.objects.Resource(resource).List(ctx, page)
			return err
		})
		if err != nil {
			return err
		}
		for i := range list.Items {
			visit(&list.Items[i])
		}
		if page.Continue = list.GetContinue(); page.Continue == "" {
			return nil
		}
	}
}

func (found *configuration) add(name string, values map[string]string) {
	found.mu.Lock()
	defer found.mu.Unlock()
	size := len(name)
	for key, value := range values {
		size += len(key) + len(value) + 8
	}
	if size > found.room {
		found.problems = append(found.problems, evidence.Problem{
			Class: evidence.ProblemDamaged, What: "configuration", On: name,
			Text: fmt.Sprintf("an object of %d bytes does not fit the record and was left out", size),
		})
		return
	}
	found.room -= size
	found.objects[name] = values
}

func (found *configuration) failed(err error, on string) {
	if err == nil || apierrors.IsNotFound(err) {
		return
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	found.problems = append(found.problems, problem(err, "configuration", on))
}

func keep(values map[string]string, keys []string) map[string]string {
	some := map[string]string{}
	for name, value := range values {
		if slices.ContainsFunc(keys, func(key string) bool {
			prefix, open := strings.CutSuffix(key, "*")
			return name == key || open && strings.HasPrefix(name, prefix)
		}) {
			some[name] = strings.TrimSpace(value)
		}
	}
	return some
}

// flat renders each field of a spec as text, what is not text as JSON.
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
