package scenario

import "fmt"

// Bystanders are pods that are none of the run's: one sends from node-1 to the other on node-2, before, while and after the
// command runs. Host-local IPAM gives their half of the range to nobody meanwhile.
//
//	bystander 10.42.0.250 ── veth-by │ node-1      node-2 │ veth-by ── 10.42.1.250 bystander
//	                                 │ vxleak 203.0.113.1 ══ in clear ══ 203.0.113.2 vxleak │
const (
	bystanderFrom = "10.42.0.250"
	bystanderTo   = "10.42.1.250"
	bystanderPort = 5432
)

// bystanders makes both, and a link in clear between the nodes with tables that lead there, and elsewhere:
//
//	77 all pods of node-2, by vxleak      80 everything, by vxleak
//	78 all pods of node-2, by the tunnel  81 all pods of node-2 refused
//	79 the bystander alone, by vxleak
func bystanders(nodes []string) []Command {
	var commands []Command
	for i, node := range nodes[:2] {
		commands = append(commands, bystander(node, i), clearLink(node, i))
	}
	return append(commands, shell(nodes[0], `
		ip route add 10.42.1.0/24 via 203.0.113.2 dev vxleak table 77
		ip route add 10.42.1.0/24 dev flannel-wg table 78
		ip route add %s/32 via 203.0.113.2 dev vxleak table 79
		ip route add default via 203.0.113.2 dev vxleak table 80
		ip route add blackhole 10.42.1.0/24 table 81`, bystanderTo))
}

func bystander(node string, i int) Command {
	return shell(node, `
		for store in /var/lib/cni/networks/*/; do
			for n in $(seq 128 254); do [ -e $store/10.42.%[1]d.$n ] || echo lab-bystander >$store/10.42.%[1]d.$n; done
		done
		ip netns add bystander
		ip link add veth-by mtu 1420 type veth peer name eth0 netns bystander mtu 1420
		ip netns exec bystander sh -ec '
			ip link set lo up
			ip link set eth0 up
			ip address add 10.42.%[1]d.250/32 dev eth0
			ip route add 169.254.1.1 dev eth0
			ip route add default via 169.254.1.1 dev eth0'
		ip address add 169.254.1.1/32 dev veth-by
		ip link set veth-by up
		ip route add 10.42.%[1]d.250/32 dev veth-by`, i)
}

// clearLink is a vxlan in clear to the other of the two nodes.
func clearLink(node string, i int) Command {
	return shell(node, `
		ip link add vxleak mtu 1450 type vxlan id 77 dev eth0 local 192.0.2.%d remote 192.0.2.%d dstport 8477
		ip address add 203.0.113.%d/24 dev vxleak
		ip link set vxleak up
		echo 0 >/proc/sys/net/ipv4/conf/vxleak/rp_filter`, 11+i, 12-i, 1+i)
}

// dropBystanders takes back all that a row of this file's kind does.
func dropBystanders(nodes []string) []Command {
	commands := []Command{stop(nodes[0], "send"), stop(nodes[1], "take"), shell(nodes[0], `
		while ip rule delete priority 50 2>/dev/null; do :; done
		for table in 77 78 79 80 81 100; do ip route flush table $table 2>/dev/null || true; done
		nft delete table ip sabotage 2>/dev/null || true`)}
	for _, node := range nodes[:2] {
		commands = append(commands, shell(node, `
			ip link delete veth-by 2>/dev/null || true
			ip netns delete bystander 2>/dev/null || true
			ip link delete vxleak 2>/dev/null || true
			for store in /var/lib/cni/networks/*/; do grep -ls lab-bystander $store/10.42.* | xargs -r rm -f; done`))
	}
	return commands
}

// talk has one bystander send to the other: the protocol, and options of `lab hostile send`. What arrives is awaited, unless
// it is refused on the way.
func talk(nodes []string, protocol, options string, port int, refused bool) []Command {
	const netns = "ip netns exec bystander /opt/lab/lab hostile "
	commands := []Command{
		launch(nodes[1], "take", fmt.Sprint(netns, "take ", port), "grep -q listening /run/lab/take.log"),
		launch(nodes[0], "send", fmt.Sprintf("%ssend %s %s:%d %s", netns, protocol, bystanderTo, port, options), "grep -q sending /run/lab/send.log"),
	}
	if refused {
		return commands
	}
	return append(commands, shell(nodes[1], "for i in $(seq 150); do grep -q received /run/lab/take.log && exit 0; sleep 0.1; done; echo nothing arrives; exit 1"))
}
