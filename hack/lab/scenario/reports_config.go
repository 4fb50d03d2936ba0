package scenario

import (
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// reportsConfig are public reports of configurations, addresses and nodes.
var reportsConfig = []Scenario{
	{ // k3s-io/k3s issues 7353, 8372: --vpn-auth makes the lease say "extension"
		Name: "report-vpn-auth", Title: "K3s hands the pods' packets to a program of its own, which is WireGuard here",
		Cluster: wireguard, Want: pass, Findings: map[string]string{codeBackends: "warn"},
		Sabotage: on(kubectl("annotate", "--overwrite", "node", "node-1", "node-2", "flannel.alpha.coreos.com/backend-type=extension"),
			kubectl("annotate", "--overwrite", "node", "node-1", `k3s.io/node-args=["server","--vpn-auth","********"]`)),
		Restore: inTurn(on(nodeArgs("node-1", "wireguard")), restartFlannel),
	},
	{ // k3s-io/k3s issue 9535, flannel-io/flannel issue 1889
		Name: "report-private", Title: "the nodes publish private addresses that nobody else reaches",
		Cluster: wireguard, Sabotage: privateEndpoints, Restore: publicEndpoints, Want: fail(codeEndpoint), Pairs: bothWays,
		Unmendable: "the public addresses of the nodes are not known, so that no command is printed",
	},
	{ // flannel-io/flannel pull request 764, k3s-io/k3s issue 72
		Name: "report-same-address", Title: "flannel took a card that has the same address on all nodes, and they have another one",
		Cluster: wireguard, Sabotage: inTurn(secondCards, sameAddress), Want: fail(codeEndpoints),
		Restore: inTurn(ownAddress, dropSecondCards),
	},
	{ // k3s-io/k3s issue 11166
		Name: "report-not-ready", Title: "a node is not Ready, and its kernel has no WireGuard",
		Cluster: wireguard, Want: undecided(codeNodes),
		Sabotage: oldNode, Restore: youngNode,
	},
	{
		Name: "report-no-lease", Title: "flannel wrote no lease for a node",
		Cluster: wireguard, Restore: restartFlannel, Want: fail(codeBackends),
		Sabotage: on(kubectl("annotate", "node", "node-2", "flannel.alpha.coreos.com/backend-type-", "flannel.alpha.coreos.com/backend-data-",
			"flannel.alpha.coreos.com/public-ip-")),
		Unmendable: "why flannel did not start has to be found out, so that no command is printed",
	},
	{ // k3s-io/k3s issues 3142, 5999
		Name: "report-agent-backend", Title: "an agent's configuration names the backend, which is an option of servers",
		Cluster: wireguard, Want: pass, Findings: map[string]string{codeConfig: "warn"},
		Sabotage: on(kubectl("annotate", "--overwrite", "node", "node-2", `k3s.io/node-args=["agent","--flannel-backend","wireguard-native"]`)),
		Restore:  on(kubectl("annotate", "--overwrite", "node", "node-2", `k3s.io/node-args=["agent"]`)),
	},
	{
		Name: "report-backend-unnamed", Title: "no server names the backend that the nodes run: the next start would end the encryption",
		Cluster: wireguard, Want: fail(codeConfig),
		Sabotage: on(kubectl("annotate", "--overwrite", "node", "node-1", `k3s.io/node-args=["server"]`)),
		Restore: inTurn(on(nodeArgs("node-1", "wireguard"),
			shell("node-1", "[ ! -e /etc/rancher/k3s/config.yaml ] || sed -i '/flannel-backend/d' /etc/rancher/k3s/config.yaml")), restartFlannel),
	},
	{ // projectcalico/calico issue 5167, cilium/cilium issue 27482
		Name: "report-nat-silent", Title: "a node is behind a NAT and sends no keepalives",
		Cluster: wireguard, Want: pass, Findings: map[string]string{codeKept: "warn"},
		Sabotage: inTurn(configured(`"PersistentKeepaliveInterval":0`), behindNAT), Restore: inTurn(asK3s, withoutNAT),
	},
}

var (
	// oldNode has kubelet stop, and the API server say what a machine of 2019 would.
	oldNode = on(shell("node-2", "kill -STOP $(cat /run/lab/kubelet.pid)"),
		kubectl("patch", "node", "node-2", "--subresource=status", "-p", `{"status":{"conditions":[{"type":"Ready","status":"False",`+
			`"reason":"KubeletNotReady","message":"container runtime network not ready: cni plugin not initialized"}],`+
			`"nodeInfo":{"kernelVersion":"3.10.0-957.el7.x86_64","osImage":"CentOS Linux 7 (Core)"}}}`))
	youngNode = on(shell("node-2", "kill -CONT $(cat /run/lab/kubelet.pid)"),
		kubectl("wait", "--for=condition=Ready", "node", "node-2", "--timeout=60s"),
		shell(operator, `for i in $(seq 100); do kubectl get node node-2 -o jsonpath={.spec.taints} | grep -q node.kubernetes.io || exit 0; sleep 0.2; done; exit 1`))
)

// underTUN are clusters whose overlay goes into a tunnel that nobody can ask.
var underTUN = []Scenario{
	{ // tailscale/tailscale issue 297, k3s-io/k3s issue 8372
		Name: "report-tun", Title: "flannel's vxlan runs over a TUN device whose program has no control socket",
		Cluster: vxlan, Sabotage: inTurn(vpnOn(vpnPort, " --silent"), useVPN), Restore: dropVPN, Want: undecided(codeBackends), Pairs: bothWays,
	},
	{ // siderolabs/talos issues 13457, 11244
		Name: "report-by-mark", Title: "a mark leads flannel's vxlan into the machines' own WireGuard, and no route does",
		Cluster: vxlan, Sabotage: byMark, Restore: dropMark, Want: pass, Or: []Want{undecided(codePath)},
	},
}

// byMark is the essence of Talos' KubeSpan: a firewall mark leads the overlay's packets into the machines' WireGuard, and no
// route without a mark does.
func byMark(nodes []string) []Command {
	commands := vpnOn(51900, "")(nodes)
	for i, node := range nodes {
		for n := range nodes {
			if n != i {
				commands = append(commands, shell(node, "/opt/lab/lab hostile peer wg0 %s/32 add=%s/32", topology.VPN(n+1),
					topology.Node(n+1).IPv4.Addr()))
			}
		}
		commands = append(commands, shell(node, `
			ip route add default dev wg0 table 180
			ip rule add priority 32500 fwmark 0x40/0x60 lookup 180
			nft add table inet kubespan
			nft add chain inet kubespan out '{ type route hook output priority -150; }'
			nft add rule inet kubespan out udp dport 8472 meta mark set 0x40`), smallPods(node))
	}
	for n := range nodes {
		for _, node := range nodes {
			commands = append(commands, reach(node, topology.PodCIDR(n+1).Addr().Next()))
		}
	}
	return commands
}

// smallPods gives the pods that come the MTU that the two tunnels leave, of which flannel knows one.
func smallPods(node string) Command {
	return shell(node, `
		cd /etc/cni/net.d
		sed "s/\"mtu\": [0-9]*/\"mtu\": 1370/" 10-flannel.conflist >.10-flannel.conflist
		mv .10-flannel.conflist 10-flannel.conflist`)
}

func dropMark(nodes []string) []Command {
	return append(onEach(func(node string) Command {
		return shell(node, `
			nft delete table inet kubespan 2>/dev/null || true
			ip rule del priority 32500 2>/dev/null || true
			ip route flush table 180 2>/dev/null || true`)
	})(nodes), dropVPN(nodes)...)
}

// privateEndpoints has each node publish an address that only it has, as machines of different clouds do whose servers have
// --flannel-external-ip and which have no external address.
func privateEndpoints(nodes []string) []Command {
	commands := []Command{
		kubectl("annotate", "--overwrite", "node", nodes[0], `k3s.io/node-args=["server","--flannel-backend","wireguard-native","--flannel-external-ip"]`),
	}
	for i, node := range nodes {
		address := fmt.Sprintf("10.99.0.%d", i+1)
		commands = append(commands,
			shell(node, "ip address add %s/32 dev lo", address),
			kubectl("annotate", "--overwrite", "node", node, "flannel.alpha.coreos.com/public-ip-overwrite="+address))
	}
	return append(commands, restartFlannel(nodes)...)
}

func publicEndpoints(nodes []string) []Command {
	commands := []Command{nodeArgs(nodes[0], "wireguard")}
	for i, node := range nodes {
		commands = append(commands, shell(node, "ip address del 10.99.0.%d/32 dev lo 2>/dev/null || true", i+1),
			kubectl("annotate", "node", node, "flannel.alpha.coreos.com/public-ip-overwrite-"))
	}
	return append(commands, restartFlannel(nodes)...)
}

// sameAddress is what Vagrant makes of machines: the card with the default route has the same address on all of them.
func sameAddress(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, shell(node, "ip address add 10.0.2.15/24 dev eth0"),
			kubectl("annotate", "--overwrite", "node", node, "flannel.alpha.coreos.com/public-ip=10.0.2.15"))
	}
	return commands
}

func ownAddress(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, shell(node, `
			ip address del 10.0.2.15/24 dev eth0 2>/dev/null || true
			[ ! -e /etc/rancher/k3s/config.yaml ] || sed -i '/flannel-iface/d' /etc/rancher/k3s/config.yaml`))
	}
	return append(commands, restartFlannel(nodes)...)
}
