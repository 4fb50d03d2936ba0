package scenario

import (
	"fmt"
	"strings"
)

const inTheNetwork = "what drops it is in the network, where no node has a command"

// sabotagedFilters are packet filters in the tunnel's way.
var sabotagedFilters = []Scenario{
	{
		Name: "udp-blocked", Title: "a firewall on one node drops UDP 51820",
		Cluster: wireguard, Sabotage: blockUDP, Restore: unblockUDP, Want: fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "udp-blocked-output", Title: "a firewall on one node lets no UDP 51820 out",
		Cluster: wireguard, Sabotage: on(nftRule("node-1", "output", 0, "udp dport 51820 counter drop")), Restore: onEach(dropTable),
		Want: fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "udp-blocked-prerouting", Title: "a firewall drops UDP 51820 before the input chain",
		Cluster: wireguard, Sabotage: on(nftRule("node-2", "prerouting", -300, "udp dport 51820 counter drop")), Restore: onEach(dropTable),
		Want: fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "udp-blocked-policy", Title: "a firewall drops what it does not know, and does not know the tunnel",
		Cluster: wireguard, Sabotage: on(forgetfulFirewall("node-2")), Restore: onEach(dropTable), Want: fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "udp-blocked-iptables", Title: "an iptables rule on one node drops UDP 51820",
		Cluster:  wireguard,
		Sabotage: on(shell("node-2", "iptables -I INPUT -p udp --dport 51820 -j DROP")),
		Restore:  on(shell("node-2", "iptables -D INPUT -p udp --dport 51820 -j DROP 2>/dev/null; while iptables -D INPUT -s 192.0.2.11 -p udp --dport 51820 -j ACCEPT 2>/dev/null; do :; done")),
		Want:     fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "udp-blocked-raw", Title: "an iptables rule in the raw table drops UDP 51820",
		Cluster:  wireguard,
		Sabotage: on(shell("node-2", "iptables -t raw -I PREROUTING -p udp --dport 51820 -j DROP")),
		Restore:  on(shell("node-2", "iptables -t raw -F PREROUTING")),
		Want:     fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "udp-blocked-reject", Title: "a firewall on one node rejects UDP 51820 from the other",
		Cluster: wireguard, Sabotage: on(nftRule("node-2", "input", 0, "ip saddr 192.0.2.11 udp dport 51820 counter reject")), Restore: onEach(dropTable),
		Want: fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "network-both-ways", Title: "the network between the nodes drops UDP 51820",
		Cluster: wireguard, Sabotage: dropOnSwitch("udp dport 51820"), Restore: dropSwitchTable, Want: fail(codeBlocked), Pairs: bothWays,
		Unmendable: inTheNetwork,
	},
	{
		Name: "network-one-way", Title: "the network drops UDP 51820 in one direction",
		Cluster: wireguard, Sabotage: dropOnSwitch("ip saddr 192.0.2.11 udp dport 51820"), Restore: dropSwitchTable, Want: fail(codeBlocked), Pairs: bothWays,
		Unmendable: inTheNetwork,
	},
	{
		Name: "forward-drop", Title: "a firewall on one node drops what it forwards to pods",
		Cluster: wireguard, Sabotage: on(nftRule("node-2", "forward", 0, "ip daddr 10.42.1.0/24 counter drop")), Restore: onEach(dropTable),
		Want: fail(codePods), Pairs: bothWays,
	},
	{
		Name: "forward-policy", Title: "a firewall on one node drops what it forwards, unless it knows it",
		Cluster: wireguard, Sabotage: on(nftPolicy("node-2", "forward")), Restore: onEach(dropTable),
		Want: fail(codePods), Pairs: bothWays,
		Unmendable: "an accept for pods belongs behind the chains of network policies: the report says what to look at",
	},
	{
		Name: "no-forwarding", Title: "a node does not forward what comes out of the tunnel",
		Cluster:  wireguard,
		Sabotage: on(shell("node-2", "echo 0 >/proc/sys/net/ipv4/conf/flannel-wg/forwarding")),
		Restore:  on(shell("node-2", "echo 1 >/proc/sys/net/ipv4/conf/flannel-wg/forwarding")), Want: fail(codePods), Pairs: bothWays,
	},
}

// nftPolicy has a hook of a node drop all but answers to what it let pass.
func nftPolicy(node, hook string) Command {
	return shell(node, `
		nft add table inet sabotage
		nft add chain inet sabotage %[1]s '{ type filter hook %[1]s priority 0; policy drop; }'
		nft add rule inet sabotage %[1]s ct state established,related accept`, hook)
}

// nftRule puts a rule at the head of a hook of a node.
func nftRule(node, hook string, priority int, rule string) Command {
	return shell(node, `
		nft add table inet sabotage
		nft add chain inet sabotage %[1]s '{ type filter hook %[1]s priority %[2]d; policy accept; }'
		nft add rule inet sabotage %[1]s %[3]s`, hook, priority, rule)
}

// forgetfulFirewall is carefulFirewall without the line for the tunnel, as it was before WireGuard came; connections that
// it knows are forgotten.
func forgetfulFirewall(node string) Command {
	command := carefulFirewall(node)
	script := command.Argv[len(command.Argv)-1]
	script = strings.Replace(script, "ct state established,related accept", "ct state established,related tcp dport != 0 accept", 1)
	command.Argv[len(command.Argv)-1] = strings.Replace(script, "udp dport 51820 counter accept\n\t\t\t\ttcp", "tcp", 1)
	return command
}

// dropOnSwitch drops frames between the nodes. It looks at them before br_netfilter does, which takes IP packets out of the
// bridge's hooks at priority 0.
func dropOnSwitch(rules ...string) func([]string) []Command {
	script := `
		nft add table bridge sabotage
		nft add chain bridge sabotage forward '{ type filter hook forward priority -200; policy accept; }'`
	for _, rule := range rules {
		script += fmt.Sprintf("\n\t\tnft add rule bridge sabotage forward %s counter drop", rule)
	}
	return on(shell(network, "%s", script))
}

func dropSwitchTable([]string) []Command {
	return []Command{shell(network, "nft delete table bridge sabotage 2>/dev/null || true")}
}
