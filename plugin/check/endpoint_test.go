package check

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestPrivateAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"10.0.0.1": true, "172.16.0.1": true, "192.168.36.22": true, "100.64.0.1": true, "100.127.255.255": true,
		"169.254.1.1": true, "fd00::1": true, "fe80::1": true,
		"100.128.0.1": false, "172.32.0.1": false, "203.0.113.7": false, "2001:db8::1": false, "192.0.2.1": false,
	} {
		if got := private(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// The card to choose is named only if it is the only one on which all nodes differ.
func TestDistinctCard(t *testing.T) {
	const shared = "10.0.2.15/24"
	type card struct {
		link, prefix string
		role         evidence.LinkRole
	}
	eth0 := card{"eth0", shared, evidence.RoleOutside}
	outside := func(link, prefix string) card { return card{link, prefix, evidence.RoleOutside} }
	for _, test := range []struct {
		name  string
		nodes [][]card
		want  string
	}{
		{"one other", [][]card{{eth0, outside("eth1", "192.168.56.2/24")}, {eth0, outside("eth1", "192.168.56.3/24")}},
			"eth1"},
		{"none", [][]card{{eth0}, {eth0}}, ""},
		{"the same card has another address too", [][]card{
			{outside("eth0", "192.0.2.11/24"), eth0}, {outside("eth0", "192.0.2.12/24"), eth0}}, ""},
		{"two others", [][]card{
			{eth0, outside("eth1", "192.168.56.2/24"), outside("eth2", "192.168.57.2/24")},
			{eth0, outside("eth1", "192.168.56.3/24"), outside("eth2", "192.168.57.3/24")}}, ""},
		{"one of two has the same address on both", [][]card{
			{eth0, outside("eth1", "192.168.56.2/24"), outside("eth2", "172.17.0.1/16")},
			{eth0, outside("eth1", "192.168.56.3/24"), outside("eth2", "172.17.0.1/16")}}, "eth1"},
		{"a node lacks it", [][]card{{eth0, outside("eth1", "192.168.56.2/24")}, {eth0}}, ""},
		{"of the other family",
			[][]card{{eth0, outside("eth1", "2001:db8::2/64")}, {eth0, outside("eth1", "2001:db8::3/64")}}, ""},
		{"link-local only",
			[][]card{{eth0, outside("eth1", "169.254.0.2/16")}, {eth0, outside("eth1", "169.254.0.3/16")}}, ""},
		{"a bridge", [][]card{
			{eth0, card{"cni0", "10.42.0.1/24", evidence.RoleInside}},
			{eth0, card{"cni0", "10.42.1.1/24", evidence.RoleInside}}}, ""},
	} {
		g := &graph.Graph{}
		for _, cards := range test.nodes {
			n := &graph.Node{}
			for _, c := range cards {
				if n.Link(c.link) == nil {
					n.Links = append(n.Links, &evidence.Link{Name: c.link, Up: true, Role: c.role})
				}
				n.Addresses = append(n.Addresses,
					&evidence.Address{Link: c.link, Prefix: netip.MustParsePrefix(c.prefix)})
			}
			g.Nodes = append(g.Nodes, n)
		}
		v := &view{Graph: g}
		if got := v.distinctCard("eth0", netip.MustParsePrefix(shared).Addr()); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
