//go:build linux

package agent

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The ports of a device are those of a tunnel into which the kernel's way to one
// of its peers leads, with the device's own mark.
func TestInnerPorts(t *testing.T) {
	peer := func(device, endpoint string) evidence.Peer {
		return evidence.Peer{Device: device, Endpoint: netip.MustParseAddrPort(endpoint)}
	}
	way := func(to, link string, mark uint32) evidence.Route {
		return evidence.Route{For: netip.MustParseAddr(to), Link: link, Mark: mark}
	}
	links := []evidence.Link{
		{Name: "eth0", Role: evidence.RoleOutside}, {Name: "wg0", Kind: "wireguard", Role: evidence.RoleWireGuard},
		{Name: "flannel-wg", Kind: "wireguard", Role: evidence.RoleWireGuard},
		{Name: "tailscale0", Kind: "tun", Role: evidence.RoleInside},
		{Name: "cni0", Kind: "bridge", Role: evidence.RoleInside},
	}
	snapshot := device.Snapshot{
		Devices: []evidence.Device{{Name: "flannel-wg", Port: 51821}, {Name: "wg0", Port: 51900, Mark: 7},
			{Name: "second", Port: 51820}, {Name: "silent"}},
		Peers: []evidence.Peer{
			peer("flannel-wg", "198.18.0.2:51820"), peer("flannel-wg",
				"198.18.0.3:51820"), peer("wg0", "192.0.2.2:51900"),
			peer("wg0", "198.18.0.2:51900"), peer("second", "198.18.0.3:51820"), peer("second", "100.64.0.2:51820"),
			peer("second", "10.42.0.9:51820"), peer("silent", "198.18.0.2:51820"),
		},
	}
	got := innerPorts(links, snapshot, []evidence.Route{
		way("198.18.0.2", "wg0", 0), way("198.18.0.3", "wg0", 0), way("192.0.2.2",
			"eth0", 7), way("198.18.0.2", "wg0", 7),
		way("100.64.0.2", "tailscale0", 0), way("10.42.0.9", "cni0", 0),
	})
	want := map[string][]uint16{"wg0": {51820, 51821}, "tailscale0": {51820}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
}
