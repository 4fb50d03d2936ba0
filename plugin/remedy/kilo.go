package remedy

// Kilo is the name by which a profile knows Kilo.
const Kilo = "kilo"

// What restarts Kilo's agent on one node. Its manifests give its pods the label.
var (
	kiloStep    = restartPod("kubectl delete pod -l app.kubernetes.io/name=kilo --all-namespaces")
	kiloRestart = restartHint("Restart Kilo on {node}: it sets the device, its routes and its peers again", kiloStep)
)

// kiloRemedies are for Kilo.
var kiloRemedies = []row{
	// Changes the way of all pods' traffic between nodes, and every node's peers.
	{"WG0101", "design", Kilo, Hint{
		Title: "Have Kilo encrypt between all nodes: mesh granularity full",
		Disruption: "traffic between nodes is interrupted for seconds, node by node; each needs UDP 51820 from " +
			"all others",
		Steps: []Step{
			{On: Operator, Command: "kubectl -n kube-system edit daemonset kilo",
				Note: "add --mesh-granularity=full to the arguments of kilo; the DaemonSet may be in another " +
					"namespace"},
			{On: Operator, Command: "kubectl wg verify"},
		},
		Note: "If the network inside of each location is to be trusted, test the nodes that lead the locations " +
			"alone, with --nodes.",
	}},
	// Loads a module, which stays until the next boot; restarts the agent of one node.
	{"WG0201", "missing", Kilo, restartHint("Restart Kilo on {node}: it makes the device when it starts",
		loadModule, kiloStep)},
	// Restarts the agent of one node.
	{"WG0201", "down", Kilo, kiloRestart},
	// Restarts the agent of one node.
	{"WG0301", "", Kilo, kiloRestart},
	// Restarts the agent of one node.
	{"WG0302", "", Kilo, kiloRestart},
	// Prints no command: where the manifest keeps the key may differ.
	{"WG0303", "", Kilo, Hint{
		Title: "Give each node a key of its own",
		Note: "Remove /var/lib/kilo/key on {node} and restart Kilo there, which makes another. " +
			"Machines that were cloned from one image share what lies on its disk.",
	}},
	// Restarts the agent of one node.
	{"WG0304", "", Kilo, kiloRestart},
	// Prints no command: which address the others reach is not known.
	{"WG0306", "", Kilo, Hint{
		Title: "Have {peer} publish the endpoint that {node} reaches",
		Note: "Kilo finds it itself; the annotation kilo.squat.ai/force-endpoint: <address>:<port> of {peer} " +
			"overrides it.",
	}},
	// Restarts the agent of one node.
	{"WG0401", "none", Kilo, kiloRestart},
	// Changes the keepalive of all peers of one node: a few bytes for each and interval.
	{"WG0702", "", Kilo, Hint{
		Title: "Have {node} send keepalives",
		Steps: []Step{{On: Operator, Command: "kubectl annotate node {node} kilo.squat.ai/persistent-keepalive=25"}},
	}},
}
