package profile

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// span is a node of Talos with KubeSpan, and what its network plugin writes.
func span(key string, annotations map[string]string) surveyed {
	return surveyed{
		annotations: with(annotations, "networking.talos.dev/kubespan-public-key", key), devices: []string{"wg-span"},
		keys: map[string]string{"wg-span": "key-0"}, internal: []string{"192.0.2.10"},
	}
}

// KubeSpan is below whatever network plugin does not encrypt. No route shows it.
func TestKubeSpan(t *testing.T) {
	for _, test := range []struct {
		name, system string
		annotations  map[string]string
		overhead     int
	}{
		{"an unknown network", "unknown", nil, 0},
		{"flannel", "flannel-vxlan", lease(0, "vxlan"), 50},
	} {
		g := cluster(evidence.Run{}, evidence.Cluster{}, span("key-0", test.annotations),
			span("key-1", test.annotations))
		p := Decide(g)
		wantEqual(t, test.name, p.Name, test.system+"-over-kubespan")
		wantEqual(t, test.name, strings.HasSuffix(p.Title, ", over KubeSpan"), true)
		wantEqual(t, test.name, p.RunsAs, "kubespan")
		wantEqual(t, test.name, p.Encrypts, false)
		wantEqual(t, test.name+": the device that has the key", p.Device(g.Nodes[0], 4), "wg-span")
		wantEqual(t, test.name+": the device by default", p.Device(g.Nodes[1], 4), "kubespan")
		wantEqual(t, test.name+": key", p.Published(g.Nodes[1], 6), "key-1")
		wantEqual(t, test.name+": endpoint", p.Endpoint(g.Nodes[0], 4).String(), "192.0.2.10")
		wantEqual(t, test.name+": overhead", p.Below.Overhead[4], test.overhead)
		wantEqual(t, test.name+": marked", p.Below.Marked, true)
		wantEqual(t, test.name+": unknown", p.Below.Unknown, true)
		wantEqual(t, test.name+": recognised", p.Recognised[len(p.Recognised)-1],
			"networking.talos.dev/kubespan-public-key on 2 of 2 nodes")
		if !slices.ContainsFunc(p.Scope, func(s Scope) bool { return strings.Contains(s.Why, "allowDownPeerBypass") }) {
			t.Errorf("%s: the scope does not say what a peer that is down means: %+v", test.name, p.Scope)
		}
	}
}

// A network plugin that encrypts is judged by its own device, inside of KubeSpan.
func TestInsideOfKubeSpan(t *testing.T) {
	g := cluster(evidence.Run{}, evidence.Cluster{}, span("key-0", lease(0, "wireguard")),
		span("key-1", lease(1, "wireguard")))
	p := Decide(g)
	wantEqual(t, "name", p.Name, "flannel-wireguard")
	wantEqual(t, "device", p.Device(g.Nodes[0], 4), "flannel-wg")
}
