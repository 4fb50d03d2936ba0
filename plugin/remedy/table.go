package remedy

// table is every remedy. Sources: K3s and RKE2 documentation on network
// options, flannel's backend documentation, and what the lab's repairs showed.
var table = []row{
	{"WG0101", "mixed", "", Hint{
		Title:      "Bring every node to the same backend",
		Disruption: "pod traffic of each node stops while it restarts: use a maintenance window",
		Note:       "Restart the network plugin on the nodes that still run the old backend.",
	}},
	{"WG0101", "mixed", K3s, rebootAll},
	{"WG0101", "mixed", RKE2, rebootAll},
	{"WG0101", "plain", K3s, k3sSwitch},
	{"WG0101", "plain", RKE2, rke2Switch},
	{"WG0101", "plain", Flannel, flannelSwitch},
	{"WG0104", "unlike", K3s, Hint{
		Title:      "Restart K3s on {node}, so that it runs what it is configured with",
		Disruption: "pod traffic between nodes stops until every node was restarted: use a maintenance window",
		Steps: []Step{{On: "{node}", Command: "systemctl restart k3s"},
			rebootEach},
	}},
	{"WG0104", "agent", K3s, Hint{
		Title: "Name the backend on the servers",
		Note:  "Move flannel-backend from the agents' configuration to that of every server.",
	}},
	{"WG0104", "", K3s, k3sSwitch},
	{"WG0105", "", K3s, Hint{
		Title: "Remove the annotation that outlived its option, then restart the node's K3s",
		Steps: []Step{
			{
				On: Operator,
				Command: "kubectl annotate node {node} flannel.alpha.coreos.com/public-ip-overwrite- " +
					"flannel.alpha.coreos.com/public-ipv6-overwrite-",
			},
			k3sStep},
	}},
	{"WG0106", "", "", Hint{
		Title: "Give each node an endpoint of its own",
		Note: "Behind one address each node needs a port of its own: set ListenPort by --flannel-conf on {node} " +
			"and forward it.",
	}},
	{"WG0306", "", K3s, restartK3s},
	{"WG0306", "", RKE2, restartCanal},
	{"WG0306", "", Flannel, restartFlannel},
	{"WG0306", "announced", "", Hint{
		Title: "Have {peer} listen on the port that it publishes",
		Note: "Flannel publishes ListenPortV6 for its IPv6 address, in the modes auto and ipv6 too, where " +
			"{device} listens on ListenPort alone: give both the same port in flannel's configuration " +
			"(the file of --flannel-conf), on every node, and restart it.",
	}},
	{"WG0504", "", "", Hint{
		Title: "Lower the tunnel's MTU, or raise that of {link}",
		Note: "Set the MTU of the link below in the network plugin's configuration (Flannel subtracts the " +
			"overhead itself), restart it, and make the pods anew.",
	}},
	{"WG0505", "", "", Hint{
		Title: "Make the old pods anew",
		Note: "kubectl rollout restart their deployments, daemon sets and stateful sets, or reboot the nodes one " +
			"by one.",
	}},
	{"WG0701", "", "", Hint{
		Title: "Use the kernel's WireGuard",
		Note:  "Install the module for this kernel and restart the network plugin: kubectl wg explain WG0201.",
	}},
	{"WG0801", "", "", Hint{Title: "Test all families", Note: "Leave --family away, or say --family all."}},
	{"WG0102", "", "", Hint{
		Title: "Test the missing nodes, or leave them out on purpose",
		Note:  "Make the nodes Ready and schedulable, or name those to test with --nodes.",
	}},
	{"WG0107", "", "", Hint{
		Title: "Test the families that the pods have",
		Note: "Leave --family away. For a second family the cluster needs pod and service ranges of it from its " +
			"beginning.",
	}},
	{"WG0103", "image", "", Hint{
		Title: "Let the nodes pull the probe's image",
		Note: "Mirror the image and name it with --image and --image-pull-secret, or load it on the nodes and " +
			"use --image-pull-policy=Never.",
	}},
	{"WG0103", "admission", "", Hint{
		Title: "Let the run's pods be admitted",
		Note: "A policy, quota or webhook refused them. kubectl wg verify --print-manifests shows what is " +
			"created; use --namespace with a namespace that admits it.",
	}},
	{"WG0103", "scheduling", "", Hint{Title: "Make room on the node, or leave it out with --nodes"}},
	{"WG0103", "lost", "", Hint{Title: "Run again once the node and the API server answer steadily"}},
	{"WG0103", "", "", Hint{Title: "Look at the node and its kubelet, then run again"}},
	{"WG0604", "roamed", "", Hint{
		Title: "Run again: the endpoint has settled",
		Note:  "If it goes on changing, the node publishes an address that is not its own: see WG0306.",
	}},
	{"WG0604", "kept", "", Hint{
		Title: "Let the control pass from {node} to {peer} while verify runs",
		Note: "It is a UDP datagram to {endpoint}, from another port than WireGuard's and not one of its " +
			"messages: a firewall that looks for either drops it, on a node or between them.",
	}},
	{"WG0604", "", "", Hint{
		Title: "Run again when the nodes are less busy",
		Note:  "A capture that lost frames cannot vouch for what it did not see.",
	}},
	{"WG0611", "xdp", "", Hint{
		Title: "Find out whose XDP program is on {link} of {node}",
		Note: "ip -d link show {link} and bpftool prog show id {program} name it. It can send frames that no " +
			"packet socket sees: only without it can a run show that none leak.",
	}},
	{"WG0611", "program", "", Hint{
		Title: "Find out whose BPF program is on {link} of {node}",
		Note: "bpftool net show dev {link} and tc filter show dev {link} ingress name it. If it belongs to the " +
			"cluster's network, this version does not know that: please report it with a recording.",
	}},
	{"WG0611", "redirect", "", Hint{
		Title: "Find out whose filter is on {link} of {node}",
		Note:  "tc filter show dev {link} ingress, and egress, list the filters.",
	}},
	{"WG0611", "link", "", Hint{
		Title: "Run again when no link of {node} comes or goes",
		Note:  "What crosses a link that appears meanwhile is not captured.",
	}},
	{"WG0611", "counters", "", Hint{
		Title: "Run again, and if it stays, find out what sends on {link} of {node}",
		Note: "More left than was captured. A program, a card's offload or a socket that bypasses the packet " +
			"taps (AF_XDP, PACKET_QDISC_BYPASS) can send so.",
	}},
	{"WG0611", "offload", "", Hint{
		Title: "Switch off what is not used on {node}",
		Note:  "ethtool -k {link} lists a card's offloads, ethtool -K {link} hw-tc-offload off switches one off.",
	}},

	{"WG0201", "missing", K3s, Hint{
		Title:      "Restart K3s: it makes the device when it starts",
		Disruption: "running pods go on; connections between nodes pause for seconds",
		Steps:      []Step{loadModule, k3sStep},
	}},
	{"WG0201", "missing", RKE2, Hint{
		Title: "Restart Canal on {node}: it makes the device when it starts", Disruption: pauses,
		Steps: []Step{loadModule, canalStep},
	}},
	{"WG0201", "missing", Flannel, Hint{
		Title: "Restart Flannel on {node}: it makes the device when it starts", Disruption: pauses,
		Steps: []Step{loadModule, flannelStep},
	}},
	{"WG0201", "missing", "", Hint{
		Title: "Restart the network plugin: it makes {device} when it starts", Steps: []Step{loadModule},
	}},
	{"WG0201", "impostor", "", Hint{Title: "Remove the link that only bears the name, then restart the network plugin",
		Steps: []Step{{On: "{node}", Command: "ip link delete {device}"}}}},
	{"WG0201", "port", "", Hint{
		Title: "Give one of the two WireGuard devices another port",
		Note:  "Set ListenPort for Flannel by --flannel-conf, the same on every node, or change the port of {link}.",
	}},
	{"WG0201", "down", K3s, restartK3s},
	{"WG0201", "down", RKE2, restartCanal},
	{"WG0201", "down", Flannel, restartFlannel},
	{"WG0201", "down", "", Hint{Title: "Bring {device} up, and its routes back; if it does not stay up, its port is " +
		"taken by another WireGuard device",
		Steps: []Step{{On: "{node}", Command: "ip link set {device} up"}},
		Note:  "The routes went when it went down: restart the network plugin on {node}, which adds them again.",
	}},
	{"WG0202", "hangs", K3s, restartK3s},
	{"WG0202", "hangs", RKE2, restartCanal},
	{"WG0202", "hangs", Flannel, restartFlannel},
	{"WG0202", "hangs", "", Hint{
		Title: "Restart the program that runs {device} on {node}",
		Note:  "It is a userspace WireGuard, in the network plugin itself or beside it.",
	}},
	{"WG0202", "permission", "", Hint{
		Title: "Let the probe use CAP_NET_ADMIN",
		Note: "The probe's pod runs with hostNetwork and NET_ADMIN and NET_RAW; a policy or a runtime in a user " +
			"namespace took them away.",
	}},

	{"WG0301", "", K3s, restartK3s},
	{"WG0301", "", RKE2, restartCanal},
	{"WG0301", "", Flannel, restartFlannel},
	{"WG0302", "", K3s, restartK3s},
	{"WG0302", "", RKE2, restartCanal},
	{"WG0302", "", Flannel, restartFlannel},
	{"WG0304", "", K3s, restartK3s},
	{"WG0304", "", RKE2, restartCanal},
	{"WG0304", "", Flannel, restartFlannel},
	{"WG0303", "", K3s, newKey(k3sStep)},
	{"WG0303", "", RKE2, newKey(canalStep)},
	{"WG0303", "", Flannel, newKey(flannelStep)},
	{"WG0303", "", "", Hint{
		Title: "Give each node a key of its own",
		Note:  "Machines that were cloned from one image share what lies on its disk.",
	}},

	{"WG0401", "vxlan", "", Hint{
		Title:      "Remove the old overlay {link}; its routes go with it",
		Disruption: "none for traffic between nodes that already have the tunnel",
		Steps:      []Step{{On: "{node}", Command: "ip link delete {link}"}},
		Note:       "It is left from the backend before; a reboot of the node removes it as well.",
	}},
	{"WG0401", "", "", Hint{
		Title: "Remove the routes within {range} that win over the tunnel's",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route flush root {range} dev {link}"}},
		Note:  "Find out who added them, or they come back.",
	}},
	{"WG0401", "", "", Hint{
		Title: "Remove the routes that win over the tunnel's",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {route} dev {link}"}},
		Note:  "Find out who added it, or it comes back.",
	}},
	{"WG0401", "refused", "", Hint{
		Title: "Remove the route that refuses the other nodes' pods",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {type} {route} table {table}"}},
		Note:  "Find out who added it, or it comes back.",
	}},
	{"WG0401", "rule", "", Hint{
		Title: "Have pods looked up in the main table, before the rule that leads past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule add priority {before} to {here} lookup main"},
			{On: "{node}", Command: "ip -{ip} rule add priority {before} to {there} lookup main"}},
		Note: "It is gone after a restart: tell whoever made the rule, often a VPN, to leave the pod network out.",
	}},
	{"WG0401", "below", K3s, Hint{
		Title:      "Have K3s on {node} use the WireGuard device {device}, as its peers do",
		Disruption: "pod traffic of the node stops for seconds; its pods keep their MTU until they are made anew",
		Steps: []Step{
			{
				On: "{node}",
				Command: "mkdir -p /etc/rancher/k3s && echo 'flannel-iface: {device}' >> " +
					"/etc/rancher/k3s/config.yaml",
			},
			k3sStep},
		Note: "Set node-ip to the address of {device} as well, so that the API server reaches the node through it.",
	}},
	{"WG0401", "below", "", Hint{
		Title: "Have the network plugin on {node} use the WireGuard device {device}, as its peers do",
	}},
	{"WG0401", "none", K3s, restartK3s},
	{"WG0401", "none", RKE2, restartCanal},
	{"WG0401", "none", Flannel, restartFlannel},
	{"WG0401", "none", "", Hint{Title: "Restart the network plugin: it adds its routes when it starts"}},

	{"WG0402", "rule", "", Hint{
		Title: "Remove the rule that leads pods' packets past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule delete priority {priority} table {table}"}},
		Note: "Find out who added it, or it comes back: often a VPN or a program for several uplinks, which can " +
			"leave the pod network out.",
	}},
	{"WG0402", "before", "", Hint{
		Title: "Have pods looked up in the main table, before the rule that leads past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule add priority {before} to {here} lookup main"},
			{On: "{node}", Command: "ip -{ip} rule add priority {before} to {range} lookup main"}},
		Note: "It is gone after a restart: tell whoever made the rule, often a VPN, to leave the pod network out.",
	}},
	{"WG0402", "mark", "", Hint{
		Title: "Remove the rule that leads marked packets past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule delete priority {priority} table {table}"}},
		Note: "Or have the statement that sets the mark leave the pod network out. Find out who added the two, " +
			"or they come back.",
	}},
	{"WG0402", "hop", "", Hint{
		Title: "Make the tunnel the only next hop",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route replace {route} dev {device} table {table}"}},
		Note:  "Find out who added the other, or it comes back.",
	}},
	{"WG0402", "wide", "", Hint{
		Title: "Lead all of {range} into the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route replace {range} dev {device}"}},
		Note: "The route {route} is for more than pods: leave it as it is. The network plugin's own route lacks a " +
			"part of the range; it adds its routes when it starts.",
	}},
	{"WG0402", "route", "", Hint{
		Title: "Remove the route that wins over the tunnel's",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {route} dev {link} table {table}"}},
		Note:  "Find out who added it, or it comes back.",
	}},
	{"WG0402", "", "", Hint{
		Title: "Have the named rule, route or statement leave the pod network out",
		Note: "What it does to pods' packets could not be shown to be harmless. Where something was not read, " +
			"give the probe what it needs and run verify again.",
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
	{"WG0501", "handshake", K3s, Hint{
		Title:      "Restart K3s on both nodes: it sets the preshared key, or none, on all peers",
		Disruption: "running pods go on; traffic between the two and the others pauses for seconds",
		Steps:      []Step{k3sStep, onPeer(k3sStep)},
		Note:       "With --flannel-conf the file must hold the same PSK on every node.",
	}},
	{"WG0501", "handshake", "", Hint{
		Title: "Give both nodes the same preshared key",
		Note:  "Set it in the network plugin's configuration on every node and restart it.",
	}},
	{"WG0501", "clock", K3s, Hint{
		Title:      "Restart K3s on {node}: it forgets the handshakes of the future",
		Disruption: "running pods go on; traffic between {node} and the others pauses for seconds",
		Steps:      []Step{k3sStep},
		Note:       "Then keep the clocks right, with NTP and a battery-backed clock, or the next boot brings it back.",
	}},
	{"WG0501", "clock", RKE2, forgetHandshakes("Canal", canalStep)},
	{"WG0501", "clock", Flannel, forgetHandshakes("Flannel", flannelStep)},
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
		Note: "Packets of {mtu} bytes pass from {node} to {peer}. In Flannel's configuration this is \"MTU\": " +
			"{underlay}, of which it subtracts 80 itself. Restart the network plugin and make the pods anew.",
	}},
	{"WG0503", "", "", Hint{
		Title: "Lower the tunnel's MTU",
		Note: "The network below carries less than the tunnel's MTU plus 60 bytes (80 over IPv6). Set the MTU in " +
			"the network plugin's configuration and make the pods anew.",
	}},

	{"WG0601", "vxlan", K3s, k3sSwitch},
	{"WG0601", "bare", K3s, k3sSwitch},
	{"WG0601", "vxlan", RKE2, rke2Switch},
	{"WG0601", "bare", RKE2, rke2Switch},
	{"WG0601", "vxlan", Flannel, flannelSwitch},
	{"WG0601", "bare", Flannel, flannelSwitch},
	{"WG0601", "tunnel", "", Hint{
		Title: "Find what leads the pods' packets into the other tunnel",
		Note: "On the node that is named, ip rule and ip route show table all list rules and routes into it; " +
			"marks that a rule asks for are set by nft list ruleset or iptables-save. Remove the entry, or the " +
			"tunnel.",
	}},
	{"WG0601", "", "", Hint{
		Title: "Switch the network plugin to an encrypting backend, or put WireGuard below it",
		Note: "For Flannel: set \"Backend\": {\"Type\": \"wireguard\"} in net-conf.json, restart it on every " +
			"node and remove the links of the old backend.",
	}},
	{"WG0601", "past", "", Hint{
		Title: "Find what leads these packets past the tunnel of {node}, or copies them",
		Note: "The network plugin encrypts, so something else does it: policy rules (ip rule), routes of other " +
			"tables, filters that set marks, copy or divert (nft list ruleset, iptables-save, tc filter show), " +
			"a process behind a TUN device. The readings above say on which link and in which format they left.",
	}},
	{"WG0609", "", "", Hint{
		Title: "Have nodes drop what they do not know yet, rather than send it in clear",
		Note: "For Cilium: encryption strict mode for egress and ingress, in a current release. For others: find " +
			"what treats the traffic of new pods differently, such as an agent that writes a route, a rule or " +
			"an address list per pod.",
	}},
	{"WG0602", "", "", Hint{
		Title: "Find which way the traffic takes",
		Note:  "kubectl wg verify --record FILE keeps what was seen; kubectl wg replay FILE shows it again.",
	}},
	{"WG0606", "", K3s, restartK3s},
	{"WG0606", "", RKE2, restartCanal},
	{"WG0606", "", Flannel, restartFlannel},
}

var k3sSwitch = Hint{
	Title:      "Switch K3s to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node was restarted: use a maintenance window",
	Steps: []Step{
		{On: EachServer,
			Command: "mkdir -p /etc/rancher/k3s && echo 'flannel-backend: wireguard-native' >> " +
				"/etc/rancher/k3s/config.yaml",
			Note: "the backend is an option of servers only, the same on all; remove an older flannel-backend line"},
		{On: EachServer, Command: "systemctl restart k3s"},
		{
			On:      EachNode,
			Command: "reboot",
			Note: "servers first; removes flannel.1 and its routes, which would win over the tunnel's, and gives " +
				"every pod the new MTU",
		},
		{On: Operator, Command: "kubectl wg verify"},
	},
}

var rke2Switch = Hint{
	Title:      "Switch Canal to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node was restarted: use a maintenance window",
	Steps: []Step{
		{
			On: Operator,
			Command: "kubectl apply -f - <<'EOF'\napiVersion: helm.cattle.io/v1\nkind: " +
				"HelmChartConfig\nmetadata: {name: rke2-canal, namespace: kube-system}\nspec:\n  " +
				"valuesContent: |-\n    flannel:\n      backend: wireguard\nEOF",
		},
		{On: Operator, Command: "kubectl -n kube-system rollout restart daemonset rke2-canal"},
		{
			On:      EachNode,
			Command: "reboot",
			Note:    "servers first; flannel.1 and its routes stay otherwise and win over the tunnel's",
		},
		{On: Operator, Command: "kubectl wg verify"},
	},
}

var flannelSwitch = Hint{
	Title:      "Switch Flannel to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node was restarted: use a maintenance window",
	Steps: []Step{
		{On: Operator, Command: "kubectl -n kube-flannel edit configmap kube-flannel-cfg",
			Note: "in net-conf.json set \"Backend\": {\"Type\": \"wireguard\"}"},
		{On: Operator, Command: "kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds"},
		{On: EachNode, Command: "reboot", Note: "flannel.1 and its routes stay otherwise and win over the tunnel's"},
		{On: Operator, Command: "kubectl wg verify"},
	},
}

// rebootAll brings nodes to the backend that the servers are configured with.
var rebootAll = Hint{
	Title:      "Bring every node to the servers' backend by a reboot",
	Disruption: "each node and its pods stop while it reboots: use a maintenance window, one node after the other",
	Steps:      []Step{rebootEach},
	Note:       "The servers must all be configured with the same flannel-backend.",
}

// What restarts the network plugin of one node.
var (
	k3sStep   = Step{On: "{node}", Command: "systemctl restart k3s || systemctl restart k3s-agent"}
	canalStep = Step{
		On:      Operator,
		Command: "kubectl -n kube-system delete pod -l k8s-app=canal --field-selector spec.nodeName={node}",
		Note:    "its DaemonSet, rke2-canal, makes it again",
	}
	flannelStep = Step{
		On:      Operator,
		Command: "kubectl -n kube-flannel delete pod -l app=flannel --field-selector spec.nodeName={node}",
		Note:    "its DaemonSet, kube-flannel-ds, makes it again",
	}
	rebootEach = Step{
		On: EachNode, Command: "reboot", Note: "servers first; removes the links and routes of the backend before",
	}
	loadModule = Step{On: "{node}", Command: "modprobe wireguard", Note: "if this fails: {module}"}
)

const pauses = "running pods go on; traffic between the node and the others pauses for seconds"

var restartK3s = Hint{
	Title:      "Restart K3s: it makes the device, its routes and its peers anew",
	Disruption: pauses,
	Steps:      []Step{k3sStep},
}

var restartCanal = Hint{
	Title:      "Restart Canal on {node}: it makes the device, its routes and its peers again",
	Disruption: pauses,
	Steps:      []Step{canalStep},
}

var restartFlannel = Hint{
	Title:      "Restart Flannel on {node}: it makes the device, its routes and its peers again",
	Disruption: pauses,
	Steps:      []Step{flannelStep},
}

// newKey gives a node another key, which Flannel makes when it finds none.
func newKey(restart Step) Hint {
	return Hint{
		Title: "Give each node a key of its own", Disruption: "pod traffic of the node stops for seconds",
		Steps: []Step{
			{On: "{node}", Command: "rm -f /run/flannel/wgkey", Note: "or the file that WIREGUARD_KEY_FILE names"},
			restart,
		},
	}
}

// forgetHandshakes has a node make its device again.
func forgetHandshakes(plugin string, restart Step) Hint {
	return Hint{
		Title:      "Restart " + plugin + " on {node}, so that it forgets the handshakes of the future",
		Disruption: "running pods go on; traffic between {node} and the others pauses for seconds",
		Steps:      []Step{restart},
		Note:       "Then keep the clocks right, with NTP and a battery-backed clock, or the next boot brings it back.",
	}
}

// onPeer is a step on the other node.
func onPeer(step Step) Step {
	step.On = "{peer}"
	return step
}
