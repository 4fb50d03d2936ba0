package scenario

import (
	"encoding/base64"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// healthy are clusters that differ from what K3s makes of a fresh machine, and encrypt all the same.
var healthy = []Scenario{
	{
		Name: "healthy-wireguard", Title: "flannel's wireguard backend as K3s configures it",
		Cluster: wireguard, Want: pass,
	},
	{
		Name: "healthy-restarted", Title: "flannel was restarted on all nodes just before",
		Cluster: wireguard, Sabotage: restartFlannel, Restore: nothing, Want: pass,
	},
	{
		Name: "healthy-one-restarted", Title: "flannel was restarted on one node, and the other still sends in a session that is lost",
		Cluster: wireguard, Sabotage: loseSession, Restore: asK3s, Want: pass,
	},
	{
		Name: "healthy-new-key", Title: "a node has another key than before, and the others still try handshakes with the old one",
		Cluster: wireguard, Sabotage: on(shell("node-2", "rm /run/flannel/wgkey"), restarted("node-2")), Restore: restartFlannel, Want: pass,
	},
	{
		Name: "healthy-listen-port", Title: "the tunnel has a port of its own choice",
		Cluster: wireguard, Sabotage: configured(`"PersistentKeepaliveInterval":25,"ListenPort":51999`), Restore: asK3s, Want: pass,
	},
	{
		Name: "healthy-keepalive-0", Title: "no keepalive, so the first canary makes the handshake",
		Cluster: wireguard, Sabotage: configured(`"PersistentKeepaliveInterval":0`), Restore: asK3s, Want: pass,
		Findings: map[string]string{codeMac1: "pass"},
	},
	{
		Name: "healthy-psk", Title: "every peer has a preshared key",
		Cluster: wireguard, Sabotage: presharedKeys, Restore: restartFlannel, Want: pass,
	},
	{
		Name: "healthy-second-nic", Title: "a second network card leads to another network",
		Cluster: wireguard, Sabotage: secondCards, Restore: dropSecondCards, Want: pass,
	},
	{
		Name: "healthy-no-carrier", Title: "a second network card has no cable",
		Cluster: wireguard, Sabotage: cardWithoutCable, Restore: dropCard, Want: pass,
	},
	{
		Name: "healthy-other-wireguard", Title: "another WireGuard device, somebody's VPN, has another port",
		Cluster: wireguard, Sabotage: otherWireGuard(51900), Restore: dropOtherWireGuard, Want: pass,
	},
	{
		Name: "healthy-nat", Title: "a node is behind a NAT, and the other sends to where it was last heard",
		Cluster: wireguard, Sabotage: behindNAT, Restore: withoutNAT, Want: pass,
	},
	{
		Name: "healthy-background", Title: "other pods talk through the tunnel all the time",
		Cluster: wireguard, Sabotage: busyPods, Restore: dropBusyPods, Want: pass,
	},
	{
		Name: "healthy-firewall", Title: "a firewall drops all that is not accepted, and accepts the tunnel",
		Cluster: wireguard, Sabotage: onEach(carefulFirewall), Restore: onEach(dropTable), Want: pass,
	},
	{
		Name: "healthy-cordoned", Title: "a node is cordoned",
		Cluster: wireguard, Want: pass,
		Sabotage: on(kubectl("cordon", "node-2")), Restore: on(kubectl("uncordon", "node-2")),
	},
	{
		Name: "healthy-tainted", Title: "a node is tainted, with effect on what runs there",
		Cluster: wireguard, Want: pass,
		Sabotage: on(kubectl("taint", "node", "node-2", "lab=tainted:NoExecute")), Restore: on(kubectl("taint", "node", "node-2", "lab-")),
	},
	{
		Name: "healthy-virtual-left-out", Title: "a virtual node was left out on purpose",
		Cluster: wireguard, Args: []string{"--node-selector", "type!=virtual-kubelet"}, Want: pass, Tested: 2,
		Sabotage: on(strangeNode(`"type":"virtual-kubelet"`, "linux")...), Restore: on(noStrangeNode),
	},
	{
		Name: "healthy-overwrite-stuck", Title: "public-ip-overwrite outlived its option, and is right by chance",
		Cluster: wireguard, Want: pass, Findings: map[string]string{codeOverwrite: "warn"},
		Sabotage: on(kubectl("annotate", "node", "node-2", "flannel.alpha.coreos.com/public-ip-overwrite=192.0.2.12")),
		Restore:  on(kubectl("annotate", "node", "node-2", "flannel.alpha.coreos.com/public-ip-overwrite-")),
	},
	{
		Name: "healthy-old-pod", Title: "a pod from before the switch to WireGuard has the MTU of then",
		Cluster: wireguard, Sabotage: oldPod, Restore: dropOldPod, Want: pass, Findings: map[string]string{codeOldPods: "warn"},
	},
	{
		Name: "healthy-pods-mtu", Title: "new pods get a larger MTU than the tunnel has, as from Canal's chart, and are told what is too large",
		Cluster: wireguard, Want: pass, Findings: map[string]string{codeOldPods: "warn", codeSize: "pass"},
		Sabotage: onEach(func(node string) Command { return shell(node, "%s", podsOf("1450")) }), Restore: onEach(podMTU),
	},
}

// three are scenarios for which it matters that there are more than two nodes.
var three = []Scenario{
	{Name: "healthy-three", Title: "three nodes, six ordered pairs", Cluster: wireguard3, Want: pass},
	{
		Name: "healthy-two-of-three", Title: "two of three nodes were asked for",
		Cluster: wireguard3, Args: []string{"--nodes", "node-1,node-3"}, Want: pass,
	},
	{
		Name: "three-udp-blocked", Title: "one of three nodes drops UDP 51820: the others' pair is proven",
		Cluster: wireguard3, Sabotage: blockUDP, Restore: unblockUDP, Want: fail(codeBlocked),
		Pairs: []string{"node-1>node-3", "node-2>node-3", "node-3>node-1", "node-3>node-2"},
	},
	{
		Name: "three-allowed-overlap", Title: "a part of one node's pods belongs to another node's peer",
		Cluster:  wireguard3,
		Sabotage: on(peerOf("node-1", 3, "add=10.42.1.0/25")), Restore: restartFlannel, Want: fail(codeRanges),
	},
	{
		Name: "three-stale-peer", Title: "one of three nodes has a stale key for another",
		Cluster: wireguard3, Sabotage: on(peerOf("node-2", 3, "stale")), Restore: restartFlannel, Want: fail(codePeers),
		Pairs: []string{"node-2>node-3", "node-3>node-2"},
	},
	{
		Name: "three-network-one-pair", Title: "the network drops the tunnel between two of three nodes",
		Cluster: wireguard3, Sabotage: dropOnSwitch("ip saddr 192.0.2.11 ip daddr 192.0.2.12", "ip saddr 192.0.2.12 ip daddr 192.0.2.11"),
		Restore: dropSwitchTable, Want: fail(codeBlocked), Pairs: []string{"node-1>node-2", "node-2>node-1"}, Unmendable: inTheNetwork,
	},
}

// on makes a fixed list of commands.
func on(commands ...Command) func([]string) []Command {
	return func([]string) []Command { return commands }
}

// onEach makes one command per node.
func onEach(command func(node string) Command) func([]string) []Command {
	return func(nodes []string) []Command {
		var commands []Command
		for _, node := range nodes {
			commands = append(commands, command(node))
		}
		return commands
	}
}

// nothing has to be taken back.
func nothing([]string) []Command { return nil }

// restarted ends flannel on a node and waits for the next one: it makes the device and all peers again.
func restarted(node string) Command {
	return shell(node, `
		old=$(cat /run/lab/flannel.pid)
		rm -f /run/flannel/subnet.env
		kill -CONT $old 2>/dev/null || true
		rm -f /run/lab/flannel.hold
		kill $old 2>/dev/null || true
		until [ -e /run/flannel/subnet.env ] && [ "$(cat /run/lab/flannel.pid)" != "$old" ]; do sleep 0.05; done`)
}

// loseSession restarts flannel on the last node while the others have sessions with it. Without keepalives, they do
// not notice.
func loseSession(nodes []string) []Command {
	last := nodes[len(nodes)-1]
	commands := configured(`"PersistentKeepaliveInterval":0`)(nodes)
	for _, node := range nodes[:len(nodes)-1] {
		commands = append(commands, reach(node, topology.PodCIDR(len(nodes)).Addr()))
	}
	return append(commands, restarted(last))
}

func restartFlannel(nodes []string) []Command { return onEach(restarted)(nodes) }

// configured gives flannel's wireguard backend other settings on all nodes.
func configured(settings string) func([]string) []Command {
	return reconfigured(wireguard.Network, settings)
}

// asK3s gives flannel the configuration that K3s writes.
func asK3s(nodes []string) []Command { return reconfigured(wireguard.Network, "")(nodes) }

// reconfigured gives flannel another configuration on all nodes; empty settings are those of K3s.
func reconfigured(network topology.Network, settings string) func([]string) []Command {
	return func(nodes []string) []Command {
		var commands []Command
		for _, node := range nodes {
			commands = append(commands, netConf(node, network, settings), restarted(node))
		}
		return commands
	}
}

// peerOf changes the peer that a node has for the n-th node.
func peerOf(node string, n int, change string) Command {
	return shell(node, "/opt/lab/lab hostile peer flannel-wg %s %s", topology.PodCIDR(n), change)
}

func presharedKeys(nodes []string) []Command {
	psk := base64.StdEncoding.EncodeToString([]byte("a preshared key for the scenario"))
	var commands []Command
	for i, node := range nodes {
		for peer := range nodes {
			if peer != i {
				commands = append(commands, peerOf(node, peer+1, "psk="+psk))
			}
		}
	}
	return commands
}

// secondCards joins all nodes to a second switch.
//
//	br1 ---- eth1 198.51.100.11 of node-1
//	    ---- eth1 198.51.100.12 of node-2
func secondCards(nodes []string) []Command {
	commands := []Command{shell(network, "ip link add br1 type bridge; ip link set br1 up")}
	for i, node := range nodes {
		commands = append(commands,
			shell(network, `
				ip link add lab-eth1-%[1]d type veth peer name eth1 netns /run/netns/kwg-$LAB-%[2]s
				ip link set lab-eth1-%[1]d master br1 up`, i+1, node),
			shell(node, "ip address add 198.51.100.%d/24 dev eth1; ip link set eth1 up", 11+i))
	}
	return commands
}

func dropSecondCards(nodes []string) []Command {
	commands := []Command{}
	for i := range nodes {
		commands = append(commands, shell(network, "ip link delete lab-eth1-%d 2>/dev/null || true", i+1))
	}
	return append(commands, shell(network, "ip link delete br1 2>/dev/null || true"))
}

// cardWithoutCable is a veth whose other end is down.
func cardWithoutCable(nodes []string) []Command {
	return []Command{shell(nodes[0], `
		ip link add eth7 type veth peer name eth8
		ip address add 198.51.100.77/24 dev eth7
		ip link set eth7 up`)}
}

func dropCard(nodes []string) []Command {
	return []Command{shell(nodes[0], "ip link delete eth7 2>/dev/null || true")}
}

// start starts a program of the lab in a node and waits until something is true.
func start(node, name, arguments, until string) Command {
	return launch(node, name, "/opt/lab/lab hostile "+arguments, until)
}

// launch is start for any program.
func launch(node, name, line, until string) Command {
	return shell(node, `
		setsid %[2]s </dev/null >/run/lab/%[1]s.log 2>&1 &
		echo $! >/run/lab/%[1]s.pid
		for i in $(seq 100); do
			if %[3]s; then exit 0; fi
			sleep 0.1
		done
		cat /run/lab/%[1]s.log
		exit 1`, name, line, until)
}

// stop ends what start started.
func stop(node, name string) Command {
	return shell(node, `
		[ -e /run/lab/%[1]s.pid ] || exit 0
		kill $(cat /run/lab/%[1]s.pid) 2>/dev/null || true
		rm -f /run/lab/%[1]s.pid`, name)
}

func otherWireGuard(port int) func([]string) []Command {
	return func(nodes []string) []Command {
		return []Command{start(nodes[0], "wg7", fmt.Sprintf("second wg7 %d", port), "ip link show up dev wg7 2>/dev/null | grep -q wg7")}
	}
}

func dropOtherWireGuard(nodes []string) []Command { return []Command{stop(nodes[0], "wg7")} }

// busyPods talk across nodes: one serves on each node, one asks it from the other.
func busyPods(nodes []string) []Command {
	var commands []Command
	for i, node := range nodes {
		target := topology.PodCIDR((i+1)%len(nodes) + 1).Addr().Next()
		manifest := fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"busy-%[1]d","labels":{"lab":"busy"}},"spec":{"nodeName":%[2]q,
			"tolerations":[{"operator":"Exists"}],"terminationGracePeriodSeconds":0,"automountServiceAccountToken":false,
			"containers":[{"name":"busy","image":"localhost/lab/busybox:1","imagePullPolicy":"Never",
			"command":["sh","-c","while :; do ping -c 5 -i 0.2 -s 900 %[3]s; done"]}]}}`, i+1, node, target)
		commands = append(commands, Command{Node: operator, Argv: []string{"kubectl", "apply", "-f", "-"}, Stdin: []byte(manifest)})
	}
	return append(commands, kubectl("wait", "--for=condition=Ready", "pod", "-l", "lab=busy", "--timeout=30s"))
}

func dropBusyPods([]string) []Command {
	return []Command{kubectl("delete", "pod", "-l", "lab=busy", "--ignore-not-found", "--wait=true")}
}

// carefulFirewall is a host firewall as it should be.
func carefulFirewall(node string) Command {
	return shell(node, `
		nft -f - <<'END'
		table inet sabotage {
			chain input {
				type filter hook input priority 0; policy drop;
				ct state established,related accept
				iifname { "lo", "cni0", "flannel-wg" } accept
				udp dport 51820 counter accept
				tcp dport { 22, 6443, 7946, 10250 } counter accept
				icmp type echo-request accept
				meta l4proto ipv6-icmp accept
			}
			chain output { type filter hook output priority 0; policy accept; udp dport 51820 counter accept; }
		}
END`)
}

// dropTable takes back what a scenario did to a node's firewall.
func dropTable(node string) Command {
	return shell(node, "nft delete table inet sabotage 2>/dev/null || true")
}

func oldPod(nodes []string) []Command {
	return []Command{shell(nodes[0], `
		ip netns add old-pod
		ip link add veth-old mtu 1450 type veth peer name eth0 netns old-pod mtu 1450
		ip link set veth-old master cni0 up
		ip link set cni0 mtu 1420`)}
}

func dropOldPod(nodes []string) []Command {
	return []Command{shell(nodes[0], "ip link delete veth-old 2>/dev/null || true; ip netns delete old-pod 2>/dev/null || true")}
}
