package scenario

// reportsInside are clusters whose flannel-wg runs inside of the machines' own WireGuard (K3s: flannel-iface: wg0).
//
//	pod -- cni0 -- flannel-wg -- wg0 198.18.0.11 -- eth0 192.0.2.11 -- wire
var reportsInside = []Scenario{
	{ // k3s-io/k3s issues 8336, 7602
		Name: "inside-wireguard", Title: "flannel-wg runs inside of the machines' own WireGuard",
		Cluster: wireguard, Sabotage: insideVPN, Restore: dropVPN, Want: pass,
	},
	{
		Name: "inside-leak", Title: "the same, and a route leads pods past both tunnels",
		Cluster: wireguard, Want: fail(codeRoute), Pairs: []string{"node-1>node-2"},
		Sabotage: inTurn(insideVPN, on(shell("node-1", "ip route add 10.42.1.0/25 via 192.0.2.12 dev eth0"))),
		Restore:  inTurn(on(shell("node-1", "ip route delete 10.42.1.0/25 via 192.0.2.12 dev eth0 || true")), dropVPN),
	},
	{
		Name: "inside-tun", Title: "flannel-wg runs inside of a TUN device whose program has no control socket",
		Cluster: wireguard, Sabotage: inTurn(vpnOn(51900, " --silent"), useVPN), Restore: dropVPN, Want: pass,
	},
}

func insideVPN(nodes []string) []Command { return inTurn(vpnOn(51900, ""), useVPN)(nodes) }
