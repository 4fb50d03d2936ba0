package remedy

// deviceRemedies are for devices, peers and keys (WG02xx, WG03xx) on any system.
var deviceRemedies = []row{
	{"WG0306", "announced", "", Hint{
		Title: "Have {peer} listen on the port that it publishes",
		Note: "Flannel publishes ListenPortV6 for its IPv6 address, in the modes auto and ipv6 too, where " +
			"{device} listens on ListenPort alone: give both the same port in flannel's configuration " +
			"(the file of --flannel-conf), on every node, and restart it.",
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
	{"WG0201", "down", "", Hint{Title: "Bring {device} up, and its routes back; if it does not stay up, its port is " +
		"taken by another WireGuard device",
		Steps: []Step{{On: "{node}", Command: "ip link set {device} up"}},
		Note:  "The routes went when it went down: restart the network plugin on {node}, which adds them again.",
	}},
	{"WG0202", "hangs", "", Hint{
		Title: "Restart the program that runs {device} on {node}",
		Note:  "It is a userspace WireGuard, in the network plugin itself or beside it.",
	}},
	{"WG0202", "permission", "", Hint{
		Title: "Let the probe use CAP_NET_ADMIN",
		Note: "The probe's pod runs with hostNetwork and NET_ADMIN and NET_RAW; a policy or a runtime in a user " +
			"namespace took them away.",
	}},
	{"WG0303", "", "", Hint{
		Title: "Give each node a key of its own",
		Note:  "Machines that were cloned from one image share what lies on its disk.",
	}},
}
