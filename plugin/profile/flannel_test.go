package profile

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// node has the given links, and on flannel-wg the given addresses.
func node(links []string, addresses ...string) *graph.Node {
	n := &graph.Node{Node: evidence.Node{
		Annotations: map[string]string{flannelPrefix + "backend-type": "wireguard"},
		PodCIDRs:    []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24"), netip.MustParsePrefix("2001:db8:42::/64")},
	}}
	for _, name := range links {
		n.Links = append(n.Links, &evidence.Link{Name: name})
	}
	for _, address := range addresses {
		n.Addresses = append(n.Addresses, &evidence.Address{Link: "flannel-wg", Prefix: netip.MustParsePrefix(address)})
	}
	return n
}

// The mode is known from what the nodes have; one that lost a device is in the
// others' mode.
func TestFlannelDevices(t *testing.T) {
	separate := node([]string{"eth0", "flannel-wg", "flannel-wg-v6"}, "10.42.0.0/32", "fe80::1/64")
	together := node([]string{"eth0", "flannel-wg"}, "10.42.0.0/32", "2001:db8:42::/128", "fe80::1/64")
	lost := node([]string{"eth0", "flannel-wg"}, "10.42.0.0/32", "fe80::1/64")
	bare := node(nil)
	for _, test := range []struct {
		name  string
		nodes []*graph.Node
		six   string
	}{
		{"separate", []*graph.Node{separate, separate}, "flannel-wg-v6"},
		{"one for both", []*graph.Node{together, together}, "flannel-wg"},
		{"separate, one node lost its device", []*graph.Node{lost, separate}, "flannel-wg-v6"},
		{"separate, all nodes lost it", []*graph.Node{lost, lost}, "flannel-wg-v6"},
		{"one for both, one node lost it", []*graph.Node{bare, together}, "flannel-wg"},
		{"nothing was read", []*graph.Node{bare, bare}, "flannel-wg-v6"},
	} {
		p := Decide(&graph.Graph{Nodes: test.nodes})
		for _, n := range test.nodes {
			if four, six := p.Device(n, 4), p.Device(n, 6); four != "flannel-wg" || six != test.six {
				t.Errorf("%s: %s and %s, want flannel-wg and %s", test.name, four, six, test.six)
			}
		}
	}
}

func TestFlannelPublishesPerFamily(t *testing.T) {
	dual := map[string]string{
		"backend-data": `{"PublicKey":"four","Port":51820}`, "backend-v6-data": `{"PublicKey":"six","Port":51821}`,
		"public-ip": "192.0.2.11", "public-ipv6": "2001:db8::11",
	}
	only4 := map[string]string{"backend-data": dual["backend-data"], "backend-v6-data": "null",
		"public-ip": "192.0.2.11"}
	only6 := map[string]string{"backend-data": "null", "backend-v6-data": dual["backend-v6-data"],
		"public-ip": "0.0.0.0", "public-ipv6": "2001:db8::11"}
	for _, test := range []struct {
		name                 string
		annotations          map[string]string
		key4, key6           string
		endpoint4, endpoint6 string // empty if there is none
	}{
		{"both", dual, "four", "six", "192.0.2.11", "2001:db8::11"},
		{"IPv4 alone", only4, "four", "", "192.0.2.11", ""},
		{"IPv6 alone, where flannel publishes 0.0.0.0", only6, "", "six", "", "2001:db8::11"},
		{"nothing", nil, "", "", "", ""},
	} {
		n := &graph.Node{Node: evidence.Node{Annotations: map[string]string{}}}
		for key, value := range test.annotations {
			n.Annotations[flannelPrefix+key] = value
		}
		for family, want := range map[int][2]string{4: {test.key4, test.endpoint4}, 6: {test.key6, test.endpoint6}} {
			endpoint := ""
			if addr := flannelEndpoint(n, family); addr.IsValid() {
				endpoint = addr.String()
			}
			if port := flannelPort(n, family); port != 0 && port != uint16(51818+family/2) {
				t.Errorf("%s, IPv%d: port %d", test.name, family, port)
			}
			if key := flannelPublished(n, family); key != want[0] || endpoint != want[1] {
				t.Errorf("%s, IPv%d: key %q at %q, want %q", test.name, family, key, endpoint, want)
			}
		}
	}
}
