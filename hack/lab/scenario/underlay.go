package scenario

import (
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// underlay are clusters whose machines have a WireGuard among themselves, below a backend that does not encrypt.
//
//	pod -- cni0 -- flannel.1 -- wg0 198.18.0.11 -- eth0 192.0.2.11 -- wire
var underlay = []Scenario{
	{
		Name: "healthy-vpn", Title: "flannel's vxlan runs over the machines' own WireGuard",
		Cluster: vxlan, Sabotage: overVPN, Restore: dropVPN, Want: pass,
	},
	{
		Name: "vpn-one-beside", Title: "one node's flannel does not use the machines' WireGuard",
		Cluster: vxlan, Sabotage: inTurn(overVPN, besideVPN), Restore: dropVPN, Want: fail(codeRoute), Pairs: bothWays,
		Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "vpn-unused", Title: "the machines have a WireGuard, and flannel does not use it at all",
		Cluster: vxlan, Sabotage: vpn, Restore: dropVPN, Want: fail(codeLeak), Pairs: bothWays,
		Unmendable: "its commands have flannel use the machines' WireGuard, and the lab's pods keep an MTU that is too large for it",
	},
	{
		Name: "vpn-allowed", Title: "a node's WireGuard does not know the address of another",
		Cluster: vxlan, Sabotage: inTurn(overVPN, forgetVPNAddress), Restore: dropVPN, Want: fail(codeRanges), Pairs: bothWays,
		Unmendable: "what the machines' own WireGuard is configured with is not the report's to change",
	},
}

const vpnPort = 51820

func vpn(nodes []string) []Command { return vpnOn(vpnPort, "")(nodes) }

// vpnOn starts the machines' WireGuard on a port, with options of the lab's command.
func vpnOn(port int, options string) func([]string) []Command {
	return func(nodes []string) []Command {
		var commands []Command
		for i, node := range nodes {
			commands = append(commands, start(node, "vpn", fmt.Sprintf("vpn wg0 %d %d %d%s", port, i+1, len(nodes), options),
				"ip route show dev wg0 2>/dev/null | grep -q 198.18.0.0/24"))
		}
		return commands
	}
}

// overVPN has flannel use the machines' WireGuard on all nodes, and gives new pods the MTU that is left to them.
func overVPN(nodes []string) []Command { return append(vpn(nodes), useVPN(nodes)...) }

// useVPN is overVPN where that WireGuard runs already.
func useVPN(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, shell(node, "mkdir -p /etc/rancher/k3s; echo 'flannel-iface: wg0' >>/etc/rancher/k3s/config.yaml"),
			restarted(node), podMTU(node))
	}
	for n := range nodes {
		for _, node := range nodes {
			commands = append(commands, reach(node, topology.VPN(n+1)))
		}
	}
	return commands
}

// podMTU gives the pods that come the MTU that flannel says.
func podMTU(node string) Command {
	return shell(node, "mtu=$(sed -n 's/^FLANNEL_MTU=//p' /run/flannel/subnet.env)\n%s", podsOf("$mtu"))
}

func besideVPN(nodes []string) []Command {
	last := nodes[len(nodes)-1]
	return []Command{shell(last, "sed -i '/flannel-iface/d' /etc/rancher/k3s/config.yaml"), restarted(last)}
}

func forgetVPNAddress(nodes []string) []Command {
	return []Command{shell(nodes[0], "/opt/lab/lab hostile peer wg0 %s/32 allowed=198.18.0.99/32", topology.VPN(len(nodes)))}
}

func dropVPN(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, shell(node, "[ ! -e /etc/rancher/k3s/config.yaml ] || sed -i '/flannel-iface/d' /etc/rancher/k3s/config.yaml"),
			stop(node, "vpn"), restarted(node), podMTU(node))
	}
	return commands
}
