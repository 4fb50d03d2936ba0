package topology

import (
	"fmt"
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
		cidr6 := PodCIDR6(n)
		if ranges[cidr6] || !netip.MustParsePrefix(PodNetwork6).Contains(cidr6.Addr()) || cidr6.Bits() != 64 || cidr6.Contains(Node(n).IPv6.Addr()) {
			t.Errorf("%s has the pod range %s", NodeName(n), cidr6)
		}
		ranges[cidr6] = true
	}
	if got := Node(1).IPv6.String(); got != "2001:db8::11/64" {
		t.Errorf("node-1 has %s, want the digits of its IPv4 address", got)
	}
	if got := PodCIDR(1).String(); got != "10.42.0.0/24" {
		t.Errorf("node-1 has the pod range %s", got)
	}
}

func TestFamilies(t *testing.T) {
	for _, test := range []struct {
		families Families
		pods     string
		dns      string
		node     string
	}{
		{"", "[10.42.0.0/16]", "10.43.0.10", "192.0.2.11"},
		{OnlyIPv4, "[10.42.0.0/16]", "10.43.0.10", "192.0.2.11"},
		{OnlyIPv6, "[2001:db8:42::/56]", "2001:db8:43::a", "2001:db8::11"},
		{Dual, "[10.42.0.0/16 2001:db8:42::/56]", "10.43.0.10", "192.0.2.11,2001:db8::11"},
	} {
		if got := fmt.Sprint(test.families.PodNetworks()); got != test.pods {
			t.Errorf("%q: pods in %s, want %s", test.families, got, test.pods)
		}
		if got := test.families.NodeIP(Node(1)); got != test.node || test.families.DNS() != test.dns {
			t.Errorf("%q: node-1 is %s, DNS %s", test.families, got, test.families.DNS())
		}
	}
}

func TestNetworkIsChecked(t *testing.T) {
	backends := []string{"wireguard", "vxlan", "calico"}
	for _, test := range []struct {
		network Network
		name    string // empty if it cannot be asked for
	}{
		{Network{Backend: "wireguard"}, "wireguard"},
		{Network{Backend: "wireguard", Families: OnlyIPv4}, "wireguard"},
		{Network{Backend: "vxlan", Families: Dual}, "vxlan-dual"},
		{Network{Backend: "wireguard", Families: Dual, Mode: OverIPv6}, "wireguard-dual-ipv6"},
		{Network{Backend: "wireguard", Distribution: K3s}, "wireguard"},
		{Network{Backend: "vxlan", Distribution: RKE2}, "vxlan-rke2"},
		{Network{Backend: "wireguard", Distribution: None}, "wireguard-none"},
		{Network{Backend: "wireguard", Services: true}, "wireguard-services"},
		{Network{Backend: "calico", Services: true}, ""},
		{Network{Backend: "wireguard", Distribution: "k0s"}, ""},
		{Network{Backend: "calico", Distribution: RKE2}, ""},
		{Network{Backend: "ipsec"}, ""},
		{Network{Backend: "wireguard", Families: "5"}, ""},
		{Network{Backend: "wireguard", Mode: "both"}, ""},
		{Network{Backend: "vxlan", Mode: Auto}, ""},
	} {
		err := test.network.Check(backends)
		if (err == nil) != (test.name != "") || err == nil && test.network.Label() != test.name {
			t.Errorf("%+v: %v, named %s, want %q", test.network, err, test.network.Label(), test.name)
		}
	}
}
