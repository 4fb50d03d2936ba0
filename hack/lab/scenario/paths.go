package scenario

import "slices"

const lookAt = "the report says what to look at, and has no command against what somebody configured"

// path is a rule, or another entry, that applies to some packets of node-1: those of a bystander, and not the canaries'.
type path struct {
	name, title string
	lines       string // on node-1
	protocol    string // of the bystander; udp if empty
	options     string // of `lab hostile send`
	port        int    // bystanderPort if 0
	refused     bool   // it does not arrive
}

func (p path) sabotage(nodes []string) []Command {
	protocol, port := p.protocol, p.port
	if protocol == "" {
		protocol = "udp"
	}
	if port == 0 {
		port = bystanderPort
	}
	commands := append(bystanders(nodes), shell(nodes[0], "%s", p.lines))
	return append(commands, talk(nodes, protocol, p.options, port, p.refused)...)
}

// leaking are rows in which the bystander's packets leave in clear, as tcpdump sees too.
func leaking(paths []path) []Scenario {
	var rows []Scenario
	for _, p := range paths {
		rows = append(rows, Scenario{
			Name: p.name, Title: p.title, Cluster: wireguard, Sabotage: p.sabotage, Restore: dropBystanders,
			Want: fail(codePath), Findings: map[string]string{codeLeak: "fail"}, Witness: seesMarker, Unmendable: lookAt,
		})
	}
	return rows
}

// harmless are rows in which the same kind of entry leads into the tunnel, to no answer, or to a refusal.
func harmless(paths []path) []Scenario {
	var rows []Scenario
	for _, p := range paths {
		rows = append(rows, Scenario{
			Name: p.name, Title: p.title, Cluster: wireguard, Sabotage: p.sabotage, Restore: dropBystanders,
			Want: pass, Witness: seesNothing,
		})
	}
	return rows
}

// pathLeaks: each selector of a rule once, and what else gives packets another way.
var pathLeaks = slices.Concat(leaking([]path{
	{
		name: "path-port", title: "a rule sends traffic to a database's port past the tunnel", protocol: "tcp",
		lines: "ip rule add priority 50 to 10.42.1.0/24 ipproto tcp dport 5432 lookup 77",
	},
	{
		name: "path-mark", title: "a packet filter marks traffic to a database's port, and a rule sends what is marked past the tunnel", protocol: "tcp",
		lines: markPort + "ip rule add priority 50 fwmark 0x77 lookup 77",
	},
	{
		name: "path-mark-part", title: "a rule looks at four bits of the mark that a packet filter sets", protocol: "tcp",
		lines: markPort + "ip rule add priority 50 fwmark 0x70/0xf0 lookup 77",
	},
	{
		name: "path-to", title: "a rule sends what is for half of a node's pods to a table with a default route past the tunnel",
		lines: "ip route add default via 192.0.2.12 dev eth0 table 100; ip rule add priority 50 to 10.42.1.128/25 lookup 100",
	},
	{
		name: "path-from", title: "a rule sends what half of a node's pods send past the tunnel",
		lines: "ip rule add priority 50 from 10.42.0.128/25 lookup 77",
	},
	{
		name: "path-in", title: "a rule sends what comes from one pod's link past the tunnel",
		lines: "ip rule add priority 50 iif veth-by lookup 77",
	},
	{
		name: "path-not-out", title: "a rule for all but one output link leads a pod's packets past the tunnel",
		lines: "ip rule add priority 50 not oif lo lookup 79",
	},
	{
		name: "path-tos", title: "a rule sends packets with a TOS past the tunnel", options: "--tos 16",
		lines: "ip rule add priority 50 tos 0x10 lookup 77",
	},
	{
		name: "path-protocol", title: "a rule sends UDP to a table that leads one pod's past the tunnel",
		lines: "ip rule add priority 50 ipproto udp lookup 79",
	},
	{
		name: "path-source-port", title: "a rule sends what comes from a source port past the tunnel", options: "--from 5353",
		lines: "ip rule add priority 50 ipproto udp sport 5353 lookup 77",
	},
	{
		name: "path-ports", title: "a rule sends a range of ports past the tunnel", port: 9050,
		lines: "ip rule add priority 50 ipproto udp dport 9000-9100 lookup 77",
	},
	{
		name: "path-user", title: "a rule for the sockets of root, which the kernel also applies to forwarded packets, leads past the tunnel",
		lines: "ip rule add priority 50 uidrange 0-0 lookup 79",
	},
	{
		name: "path-suppress", title: "a rule suppresses short prefixes of a table, and its route past the tunnel is a long one",
		lines: "ip rule add priority 50 lookup 79 suppress_prefixlength 31",
	},
	{
		name: "path-suppress-group", title: "a rule suppresses routes by links of a group, and the link past the tunnel is in another",
		lines: "ip rule add priority 50 lookup 79 suppress_ifgroup 7",
	},
	{
		name: "path-not", title: "a rule for all but a part of the targets leads past the tunnel",
		lines: "ip rule add priority 50 not to 10.42.1.0/25 lookup 79",
	},
}), []Scenario{
	{
		Name: "path-hop", Title: "the route to all pods has two next hops, one of them past the tunnel",
		Cluster: wireguard, Sabotage: twoHops, Restore: inTurn(oneHop, dropBystanders), Want: fail(codePath), Or: []Want{fail(codeRoute)},
		Witness: seesMarker, Unmendable: lookAt,
	},
})

const markPort = `
		nft add table ip sabotage
		nft add chain ip sabotage prerouting '{ type filter hook prerouting priority -150; }'
		nft add rule ip sabotage prerouting ip daddr 10.42.1.0/24 tcp dport 5432 counter meta mark set 0x77
		`

// pathHarmless: the same selectors.
var pathHarmless = harmless([]path{
	{
		name: "path-port-tunnel", title: "a rule for a database's port leads into the tunnel as well", protocol: "tcp",
		lines: "ip rule add priority 50 to 10.42.1.0/24 ipproto tcp dport 5432 lookup 78",
	},
	{
		name: "path-mark-tunnel", title: "a packet filter marks traffic to a port, and the rule for the mark leads into the tunnel", protocol: "tcp",
		lines: markPort + "ip rule add priority 50 fwmark 0x77/0xff lookup 78",
	},
	{
		name: "path-mark-other", title: "a packet filter sets a mark, and a rule past the tunnel is for another", protocol: "tcp",
		lines: markPort + "ip rule add priority 50 fwmark 0x80/0x80 lookup 77",
	},
	{
		name: "path-to-tunnel", title: "a rule for half of a node's pods leads into the tunnel",
		lines: "ip rule add priority 50 to 10.42.1.128/25 lookup 78",
	},
	{
		name: "path-from-local", title: "a rule for half of the sending pods leads to the local table, which does not answer",
		lines: "ip rule add priority 50 from 10.42.0.128/25 lookup local",
	},
	{
		name: "path-in-refused", title: "a rule for one pod's link leads to a table that refuses", refused: true,
		lines: "ip rule add priority 50 iif veth-by lookup 81",
	},
	{
		name: "path-out", title: "a rule past the tunnel is for sockets bound to a link, which forwarded packets never are",
		lines: "ip rule add priority 50 oif flannel-wg lookup 77",
	},
	{
		name: "path-tos-tunnel", title: "a rule for a TOS leads into the tunnel", options: "--tos 16",
		lines: "ip rule add priority 50 tos 0x10 lookup 78",
	},
	{
		name: "path-protocol-main", title: "a rule for UDP leads to the main table, as without it",
		lines: "ip rule add priority 50 ipproto udp lookup main",
	},
	{
		name: "path-source-port-refused", title: "a rule refuses what comes from a source port", options: "--from 5353", refused: true,
		lines: "ip rule add priority 50 ipproto udp sport 5353 prohibit",
	},
	{
		name: "path-user-other", title: "a rule past the tunnel is for the sockets of users, and forwarded packets are root's",
		lines: "ip rule add priority 50 uidrange 1000-2000 lookup 77",
	},
	{
		name: "path-suppressed", title: "a rule suppresses the default route of a table past the tunnel, as wg-quick has it",
		lines: "ip rule add priority 50 lookup 80 suppress_prefixlength 0",
	},
	{
		name: "path-suppressed-group", title: "a rule suppresses routes by the links of a group, which the link past the tunnel is in",
		lines: "ip link set vxleak group 7; ip rule add priority 50 lookup 79 suppress_ifgroup 7",
	},
	{
		name: "path-vrf-none", title: "a rule for routing domains applies to no pod, since there is no such domain",
		lines: "ip rule add priority 50 l3mdev",
	},
	{
		name: "path-not-any", title: "a rule past the tunnel is for all that is not for pods",
		lines: "ip rule add priority 50 not to 10.42.0.0/16 lookup 77",
	},
})

// hashSeed is there from Linux 6.11 on. Before, the kernel draws the seed itself, and nearly all has to leave in clear.
const hashSeed = "/proc/sys/net/ipv4/fib_multipath_hash_seed"

// twoHops leaves it to the kernel which pods' packets leave in clear: it chooses by the addresses, and here so that the
// bystander's are among them.
func twoHops(nodes []string) []Command {
	commands := append(bystanders(nodes), shell(nodes[0], `
		ip route replace 10.42.0.0/16 nexthop via 192.0.2.12 dev eth0 nexthop dev flannel-wg
		if [ ! -e %[1]s ]; then
			ip route replace 10.42.0.0/16 nexthop via 192.0.2.12 dev eth0 weight 200 nexthop dev flannel-wg
			exit 0
		fi
		for seed in $(seq 100); do
			echo $seed >%[1]s
			ip route get %[2]s from %[3]s iif veth-by | grep -q 'dev eth0' && exit 0
		done
		exit 1`, hashSeed, bystanderTo, bystanderFrom))
	return append(commands, talk(nodes, "udp", "", bystanderPort, false)...)
}

func oneHop(nodes []string) []Command {
	return []Command{shell(nodes[0], "ip route replace 10.42.0.0/16 dev flannel-wg; [ ! -e "+hashSeed+" ] || echo 0 >"+hashSeed)}
}
