package scenario

// disguised are ways past the tunnel that look like what every node has, and what looks like one and is none.
var disguised = []Scenario{
	{
		Name:    "chain-named-as-kube-proxys",
		Title:   "a chain with a name of kube-proxy's sends what is for a port of pods to another address",
		Cluster: wireguard,
		Sabotage: on(shell("node-1", `
			iptables -t nat -N KUBE-SEP-SABOTAGE
			iptables -t nat -A KUBE-SEP-SABOTAGE -p tcp -j DNAT --to-destination 192.0.2.99
			iptables -t nat -I PREROUTING -d 10.42.1.0/24 -p tcp --dport 5432 -j KUBE-SEP-SABOTAGE`)),
		Restore: on(shell("node-1", `
			iptables -t nat -D PREROUTING -d 10.42.1.0/24 -p tcp --dport 5432 -j KUBE-SEP-SABOTAGE
			iptables -t nat -F KUBE-SEP-SABOTAGE; iptables -t nat -X KUBE-SEP-SABOTAGE`)),
		Want: undecided(codePath),
	},
	{
		Name:    "chain-of-a-host-port",
		Title:   "a pod has a port of the host, as the portmap plugin writes it",
		Cluster: wireguard,
		Sabotage: on(shell("node-1", `
			iptables -t nat -N CNI-DN-SABOTAGE
			iptables -t nat -A CNI-DN-SABOTAGE -p tcp --dport 8080 -j DNAT --to-destination 10.42.0.9:80
			iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-DN-SABOTAGE`)),
		Restore: on(shell("node-1", `
			iptables -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j CNI-DN-SABOTAGE
			iptables -t nat -F CNI-DN-SABOTAGE; iptables -t nat -X CNI-DN-SABOTAGE`)),
		Want: pass,
	},
	{
		Name:    "dormant-table",
		Title:   "a table of nftables that sleeps marks packets, and a rule for the mark leads past the tunnel",
		Cluster: wireguard,
		Sabotage: on(shell("node-1", `
			nft add table ip sabotage '{ flags dormant; }'
			nft add chain ip sabotage prerouting '{ type filter hook prerouting priority -150; }'
			nft add rule ip sabotage prerouting meta mark set 0x77
			ip route add default via 192.0.2.12 dev eth0 table 77
			ip rule add priority 50 fwmark 0x77 lookup 77`)),
		Restore: on(shell("node-1", `
			ip rule delete priority 50; ip route flush table 77; nft delete table ip sabotage`)),
		Want: pass,
	},
}

// disguisedBelow are ways of an overlay's own packets past the machines' WireGuard.
var disguisedBelow = []Scenario{
	{
		Name:    "vpn-neighbour",
		Title:   "the overlay sends what is for one pod to the other machine's own address, past the WireGuard",
		Cluster: vxlan,
		Sabotage: inTurn(overVPN, on(shell("node-1", `
			ip route add 10.42.1.177/32 via 10.42.1.177 dev flannel.1 onlink
			ip neigh add 10.42.1.177 lladdr 02:00:00:00:01:77 dev flannel.1 nud permanent
			bridge fdb append 02:00:00:00:01:77 dev flannel.1 dst 192.0.2.12`))),
		Restore: inTurn(on(shell("node-1", `
			ip route delete 10.42.1.177/32 dev flannel.1; ip neigh delete 10.42.1.177 dev flannel.1
			bridge fdb delete 02:00:00:00:01:77 dev flannel.1 dst 192.0.2.12; true`)), dropVPN),
		Want: fail(codePath), Unmendable: lookAt,
	},
	{
		Name:    "vpn-marked",
		Title:   "a packet filter marks some of the overlay's flows, and a rule leads these past the WireGuard",
		Cluster: vxlan,
		Sabotage: inTurn(overVPN, on(shell("node-1", `
			ip route add default via 192.0.2.12 dev eth0 table 77
			ip rule add priority 50 fwmark 0x77 lookup 77
			iptables -t mangle -A OUTPUT -p udp --sport 32768:32800 --dport 8472 -j MARK --set-mark 0x77`))),
		Restore: inTurn(on(shell("node-1", `
			iptables -t mangle -D OUTPUT -p udp --sport 32768:32800 --dport 8472 -j MARK --set-mark 0x77
			ip rule delete priority 50; ip route flush table 77`)), dropVPN),
		Want: undecided(codePath), Or: []Want{fail(codePath), fail(codeLeak)},
	},
}
