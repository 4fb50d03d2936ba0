package remedy

// reachRemedies are for reachability and sizes (WG05xx) on any system.
var reachRemedies = []row{
	{"WG0504", "", "", Hint{
		Title: "Lower the tunnel's MTU, or raise that of {link}",
		Note: "Set it in the network plugin's configuration (some subtract the overhead from the MTU of the link " +
			"below themselves), restart it, and recreate the pods.",
	}},
	{"WG0505", "", "", Hint{
		Title: "Make the old pods anew",
		Note: "kubectl rollout restart their deployments, daemon sets and stateful sets, or reboot the nodes one " +
			"by one.",
	}},
	{"WG0501", "nftables", "", Hint{
		Title: "Accept UDP port {port} from the other nodes, before the rule that drops it",
		Steps: []Step{{On: "{node}", Command: "nft insert rule {family} {table} {chain} udp dport {port} accept"}},
		Note:  "Add it to the firewall's own configuration too, or it is gone after a restart.",
	}},
	{"WG0501", "input", "", Hint{
		Title: "Accept UDP port {port} from the other nodes",
		Steps: []Step{
			{
				On:      "{node}",
				Command: "{iptables} -I INPUT -p udp --dport {port} -j ACCEPT",
				Note: "with ufw: ufw allow {port}/udp; with firewalld: firewall-cmd --permanent " +
					"--add-port={port}/udp && firewall-cmd --reload",
			},
		},
	}},
	{"WG0501", "output", "", Hint{Title: "Let UDP to port {port} out",
		Steps: []Step{{On: "{node}", Command: "{iptables} -I OUTPUT -p udp --dport {port} -j ACCEPT"}}}},
	{"WG0501", "handshake", "", Hint{
		Title: "Give both nodes the same preshared key",
		Note:  "Set it in the network plugin's configuration on every node and restart it.",
	}},
	{"WG0501", "clock", "", Hint{
		Title: "Restart the network plugin on {node}, so that it forgets the handshakes of the future",
		Note:  "Its WireGuard device has to be made anew. Then keep the clocks right with NTP.",
	}},
	{"WG0501", "network", "", Hint{
		Title: "Open UDP port {port} between the nodes in the network",
		Note: "The datagrams leave {peer} and never reach the network card of {node}: look at security groups, " +
			"network ACLs and firewalls between them, in both directions.",
	}},
	{"WG0502", "forward", "", Hint{
		Title: "Let the pods' packets pass between {device} and the pods",
		Steps: []Step{{On: "{node}", Command: "nft insert rule {family} {table} {chain} iifname {device} accept"},
			{On: "{node}", Command: "nft insert rule {family} {table} {chain} oifname {device} accept"}},
		Note: "Add both to the firewall's own configuration too, or they are gone after a restart.",
	}},
	{"WG0502", "busy", "", Hint{
		Title: "Run verify again when the nodes are less busy",
		Note: "Where the test pods or the captures do not get the processor in time, a missing answer says " +
			"nothing of the network.",
	}},
	{"WG0502", "", "", Hint{
		Title: "Find what stops the pods' own packets",
		Note: "The tunnel works. Look for network policies, for a firewall that drops forwarded packets " +
			"(firewalld and ufw do by default) and at the pods' routes.",
	}},
	{"WG0503", "fits", "", Hint{
		Title: "Lower the tunnel's MTU to {mtu}",
		Note: "Packets of {mtu} bytes pass from {node} to {peer}. Set it in the network plugin's configuration; for " +
			"one that subtracts WireGuard's overhead itself this is {underlay}. Restart it and recreate the pods.",
	}},
	{"WG0503", "", "", Hint{
		Title: "Lower the tunnel's MTU",
		Note: "The network below carries less than the tunnel's MTU plus 60 bytes (80 over IPv6). Set the MTU in " +
			"the network plugin's configuration and make the pods anew.",
	}},
}
