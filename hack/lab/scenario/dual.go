package scenario

import (
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// dualHealthy are clusters whose pods have addresses of both families.
var dualHealthy = []Scenario{
	{
		Name: "healthy-dual", Title: "both families, each with a device of its own, as K3s configures it",
		Cluster: dual, Want: pass, Tested: 4,
	},
	{
		Name: "healthy-dual-pods-mtu", Title: "pods of both families get a larger MTU than the tunnel has, and are told what is too large",
		Cluster: dual, Want: pass, Tested: 4, Findings: map[string]string{codeOldPods: "warn", codeSize: "pass"},
		Sabotage: onEach(func(node string) Command { return shell(node, "%s", podsOf("1450")) }), Restore: onEach(podMTU),
	},
	{
		Name: "healthy-dual-one-family", Title: "of two families one was asked for",
		Cluster: dual, Args: []string{"--family", "6"}, Want: pass, Tested: 2, Findings: map[string]string{codeFamilies: "warn"},
	},
	{
		Name: "healthy-dual-auto", Title: "one device for both families, whose endpoints flannel chooses",
		Cluster: dual, Sabotage: reconfigured(inMode(topology.Auto), ""), Restore: reconfigured(dual.Network, ""), Want: pass, Tested: 4,
	},
	{
		Name: "healthy-dual-unpublished", Title: "one device for both families, and the nodes publish nothing of IPv6",
		Cluster: dual, Sabotage: inTurn(reconfigured(inMode(topology.Auto), ""), unpublish6), Want: pass, Tested: 4,
		// A running flannel does not take over a change of one family only (pkg/subnet/kube/kube.go): the node that
		// restarts first learns of the other's IPv6 at its next start.
		Restore: inTurn(reconfigured(dual.Network, ""), restartFlannel),
	},
	{
		Name: "healthy-dual-ipv4", Title: "one device for both families, over IPv4",
		Cluster: dual, Sabotage: reconfigured(inMode(topology.OverIPv4), ""), Restore: reconfigured(dual.Network, ""), Want: pass, Tested: 4,
	},
	{
		Name: "healthy-dual-ipv6", Title: "one device for both families, over IPv6",
		Cluster: dual, Sabotage: reconfigured(inMode(topology.OverIPv6), ""), Restore: reconfigured(dual.Network, ""), Want: pass, Tested: 4,
	},
}

// dualSabotaged are faults of one family; the other one's proof has to stay complete.
var dualSabotaged = []Scenario{
	{
		Name: "v6-udp-blocked", Title: "a firewall on one node drops the UDP port of the IPv6 tunnel",
		Cluster: dual, Sabotage: on(nftRule("node-2", "input", 0, "udp dport 51821 counter drop")), Restore: onEach(dropTable),
		Want: fail(codeBlocked), Pairs: only6, Tested: 4,
	},
	{
		Name: "v6-udp-blocked-ip6tables", Title: "an ip6tables rule on one node drops the UDP port of the IPv6 tunnel",
		Cluster:  dual,
		Sabotage: on(shell("node-2", "ip6tables -I INPUT -p udp --dport 51821 -j DROP")),
		Restore: on(shell("node-2", `
			while ip6tables -D INPUT -p udp --dport 51821 -j DROP 2>/dev/null; do :; done
			while ip6tables -D INPUT -s 2001:db8::11 -p udp --dport 51821 -j ACCEPT 2>/dev/null; do :; done`)),
		Want: fail(codeBlocked), Pairs: only6, Tested: 4,
	},
	{
		Name: "v4-udp-blocked", Title: "a firewall on one node drops the UDP port of the IPv4 tunnel",
		Cluster: dual, Sabotage: on(nftRule("node-2", "input", 0, "udp dport 51820 counter drop")), Restore: onEach(dropTable),
		Want: fail(codeBlocked), Pairs: only4, Tested: 4,
	},
	{
		Name: "v6-device-deleted", Title: "somebody deleted flannel-wg-v6 on one node",
		Cluster: dual, Sabotage: on(shell("node-2", "ip link delete flannel-wg-v6")), Restore: restartFlannel,
		Want: fail(codeDevice), Pairs: only6, Tested: 4,
	},
	{
		Name: "v6-stale-flannel-route", Title: "IPv6 routes of an earlier vxlan backend win over flannel-wg-v6",
		Cluster: dual, Sabotage: staleRoutesV6(true), Restore: dropStaleRoutesV6, Want: fail(codeRoute), Pairs: only6, Tested: 4,
		Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "v6-stale-route-one-way", Title: "the IPv6 route of an earlier vxlan backend is left on one node only",
		Cluster: dual, Sabotage: staleRoutesV6(false), Restore: dropStaleRoutesV6, Want: fail(codeRoute),
		Pairs: []string{"node-1>node-2/6"}, Tested: 4, Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "v6-host-gw-route", Title: "an IPv6 route for half of a node's pods leads past the tunnel",
		Cluster:  dual,
		Sabotage: on(shell("node-1", "for half in 0 8000; do ip route add 2001:db8:42:1:$half::/65 via 2001:db8::12 dev eth0; done")),
		Restore:  on(shell("node-1", "for half in 0 8000; do ip route delete 2001:db8:42:1:$half::/65 2>/dev/null || true; done")),
		Want:     fail(codeRoute), Pairs: []string{"node-1>node-2/6"}, Tested: 4, Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "v6-rule-bypass", Title: "an IPv6 rule sends pod traffic to a table of its own, as VPN clients do",
		Cluster: dual, Want: fail(codeRoute), Pairs: only6, Tested: 4, Findings: map[string]string{codeLeak: "fail"},
		Sabotage: on(shell("node-1", `
			ip route add 2001:db8:42::/56 via 2001:db8::12 dev eth0 table 52
			ip -6 rule add priority 5210 to 2001:db8:42::/56 lookup 52`)),
		Restore: on(shell("node-1", `
			while ip -6 rule delete priority 5210 2>/dev/null; do :; done
			while ip -6 rule delete priority 5209 2>/dev/null; do :; done
			ip -6 route flush table 52 2>/dev/null || true`)),
	},
	{
		Name: "v6-allowed-gap", Title: "a node's IPv6 pods belong to no peer, its IPv4 pods do",
		Cluster: dual, Sabotage: on(peer6Of("node-1", 2, "allowed=")), Restore: restartFlannel, Want: fail(codeRanges), Pairs: only6, Tested: 4,
	},
	{
		Name: "v6-endpoint-address", Title: "both nodes send what is for IPv6 pods to addresses where nobody is",
		Cluster: dual, Restore: restartFlannel, Want: fail(codeEndpoint), Pairs: only6, Tested: 4,
		Sabotage: on(peer6Of("node-1", 2, "endpoint=[2001:db8::77]:51821"), peer6Of("node-2", 1, "endpoint=[2001:db8::78]:51821"),
			peer6Of("node-1", 2, "endpoint=[2001:db8::77]:51821")),
	},
	{
		Name: "v6-network-one-way", Title: "the network drops the IPv6 tunnel in one direction",
		Cluster: dual, Sabotage: dropOnSwitch("ip6 saddr 2001:db8::11 udp dport 51821"), Restore: dropSwitchTable,
		Want: fail(codeBlocked), Pairs: only6, Tested: 4, Unmendable: inTheNetwork,
	},
	{
		Name: "auto-allowed-gap", Title: "of one device for both families, the IPv6 pods of a node belong to no peer",
		Cluster: dual, Restore: reconfigured(dual.Network, ""), Want: fail(codeRanges), Pairs: only6, Tested: 4,
		Sabotage: func(nodes []string) []Command {
			return append(reconfigured(inMode(topology.Auto), "")(nodes), peerOf("node-1", 2, "allowed=10.42.1.0/24"))
		},
	},
	{
		Name: "ipv6-mode-ports", Title: "over IPv6 with flannel's default ports: it publishes one that it does not listen on",
		Cluster: dual, Restore: reconfigured(dual.Network, ""), Want: fail(codeEndpoint), Pairs: bothWays, Tested: 4,
		Sabotage:   reconfigured(dual.Network, `"PersistentKeepaliveInterval":25,"Mode":"ipv6"`),
		Unmendable: "the port is in a configuration file whose place only the operator knows",
	},
}

// dualElsewhere are rows in clusters that no other row shares.
var dualElsewhere = []Scenario{
	{
		Name: "healthy-v6-underlay", Title: "a cluster of IPv6 alone, below the tunnel and in it",
		Cluster: onlyIPv6, Want: pass, Tested: 2,
	},
	{
		Name: "vxlan-dual", Title: "flannel's vxlan backend for both families: nothing is encrypted",
		Cluster: vxlanDual, Sabotage: nothing, Restore: backTo(vxlanDual.Network), Want: fail(codeLeak), Pairs: bothWays, Tested: 4,
	},
}

var (
	only4 = []string{"node-1>node-2/4", "node-2>node-1/4"}
	only6 = []string{"node-1>node-2/6", "node-2>node-1/6"}
)

// unpublish6 removes what flannel publishes of IPv6.
func unpublish6(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, kubectl("annotate", "node", node, "flannel.alpha.coreos.com/backend-v6-data-", "flannel.alpha.coreos.com/public-ipv6-"))
	}
	return commands
}

// inMode is the dual-stack cluster with flannel in that mode.
func inMode(mode topology.Mode) topology.Network {
	network := dual.Network
	network.Mode = mode
	return network
}

// peer6Of changes the peer that a node's IPv6 device has for the n-th node.
func peer6Of(node string, n int, change string) Command {
	return shell(node, "/opt/lab/lab hostile peer flannel-wg-v6 %s %s", topology.PodCIDR6(n), change)
}

// staleRoutesV6 is staleRoutes for IPv6: flannel calls its second overlay device flannel-v6.1. The first node has the
// stale routes, the others only if it is so everywhere.
func staleRoutesV6(everywhere bool) func([]string) []Command {
	return func(nodes []string) []Command {
		var commands []Command
		for i, node := range nodes {
			commands = append(commands, shell(node, `
				ip link add flannel-v6.1 address %s mtu 1430 type vxlan id 1 dev eth0 local %s dstport 8472 nolearning udp6zerocsumrx
				ip address add %s/128 dev flannel-v6.1 nodad
				ip link set flannel-v6.1 up`, overlayMAC(i+1), topology.Node(i+1).IPv6.Addr(), topology.PodCIDR6(i+1).Addr()))
			commands = append(commands, eachPeer(nodes, i, func(peer int) Command {
				return shell(node, `
					bridge fdb append %s dev flannel-v6.1 dst %s
					ip -6 neighbour replace %s lladdr %s dev flannel-v6.1 nud permanent`,
					overlayMAC(peer), topology.Node(peer).IPv6.Addr(), topology.PodCIDR6(peer).Addr().Next(), overlayMAC(peer))
			})...)
			if i > 0 && !everywhere {
				continue
			}
			commands = append(commands, eachPeer(nodes, i, func(peer int) Command {
				// They were there first: the kernel refuses them while the tunnel's route leads to their gateway.
				return shell(node, `
					ip -6 route delete %[1]s dev flannel-wg-v6
					ip -6 route add %[2]s via %[3]s dev flannel-v6.1 onlink
					ip -6 route add %[1]s dev flannel-wg-v6`, topology.PodNetwork6, topology.PodCIDR6(peer), topology.PodCIDR6(peer).Addr().Next())
			})...)
		}
		return commands
	}
}

func dropStaleRoutesV6(nodes []string) []Command {
	return onEach(func(node string) Command {
		return shell(node, "! ip link show flannel-v6.1 >/dev/null 2>&1 || ip link delete flannel-v6.1")
	})(nodes)
}
