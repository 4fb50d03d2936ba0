//go:build linux

package host

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestRoleOfLink(t *testing.T) {
	pods := prefixes("10.42.1.0/24", "2001:db8:42:1::/64")
	const out, in, wg = evidence.RoleOutside, evidence.RoleInside, evidence.RoleWireGuard
	pod := facts{Kind: "veth", Up: true, PeerNS: true}
	with := func(f facts, change func(*facts)) facts { change(&f); return f }
	bridged := func(addresses []netip.Prefix, ports ...string) facts {
		return with(pod, func(f *facts) { f.Master = &masterFacts{Addresses: addresses, Ports: append(ports, "veth")} })
	}
	cni0 := prefixes("10.42.1.1/24", "fe80::1/64")
	for _, test := range []struct {
		name string
		facts
		want evidence.LinkRole
	}{
		{"network card", facts{Up: true}, out},
		{"virtio card without an address", facts{Up: true}, out},
		{"network card that is down", facts{}, in},
		{"loopback", facts{Up: true, Loopback: true}, in},
		{"flannel-wg", facts{Kind: "wireguard", Up: true}, wg},
		{"flannel-wg that is down", facts{Kind: "wireguard"}, wg},
		{"wireguard-go", facts{Kind: "tun", Up: true, Socket: true}, wg},
		{"a VPN's tun", facts{Kind: "tun", Up: true}, in},
		{"a card that bears a socket's name", facts{Up: true, Socket: true}, out},
		{"a bridge that bears a socket's name", facts{Kind: "bridge", Up: true, Socket: true}, in},
		{"cilium_host and cilium_net", facts{Kind: "veth", Up: true, HostPeer: true,
			Addresses: prefixes("10.0.0.5/32", "192.0.2.9/24")}, in},
		{"cni0", facts{Kind: "bridge", Up: true, Addresses: cni0}, in},
		{"flannel.1", facts{Kind: "vxlan", Up: true}, in},
		{"genev_sys", facts{Kind: "geneve", Up: true}, in},
		{"tunl0", facts{Kind: "ipip", Up: true}, in},
		{"kube-ipvs0", facts{Kind: "dummy", Up: true}, in},
		{"antrea-gw0", facts{Kind: "openvswitch", Up: true}, in},
		{"eth0.100", facts{Kind: "vlan", Up: true}, out},
		{"bond0", facts{Kind: "bond", Up: true}, out},
		{"team0", facts{Kind: "team", Up: true}, out},
		{"macvlan", facts{Kind: "macvlan", Up: true}, out},
		{"ipvlan", facts{Kind: "ipvlan", Up: true}, out},
		{"a kind of the future", facts{Kind: "hyperpipe", Up: true}, out},

		{"Calico's cali0", with(pod, func(f *facts) {
			f.Routes = prefixes("10.42.1.7/32", "fe80::/64",
				"ff00::/8")
		}), in},
		{"a pod of another pool by host route", with(pod, func(f *facts) { f.Routes = prefixes("172.30.0.9/32") }), in},
		{"Cilium's lxc0", pod, in},
		{"netkit", facts{Kind: "netkit", Up: true, PeerNS: true}, in},
		{"kindnet's pair with the gateway's address", with(pod, func(f *facts) {
			f.Addresses, f.Routes = prefixes("10.42.1.1/32", "fe80::1/64"), prefixes("10.42.1.5/32")
		}), in},
		{"a veth behind cni0", bridged(cni0), in},
		{"a veth behind a bridge with an overlay port", bridged(cni0, "vxlan"), in},
		{"a veth of Open vSwitch", bridged(nil, "openvswitch", "geneve"), in},

		{"the node's eth0 is a veth (kind)", with(pod, func(f *facts) {
			f.Addresses, f.Routes = prefixes("172.18.0.2/16"), prefixes("0.0.0.0/0", "172.18.0.0/16")
		}), out},
		{"eth0 with an IPv6 address only", with(pod,
			func(f *facts) { f.Addresses = prefixes("fe80::1/64", "2001:db8::5/64") }), out},
		{"unnumbered uplink with a default route", with(pod, func(f *facts) { f.Routes = prefixes("::/0") }), out},
		{"uplink to the remote pods", with(pod, func(f *facts) { f.Routes = prefixes("10.42.0.0/16") }), out},
		{"uplink to another node's range", with(pod, func(f *facts) { f.Routes = prefixes("10.42.2.0/24") }), out},
		{"pair within the namespace", facts{Kind: "veth", Up: true}, out},
		{"uplink in br0 beside a card", bridged(nil, ""), out},
		{"uplink in br0 beside a bond", bridged(nil, "bond"), out},
		{"uplink in br0 beside a VLAN", bridged(nil, "vlan"), out},
		{"uplink in br0 with the node's address", bridged(prefixes("192.0.2.10/24")), out},
		{"a slave of a bond, which has an address", bridged(prefixes("192.0.2.10/24"), "veth"), out},
		{"Docker's container", bridged(prefixes("172.17.0.1/16")), out},
	} {
		got, why := decide(test.facts, pods)
		if got != test.want || why == "" {
			t.Errorf("%s: got %s (%s), want %s", test.name, got, why, test.want)
		}
	}
}

// Without the pod ranges nothing with an address or a network's route is inside.
func TestRoleWithoutPodRanges(t *testing.T) {
	f := facts{Kind: "veth", Up: true, PeerNS: true,
		Master: &masterFacts{Addresses: prefixes("10.42.1.1/24"), Ports: []string{"veth"}}}
	if role, why := decide(f, nil); role != evidence.RoleOutside {
		t.Errorf("got %s (%s)", role, why)
	}
}
