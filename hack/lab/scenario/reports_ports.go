package scenario

import "github.com/kubectl-wg/kubectl-wg/hack/lab/topology"

// reportsPorts are healthy clusters whose nodes translate their tunnel's own datagrams, so that on the wire they have
// other ports than the devices.
var reportsPorts = []Scenario{
	{
		Name: "ports-masquerade", Title: "a masquerade gives the tunnel's own datagrams of one node a random source port",
		Cluster: wireguard, Want: pass, Noted: codeCipher,
		Sabotage: translated("node-1", "POSTROUTING -o eth0 -p udp --sport 51820 -j MASQUERADE --random-fully"),
		Restore:  untranslated,
	},
	{
		Name: "ports-snat", Title: "a rule gives the tunnel's own datagrams of one node another source port",
		Cluster: wireguard, Want: pass, Noted: codeCipher,
		Sabotage: translated("node-1", "POSTROUTING -o eth0 -p udp --sport 51820 -j SNAT --to-source 192.0.2.11:40000"),
		Restore:  untranslated,
	},
	{
		Name: "ports-redirect", Title: "the tunnel's datagrams are sent to another port of one node, which redirects them to the device's",
		Cluster: wireguard, Want: pass, Noted: codeCipher, Findings: map[string]string{codePath: "warn"},
		Sabotage: inTurn(translated("node-2", "PREROUTING -p udp --dport 51999 -j REDIRECT --to-ports 51820"),
			translated("node-1", "OUTPUT -p udp --dport 51820 -j DNAT --to-destination 192.0.2.12:51999")),
		Restore: untranslated,
	},
}

// translated adds a rule to the nat table of node-1 or node-2 and has the node begin to send as if for the first time.
func translated(node, rule string) func([]string) []Command {
	other := topology.PodCIDR(2)
	if node == "node-2" {
		other = topology.PodCIDR(1)
	}
	return inTurn(on(shell(node, `
		iptables -t nat -I %s
		conntrack -D -p udp --dport 51820 2>/dev/null || true`, rule)), on(reach(node, other.Addr())))
}

// untranslated takes back the rules of both nodes.
func untranslated([]string) []Command {
	var commands []Command
	for _, node := range []string{"node-1", "node-2"} {
		commands = append(commands, shell(node, `
			for rule in 'POSTROUTING -o eth0 -p udp --sport 51820 -j MASQUERADE --random-fully' \
				'POSTROUTING -o eth0 -p udp --sport 51820 -j SNAT --to-source 192.0.2.11:40000' \
				'PREROUTING -p udp --dport 51999 -j REDIRECT --to-ports 51820' \
				'OUTPUT -p udp --dport 51820 -j DNAT --to-destination 192.0.2.12:51999'; do
				iptables -t nat -D $rule 2>/dev/null || true
			done
			conntrack -D -p udp --dport 51820 2>/dev/null || true`))
	}
	return commands
}
