package remedy

// Antrea is the name by which a profile knows Antrea.
const Antrea = "antrea"

// What restarts Antrea's agent on one node.
var (
	antreaStep = restartPod("kubectl -n kube-system delete pod -l app=antrea,component=antrea-agent").noting(
		"Open vSwitch goes on forwarding meanwhile")
	antreaRestart = restartHint("Restart Antrea's agent on {node}: it sets the device, its routes and its peers again",
		antreaStep)
)

// antreaRemedies are for Antrea.
var antreaRemedies = []row{
	// Loads a module, which stays until the next boot; restarts the agent of one node.
	{"WG0201", "missing", Antrea, restartHint("Restart Antrea's agent on {node}: it makes the device when it starts",
		loadModule, antreaStep)},
	// Restarts the agent of one node.
	{"WG0201", "down", Antrea, antreaRestart},
	// Restarts the agent of one node.
	{"WG0301", "", Antrea, antreaRestart},
	// Restarts the agent of one node.
	{"WG0302", "", Antrea, antreaRestart},
	// Removes the device of one node, and with it its key: the agent makes another, which all others learn.
	{"WG0303", "", Antrea, Hint{
		Title: "Give each node a key of its own", Disruption: "pod traffic of the node stops until its agent is back",
		Steps: []Step{{On: "{node}", Command: "ip link delete antrea-wg0"}, antreaStep},
		Note:  "The agent keeps the key of a device that is there.",
	}},
	// Restarts the agent of one node.
	{"WG0304", "", Antrea, antreaRestart},
	// Restarts the agent of one node.
	{"WG0306", "", Antrea, antreaRestart},
	// Restarts the agent of one node.
	{"WG0401", "none", Antrea, antreaRestart},
	// Prints no command: Antrea has no setting for it.
	{"WG0702", "", Antrea, Hint{
		Title: "Have the NAT keep the mapping of {node}, or give it an address of its own",
		Note:  "Antrea sets no keepalive, and has no option for one.",
	}},
}
