package remedy

// wireRemedies are for the proof on the wire, performance and scope (WG06xx to WG08xx) on any system.
var wireRemedies = []row{
	// Prints no command: the package depends on the system and its kernel.
	{"WG0701", "", "", Hint{
		Title: "Use the kernel's WireGuard",
		Note:  "Install the module for this kernel and restart the network plugin: kubectl wg explain WG0201.",
	}},
	// Changes nothing by itself.
	{"WG0702", "", "", Hint{
		Title: "Have {node} send keepalives",
		Note:  "Set a persistent keepalive of 25 s in the network plugin's configuration.",
	}},
	// Prints no command: only the options of verify change.
	{"WG0801", "", "", Hint{Title: "Test all families", Note: "Omit --family, or use --family all."}},
	// Prints no command: it is a choice, and nothing is wrong.
	{"WG0802", "plugin", "", Hint{
		Title: "None needed for pod traffic",
		Note: "If the host network has to be encrypted as well, a WireGuard between the machines below the network " +
			"plugin does that; some network plugins have an option for it. The API server, kubelets and etcd use TLS " +
			"of their own.",
	}},
	// Prints no command: it is a choice, and nothing is wrong.
	{"WG0802", "twice", "", Hint{
		Title: "None needed",
		Note: "One of the two is enough against whoever reads the network; the second costs processor time and 60 " +
			"to 80 bytes of every packet.",
	}},
	// Prints no command: where the key is set is the network plugin's, and it is a secret.
	{"WG0803", "", "", Hint{
		Title: "Decide whether the peers have preshared keys, all or none",
		Note: "Where the network plugin has an option for one, set it on every node and restart the network plugin " +
			"on all of them: two ends that differ do not connect.",
	}},
	// Prints no command: WireGuard has no other algorithms.
	{"WG0804", "", "", Hint{
		Title: "None known for WireGuard",
		Note: "If an audit asks for approved algorithms, encryption of another kind has to carry the traffic: IPsec, " +
			"or TLS between the applications, with validated modules.",
	}},
	// Prints no command: it is a choice, and nothing is wrong.
	{"WG0805", "", "", Hint{
		Title: "None needed while all nodes have their peers",
		Note: "Look whether the network plugin has a strict mode, and run verify again when nodes were added or " +
			"repaired: a node without a key is found by it.",
	}},
	// Prints no command: which packets may be refused is known to who set up the machines.
	{"WG0805", "machines", "", Hint{
		Title: "None needed while the device is up and has all machines as peers",
		Note: "A route of type blackhole for the addresses behind it, with a larger metric than its own, has packets " +
			"dropped where the device is missing.",
	}},
	// Prints no command: only the options of verify change.
	{"WG0806", "left", "", Hint{
		Title: "Test these nodes too", Note: "Omit --nodes and --node-selector, or name them with the others.",
	}},
	// Prints no command: it is an option of the network plugin, and nothing is wrong.
	{"WG0806", "opted", "", Hint{
		Title: "None needed for pod traffic",
		Note:  "It is encrypted on these nodes as well; what the nodes send themselves is not, by their configuration.",
	}},
	// Prints no command: who set up the other tunnel, and for what, is not known.
	{"WG0601", "tunnel", "", Hint{
		Title: "Find what leads the pods' packets into the other tunnel",
		Note: "On the node that is named, ip rule and ip route show table all list rules and routes into it; " +
			"marks that a rule asks for are set by nft list ruleset or iptables-save. Remove the entry, or the " +
			"tunnel.",
	}},
	// Prints no command: how this system is configured is not known.
	{"WG0601", "", "", Hint{
		Title: "Switch the network plugin to an encrypting backend, or put WireGuard below it",
		Note:  "After the switch restart it on every node and remove the links of the old backend.",
	}},
	// Prints no command: what leads the packets there is not known.
	{"WG0601", "past", "", Hint{
		Title: "Find what leads these packets past the tunnel of {node}, or copies them",
		Note: "The network plugin encrypts, so something else does it: policy rules (ip rule), routes of other " +
			"tables, filters that set marks, copy or divert (nft list ruleset, iptables-save, tc filter show), " +
			"a process behind a TUN device. The readings above say on which link and in which format they left.",
	}},
	// Prints no command: what leads the packets there is not known.
	{"WG0621", "", "", Hint{
		Title: "Find what leads these packets past the tunnel of {node}",
		Note: "Pods reach each other through the tunnel, so something treats packets otherwise that a Service's " +
			"rules translate or that a node sends: policy rules (ip rule), a masquerade that gives them an address " +
			"which no peer has, marks that filters set on connections (nft list ruleset, iptables-save). " +
			"The readings above say on which link and in which format they left.",
	}},
	// Prints no command: it is a choice of the network plugin's configuration.
	{"WG0621", "ended", "", Hint{
		Title: "Have nodes drop traffic of unknown pods instead of sending it unencrypted",
		Note: "Find what treats the traffic of pods that have ended differently, such as an agent that removes a " +
			"route, a rule or an address list per pod, and whether it has a strict mode.",
	}},
	// Prints no command: which of the routes are the network plugin's to set is not known.
	{"WG0621", "forwarded", "", Hint{
		Title: "Have {node} refuse what is for pods that it no longer has",
		Note: "The packets came through the tunnel, and {node} sent them on by another route, since it has none " +
			"for the address any more. A blackhole route for its whole pod range, below those of its pods, ends " +
			"that; network plugins mostly set it (ip route show type blackhole).",
	}},
	// Prints no command: it is a choice of the network plugin's configuration.
	{"WG0609", "", "", Hint{
		Title: "Have nodes drop traffic of unknown pods instead of sending it unencrypted",
		Note: "Find what treats the traffic of new pods differently, such as an agent that writes a route, a rule " +
			"or an address list per pod, and whether it has a strict mode.",
	}},
	// Prints no command: what takes the packets is not known.
	{"WG0605", "", "", Hint{
		Title: "Find what delivers the packets past the WireGuard link, or past its capture",
		Note: "They arrived, so something took them there. On both nodes look at what WG0611 names, if it is listed " +
			"too, then at programs (bpftool net show), redirects (tc filter show dev LINK ingress), policy rules " +
			"(ip rule) and other tunnels (ip -d link show).",
	}},
	// Prints no command: whose messages they are is not known.
	{"WG0607", "", "", Hint{
		Title: "Find whose handshakes these are",
		Note: "Nobody but the owner of the key that they were made for can answer them. wg show all on the sending " +
			"node lists its peers: look for one with the same endpoint and another key, such as a key that the other " +
			"node had before, and for a second WireGuard device.",
	}},
	// Prints no command: what sends the packets is not known.
	{"WG0608", "", "", Hint{
		Title: "Find what sends these packets on the node and the link that the finding names",
		Note: "The packets belong to no pair that this run tested, or to which one is not known. " +
			"Look at policy rules (ip rule), the routes of all tables (ip route show table all), filters that copy " +
			"or divert (nft list ruleset, tc filter show dev LINK ingress) and capture or mirror programs. " +
			"--pairs all tests all pairs.",
	}},
	// Prints no command: nothing has to be changed.
	{"WG0603", "recreated", "", Hint{
		Title: "Run again when the network plugin is not being restarted",
		Note:  "If it stays, something recreates the device or its peer: the log of the network plugin says when.",
	}},
	// Prints no command: what takes the packets is not known.
	{"WG0603", "bypassed", "", Hint{
		Title: "Find what takes packets past the tunnel, though they arrive",
		Note: "On both nodes look at policy rules (ip rule), programs (bpftool net show), redirects (tc filter show " +
			"dev LINK ingress) and other tunnels (ip -d link show).",
	}},
	// Prints no command: which path it is is not known.
	{"WG0603", "uncaptured", "", Hint{
		Title: "Find the link by which the missing bytes left or came",
		Note: "ip route get ENDPOINT shows the path to the other node, ip -s link the counters of all links. A link " +
			"that was not captured, an offload or a program in front of the captures takes them: see WG0611.",
	}},
	// Prints no command: who sends them is not known.
	{"WG0603", "foreign", "", Hint{
		Title: "Find who else sends to this endpoint",
		Note: "An older key of the node, a second WireGuard device with the same endpoint (wg show all), or somebody " +
			"who repeats old messages. WireGuard drops what it cannot authenticate.",
	}},
	// Prints no command: the counters were not read, or make no sense.
	{"WG0603", "", "", Hint{
		Title: "Run again, and report it if it stays",
		Note:  "kubectl wg verify --record FILE keeps what was read, without any private or preshared key.",
	}},
	// Changes nothing by itself.
	{"WG0602", "inside", "", insideOther},
	// Prints no command: the cause is not known.
	{"WG0602", "", "", Hint{
		Title: "Find which way the traffic takes",
		Note:  "kubectl wg verify --record FILE keeps what was seen; kubectl wg replay FILE shows it again.",
	}},
}
