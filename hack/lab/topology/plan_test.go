package topology

import (
	"net/netip"
	"testing"
)

func TestPlanGivesEveryoneAnAddressOfHisOwn(t *testing.T) {
	switched := netip.MustParsePrefix("192.0.2.0/24")
	pods := netip.MustParsePrefix(PodNetwork)
	seen := map[netip.Addr]string{}
	note := func(who string, address Address) {
		for _, a := range []netip.Addr{address.IPv4.Addr(), address.IPv6.Addr()} {
			if other, taken := seen[a]; taken {
				t.Errorf("%s and %s share %s", who, other, a)
			}
			seen[a] = who
		}
		if !switched.Contains(address.IPv4.Addr()) {
			t.Errorf("%s has %s outside of %s", who, address.IPv4, switched)
		}
	}
	note("control", Control())
	note("host bridge", HostBridge())
	note("VM bridge", VMBridge())
	ranges := map[netip.Prefix]bool{}
	for n := 1; n <= MaxNodes; n++ {
		note(NodeName(n), Node(n))
		cidr := PodCIDR(n)
		if ranges[cidr] || !pods.Contains(cidr.Addr()) || cidr.Bits() != 24 {
			t.Errorf("%s has the pod range %s", NodeName(n), cidr)
		}
		ranges[cidr] = true
	}
	if got := Node(1).IPv6.String(); got != "2001:db8::11/64" {
		t.Errorf("node-1 has %s, want the digits of its IPv4 address", got)
	}
	if got := PodCIDR(1).String(); got != "10.42.0.0/24" {
		t.Errorf("node-1 has the pod range %s", got)
	}
}
