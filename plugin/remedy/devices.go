package remedy

// deviceRemedies are for devices, peers and keys (WG02xx, WG03xx) on any system.
var deviceRemedies = []row{
	// Loads a module, which stays until the next boot.
	{"WG0201", "missing", "", Hint{
		Title: "Restart the network plugin: it makes {device} when it starts", Steps: []Step{loadModule},
	}},
	// Changes nothing by itself: how this system is configured is not known.
	{"WG0201", "ipv4", "", Hint{Title: "Switch the network plugin's encryption on for IPv4 too"}},
	// The same.
	{"WG0201", "ipv6", "", Hint{Title: "Switch the network plugin's encryption on for IPv6 too"}},
	// Removes a link with its addresses and routes; whoever made it may miss it.
	{"WG0201", "impostor", "", Hint{
		Title: "Remove the link that only has the name of the device, then restart the network plugin",
		Steps: []Step{{On: "{node}", Command: "ip link delete {device}"}},
		Note:  "Find out what made it, or it comes back.",
	}},
	// Changes nothing by itself.
	{"WG0201", "port", "", Hint{
		Title: "Give one of the two WireGuard devices another port",
		Note:  "Set it in the network plugin's configuration, the same on every node, or change the port of {link}.",
	}},
	// Changes the state of one link; no route comes back by it.
	{"WG0201", "down", "", Hint{Title: "Bring {device} up, and its routes back; if it does not stay up, its port is " +
		"taken by another WireGuard device",
		Steps: []Step{{On: "{node}", Command: "ip link set {device} up"}},
		Note:  "The routes went when it went down: restart the network plugin on {node}, which adds them again.",
	}},
	// Changes nothing by itself: which program it is is not known.
	{"WG0202", "hangs", "", Hint{
		Title: "Restart the program that runs {device} on {node}",
		Note:  "It is a userspace WireGuard, in the network plugin itself or next to it.",
	}},
	// Changes nothing by itself: no policy is named to be weakened.
	{"WG0202", "permission", "", Hint{
		Title: "Let the probe use CAP_NET_ADMIN",
		Note: "The probe's pod runs with hostNetwork and NET_ADMIN and NET_RAW; a policy or a runtime in a user " +
			"namespace took them away.",
	}},
	// Changes nothing by itself: where the key is kept is not known.
	{"WG0303", "", "", Hint{
		Title: "Give each node a key of its own",
		Note:  "Machines that were cloned from one image share what lies on its disk.",
	}},
	// Changes nothing by itself.
	{"WG0306", "announced", "", Hint{Title: "Have {peer} listen on the port that it publishes"}},
	// Changes nothing by itself.
	{"WG0306", "own", "", Hint{
		Title: "Give all nodes the same port",
		Note:  "Set it in the network plugin's configuration on every node.",
	}},
	// Changes nothing by itself: how the plugin chooses the address is not known.
	{"WG0306", "moved", "", Hint{
		Title: "Have {node} publish an address that it has",
		Note: "It publishes {address}, which it may have had before: restart the network plugin on {node}, " +
			"which looks for its address when it starts, and keep the address the same (a reservation of DHCP, " +
			"no temporary IPv6 address).",
	}},
	// Changes nothing by itself.
	{"WG0306", "elsewhere", "", Hint{
		Title: "Have {node} publish an address of its own, and not {address} of {holder}",
		Note: "Often it is a virtual address (keepalived, kube-vip) that moved from one to the other. " +
			"Name the node's own address or its network card in the network plugin's configuration, then restart it " +
			"on {node}.",
	}},
	// Changes nothing by itself: the reachable address is not known.
	{"WG0306", "private", "", reachable},
	// Changes nothing by itself.
	{"WG0306", "external", "", reachable},
}

var reachable = Hint{
	Title: "Have {node} publish an address that {peer} reaches",
	Note: "If a router between the two networks knows {address}, open UDP port {port} there instead, in both " +
		"directions.",
}
