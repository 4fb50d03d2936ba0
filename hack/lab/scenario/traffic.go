package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// onceOnly matches the first packet that reaches it, and then none for long.
const onceOnly = " numgen inc mod 1000000 0"

// dropped is how many the switch dropped.
var dropped = shell(network, "nft list table bridge sabotage | grep -o 'counter packets [0-9]*' | sed 's/counter packets/the switch dropped/'")

// traffic are healthy clusters whose network loses, repeats or spreads datagrams.
var traffic = []Scenario{
	{
		Name: "lost-canary", Title: "the network loses one single datagram of ciphertext",
		Cluster: wireguard, Want: pass, Restore: dropSwitchTable,
		Sabotage: dropOnSwitch("ip saddr 192.0.2.11 udp dport 51820 udp length 200-65535" + onceOnly), Measured: &dropped,
	},
	{
		Name: "lost-control", Title: "the network loses one single control",
		Cluster: wireguard, Want: pass, Restore: dropSwitchTable,
		Sabotage: dropOnSwitch("ip saddr 192.0.2.11 udp dport 51820 ip length 76" + onceOnly), Measured: &dropped,
	},
	{
		Name: "duplicated", Title: "the network delivers larger datagrams of ciphertext twice",
		Cluster: wireguard, Sabotage: repeatOnSwitch("udp length 200-65535"), Restore: dropSwitchDevice, Want: pass,
	},
	{
		Name: "two-cards", Title: "two network cards lead to the other node, and the kernel chooses by the ports",
		Cluster: wireguard, Sabotage: inTurn(secondCards, spread), Restore: inTurn(gather, dropSecondCards), Want: pass,
	},
	{
		Name: "strangers", Title: "seventy datagrams that are no WireGuard come to its port, each from another",
		Cluster: wireguard, Want: pass, Args: []string{"-v"},
		Disturb: whileCapturing(1, "", "/opt/lab/lab hostile strangers 192.0.2.11:51820 70"),
	},
	{
		Name: "flow-record", Title: "a flow exporter reports the test pods' addresses to a collector",
		Cluster: wireguard, Sabotage: on(nftRule("node-2", "input", 0, "udp dport 4739 counter drop")), Restore: onEach(dropTable),
		Want: pass, Args: []string{"-v"}, Disturb: flowRecord,
	},
	{
		Name: "quoted-control", Title: "an ICMP error quotes a part of a control",
		Cluster: wireguard, Want: pass,
		Sabotage: on(start("node-2", "quote", "quote eth0", "grep -q quoting /run/lab/quote.log")), Restore: on(stop("node-2", "quote")),
	},
}

// trafficAround are healthy clusters with something more that looks wrong.
var trafficAround = []Scenario{
	{
		Name: "bridge-address", Title: "the pods' bridge also has an address that is not the pods'",
		Cluster: wireguard, Want: pass,
		Sabotage: onEach(func(node string) Command { return shell(node, "ip address add 10.77.0.1/24 dev cni0") }),
		Restore: onEach(func(node string) Command {
			return shell(node, "ip address del 10.77.0.1/24 dev cni0 2>/dev/null || true")
		}),
	},
	{
		Name: "cloned-wireguard", Title: "another WireGuard device, somebody's VPN, has the same key on all nodes",
		Cluster: wireguard, Want: pass,
		Sabotage: onEach(func(node string) Command {
			return start(node, "wg7", "second --cloned wg7 51900", "ip link show up dev wg7 2>/dev/null | grep -q wg7")
		}),
		Restore: onEach(func(node string) Command { return stop(node, "wg7") }),
	},
	{
		Name: "mesh-injection", Title: "a mesh adds a proxy, which never gets ready, to every pod that does not opt out",
		Cluster: wireguard, Sabotage: inject, Restore: uninject, Want: pass,
	},
}

// repeatOnSwitch delivers datagrams of node-1 to the tunnel's port twice to node-2.
func repeatOnSwitch(which string) func([]string) []Command {
	return on(shell(network, `
		nft add table netdev sabotage
		nft add chain netdev sabotage ingress '{ type filter hook ingress device node-1 priority -200; }'
		nft add rule netdev sabotage ingress udp dport 51820 %s counter dup to node-2`, which))
}

func dropSwitchDevice([]string) []Command {
	return []Command{shell(network, "nft delete table netdev sabotage 2>/dev/null || true")}
}

// spread gives the nodes a second way to each other, over the second cards.
func spread(nodes []string) []Command {
	var commands []Command
	for i, node := range nodes[:2] {
		commands = append(commands, shell(node, `
			echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy
			echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
			ip route add 192.0.2.%[1]d/32 src 192.0.2.%[2]d nexthop dev eth0 nexthop via 198.51.100.%[1]d dev eth1`, 12-i, 11+i))
	}
	return commands
}

func gather(nodes []string) []Command {
	var commands []Command
	for i, node := range nodes[:2] {
		commands = append(commands, shell(node, `
			ip route delete 192.0.2.%d/32 2>/dev/null || true
			echo 0 >/proc/sys/net/ipv4/fib_multipath_hash_policy
			echo 0 >/proc/sys/net/ipv4/conf/all/arp_announce`, 12-i))
	}
	return commands
}

// flowRecord sends what an exporter reports of a flow between the run's test pods: IPFIX (RFC 7011), both addresses side
// by side.
func flowRecord(ctx context.Context, t *Trial) error {
	if err := t.await(ctx, `name="starting the captures"`); err != nil {
		return err
	}
	pods, err := t.api.CoreV1().Pods("").List(ctx, meta.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing the pods: %w", err)
	}
	var addresses []string
	for n := range 2 {
		for _, pod := range pods.Items {
			addr, err := netip.ParseAddr(pod.Status.PodIP)
			if err == nil && strings.HasPrefix(pod.Namespace, "kubectl-wg-") && topology.PodCIDR(n+1).Contains(addr) {
				addresses = append(addresses, fmt.Sprintf("%x", addr.AsSlice()))
				break
			}
		}
	}
	if len(addresses) != 2 {
		return errors.New("the run has no test pods")
	}
	record := "000a0020" + "6400000000000001" + "01000010" + strings.Join(addresses, "") + "bbbb0035" + "110000000000004000000001"
	_, err = t.shell(ctx, t.lab.Nodes[0], "/opt/lab/lab hostile datagram 192.0.2.12:4739 "+record)
	return err
}
