package remedy

// k3sRemedies are for K3s, which runs Flannel itself.
var k3sRemedies = []row{
	{"WG0101", "mixed", K3s, rebootAll},
	{"WG0101", "plain", K3s, k3sSwitch},
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
	{"WG0306", "", K3s, restartK3s},
	{"WG0201", "missing", K3s, Hint{
		Title:      "Restart K3s: it makes the device when it starts",
		Disruption: "running pods go on; connections between nodes pause for seconds",
		Steps:      []Step{loadModule, k3sStep},
	}},
	{"WG0201", "down", K3s, restartK3s},
	{"WG0202", "hangs", K3s, restartK3s},
	{"WG0301", "", K3s, restartK3s},
	{"WG0302", "", K3s, restartK3s},
	{"WG0304", "", K3s, restartK3s},
	{"WG0303", "", K3s, newKey(k3sStep)},
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
	{"WG0401", "none", K3s, restartK3s},
	{"WG0501", "handshake", K3s, Hint{
		Title:      "Restart K3s on both nodes: it sets the preshared key, or none, on all peers",
		Disruption: "running pods go on; traffic between the two and the others pauses for seconds",
		Steps:      []Step{k3sStep, onPeer(k3sStep)},
		Note:       "With --flannel-conf the file must hold the same PSK on every node.",
	}},
	{"WG0501", "clock", K3s, Hint{
		Title:      "Restart K3s on {node}: it forgets the handshakes of the future",
		Disruption: "running pods go on; traffic between {node} and the others pauses for seconds",
		Steps:      []Step{k3sStep},
		Note:       "Then keep the clocks right, with NTP and a battery-backed clock, or the next boot brings it back.",
	}},
	{"WG0601", "vxlan", K3s, k3sSwitch},
	{"WG0601", "bare", K3s, k3sSwitch},
	{"WG0606", "", K3s, restartK3s},
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

var restartK3s = Hint{
	Title:      "Restart K3s: it makes the device, its routes and its peers anew",
	Disruption: pauses,
	Steps:      []Step{k3sStep},
}
