package scenario

import "fmt"

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
	{
		// There are more of them than a probe tells apart, and still each is named.
		Name: "eight-tee", Title: "every IPv4 packet of the tunnels also leaves in clear, on all of eight nodes",
		Cluster: dual8, Want: fail(codeLeak), Tested: 112, Pairs: allOver(8, 4),
		Sabotage: onEach(teeOn("eth0")), Restore: onEach(unteeOn), Unmendable: byHand,
	},
}

// allOver are all pairs of some nodes, in one family.
func allOver(nodes, family int) (pairs []string) {
	for from := range nodes {
		for to := range nodes {
			if from != to {
				pairs = append(pairs, fmt.Sprintf("node-%d>node-%d/%d", from+1, to+1, family))
			}
		}
	}
	return pairs
}
