package scenario

import "slices"

// Why a report prints no command for what stops packets.
const (
	somebodysOwn = "what drops the packets may be meant by somebody: the report says what to look at"
	weaker       = "a loose filter is a weaker one, and which route is meant is the operator's to know"
	ownMTU       = "the MTU is a second fault"
)

// reportsReach are public reports of datagrams and packets that do not arrive, for reasons that are easily mistaken.
var reportsReach = []Scenario{
	{
		Name: "reach-netdev", Title: "a chain of the network card itself drops UDP 51820",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(shell("node-2", `
			nft add table netdev sabotage
			nft add chain netdev sabotage in '{ type filter hook ingress device eth0 priority 0; }'
			nft add rule netdev sabotage in udp dport 51820 drop`)),
		Restore: on(shell("node-2", "nft delete table netdev sabotage 2>/dev/null || true")),
	},
	{
		Name: "reach-legacy", Title: "a rule of the old iptables drops UDP 51820",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(shell("node-2", "iptables-legacy -I INPUT -p udp --dport 51820 -j DROP")),
		Restore:  on(shell("node-2", "iptables-legacy -F INPUT")),
	},
	{
		Name: "reach-legacy-raw", Title: "a rule of the old iptables drops all of one sender before its connections are known",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(shell("node-2", "iptables-legacy -t raw -I PREROUTING -s 192.0.2.11 -p udp -j DROP")),
		Restore:  on(shell("node-2", "iptables-legacy -t raw -F PREROUTING")),
	},
	{
		Name: "reach-sender", Title: "a firewall drops what is not TCP from one node, and names no port",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(nftRule("node-2", "input", 0, "ip saddr 192.0.2.11 meta l4proto != tcp counter drop")), Restore: onEach(dropTable),
	},
	{
		Name: "reach-rp-filter", Title: "a strict rp_filter drops what arrives by one card, and the route back leaves by another",
		Cluster: wireguard, Want: fail(codeBlocked), Unmendable: weaker,
		Sabotage: inTurn(secondCards, on(
			shell("node-1", "for i in all eth1; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done"),
			shell("node-2", `
				ip route add 192.0.2.11/32 dev eth1 src 192.0.2.12
				for i in all eth0; do echo 1 >/proc/sys/net/ipv4/conf/$i/rp_filter; done`))),
		Restore: inTurn(on(shell("node-2", `
			ip route delete 192.0.2.11/32 2>/dev/null || true
			for i in all eth0; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done`)), inTurn(dropSecondCards, restartFlannel)),
	},
	{
		Name: "reach-dnat", Title: "a load balancer on a node takes UDP 51820 for a pod, and the network lets no other port pass",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays, Unmendable: somebodysOwn,
		Sabotage: inTurn(dropOnSwitch("udp dport 51820 udp sport != 51820"), inTurn(on(shell("node-2", `
			iptables -t nat -I PREROUTING -p udp --dport 51820 -j DNAT --to-destination 10.42.1.250:51820
			conntrack -D -p udp --dport 51820 2>/dev/null || true`)), restartFlannel)),
		Restore: inTurn(on(shell("node-2", `
			iptables -t nat -D PREROUTING -p udp --dport 51820 -j DNAT --to-destination 10.42.1.250:51820 2>/dev/null || true
			conntrack -D -p udp --dport 51820 2>/dev/null || true`)), inTurn(dropSwitchTable, restartFlannel)),
	},
	{
		Name: "reach-ufw-psk", Title: "ufw accepts the tunnel, and only one of two nodes has the preshared key",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(ufw("node-2"), peerOf("node-1", 2, "psk=YSBwcmVzaGFyZWQga2V5IGZvciB0aGUgc2NlbmFyaW8="), restarted("node-2")),
		Restore:  inTurn(on(withoutUFW("node-2")), restartFlannel),
	},
	{
		Name: "reach-ufw", Title: "ufw is on, and nobody allowed the tunnel's port",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: inTurn(on(ufw("node-2"), shell("node-2", "iptables -F ufw-user-input")), restartFlannel),
		Restore:  inTurn(on(withoutUFW("node-2")), restartFlannel),
	},
	{
		Name: "reach-docker", Title: "Docker's policy drops what is forwarded, and Flannel's rules accept the pods",
		Cluster: wireguard, Want: pass, Sabotage: on(docker("node-2")), Restore: on(withoutDocker("node-2")),
	},
	{
		Name: "reach-docker-policy", Title: "a network policy drops what pods are sent, behind Docker's policy and Flannel's accepts",
		Cluster: wireguard, Want: fail(codePods), Unmendable: somebodysOwn,
		Sabotage: on(docker("node-2"), shell("node-2", `
			iptables -N KUBE-ROUTER-FORWARD
			iptables -I FORWARD 1 -j KUBE-ROUTER-FORWARD
			iptables -A KUBE-ROUTER-FORWARD -d 10.42.1.0/24 -p udp -j DROP`)),
		Restore: on(withoutDocker("node-2")),
	},
	{
		Name: "reach-forward", Title: "a firewall drops what it forwards to pods and is not TCP",
		Cluster: wireguard, Want: fail(codePods), Restore: onEach(dropTable),
		Sabotage: on(nftRule("node-2", "forward", 0, "ip daddr 10.42.1.0/24 meta l4proto != tcp counter drop")),
	},
	{
		Name: "reach-mtu-blocked", Title: "a card takes less than full packets, and a firewall drops all of them",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays, Unmendable: ownMTU,
		Sabotage: inTurn(on(shell("node-2", "ip link set eth0 mtu 1400")), blockUDP),
		Restore:  inTurn(unblockUDP, on(shell("node-2", "ip link set eth0 mtu 1500"))),
	},
	{
		Name: "reach-loop", Title: "the route to a peer's endpoint leads into the tunnel itself",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(shell("node-1", "ip route add 192.0.2.12/32 dev flannel-wg")),
		Restore:  on(shell("node-1", "ip route delete 192.0.2.12/32 2>/dev/null || true")),
	},
	{
		Name: "reach-unreachable", Title: "a route refuses a peer's endpoint",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays,
		Sabotage: on(shell("node-1", "ip route add unreachable 192.0.2.12/32")),
		Restore:  on(shell("node-1", "ip route delete unreachable 192.0.2.12/32 2>/dev/null || true")),
	},
	{
		Name: "reach-vpn", Title: "the route to a peer's endpoint leads into another WireGuard, which has no peer",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays, Unmendable: somebodysOwn,
		Sabotage: inTurn(otherWireGuard(51900), on(shell("node-1", "ip route add 192.0.2.12/32 dev wg7"))),
		Restore:  inTurn(on(shell("node-1", "ip route delete 192.0.2.12/32 2>/dev/null || true")), dropOtherWireGuard),
	},
	{
		Name: "reach-neighbour", Title: "the next hop to a peer's endpoint answers no ARP",
		Cluster: wireguard, Want: fail(codeBlocked), Pairs: bothWays, Unmendable: inTheNetwork,
		Sabotage: on(shell("node-1", "ip route add 192.0.2.12/32 via 192.0.2.99 dev eth0")),
		Restore:  on(shell("node-1", "ip route delete 192.0.2.12/32 2>/dev/null || true")),
	},
}

// reportsReachKernel need classifiers of traffic control that the machine's own kernel may lack.
var reportsReachKernel = []Scenario{
	{
		Name: "reach-tc", Title: "a filter of traffic control drops UDP 51820 before the kernel's filters see it",
		Cluster: virtual, Want: fail(codeBlocked), Pairs: bothWays, Unmendable: somebodysOwn,
		Sabotage: on(shell("node-2", `
			for module in sch_ingress cls_flower act_gact; do /sbin/modprobe $module; done
			tc qdisc add dev eth0 clsact
			tc filter add dev eth0 ingress protocol ip flower ip_proto udp dst_port 51820 action drop`)),
		Restore: on(shell("node-2", "tc qdisc delete dev eth0 clsact 2>/dev/null || true")),
	},
}

// virtualMachine are all rows that always need one, next to each other.
var virtualMachine = slices.Concat(kernel, reportsReachKernel)

// ufw sets up a firewall as ufw does: the policy drops, and what its user allowed is accepted in a chain of its own.
func ufw(node string) Command {
	return shell(node, `
		iptables -N ufw-user-input
		iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -p tcp -j ACCEPT
		for i in lo cni0 flannel-wg; do iptables -A INPUT -i $i -j ACCEPT; done
		iptables -A INPUT -p icmp -j ACCEPT
		iptables -A INPUT -j ufw-user-input
		iptables -A INPUT -p tcp -m multiport --dports 22,6443,7946,10250 -j ACCEPT
		iptables -A ufw-user-input -p udp --dport 51820 -j ACCEPT
		iptables -P INPUT DROP`)
}

func withoutUFW(node string) Command {
	return shell(node, `
		iptables -P INPUT ACCEPT
		iptables -F INPUT
		iptables -F ufw-user-input 2>/dev/null || true
		iptables -X ufw-user-input 2>/dev/null || true`)
}

// docker has the forward hook drop what nothing accepts, and accepts the pods as Flannel does.
func docker(node string) Command {
	return shell(node, `
		iptables -P FORWARD DROP
		iptables -A FORWARD -s 10.42.0.0/16 -j ACCEPT
		iptables -A FORWARD -d 10.42.0.0/16 -j ACCEPT`)
}

func withoutDocker(node string) Command {
	return shell(node, `
		iptables -P FORWARD ACCEPT
		for end in -s -d; do while iptables -D FORWARD $end 10.42.0.0/16 -j ACCEPT 2>/dev/null; do :; done; done
		iptables -D FORWARD -j KUBE-ROUTER-FORWARD 2>/dev/null || true
		iptables -F KUBE-ROUTER-FORWARD 2>/dev/null || true
		iptables -X KUBE-ROUTER-FORWARD 2>/dev/null || true`)
}
