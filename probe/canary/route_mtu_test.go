//go:build linux

package canary

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

// A pod has the MTU of its link, or the smaller one that the network set on the route
// to other pods.
//
//	pod 0 ── lo, 10.42.1.0/24 mtu 1405, 2001:db8:42:1::/64 mtu 1385
func TestMTUOfTheRoute(t *testing.T) {
	loopback(t)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for target, mtu := range map[string]int{"10.42.1.2": 1405, "2001:db8:42:1::2": 1385, "127.0.0.1": largestMTU,
		"::1": largestMTU} {
		addr := netip.MustParseAddr(target)
		if mtu != largestMTU {
			bits := map[bool]int{true: 24, false: 64}[addr.Is4()]
			prefix := netip.PrefixFrom(addr, bits).Masked()
			to := &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(bits, addr.BitLen())}
			route := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: to, MTU: mtu, Scope: netlink.SCOPE_LINK}
			if addr.Is4() {
				route.Src = net.IPv4(127, 0, 0, 1)
			} else {
				route.Src = net.IPv6loopback
			}
			if err := netlink.RouteAdd(route); err != nil {
				t.Fatalf("%s: %v", target, err)
			}
		}
		if got, err := linkMTU(addr); err != nil || got != mtu {
			t.Errorf("%s: %d, %v, want %d", target, got, err, mtu)
		}
	}
}
