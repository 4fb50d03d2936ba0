package profile

import (
	"cmp"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What encrypts besides WireGuard is named with how it was recognised; it makes no
// system of what is none, and is in the scope as what was not examined.
func TestOtherEncryption(t *testing.T) {
	policy := evidence.Message{Diversion: &evidence.Diversion{By: "xfrm", Effect: evidence.EffectEncrypt}}
	esp := evidence.Message{Capture: &evidence.Capture{Link: "eth0", Role: evidence.RoleOutside,
		Classes: map[string]uint64{"esp": 7}}}
	inside := evidence.Message{Capture: &evidence.Capture{Link: "gre1", Role: evidence.RoleInside,
		Classes: map[string]uint64{"esp": 7}}}
	mark := evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectMark}}
	objects := func(name, key, value string) map[string]map[string]string {
		return map[string]map[string]string{name: {key: value}}
	}
	const config = "ConfigMap/kube-system/cilium-config"
	for _, test := range []struct {
		name    string
		about   evidence.Cluster
		node    surveyed
		want    string // name, how; "" for none
		onWire  bool
		profile string // "unknown" if empty
	}{
		{name: "nothing", node: surveyed{also: []evidence.Message{mark, inside}}},
		{name: "a policy alone", node: surveyed{also: []evidence.Message{policy}},
			want: "IPsec, policies of the kernel on 1 of 2 nodes"},
		{name: "a policy and frames", node: surveyed{also: []evidence.Message{policy, esp}}, onWire: true,
			want: "IPsec, policies of the kernel on 1 of 2 nodes, 7 frames of ESP on links that leave the hosts"},
		{name: "by configuration", about: evidence.Cluster{Objects: objects(config, "enable-ipsec", "true")},
			profile: "cilium-ipsec-vxlan", want: "IPsec, enable-ipsec in ConfigMap/kube-system/cilium-config"},
		{name: "configured off", about: evidence.Cluster{Objects: objects(config, "enable-ipsec", "false")},
			profile: "cilium-vxlan"},
		{name: "ztunnel", about: evidence.Cluster{Objects: objects(config, "enable-ztunnel", "true")},
			profile: "cilium-ztunnel-vxlan",
			want:    "mutual TLS by Cilium's ztunnel, enable-ztunnel in ConfigMap/kube-system/cilium-config"},
		{name: "ambient",
			about: evidence.Cluster{Objects: objects("Namespaces//meshes", "istio.io/dataplane-mode=ambient", "3")},
			want: "mutual TLS by Istio's ambient mode (HBONE, TCP port 15008), istio.io/dataplane-mode=ambient on 3 " +
				"of the cluster's namespaces"},
		{name: "sidecars",
			about: evidence.Cluster{Objects: objects("Namespaces//meshes", "linkerd.io/inject=enabled", "1")},
			want:  "mutual TLS by Linkerd's sidecars, linkerd.io/inject=enabled on 1 of the cluster's namespaces"},
	} {
		p := Decide(cluster(evidence.Run{}, test.about, test.node, surveyed{}))
		wantEqual(t, test.name, p.Name, cmp.Or(test.profile, "unknown"))
		wantEqual(t, test.name, p.Encrypts, false)
		wantEqual(t, test.name, len(p.Others) > 0, test.want != "")
		said := ""
		for _, line := range p.Scope {
			if strings.Contains(line.Why, "it is not WireGuard") {
				said = line.What + ", " + strings.TrimPrefix(line.Why, "recognised by ")
				wantEqual(t, test.name+": proven", line.Proven, false)
			}
		}
		got := ""
		for _, other := range p.Others {
			got = other.Name + ", " + other.How
			wantEqual(t, test.name+": on the wire", other.OnWire, test.onWire)
		}
		if got != test.want || !strings.HasPrefix(said, test.want) {
			t.Errorf("%s: %q, in the scope %q, want %q", test.name, got, said, test.want)
		}
	}
}

// Submariner is in the scope, and carries nothing between nodes of a cluster.
func TestSubmariner(t *testing.T) {
	device := evidence.Message{
		Link: &evidence.Link{Name: "submariner", Kind: "wireguard", Role: evidence.RoleWireGuard},
	}
	older := evidence.Message{Link: &evidence.Link{Name: "subwg0", Kind: "wireguard", Role: evidence.RoleWireGuard}}
	bridge := evidence.Message{Link: &evidence.Link{Name: "submariner", Kind: "bridge", Role: evidence.RoleInside}}
	for _, test := range []struct {
		name string
		node surveyed
		want bool
	}{
		{"a gateway", surveyed{labels: map[string]string{"submariner.io/gateway": "true"}}, true},
		{"none any more", surveyed{labels: map[string]string{"submariner.io/gateway": "false"}}, false},
		{"its device", surveyed{also: []evidence.Message{device}}, true},
		{"its device before", surveyed{also: []evidence.Message{older}}, true},
		{"a link of that name", surveyed{also: []evidence.Message{bridge}}, false},
	} {
		p := Decide(cluster(evidence.Run{}, evidence.Cluster{}, surveyed{}, test.node))
		found := false
		for _, line := range p.Scope {
			found = found || line.What == "traffic with other clusters (Submariner)" && !line.Proven
		}
		wantEqual(t, test.name, found, test.want)
		wantEqual(t, test.name, p.Name, "unknown")
	}
}
