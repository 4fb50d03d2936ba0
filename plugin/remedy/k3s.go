package remedy

// k3s is Flannel inside of K3s.
var k3s = flannelRun{
	system: K3s, name: "K3s", restart: k3sStep,
	netConf: "the file of --flannel-conf (it replaces K3s' own settings)",
	address: "node-ip, node-external-ip or flannel-iface of /etc/rancher/k3s/config.yaml",
	cni:     "/var/lib/rancher/k3s/agent/etc/cni/net.d",
	logs:    "journalctl -u k3s -u k3s-agent | grep -i flannel",
}

// k3sRemedies are for K3s only.
var k3sRemedies = []row{
	// Reboots one node, which stops its pods.
	{"WG0101", "mixed", K3s, Hint{
		Title:      "Bring {node} to the servers' backend by a reboot",
		Disruption: "the node and its pods stop while it reboots: use a maintenance window",
		Steps: []Step{
			{On: "{node}", Command: "reboot", Note: "removes the links and routes of the backend before"},
		},
		Note: "The servers must all be configured with the same flannel-backend.",
	}},
	// Reboots every node, which stops its pods.
	{"WG0101", "mixed", K3s, Hint{
		Title:      "Bring every node to the servers' backend by a reboot",
		Disruption: "each node and its pods stop while it reboots: use a maintenance window, one node after the other",
		Steps:      []Step{rebootEach},
		Note:       "The servers must all be configured with the same flannel-backend.",
	}},
	// Changes the carrier of all pods' traffic and their MTU; reboots every node.
	{"WG0101", "plain", K3s, k3sSwitch},
	// Changes nothing: what the VPN does cannot be read.
	{"WG0101", "tun", K3s, Hint{
		Title: "Nothing is known to be wrong: what {link} does with packets cannot be proven from outside",
		Note: "Tailscale encrypts by its design; tailscale status on {node} shows its peers, and which of them are " +
			"relayed. For a proof use K3s' backend wireguard-native in place of it, or a WireGuard of the kernel " +
			"below Flannel (flannel-iface).",
	}},
	// Changes nothing.
	{"WG0102", "notready", K3s, k3sNotReady("Bring {node} up, or leave it out with --nodes", "")},
	// Changes nothing by itself: the advice names packages.
	{"WG0102", "old", K3s, k3sNotReady("Give {node} a kernel with WireGuard", "How its system gets it: {module}. ")},
	// Changes the carrier of all pods' traffic and their MTU; reboots every node.
	{"WG0104", "unlike", K3s, Hint{
		Title:      "Restart K3s on {node}, so that it runs what it is configured with",
		Disruption: "pod traffic between nodes stops until every node has been restarted: use a maintenance window",
		Steps:      []Step{{On: "{node}", Command: "systemctl restart k3s"}, rebootEach},
	}},
	// Changes the servers' configuration to what the nodes run; restarts the servers one after the other.
	{"WG0104", "unnamed", K3s, Hint{
		Title:      "Name the backend that the nodes run on every server, before a restart takes it away",
		Disruption: "the API server of each server pauses for seconds; running pods keep running",
		Steps:      []Step{nameBackend, {On: EachServer, Command: "systemctl restart k3s"}},
	}},
	// Prints no command: where the option stands is not known.
	{"WG0104", "agent", K3s, Hint{
		Title: "Remove flannel-backend from the agents' configuration",
		Note: "It must not stand in /etc/rancher/k3s/config.yaml nor among the arguments of an agent: k3s agent does " +
			"not know the option and may not start with it (journalctl -u k3s-agent). " +
			"Name the backend on every server.",
	}},
	// Changes the carrier of all pods' traffic and their MTU; reboots every node.
	{"WG0104", "", K3s, k3sSwitch},
	// Changes the address at which the others reach the node; restarts K3s on one node.
	{"WG0105", "", K3s, Hint{
		Title:      "Remove the annotation that outlived its option, then restart the node's K3s",
		Disruption: pauses,
		Steps: []Step{
			{
				On: Operator,
				Command: "kubectl annotate node {node} flannel.alpha.coreos.com/public-ip-overwrite- " +
					"flannel.alpha.coreos.com/public-ipv6-overwrite-",
			},
			k3sStep},
	}},
	// Changes the endpoint of every node, and the way of all pods' traffic; restarts K3s everywhere.
	{"WG0106", "same", K3s, Hint{
		Title:      "Have flannel use {card}, on which the nodes differ",
		Disruption: "traffic between nodes is interrupted until K3s has been restarted on all of them",
		Steps: []Step{
			{On: EachNode, Command: setOption("flannel-iface", "{card}")},
			{On: EachNode, Command: k3sStep.Command},
		},
		Note: "It took {link}, which has the same address on every machine; {peer} has {address} on {card}. If the " +
			"nodes' InternalIP is the shared one too, set node-ip in each node's configuration as well.",
	}},
	// Prints no command: the card is not known.
	{"WG0106", "same", K3s, Hint{
		Title: "Have flannel use a card on which the nodes differ",
		Note: "It took {link}, which has the same address on every machine. Set flannel-iface: <card> and node-ip: " +
			"<its address> in /etc/rancher/k3s/config.yaml of each node and restart K3s.",
	}},
	// Prints no command: the public address is not known.
	{"WG0306", "external", K3s, Hint{
		Title: "Configure K3s with the public address of {node}",
		Note: "The servers have flannel-external-ip, and {node} has no external address, so it publishes {address}. " +
			"Set node-external-ip: <public address of {node}> in /etc/rancher/k3s/config.yaml of {node}, restart K3s " +
			"there, and let UDP port {port} in at that address.",
	}},
	// Prints no command: the public address is not known, nor whether the networks should be connected.
	{"WG0306", "private", K3s, Hint{
		Title: "Have {node} publish an address that {peer} reaches",
		Note: "If a router between the two networks knows {address}, open UDP port {port} there instead, in both " +
			"directions. Else set node-external-ip: <public address of the node> in /etc/rancher/k3s/config.yaml of " +
			"every node and flannel-external-ip: true on every server, and restart K3s.",
	}},
	// Changes the way of all pods' traffic of one node; its pods keep their MTU.
	{"WG0401", "below", K3s, Hint{
		Title:      "Have K3s on {node} use the WireGuard device {device}, as its peers do",
		Disruption: "pod traffic of the node stops for seconds; its pods keep their MTU until they are recreated",
		Steps: []Step{
			{On: "{node}", Command: setOption("flannel-iface", "{device}")},
			k3sStep},
		Note: "Set node-ip to the address of {device} as well, so that the API server reaches the node through it.",
	}},
	// Changes the carrier of all pods' traffic and their MTU; reboots every node.
	{"WG0601", "vxlan", K3s, k3sSwitch},
	// Changes the same.
	{"WG0601", "bare", K3s, k3sSwitch},
}

// setOption is a command that gives an option of K3s' configuration file a value,
// in place of any that it has.
func setOption(name, value string) string {
	const file = "/etc/rancher/k3s/config.yaml"
	return "mkdir -p /etc/rancher/k3s && touch " + file + " && sed -i '/^" + name + ":/d' " + file +
		" && echo '" + name + ": " + value + "' >> " + file
}

// nameBackend configures the servers, not yet restarting them.
var nameBackend = Step{
	On: EachServer, Command: setOption("flannel-backend", "wireguard-native"),
	Note: "the backend is an option of servers only, the same on all",
}

func k3sNotReady(title, first string) Hint {
	return Hint{
		Title: title,
		Note: first + "On the node, journalctl -u k3s -u k3s-agent | grep -i flannel shows why its network does not " +
			"start. flannel-backend must not stand in an agent's configuration: it stops the agent.",
	}
}

var k3sSwitch = Hint{
	Title:      "Switch K3s to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node has been restarted: use a maintenance window",
	Steps: []Step{
		nameBackend,
		{On: EachServer, Command: "systemctl restart k3s"},
		{
			On:      EachNode,
			Command: "reboot",
			Note: "servers first; removes flannel.1 and its routes, which would take precedence over the tunnel's, " +
				"and gives every pod the new MTU",
		},
		{On: Operator, Command: "kubectl wg verify"},
	},
}

// WithUnits names the systemd unit in the steps that restart K3s on a node whose
// unit is known; of another node the step tries both.
func (h Hint) WithUnits(unit func(node string) string) Hint {
	named := make([]Step, 0, len(h.Steps))
	for _, step := range h.Steps {
		if step.Command == k3sStep.Command {
			if known := unit(step.On); known == "k3s" || known == "k3s-agent" {
				step.Command = "systemctl restart " + known
			}
		}
		named = append(named, step)
	}
	if len(named) > 0 {
		h.Steps = named
	}
	return h
}
