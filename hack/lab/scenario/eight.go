package scenario

// eight is the whole mesh of eight nodes, both families: 56 ordered pairs, each twice. It takes a lab of its own, which
// is why it is a group that is run on purpose.
var eight = []Scenario{
	{
		Name: "healthy-eight", Title: "eight nodes, all 56 ordered pairs, both families",
		Cluster: dual8, Want: pass, Tested: 112,
	},
	{
		Name: "eight-leak-one-way", Title: "one of eight nodes sends to one other in clear, in one family",
		Cluster: dual8, Want: fail(codeRoute), Pairs: []string{"node-3>node-6/6"}, Tested: 112, Findings: map[string]string{codeLeak: "fail"},
		Sabotage: on(shell("node-3", "ip route add 2001:db8:42:5::/64 via 2001:db8::16 dev eth0")),
		Restore:  on(shell("node-3", "ip route delete 2001:db8:42:5::/64 via 2001:db8::16 dev eth0 2>/dev/null || true")),
	},
	{
		Name: "eight-leak-one-way-ipv4", Title: "one of eight nodes sends to one other in clear, over IPv4",
		Cluster: dual8, Want: fail(codeRoute), Pairs: []string{"node-7>node-2/4"}, Tested: 112, Findings: map[string]string{codeLeak: "fail"},
		Sabotage: on(shell("node-7", "ip route add 10.42.1.0/24 via 192.0.2.12 dev eth0")),
		Restore:  on(shell("node-7", "ip route delete 10.42.1.0/24 via 192.0.2.12 dev eth0 2>/dev/null || true")),
	},
	{
		Name: "eight-network-one-way", Title: "the network drops the tunnel of one pair of eight nodes, in one direction of one family",
		Cluster: dual8, Want: fail(codeBlocked), Tested: 112,
		// Without answers from the other direction, nothing of either is proven.
		Pairs:    []string{"node-3>node-6/6", "node-6>node-3/6"},
		Sabotage: dropOnSwitch("ip6 saddr 2001:db8::13 ip6 daddr 2001:db8::16 udp dport 51821"), Restore: dropSwitchTable, Unmendable: inTheNetwork,
	},
}
