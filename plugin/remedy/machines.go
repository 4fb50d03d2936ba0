package remedy

// machinesRemedies are for a WireGuard of the machines below any network plugin: what
// set it up, wg-quick, a network manager or a tool of its own, is not known.
var machinesRemedies = []row{
	// Prints no command: what set the device up is not known.
	{"WG0201", "below", "", Hint{
		Title: "Bring {device} up on {node}: the network plugin sends to the other nodes through it",
		Note: "Restart what set it up, as wg-quick@{device}: its routes have to come back too. " +
			"So that nothing leaves past it meanwhile, give each node an unreachable route for its addresses with a " +
			"higher metric.",
	}},
	// Prints no command: the peer's key would have to be in it, and what configures the device sets it again.
	{"WG0304", "pods", "", Hint{
		Title: "Add the pods of {peer} to its allowed IPs on {node}",
		Note: "Add {range} to AllowedIPs of that peer in the configuration of {device}, and restart what sets it up. " +
			"Or use a backend that wraps the pods' packets, as vxlan does.",
	}},
	// Changes an offload of one link until it is made again: UDP and TCP take a little more processor time.
	{"WG0502", "checksum", "", Hint{
		Title: "Have the kernel compute the checksums of what enters {link}",
		Steps: []Step{{On: "{node}", Command: "ethtool -K {link} tx-checksum-ip-generic off"},
			{On: "{peer}", Command: "ethtool -K {link} tx-checksum-ip-generic off"}},
		Note: "It is gone when the link is made again: put it into what brings the network up, or update the kernel.",
	}},
	// Changes the way of all pods' traffic of every node; its pods keep their MTU.
	{"WG0601", "unused", K3s, Hint{
		Title:      "Have K3s use {device}, the WireGuard of the machines",
		Disruption: "pod traffic stops for seconds on each node; pods keep their MTU until they are recreated",
		Steps: []Step{
			{On: EachNode, Command: setOption("flannel-iface", "{device}")},
			{On: EachNode, Command: k3sStep.Command},
			{On: Operator, Command: "kubectl wg verify"},
		},
		Note: "Set node-ip to each node's address on {device} as well, so that the API server reaches it there. " +
			"A switch to K3s' backend wireguard-native in place of it needs another port than that of {device}.",
	}},
	// Prints no command: a HelmChartConfig holds all of the chart's values.
	{"WG0601", "unused", RKE2, Hint{
		Title: "Have Canal use {device}, the WireGuard of the machines",
		Note:  "Set flannel.iface: {device} in the HelmChartConfig rke2-canal of kube-system, and recreate the pods.",
	}},
	// Prints no command: where the manifest has its arguments is not known.
	{"WG0601", "unused", Flannel, Hint{
		Title: "Have Flannel use {device}, the WireGuard of the machines",
		Note:  "Add --iface={device} to the arguments of the DaemonSet kube-flannel-ds, and recreate the pods.",
	}},
	// Prints no command: how this network plugin is configured is not known.
	{"WG0601", "unused", "", Hint{
		Title: "Have the network plugin send to the other nodes through {device}, the WireGuard of the machines",
		Note:  "{peer} has the address {address} there. Or switch the network plugin to an encrypting backend.",
	}},
	// Prints no command: what is to encrypt is the operator's choice.
	{"WG0101", "other", "", Hint{
		Title: "Nothing is known to be wrong: another encryption than WireGuard was recognised",
		Note: "What it encrypts was not examined. For a proof by this tool use a WireGuard of the network plugin or " +
			"of the machines in its place.",
	}},
	// Prints no command: whether it was on the wire cannot be seen from the two nodes.
	{"WG0601", "decrypted", "", Hint{
		Title: "Nothing is known to be wrong: packets that IPsec decrypts pass their link once more",
		Note: "Whether what arrives in clear next to ESP is what IPsec decrypted is not known. " +
			"For a proof use WireGuard in place of IPsec: its packets come out of a link of their own.",
	}},
}
