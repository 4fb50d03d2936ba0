// Package topology is the lab's wiring: which address every participant has, and the network namespaces, bridges and
// veth pairs that join them. It touches nothing outside of namespaces that the lab made.
//
//	        control  192.0.2.1      node-1  192.0.2.11     node-2  192.0.2.12
//	           eth0                    eth0                   eth0
//	            |                       |                      |
//	switch  ----+-----------br0---------+----------------------+----  (or a tap that leads to the bridge of a VM)
package topology

import (
	"fmt"
	"net/netip"
)

// Fixed parts of the address plan. Every lab has the same one: labs never share a link.
const (
	// MaxNodes bounds a lab so that the address plan below stays within its /24.
	MaxNodes = 200
	// Bridge is the name of the bridge in the switch's namespace, and of its counterpart inside a VM.
	Bridge = "br0"
	// Uplink is the name of every participant's interface, as on a real node.
	Uplink = "eth0"

	PodNetwork     = "10.42.0.0/16"
	ServiceNetwork = "10.43.0.0/16"
	ServiceDNS     = "10.43.0.10"
	ServiceAPI     = "10.43.0.1"

	// The same for IPv6, in K3s's sizes: a /56 holds a /64 for each of 256 nodes.
	PodNetwork6     = "2001:db8:42::/56"
	ServiceNetwork6 = "2001:db8:43::/112"
	ServiceDNS6     = "2001:db8:43::a"
	ServiceAPI6     = "2001:db8:43::1"

	// APIPort is where the API server listens on the control plane's address.
	APIPort = 6443
	// AgentPort is where the node host serves commands, on its bridge's address.
	AgentPort = 7946
)

// Address is one participant's place on the switch.
type Address struct {
	IPv4 netip.Prefix `json:"ipv4"`
	IPv6 netip.Prefix `json:"ipv6"`
}

// Control is the address of the control plane, which is also everyone's default gateway and forwards nothing.
func Control() Address { return place(1) }

// HostBridge is the address of the node host on the machine itself.
func HostBridge() Address { return place(2) }

// VMBridge is the address of the node host inside a VM.
func VMBridge() Address { return place(3) }

// Node is the address of the n-th node, counted from 1.
func Node(n int) Address { return place(10 + n) }

// NodeName is the name of the n-th node, counted from 1.
func NodeName(n int) string { return fmt.Sprintf("node-%d", n) }

// PodCIDR is the pod range of the n-th node, counted from 1; the first has 10.42.0.0/24, as in K3s.
func PodCIDR(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 42, byte(n - 1), 0}), 24)
}

// PodCIDR6 is the IPv6 pod range of the n-th node, counted from 1; the first has 2001:db8:42::/64.
func PodCIDR6(n int) netip.Prefix {
	return netip.PrefixFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8:42:%x::", n-1)), 64)
}

// place counts in decimal digits in both families, so that 192.0.2.11 and 2001:db8::11 are the same node to the eye.
func place(host int) Address {
	return Address{
		IPv4: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(host)}), 24),
		IPv6: netip.PrefixFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", host)), 64),
	}
}

// VPN is the n-th node's address in the WireGuard that the machines have among themselves, where a scenario gives them one.
func VPN(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, 0, byte(10 + n)}) }
