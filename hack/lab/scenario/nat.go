package scenario

import (
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// The first node is behind a NAT: what it sends from its WireGuard's port comes from this address and port, and what is
// sent to these from where it has sent to reaches it. To what it publishes nothing gets through.
const (
	natAddress = "192.0.2.99"
	natPort    = 40001
	tunnelPort = 51820 // K3s has flannel listen there
)

// behindNAT has the switch be the NAT, which needs no state for one node and one port.
func behindNAT(nodes []string) []Command {
	inside := topology.Node(1).IPv4.Addr()
	rules := []string{
		fmt.Sprintf("ip daddr %s udp dport %d drop", inside, tunnelPort),
		fmt.Sprintf("ip saddr %s udp sport %d ip saddr set %s udp sport set %d accept", inside, tunnelPort, natAddress, natPort),
		fmt.Sprintf("ip daddr %s udp dport %d udp sport %d ip daddr set %s udp dport set %d accept", natAddress, natPort, tunnelPort, inside, tunnelPort),
		fmt.Sprintf("ip daddr %s drop", natAddress),
	}
	script := `
		nft add table bridge sabotage
		nft add chain bridge sabotage nat '{ type filter hook forward priority -200; policy accept; }'`
	for _, rule := range rules {
		script += fmt.Sprintf("\n\t\tnft add rule bridge sabotage nat %s", rule)
	}
	commands := []Command{shell(network, "%s", script)}
	for _, node := range nodes[1:] { // whom the NAT answers for
		commands = append(commands, shell(node, "ip neighbour replace %s lladdr $(ip neighbour show %s dev eth0 | grep -o '..:..:..:..:..:..') dev eth0 nud permanent", natAddress, inside))
	}
	for n := range nodes[1:] { // they hear from it before anything is sent to it
		commands = append(commands, reach(nodes[0], topology.PodCIDR(n+2).Addr()))
	}
	return commands
}

func withoutNAT(nodes []string) []Command {
	commands := dropSwitchTable(nodes)
	for _, node := range nodes[1:] {
		commands = append(commands, shell(node, "ip neighbour del %s dev eth0 2>/dev/null || true", natAddress))
	}
	return append(commands, restartFlannel(nodes)...)
}
