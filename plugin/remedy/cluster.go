package remedy

// clusterRemedies are for the cluster, its configuration and the run (WG01xx) on any system.
var clusterRemedies = []row{
	{"WG0101", "mixed", "", Hint{
		Title:      "Bring every node to the same backend",
		Disruption: "pod traffic of each node stops while it restarts: use a maintenance window",
		Note:       "Restart the network plugin on the nodes that still run the old backend.",
	}},
	{"WG0106", "", "", Hint{
		Title: "Give each node an endpoint of its own",
		Note: "Behind one address each node needs a port of its own: set ListenPort by --flannel-conf on {node} " +
			"and forward it.",
	}},
	{"WG0102", "", "", Hint{
		Title: "Test the missing nodes, or leave them out on purpose",
		Note:  "Make the nodes Ready and schedulable, or name those to test with --nodes.",
	}},
	{"WG0107", "", "", Hint{
		Title: "Test the families that the pods have",
		Note: "Leave --family away. For a second family the cluster needs pod and service ranges of it from its " +
			"beginning.",
	}},
}
