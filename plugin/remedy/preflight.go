package remedy

// preflightRemedies are for what is found before there is a tunnel, on any system.
var preflightRemedies = []row{
	// Loads a module, which stays until the next boot.
	{"WG0203", "", "", Hint{
		Title: "Give {node} a kernel with WireGuard",
		Steps: []Step{loadModule},
		Note:  "After that kubectl wg preflight makes a link there.",
	}},
	// Changes nothing by itself: no command is typed on such a system.
	{"WG0203", "image", "", Hint{Title: "Give {node} a node image whose kernel has WireGuard", Note: "{module}."}},
	// Changes nothing by itself: why there was no trial is known to the operator, or to the cluster's policies.
	{"WG0203", "untried", "", Hint{
		Title: "Have a link tried on {node}",
		Note: "Omit --trial=false, and let the namespace of the probes admit a pod that has NET_ADMIN in its own network. " +
			"By hand, as root on the node: ip link add wg-test type wireguard && ip link delete wg-test.",
	}},
	// Changes nothing by itself: what set it is the operator's to know.
	{"WG0203", "locked", "", Hint{
		Title: "Have {node} load the module at boot, before kernel.modules_disabled is set",
		Note: "Name wireguard in a file of /etc/modules-load.d and reboot: the setting cannot be taken back while the " +
			"kernel runs. If the module is not there at all: {module}.",
	}},
	// Changes nothing by itself: which of the two gives way is the operator's choice.
	{"WG0204", "", "", Hint{
		Title: "Free UDP port {port} on {node}, or give the tunnel another",
		Note: "ss -lunp 'sport = :{port}' on {node} names the program. The tunnel's port is set in the network " +
			"plugin's configuration, the same on every node.",
	}},
	// Changes nothing by itself, as before.
	{"WG0204", "device", "", Hint{
		Title: "Give the tunnel another UDP port than {port}, which {link} on {node} has",
		Note: "{link} is a WireGuard device: wg show {link} shows its peers. Either its port changes, or the tunnel's, " +
			"in the network plugin's configuration, the same on every node.",
	}},
}

// Switch returns what has a cluster's network plugin encrypt with WireGuard, by what
// runs the plugin; false if that is not known.
func Switch(system string) (Hint, bool) {
	for _, r := range table {
		if r.code == "WG0101" && r.variant == "plain" && r.distribution == system {
			return r.hint, true
		}
	}
	return Hint{}, false
}
