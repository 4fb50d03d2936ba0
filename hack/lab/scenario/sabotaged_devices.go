package scenario

// sabotagedDevices are WireGuard devices that are not there, or do not work.
var sabotagedDevices = []Scenario{
	{
		Name: "device-deleted", Title: "somebody deleted flannel-wg",
		Cluster: wireguard, Sabotage: on(shell("node-2", "ip link delete flannel-wg")), Restore: restartFlannel, Want: fail(codeDevice), Pairs: bothWays,
	},
	{
		Name: "device-down", Title: "somebody set flannel-wg down, and its routes are gone",
		Cluster: wireguard, Sabotage: on(shell("node-2", "ip link set flannel-wg down")), Restore: restartFlannel, Want: fail(codeDevice), Pairs: bothWays,
	},
	{
		Name: "port-taken", Title: "another WireGuard device was first at flannel's port",
		Cluster: wireguard, Sabotage: takePort, Restore: givePortBack, Want: fail(codeDevice), Pairs: bothWays,
		Unmendable: "which of the two devices gives way is the operator's to decide, so the report prints no command",
	},
	{
		Name: "device-hangs", Title: "the userspace WireGuard of a node hangs",
		Cluster: wireguard, Sabotage: on(shell("node-2", "kill -STOP $(cat /run/lab/flannel.pid)")), Restore: restartFlannel,
		Want: fail(codeRead), Pairs: bothWays,
	},
}

// takePort starts a VPN on flannel's port while flannel is away.
func takePort(nodes []string) []Command {
	return append(append([]Command{shell(nodes[0], `
		touch /run/lab/flannel.hold
		flannel=$(cat /run/lab/flannel.pid)
		kill $flannel
		while kill -0 $flannel 2>/dev/null || ip link show dev flannel-wg >/dev/null 2>&1; do sleep 0.05; done`)},
		otherWireGuard(51820)(nodes)...), shell(nodes[0], "rm /run/lab/flannel.hold"))
}

func givePortBack(nodes []string) []Command {
	return append(dropOtherWireGuard(nodes), restarted(nodes[0]))
}
