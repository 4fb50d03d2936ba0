package scenario

// sabotagedSizes are networks that carry less than the tunnel believes.
var sabotagedSizes = []Scenario{
	{
		Name: "link-mtu", Title: "a node's network card takes less than the tunnel's full packets",
		Cluster:  wireguard,
		Sabotage: on(shell("node-2", "ip link set eth0 mtu 1380")), Restore: on(shell("node-2", "ip link set eth0 mtu 1500")),
		Want: fail(codeFits), Unmendable: "the MTU is set in flannel's configuration, and which one the network takes is the operator's to know",
	},
	{
		Name: "network-mtu", Title: "the network drops frames of full size, as some clouds' virtual switches do",
		Cluster: wireguard, Sabotage: dropOnSwitch("udp length gt 1430 udp dport 51820"), Restore: dropSwitchTable, Want: fail(codeSize), Pairs: bothWays,
		Unmendable: inTheNetwork,
	},
}
