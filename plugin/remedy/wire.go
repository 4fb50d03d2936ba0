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
		Note: "Pods reach each other through the tunnel, so something treats packets otherwise that a Service's rules " +
			"translate or that a node sends: policy rules (ip rule), a masquerade that gives them an address which no " +
			"peer has, marks that filters set on connections (nft list ruleset, iptables-save). The readings above say " +
			"on which link and in which format they left.",
	}},
	// Prints no command: it is a choice of the network plugin's configuration.
	{"WG0609", "", "", Hint{
		Title: "Have nodes drop traffic of unknown pods instead of sending it unencrypted",
		Note: "Find what treats the traffic of new pods differently, such as an agent that writes a route, a rule " +
			"or an address list per pod, and whether it has a strict mode.",
	}},
	// Changes nothing by itself.
	{"WG0602", "inside", "", insideOther},
	// Prints no command: the cause is not known.
	{"WG0602", "", "", Hint{
		Title: "Find which way the traffic takes",
		Note:  "kubectl wg verify --record FILE keeps what was seen; kubectl wg replay FILE shows it again.",
	}},
}
