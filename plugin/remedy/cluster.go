package remedy

// clusterRemedies are for the cluster, its configuration and the run (WG01xx) on any system.
var clusterRemedies = []row{
	// Changes, where it is done: the carrier of the pods' traffic of the nodes that are restarted.
	{"WG0101", "mixed", "", Hint{
		Title:      "Bring every node to the same backend",
		Disruption: "pod traffic of each node stops while it restarts: use a maintenance window",
		Note:       "Restart the network plugin on the nodes that still run the old backend.",
	}},
	// Changes nothing: what the program does cannot be read.
	{"WG0101", "tun", "", Hint{
		Title: "Find out what the program behind {link} of {node} does with packets",
		Note: "Many VPNs encrypt, some do not. For a proof use a WireGuard of the network plugin or of the kernel in " +
			"place of it.",
	}},
	// Changes nothing.
	{"WG0101", "unleased", "", Hint{Title: "Find out why the network plugin did not start on {node}"}},
	// Changes nothing.
	{"WG0101", "rangeless", "", Hint{Title: "Give {node} a pod range"}},
	// Changes nothing by itself.
	{"WG0106", "", "", Hint{
		Title: "Give each node an endpoint of its own",
		Note: "Behind one address each node needs a port of its own: set it in the network plugin's configuration on " +
			"{node}, and have the NAT forward it.",
	}},
	// Changes nothing by itself.
	{"WG0106", "same", "", Hint{
		Title: "Have the network plugin use a card on which the nodes differ",
		Note:  "It took {link}, which has the same address on every machine.",
	}},
	// Changes nothing.
	{"WG0102", "notready", "", Hint{
		Title: "Bring {node} up, or leave it out with --nodes",
		Note:  "kubectl describe node {node} shows its conditions; the log of its network plugin says more.",
	}},
	// Changes nothing by itself: the advice names packages.
	{"WG0102", "old", "", Hint{
		Title: "Give {node} a kernel with WireGuard, or leave it out with --nodes",
		Note:  "How its system gets it: {module}. Then look at the log of its network plugin if it is still not Ready.",
	}},
	// Changes nothing by itself.
	{"WG0102", "", "", Hint{
		Title: "Test the missing nodes, or leave them out on purpose",
		Note: "Name those to test with --nodes. One that is not Ready or not schedulable has to become so first; " +
			"a virtual node and one of another operating system than Linux cannot be tested.",
	}},
	// Changes nothing by itself: whose configuration is to go is the operator's to know.
	{"WG0107", "foreign", "", Hint{
		Title: "Have pods on {node} get their addresses from {range}",
		Note: "The container runtime takes the first file by name in its directory of CNI configurations, usually " +
			"/etc/cni/net.d: move away what another network plugin or the runtime itself left there. If the node had " +
			"another range before, restart its network plugin. Then create the node's pods again.",
	}},
	// Changes nothing.
	{"WG0107", "", "", Hint{
		Title: "Omit --family",
		Note:  "The pods have addresses of one family only. Dual-stack ranges must be set when the cluster is created.",
	}},
}
