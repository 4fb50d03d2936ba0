package remedy

// Calico is the name by which a profile knows Calico.
const Calico = "calico"

// calicoStep restarts calico-node, and with it Felix, on one node. An operator installs
// it in calico-system, the manifest in kube-system.
var calicoStep = restartPod("kubectl delete pod -l k8s-app=calico-node -A")

// calicoSwitch has all nodes use WireGuard.
var calicoSwitch = Hint{
	Title:      "Switch Calico's WireGuard on",
	Disruption: "Felix restarts on every node; pod traffic between nodes may pause for seconds, connections stay",
	Steps: []Step{{
		On: Operator, Command: "kubectl patch felixconfiguration default --type=merge " +
			"-p '{\"spec\":{\"wireguardEnabled\":true}}'",
		Note: "for IPv6 pods also \"wireguardEnabledV6\":true",
	}},
	Note: "Every node needs the kernel's WireGuard: traffic of one without it stays in plaintext. UDP 51820 (IPv6: " +
		"51821) must be open between the nodes. Then restart workloads step by step: running pods keep an MTU that " +
		"is too large.",
}

func calicoRestart(title string) Hint { return restartHint(title, calicoStep) }

// calicoRemedies are for Calico, whose WireGuard the FelixConfiguration describes.
var calicoRemedies = []row{
	// Changes the carrier of all pods' traffic; Felix restarts on every node.
	{"WG0101", "plain", Calico, calicoSwitch},
	// Changes the same.
	{"WG0601", "", Calico, calicoSwitch},
	// Changes the carrier of one node's pods; its Felix restarts.
	{"WG0101", "mixed", Calico, Hint{
		Title:      "Have {node} use WireGuard like the others",
		Disruption: pauses,
		Steps: []Step{{
			On: Operator, Command: "kubectl patch felixconfiguration node.{node} --type=merge " +
				"-p '{\"spec\":{\"wireguardEnabled\":null,\"wireguardEnabledV6\":null}}'",
			Note: "the FelixConfiguration node.{node} takes precedence over default",
		}},
	}},
	// Prints no command: which of several nodes are meant to differ is not known.
	{"WG0101", "mixed", Calico, Hint{
		Title: "Have all nodes use WireGuard",
		Note: "Remove wireguardEnabled from the FelixConfigurations that are named after nodes (node.NAME): " +
			"they take precedence over default.",
	}},
	// Loads a module, which stays until the next boot; restarts Felix on one node.
	{"WG0201", "missing", Calico, Hint{
		Title: "Give {node} the kernel's WireGuard, then restart calico-node, which makes {device}", Disruption: pauses,
		Steps: []Step{loadModule, calicoStep},
		Note: "For IPv6 the device exists only with wireguardEnabledV6. Until then pods on this node are reached in " +
			"plaintext: Calico fails open.",
	}},
	// Changes the carrier of all pods' traffic of one family; Felix restarts on every node.
	{"WG0201", "ipv4", Calico, Hint{
		Title:      "Switch Calico's WireGuard on for IPv4 too",
		Disruption: calicoSwitch.Disruption,
		Steps: []Step{{
			On: Operator, Command: "kubectl patch felixconfiguration default --type=merge " +
				"-p '{\"spec\":{\"wireguardEnabled\":true}}'",
		}},
	}},
	// Changes the carrier of all pods' traffic of one family; Felix restarts on every node.
	{"WG0201", "ipv6", Calico, Hint{
		Title:      "Switch Calico's WireGuard on for IPv6 too",
		Disruption: calicoSwitch.Disruption,
		Steps: []Step{{
			On: Operator, Command: "kubectl patch felixconfiguration default --type=merge " +
				"-p '{\"spec\":{\"wireguardEnabledV6\":true}}'",
		}},
	}},
	// Restarts Felix on one node.
	{"WG0201", "unaddressed", Calico, calicoRestart("Restart calico-node on {node}, which gives {device} its address")},
	// Restarts Felix on one node.
	{"WG0301", "", Calico, calicoRestart("Restart calico-node on {node}, which publishes the key of its device")},
	// Restarts Felix on one node.
	{"WG0302", "", Calico, calicoRestart("Restart calico-node on {node}: it reads the others' keys again")},
	// Takes a node's device away with its key; Felix makes both again.
	{"WG0303", "", Calico, Hint{
		Title: "Give {node} a key of its own: Felix makes one with a new device", Disruption: pauses,
		Steps: []Step{{On: "{node}", Command: "ip link delete {device}"}, calicoStep},
	}},
	// Restarts Felix on one node.
	{"WG0304", "", Calico, calicoRestart("Restart calico-node on {node}: it makes peers and routes again")},
	// Restarts Felix on one node.
	{"WG0306", "", Calico, calicoRestart("Restart calico-node on {node}: it reads the others' addresses again")},
	// Restarts Felix on one node.
	{"WG0401", "", Calico,
		calicoRestart("Restart calico-node on {node}: it makes its rule and its routes into {device} again")},
	// The same: its routes are in a table of their own, so that nothing is looked up in main before.
	{"WG0401", "rule", Calico,
		calicoRestart("Restart calico-node on {node}: it makes its rule and its routes into {device} again")},
	// Restarts Felix on one node.
	{"WG0401", "thrown", Calico,
		calicoRestart("Restart calico-node on {node}: it keeps the pods of {peer} out of its tunnel")},
	// Changes the keepalive of all nodes: a few bytes for each peer and interval.
	{"WG0702", "", Calico, Hint{
		Title: "Have the nodes send keepalives",
		Steps: []Step{{
			On: Operator, Command: "kubectl patch felixconfiguration default --type=merge " +
				"-p '{\"spec\":{\"wireguardKeepAlive\":\"25s\"}}'",
			Note: "Felix applies it without a restart",
		}},
	}},
}
