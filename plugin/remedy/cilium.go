package remedy

// Cilium is the name by which a profile knows Cilium.
const Cilium = "cilium"

// What changes and restarts Cilium's agents. Commands change the ConfigMap that they
// read: how the chart was installed is not known, so its values are named in notes.
var (
	ciliumRestart = restartPod("kubectl -n kube-system delete pod -l k8s-app=cilium")
	ciliumRollout = Step{On: Operator, Command: "kubectl -n kube-system rollout restart daemonset cilium"}
	ciliumWait    = Step{On: Operator, Command: "kubectl -n kube-system rollout status daemonset cilium --timeout=10m"}
)

// ciliumSwitch encrypts what was sent as it was.
var ciliumSwitch = Hint{
	Title:      "Switch on WireGuard in Cilium",
	Disruption: "packets between nodes are lost for seconds while the agents restart: use a maintenance window",
	Steps: []Step{
		{On: Operator, Command: "kubectl -n kube-system patch configmap cilium-config --type=merge " +
			"-p '{\"data\":{\"enable-wireguard\":\"true\"}}'"},
		ciliumRollout, ciliumWait,
		{On: Operator, Command: "kubectl wg verify"},
	},
	Note: "Set the chart's values encryption.enabled=true and encryption.type=wireguard too, or the next upgrade " +
		"takes it back. Nodes must reach each other at UDP port 51871, and pods that were there before keep a " +
		"larger MTU until they are recreated.",
}

// ciliumRemedies are for Cilium.
var ciliumRemedies = []row{
	// Changes the carrier of all pods' traffic; restarts every agent.
	{"WG0101", "plain", Cilium, ciliumSwitch},
	// Restarts every agent with the carrier that it has now.
	{"WG0101", "ends", Cilium, ciliumSwitch},
	// Changes the same.
	{"WG0601", "bare", Cilium, ciliumSwitch},
	// Changes the same.
	{"WG0601", "vxlan", Cilium, ciliumSwitch},
	// Changes the same.
	{"WG0601", "geneve", Cilium, ciliumSwitch},
	// Prints no command: what the node did not know, and why, is to be found out first.
	{"WG0601", "past", Cilium, Hint{
		Title: "Find what {node} does not know of these addresses, or what leads their packets past Cilium's programs",
		Note: "Cilium sends unencrypted what is for an address that it does not know as a pod of another node, or " +
			"whose node publishes no key: in the agent's pod on {node}, cilium-dbg bpf ipcache list shows what it " +
			"knows, cilium-dbg encrypt status its peers. Strict mode (encryption.strictMode.egress and .ingress) " +
			"drops such packets instead. Links that are not among its devices have no program: ip route shows what " +
			"leads there.",
	}},
	// Loads a module, which stays until the next boot; restarts the agent of one node.
	{"WG0201", "missing", Cilium, Hint{
		Title:      "Restart Cilium on {node}: its agent makes {device} when it starts with WireGuard",
		Disruption: ciliumPauses,
		Steps:      []Step{loadModule, ciliumRestart},
	}},
	// Restarts the agent of one node.
	{"WG0201", "down", Cilium, ciliumAgain},
	// Prints no command: the other device is not Cilium's.
	{"WG0201", "port", Cilium, Hint{
		Title: "Give {link} on {node} another port", Note: "That of Cilium's device cannot be changed.",
	}},
	// Restarts the agent of one node.
	{"WG0301", "", Cilium, ciliumAgain},
	// Restarts the agent of one node.
	{"WG0302", "", Cilium, ciliumAgain},
	// Removes the key of one node; its agent makes another, which all others learn.
	{"WG0303", "", Cilium, Hint{
		Title:      "Give {node} a key of its own",
		Disruption: "pod traffic of {node} stops for seconds",
		Steps: []Step{
			{On: "{node}", Command: "rm -f /var/run/cilium/state/cilium_wg0.key",
				Note: "or the folder that Cilium's option state-dir names"},
			ciliumRestart,
		},
		Note: "Agents refuse the second node that publishes a key, so it has no peers. Keep this file out of images " +
			"that machines are cloned from.",
	}},
	// Restarts the agent of one node.
	{"WG0304", "", Cilium, Hint{
		Title:      "Restart Cilium on {node}: its agent gives its peers their allowed IPs when it starts",
		Disruption: ciliumPauses, Steps: []Step{ciliumRestart},
		Note: "Older releases could lose them when a peer's key changed (cilium/cilium issues 33863 and 35644).",
	}},
	// Restarts the agent of one node.
	{"WG0306", "", Cilium, ciliumAgain},
	// Restarts the agent of one node; what removed the routes is not changed.
	{"WG0401", "none", Cilium, Hint{
		Title:      "Restart Cilium on {node}: its agent adds the routes to the other nodes when it starts",
		Disruption: ciliumPauses, Steps: []Step{ciliumRestart},
		Note: "It does so with auto-direct-node-routes, where all nodes are in one network. Elsewhere routers or BGP " +
			"have to know the way, or Cilium needs its tunnel.",
	}},
	// Restarts the agent of one node.
	{"WG0401", "program", Cilium, Hint{
		Title:      "Restart Cilium on {node}: its agent attaches its programs again when it starts",
		Disruption: ciliumPauses, Steps: []Step{ciliumRestart},
		Note: "Find out what removed the program at {link}, such as another program for traffic control or a cleanup " +
			"of /sys/fs/bpf. If {link} is none of Cilium's devices, add it to the chart's value devices.",
	}},
	// Prints no command: the MTU is of the whole cluster.
	{"WG0503", "fits", Cilium, Hint{
		Title: "Lower the MTU that Cilium counts with",
		Note: "Packets of {mtu} bytes pass from {node} to {peer}. Set the chart's value MTU to what the network " +
			"between the nodes takes, of which Cilium subtracts what WireGuard adds; restart the agents and recreate " +
			"the pods.",
	}},
	// Prints no command: the MTU is of the whole cluster.
	{"WG0504", "", Cilium, Hint{
		Title: "Lower the MTU that Cilium counts with",
		Note: "Set the chart's value MTU to that of {link}, of which Cilium subtracts what WireGuard adds; " +
			"restart the agents and recreate the pods.",
	}},
	// Restarts the agent of one node.
	{"WG0606", "", Cilium, ciliumAgain},
	// Prints no command. Changes: traffic for pods that an agent does not know yet is dropped.
	{"WG0609", "", Cilium, ciliumStrict},
	// Prints no command. Changes: traffic for pods that an agent does not know any more is dropped.
	{"WG0621", "ended", Cilium, ciliumStrict},
	// Prints no command. Changes: a few bytes for each peer and interval.
	{"WG0702", "", Cilium, Hint{
		Title: "Have the nodes send keepalives",
		Note: "Set the chart's value encryption.wireguard.persistentKeepalive to 25s, and restart the agents: " +
			"kubectl -n kube-system rollout restart daemonset cilium.",
	}},
}

const ciliumPauses = "running pods keep running; new pods on {node} and changes of policies wait for its agent"

var ciliumAgain = Hint{
	Title:      "Restart Cilium on {node}: its agent sets up the device and its peers again",
	Disruption: ciliumPauses, Steps: []Step{ciliumRestart},
}

// ciliumStrict is for what agents send in clear because they do not know its target.
var ciliumStrict = Hint{
	Title: "Have nodes drop traffic of unknown pods instead of sending it unencrypted",
	Note: "Set the strict mode of its encryption for egress and ingress (encryption.strictMode), in a current " +
		"release.",
}
