package scenario

import "slices"

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

// reportsRules are rules of egress gateways and VPNs that lead pods past the tunnel: by source, by mark, by input link.
var reportsRules = slices.Concat([]Scenario{
	pastByRule("report-rule-from", "a rule for the node's own pods leads past the tunnel", // kube-static-egress-ip issue 14
		"ip rule add priority 100 from 10.42.0.0/24 lookup 100"),
	pastByRule("report-rule-mark", "an egress gateway marks pods' packets for another node, and a rule leads these past the tunnel", // egressgateway issue 2086
		"iptables -t mangle -I PREROUTING -i cni0 -d 10.42.1.0/24 -j MARK --set-mark 0x26; ip rule add priority 100 fwmark 0x26 lookup 100"),
	pastByRule("report-rule-in", "a rule for what comes from the pods' bridge leads past the tunnel", // flannel issue 1767
		"ip rule add priority 100 iif cni0 to 10.42.1.0/24 lookup 100"),
}, leaking([]path{{ // cilium issue 21769, egressgateway issue 1923
	name: "report-egress-pod", title: "a rule for one pod's address, which is no test pod's, leads past the tunnel",
	lines: "ip rule add priority 100 from 10.42.0.250 lookup 77",
}}))

func pastByRule(name, title, lines string) Scenario {
	return Scenario{
		Name: name, Title: title, Cluster: wireguard, Want: fail(codePath), Pairs: []string{"node-1>node-2"},
		Findings: map[string]string{codeLeak: "fail"},
		Sabotage: on(shell("node-1", "ip route add 10.42.1.0/24 via 192.0.2.12 dev eth0 table 100; %s", lines)),
		Restore: on(shell("node-1", `
			ip rule delete priority 100 2>/dev/null || true
			iptables -t mangle -D PREROUTING -i cni0 -d 10.42.1.0/24 -j MARK --set-mark 0x26 2>/dev/null || true
			ip route flush table 100 2>/dev/null || true`)),
	}
}

func insideVPN(nodes []string) []Command { return inTurn(vpnOn(51900, ""), useVPN)(nodes) }
