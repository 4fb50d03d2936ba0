package scenario

import "github.com/kubectl-wg/kubectl-wg/hack/lab/topology"

// reportsPorts are healthy clusters whose nodes translate their tunnel's own datagrams, so that on the wire they have
// other ports than the devices.
var reportsPorts = []Scenario{
	{
		Name: "ports-masquerade", Title: "a masquerade gives the tunnel's own datagrams of one node a random source port",
		Cluster: wireguard, Want: pass, Noted: codeCipher,
		Sabotage: translated("POSTROUTING -o eth0 -p udp --sport 51820 -j MASQUERADE --random-fully"),
		Restore:  untranslated,
	},
	{
		Name: "ports-snat", Title: "a rule gives the tunnel's own datagrams of one node another source port",
		Cluster: wireguard, Want: pass, Noted: codeCipher,
		Sabotage: translated("POSTROUTING -o eth0 -p udp --sport 51820 -j SNAT --to-source 192.0.2.11:40000"),
		Restore:  untranslated,
	},
}

// translated adds a rule to the nat table of node-1 and has it begin to send as if for the first time.
func translated(rule string) func([]string) []Command {
	return inTurn(on(shell("node-1", `
		iptables -t nat -I %s
		conntrack -D -p udp --dport 51820 2>/dev/null || true`, rule)), on(reach("node-1", topology.PodCIDR(2).Addr())))
}

// untranslated takes the rules back.
func untranslated([]string) []Command {
	return []Command{shell("node-1", `
		for rule in 'POSTROUTING -o eth0 -p udp --sport 51820 -j MASQUERADE --random-fully' \
			'POSTROUTING -o eth0 -p udp --sport 51820 -j SNAT --to-source 192.0.2.11:40000'; do
			iptables -t nat -D $rule 2>/dev/null || true
		done
		conntrack -D -p udp --dport 51820 2>/dev/null || true`)}
}
