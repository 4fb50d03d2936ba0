package perf

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestNewNode(t *testing.T) {
	address := netip.MustParseAddr("192.0.2.1")
	n := &graph.Node{
		Node:      evidence.Node{Name: "a", Kernel: "6.1", Arch: "arm64"},
		Addresses: []*evidence.Address{{Link: "eth0", Prefix: netip.PrefixFrom(address, 24)}, {Link: "flannel-wg"}},
		Links:     []*evidence.Link{{Name: "eth0", MTU: 1500}, {Name: "flannel-wg", MTU: 1420}, {Name: "eth1", MTU: 9000}},
		Devices:   []*evidence.Device{{Name: "flannel-wg", Userspace: true}, {Name: "wg0"}},
	}
	p := profile.Profile{Device: func(*graph.Node, int) string { return "flannel-wg" }}
	links := []evidence.LinkLoad{
		{Name: "eth0", Off: []string{"rx-checksum", "gro"}}, {Name: "flannel-wg", Off: []string{"rx-checksum", "gso"}}, {Name: "eth1"},
	}
	got := NewNode(&p, n, 4, address, links)
	if got.Device != "flannel-wg" || got.Implementation != Userspace || got.TunnelMTU != 1420 {
		t.Errorf("the device: %+v", got)
	}
	if got.Link != "eth0" || got.UnderlayMTU != 1500 || len(got.Links) != 2 {
		t.Errorf("the underlay: %+v", got)
	}
	if !slices.Equal(got.Links[0].Off, []string{"rx-checksum", "gro"}) || !slices.Equal(got.Links[1].Off, []string{"gso"}) {
		t.Errorf("offloads: %+v", got.Links)
	}
	if len(links[1].Off) != 2 {
		t.Error("what was given was changed")
	}
	p.Device = func(*graph.Node, int) string { return "" }
	n.Devices = n.Devices[1:]
	if got := NewNode(&p, n, 4, address, nil); got.Device != "wg0" || got.Implementation != InKernel {
		t.Errorf("the only device: %+v", got)
	}
	if got := NewNode(&profile.Profile{}, &graph.Node{}, 4, address, links); got.Device != "" || got.Link != "" || len(got.Links) != 0 {
		t.Errorf("nothing is known: %+v", got)
	}
}

func TestRose(t *testing.T) {
	got := Rose(evidence.Load{FragmentsMade: 5, Backlog: 9}, evidence.Load{FragmentsMade: 8, Backlog: 2})
	if got.FragmentsMade != 3 || got.Backlog != 0 {
		t.Errorf("%+v; a counter that went backwards rose by nothing", got)
	}
}
