package scenario

// commands are the plugin's other commands on a cluster with WireGuard, judged by their exit code and their words.
var commands = []Scenario{
	{
		Name: "status-healthy", Title: "status finds nothing wrong where nothing is", Command: "status",
		Cluster: wireguard, Want: Want{Exit: 0}, Says: []string{"flannel-wg", "node-1", "node-2"},
	},
	{
		Name: "status-dump", Title: "status prints what `wg show all dump` does, without keys", Command: "status", Args: []string{"-o", "dump"},
		Cluster: wireguard, Want: Want{Exit: 0}, Says: []string{"node-1\tflannel-wg\t(hidden)", "10.42.1.0/24"},
	},
	{
		Name: "status-route", Title: "status names a route that leads pods past the tunnel", Command: "status",
		Cluster: wireguard, Want: Want{Exit: 1}, Says: []string{codeRoute, "node-1 routes traffic for the pods on node-2"},
		Sabotage: on(shell("node-1", "ip route add 10.42.1.0/24 via 192.0.2.12 dev eth0")),
		Restore:  on(shell("node-1", "ip route delete 10.42.1.0/24 via 192.0.2.12 dev eth0")),
	},
	{
		Name: "status-rule", Title: "status names a rule that leads some pods past the tunnel", Command: "status",
		Cluster: wireguard, Want: Want{Exit: 1}, Says: []string{codePath},
		Sabotage: on(shell("node-1", "ip route add 10.42.1.0/24 via 192.0.2.12 dev eth0 table 100; ip rule add priority 100 from 10.42.0.0/24 lookup 100")),
		Restore:  on(shell("node-1", "ip rule delete priority 100; ip route flush table 100")),
	},
	{
		Name: "logs-host", Title: "the line of k3s.log that says why comes first, with its fix", Command: "logs", Args: []string{"--host"},
		Cluster: wireguard, Want: Want{Exit: 0}, Says: []string{codeDevice, "the kernel of this node has no WireGuard"},
		Sabotage: on(shell("node-2", `mkdir -p /var/log
			echo 'time="'$(date -u +%%Y-%%m-%%dT%%H:%%M:%%SZ)'" level=fatal msg="flannel exited: could not create wireguard interface: operation not supported"' >>/var/log/k3s.log`)),
		Restore: on(shell("node-2", "rm -f /var/log/k3s.log")),
	},
	{
		Name: "capture-nodes", Title: "capture writes what two nodes see on their cards", Command: "capture",
		Args:    []string{"node-1:eth0", "node-2:eth0", "--duration", "3s", "-w", "/dev/null"},
		Cluster: wireguard, Want: Want{Exit: 0}, Says: []string{"packets"},
	},
	{
		Name: "perf-userspace", Title: "perf measures the tunnel beside the network, and names the userspace WireGuard as what makes it slow", Command: "perf",
		Args:    []string{"node-1", "node-2", "--yes", "--runs", "1", "--duration", "1s"},
		Cluster: wireguard, Want: Want{Exit: 0}, Says: []string{codeSpeed, "node-1", "node-2"},
	},
}

// preflights are clusters that do not encrypt yet. No node of them can make a WireGuard link on a kernel without one.
var preflights = []Scenario{
	{
		Name: "preflight", Title: "no kernel has WireGuard: preflight says so, and what to install", Command: "preflight",
		Cluster: vxlan, Want: Want{Exit: 1}, Says: []string{"NOT READY", codeModule, "wireguard-native"},
	},
	{
		Name: "preflight-blocked", Title: "a firewall drops the tunnel's port before there is a tunnel", Command: "preflight",
		Cluster: vxlan, Want: Want{Exit: 1}, Says: []string{codeBlocked, "UDP port 51820 of node-2"}, Sabotage: blockUDP, Restore: unblockUDP,
	},
	{
		Name: "preflight-mtu", Title: "the network carries less than the tunnel needs", Command: "preflight",
		Cluster: vxlan, Want: Want{Exit: 1}, Says: []string{codeSize, "packets of 1440 bytes arrive"},
		Sabotage: dropOnSwitch("udp length gt 1430 udp dport 51820"), Restore: dropSwitchTable,
	},
	{
		Name: "preflight-port", Title: "another program has the tunnel's port", Command: "preflight",
		Cluster: vxlan, Want: Want{Exit: 1}, Says: []string{codePort, "UDP port 51820"},
		Sabotage: otherWireGuard(51820), Restore: dropOtherWireGuard,
	},
	{
		Name: "preflight-not-ready", Title: "a node is not Ready, and its kernel has no WireGuard", Command: "preflight",
		Cluster: vxlan, Want: Want{Exit: 1}, Says: []string{"node-2", "3.10.0-957"}, Sabotage: oldNode, Restore: youngNode,
	},
}
