package scenario

import "fmt"

// repeatable are healthy clusters whose network is as networks are. They are run again and again, by `make test-repeat`.
var repeatable = []Scenario{
	{
		Name: "lossy", Title: "the network loses one of a hundred datagrams of the tunnel",
		Cluster: wireguard, Sabotage: lossy(1), Restore: dropSwitchTable, Want: pass,
	},
	{
		Name: "duplicating", Title: "the network delivers one of a hundred datagrams of the tunnel twice",
		Cluster: wireguard, Sabotage: duplicating(1), Restore: dropSwitchDevice, Want: pass,
	},
	{
		Name: "lossy-duplicating", Title: "the network loses one of a hundred datagrams and delivers another one twice",
		Cluster: wireguard, Sabotage: inTurn(lossy(1), duplicating(1)), Restore: inTurn(dropSwitchTable, dropSwitchDevice), Want: pass,
	},
}

// lossy drops datagrams by chance, in both directions. The kernel here may have no netem.
func lossy(percent int) func([]string) []Command {
	return dropOnSwitch(fmt.Sprintf("udp dport 51820 numgen random mod 100 0-%d", percent-1))
}

// duplicating delivers datagrams of all nodes a second time, by chance.
func duplicating(percent int) func([]string) []Command {
	return on(shell(network, `
		nft add table netdev sabotage
		for ends in node-1,node-2 node-2,node-1; do
			nft add chain netdev sabotage ${ends%%,*} "{ type filter hook ingress device ${ends%%,*} priority -200; }"
			nft add rule netdev sabotage ${ends%%,*} udp dport 51820 numgen random mod 100 0-%d counter dup to ${ends##*,}
		done`, percent-1))
}
