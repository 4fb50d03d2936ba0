package remedy

// captureRemedies are for what a capture may not see (WG0604, WG0611).
var captureRemedies = []row{
	// Prints no command: nothing has to be changed.
	{"WG0604", "roamed", "", Hint{
		Title: "Run again: the endpoint has settled",
		Note:  "If it goes on changing, the node publishes an address that is not its own: see WG0306.",
	}},
	// Changes nothing by itself.
	{"WG0604", "inside", "", insideOther},
	// Prints no command: which address is the right one is not known.
	{"WG0604", "itself", "", Hint{
		Title: "Give {peer} an endpoint that {node} does not have as well",
		Note:  "WG0106, WG0306 and WG0501 look for where the address comes from.",
	}},
	// Prints no command: what drops the control is not known.
	{"WG0604", "kept", "", Hint{
		Title: "Let the control pass from {node} to {peer} while verify runs",
		Note: "It is a UDP datagram to {endpoint}, from another port than WireGuard's and not one of its " +
			"messages: a firewall that looks for either drops it, on a node or between them.",
	}},
	// Prints no command: what kept the probe from it is in the finding.
	{"WG0604", "unread", "", Hint{
		Title: "Find out why the probe could not watch all of {node}",
		Note: "The finding names the link, or what was not read. A link that came or went meanwhile: run again. A " +
			"permission: the probe needs NET_RAW and NET_ADMIN in the host's network; policies of admission or of " +
			"the container runtime can take them away.",
	}},
	// Prints no command: nothing has to be changed.
	{"WG0604", "", "", Hint{
		Title: "Run again when the nodes are less busy",
		Note:  "A capture that dropped frames cannot prove that nothing leaked.",
	}},
	// Prints no command: the program may be a part of the network or its protection.
	{"WG0611", "xdp", "", Hint{
		Title: "Find out whose XDP program is on {link} of {node}",
		Note: "ip -d link show {link} and bpftool prog show id {program} name it. It can send frames that no " +
			"packet socket sees: only without it can a run show that none leak.",
	}},
	// Prints no command: the program may be a part of the network or its protection.
	{"WG0611", "program", "", Hint{
		Title: "Find out whose BPF program is on {link} of {node}",
		Note: "bpftool net show dev {link} and tc filter show dev {link} ingress name it. If it belongs to the " +
			"cluster's network, this version does not know that: please report it with a recording.",
	}},
	// Prints no command: the filter may be a part of the network or its protection.
	{"WG0611", "redirect", "", Hint{
		Title: "Find out whose filter is on {link} of {node}",
		Note:  "tc filter show dev {link} ingress, and egress, list the filters.",
	}},
	// Prints no command: nothing has to be changed.
	{"WG0611", "link", "", Hint{
		Title: "Run again when no link of {node} comes or goes",
		Note:  "What crosses a link that appears meanwhile is not captured.",
	}},
	// Prints no command: what sends there is not known.
	{"WG0611", "counters", "", Hint{
		Title: "Run again, and if it stays, find out what sends on {link} of {node}",
		Note: "More left than was captured. A program, a card's offload or a socket that bypasses the packet " +
			"taps (AF_XDP, PACKET_QDISC_BYPASS) can send so.",
	}},
	// Prints no command: offloads may be in use, and switching them off costs throughput.
	{"WG0611", "offload", "", Hint{
		Title: "Switch off what is not used on {node}",
		Note:  "ethtool -k {link} lists a card's offloads, ethtool -K {link} hw-tc-offload off switches one off.",
	}},
}

// insideOther is for a tunnel inside of another one, where that leaves something unproven.
var insideOther = Hint{
	Title: "Nothing is known to be wrong: {device} runs inside of {link}, " +
		"and something needed for a proof was not seen",
	Note: "Run verify again with the probe image of this version, which captures the messages of {device} on {link}. " +
		"The control packet has to leave {node} for {peer} in plaintext, so {peer} must have an address on a network " +
		"card that {node} does not reach through {link}.",
}
