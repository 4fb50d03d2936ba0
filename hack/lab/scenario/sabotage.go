package scenario

import (
	"fmt"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// shell is one command line in a node.
func shell(node, format string, args ...any) Command {
	return Command{Node: node, Argv: []string{"sh", "-ec", fmt.Sprintf(format, args...)}}
}

// reach waits until an address answers a node.
func reach(node string, address netip.Addr) Command {
	return shell(node, "%s", untilAnswered(address))
}

// untilAnswered are lines of a shell that wait until an address answers, for 30 s at least. Where flannel has not added a
// peer yet, the kernel refuses a ping at once.
func untilAnswered(address netip.Addr) string {
	return fmt.Sprintf("tries=0; until busybox ping -c 1 -W 1 %s >/dev/null; do tries=$((tries + 1)); [ $tries -lt 60 ]; sleep 0.5; done\n", address)
}

// staleRoutes is rancher/rke2#9338: flannel.1 and its routes, one /24 per node, stay behind after the change from vxlan
// to wireguard. They are more specific than flannel-wg's one /16, and so all pod traffic goes on in clear.
func staleRoutes(nodes []string) []Command {
	var commands []Command
	for i, node := range nodes {
		self := topology.PodCIDR(i + 1).Addr()
		commands = append(commands, shell(node, `
			ip link add flannel.1 address %s mtu 1450 type vxlan id 1 dev eth0 local %s dstport 8472 nolearning
			ip address add %s/32 dev flannel.1
			ip link set flannel.1 up`, overlayMAC(i+1), topology.Node(i+1).IPv4.Addr(), self))
		for j := range nodes {
			if i == j {
				continue
			}
			peer := topology.PodCIDR(j + 1)
			commands = append(commands, shell(node, `
				bridge fdb append %s dev flannel.1 dst %s
				ip neighbour replace %s lladdr %s dev flannel.1 nud permanent
				ip route replace %s via %s dev flannel.1 onlink`,
				overlayMAC(j+1), topology.Node(j+1).IPv4.Addr(), peer.Addr(), overlayMAC(j+1), peer, peer.Addr()))
		}
	}
	return commands
}

// overlayMAC is the address of the n-th node's overlay device.
func overlayMAC(n int) string { return fmt.Sprintf("02:00:5e:00:53:%02x", n) }

func dropStaleRoutes(nodes []string) []Command {
	var commands []Command
	for _, node := range nodes {
		commands = append(commands, shell(node, "! ip link show flannel.1 >/dev/null 2>&1 || ip link delete flannel.1"))
	}
	return commands
}

// blockUDP is the forgotten firewall rule, on the last node.
func blockUDP(nodes []string) []Command {
	return []Command{shell(nodes[len(nodes)-1], `
		nft add table inet sabotage
		nft add chain inet sabotage input '{ type filter hook input priority 0; policy accept; }'
		nft add rule inet sabotage input udp dport 51820 counter drop`)}
}

func unblockUDP(nodes []string) []Command {
	return []Command{shell(nodes[len(nodes)-1], "nft delete table inet sabotage 2>/dev/null || true")}
}
