package scenario

import (
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// switched are clusters with WireGuard whose pod traffic takes an overlay that does not encrypt.
var switched = []Scenario{
	{
		Name: "configured-not-running", Title: "K3s is configured with wireguard-native and flannel still runs vxlan",
		Cluster: wireguard, Sabotage: backToVXLAN, Restore: backToWireGuard, Want: fail(codeConfig), Pairs: bothWays,
		Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "ipip-tunnel", Title: "IP-in-IP tunnels carry the pods' traffic past flannel-wg",
		Cluster: wireguard, Sabotage: staticTunnels("ipip"), Restore: dropStaticTunnels, Want: fail(codeRoute), Pairs: bothWays,
		Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "gre-tunnel", Title: "GRE tunnels carry the pods' traffic past flannel-wg",
		Cluster: wireguard, Sabotage: staticTunnels("gre"), Restore: dropStaticTunnels, Want: fail(codeRoute), Pairs: bothWays,
		Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "geneve-tunnel", Title: "Geneve tunnels carry the pods' traffic past flannel-wg",
		Cluster: wireguard, Sabotage: staticTunnels("geneve"), Restore: dropStaticTunnels, Want: fail(codeRoute), Pairs: bothWays,
		Findings: map[string]string{codeLeak: "fail"},
	},
}

var unencrypted = []Scenario{
	{
		Name: "vxlan", Title: "flannel's vxlan backend: nothing is encrypted",
		Cluster: vxlan, Sabotage: nothing, Restore: backTo(vxlan.Network), Want: fail(codeLeak), Pairs: bothWays,
	},
	{
		Name: "vxlan-three", Title: "flannel's vxlan backend on three nodes",
		Cluster: vxlan3, Sabotage: nothing, Restore: backTo(vxlan.Network), Want: fail(codeLeak),
		Pairs: []string{"node-1>node-2", "node-1>node-3", "node-2>node-1", "node-2>node-3", "node-3>node-1", "node-3>node-2"},
	},
	{
		Name: "host-gw", Title: "flannel's host-gw backend: nothing is encrypted",
		Cluster: hostGW, Sabotage: nothing, Restore: backTo(hostGW.Network), Want: fail(codeLeak), Pairs: bothWays,
	},
}

// backToVXLAN is the state after somebody changed the option of K3s, and flannel was not restarted.
func backToVXLAN(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, netConf(node, vxlan.Network, ""), restarted(node))
	}
	return append(commands, shell(nodes[0], "mkdir -p /etc/rancher/k3s; echo 'flannel-backend: wireguard-native' >/etc/rancher/k3s/config.yaml"))
}

func backToWireGuard(nodes []string) []Command {
	commands := backTo(wireguard.Network)(nodes)
	return append(commands, dropStaleRoutes(nodes)...)
}

// backTo gives a cluster the backend that it was started with.
func backTo(network topology.Network) func([]string) []Command {
	return func(nodes []string) []Command {
		var commands []Command
		if network.Distribution == "" {
			commands = append(commands, shell(nodes[0], "rm -f /etc/rancher/k3s/config.yaml"), nodeArgs(nodes[0], network.Backend))
		}
		for _, node := range nodes {
			commands = append(commands, netConf(node, network, ""), restarted(node))
		}
		return commands
	}
}

// staticTunnels are set up by hand, or by a script of years ago, one per peer.
func staticTunnels(kind string) func([]string) []Command {
	return func(nodes []string) []Command {
		var commands []Command
		for i, node := range nodes {
			commands = append(commands, eachPeer(nodes, i, func(peer int) Command {
				name := fmt.Sprintf("tunnel%d", peer)
				arguments := fmt.Sprintf("tunnel %s %s %s %s %s", name, kind, topology.Node(i+1).IPv4.Addr(), topology.Node(peer).IPv4.Addr(), topology.PodCIDR(peer))
				return start(node, name, arguments, "ip route show dev "+name+" 2>/dev/null | grep -q 10.42.")
			})...)
		}
		return commands
	}
}

func dropStaticTunnels(nodes []string) []Command {
	return eachPair(nodes, func(node string, peer int) Command { return stop(node, fmt.Sprintf("tunnel%d", peer)) })
}

// eachPeer makes one command per other node of the i-th.
func eachPeer(nodes []string, i int, command func(peer int) Command) []Command {
	var commands []Command
	for j := range nodes {
		if j != i {
			commands = append(commands, command(j+1))
		}
	}
	return commands
}
