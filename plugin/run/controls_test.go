package run

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Where a tunnel ends inside of another one a control also goes to an address
// outside of that.
//
//	node a — flannel-wg — tun0 100.64.0.1 — eth0 192.0.2.1 — wire — node b (2)
func TestControlsBesideTheOuterTunnel(t *testing.T) {
	at := netip.MustParseAddrPort
	inner := evidence.ControlTarget{Index: 1, Endpoint: at("100.64.0.2:51820")}
	for _, row := range []struct {
		name     string
		endpoint string
		link     evidence.Link // of 100.64.0.2
		listed   []evidence.NodeAddress
		want     []evidence.ControlTarget
	}{
		{"an address of the API outside", "100.64.0.2:51820", evidence.Link{Kind: "tun", Role: evidence.RoleInside},
			[]evidence.NodeAddress{{Type: "InternalIP", Addr: "100.64.0.2"}, {Type: "ExternalIP", Addr: "203.0.113.2"}},
			[]evidence.ControlTarget{inner, {Index: 1, Endpoint: at("203.0.113.2:51820")}}},
		{"only one of a card", "100.64.0.2:51820", evidence.Link{Kind: "wireguard", Role: evidence.RoleWireGuard},
			[]evidence.NodeAddress{{Type: "InternalIP", Addr: "100.64.0.2"}},
			[]evidence.ControlTarget{inner, {Index: 1, Endpoint: at("192.0.2.2:51820")}}},
		{"the tunnel ends outside", "192.0.2.2:51820", evidence.Link{Kind: "tun", Role: evidence.RoleInside},
			[]evidence.NodeAddress{{Type: "InternalIP", Addr: "203.0.113.2"}},
			[]evidence.ControlTarget{{Index: 1, Endpoint: at("192.0.2.2:51820")}}},
		{"the address is on a card", "100.64.0.2:51820", evidence.Link{Role: evidence.RoleOutside},
			nil, []evidence.ControlTarget{inner}},
	} {
		under := &nodes{}
		under.pairs, _ = graph.NewPairs("all", "", 2)
		recorded := recording.New()
		record := newRecord("test", recorded)
		for i, name := range []string{"a", "b"} {
			under.list = append(under.list, evidence.Node{Name: name, Index: i, Addresses: row.listed})
			record.add(evidence.Message{Node: &under.list[i]})
		}
		row.link.Name = "tun0"
		a, b := said{}, said{}
		a.keep(&evidence.Message{Peer: &evidence.Peer{Device: "wg0", PublicKey: "B", Endpoint: at(row.endpoint)}}, false)
		for _, m := range []evidence.Message{
			{Device: &evidence.Device{Name: "wg0", PublicKey: "B", Port: 51820}},
			{Link: &row.link},
			{Link: &evidence.Link{Name: "eth0", Role: evidence.RoleOutside}},
			{Address: &evidence.Address{Link: "eth0", Prefix: netip.MustParsePrefix("fe80::2/64")}},
			{Address: &evidence.Address{Link: "tun0", Prefix: netip.MustParsePrefix("100.64.0.2/32")}},
			{Address: &evidence.Address{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.2/24")}},
		} {
			b.keep(&m, false)
		}
		k := newKnown(recorded, &evidence.Run{Families: []int{4}}, map[string]said{"probe/a": a, "probe/b": b})
		if got := (&controls{k, under}).targets(0); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
