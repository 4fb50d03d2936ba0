package scenario

import "fmt"

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
	{
		Name: "pods-mtu-silent", Title: "new pods get a larger MTU than the tunnel has, and a filter keeps from them what is too large",
		Cluster: wireguard, Want: fail(codeSize), Pairs: bothWays, Findings: map[string]string{codeOldPods: "warn"},
		Sabotage: onEach(func(node string) Command {
			return shell(node, `
				nft add table inet sabotage
				nft add chain inet sabotage output '{ type filter hook output priority 0; }'
				nft add rule inet sabotage output icmp type destination-unreachable drop
				%s`, podsOf("1450"))
		}),
		Restore: inTurn(onEach(dropTable), onEach(podMTU)), Unmendable: "the MTU of pods is set by what installs the CNI configuration",
	},
}

// podsOf are lines of a shell that give pods an MTU when they are created.
func podsOf(mtu string) string {
	return fmt.Sprintf(`
		cd /etc/cni/net.d
		sed "s/\"mtu\": [0-9]*/\"mtu\": %s/" 10-flannel.conflist >.10-flannel.conflist
		mv .10-flannel.conflist 10-flannel.conflist`, mtu)
}
