package remedy

// routeRemedies are for routes and rules (WG04xx) on any system.
var routeRemedies = []row{
	// Removes a link with its addresses and routes, on one node.
	{"WG0401", "vxlan", "", Hint{
		Title:      "Remove the old overlay {link}; its routes go with it",
		Disruption: "none for traffic between nodes that already have the tunnel",
		Steps:      []Step{{On: "{node}", Command: "ip link delete {link}"}},
		Note:       "It is left from the backend before; a reboot of the node removes it as well.",
	}},
	// Prints no command: other containers or machines are behind the bridge.
	{"WG0401", "bridge", "", Hint{
		Title: "Give what is behind the bridge {link} another range than {route}",
		Note: "A container engine or a hypervisor made it (docker network ls, podman network ls, virsh net-list) " +
			"with a range that is a part of the cluster's pod range: make that network again with another one. " +
			"A bridge that is left from another network plugin can go.",
	}},
	// Removes routes of one link within one pod range, on one node.
	{"WG0401", "", "", Hint{
		Title: "Delete the routes in {range} that override the tunnel route",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route flush root {range} dev {link}"}},
		Note:  "Find out what added them, otherwise they will return.",
	}},
	// Removes one route of one node.
	{"WG0401", "", "", Hint{
		Title: "Delete the route that overrides the tunnel route",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {route} dev {link}"}},
		Note:  "Find out what added it, otherwise it will return.",
	}},
	// Prints no command: which entry leads there is not known.
	{"WG0401", "", "", Hint{
		Title: "Find which entry leads the packets to {link}",
		Note: "On {node}, ip route get with the pod's address shows the kernel's answer, ip rule and ip route show " +
			"table all what it comes from.",
	}},
	// Removes one route of one node: what refused these pods on purpose does so no more.
	{"WG0401", "refused", "", Hint{
		Title: "Remove the route that refuses the other nodes' pods",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {type} {route} table {table}"}},
		Note:  "Find out what added it, otherwise it will return.",
	}},
	// Adds the rule that every network namespace has from the start, for all packets.
	{"WG0401", "unruled", "", Hint{
		Title: "Give {node} back the policy rule for the table main",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule add priority 32766 lookup main"}},
		Note: "systemd-networkd removes rules that are not its own when it restarts: set " +
			"ManageForeignRoutingPolicyRules=no in networkd.conf, otherwise it will be gone again.",
	}},
	// Prints no command: one of two networks has to have another range.
	{"WG0401", "taken", "", Hint{
		Title: "Have what lies behind {link} leave out {route}, the range of the cluster's pods",
		Note: "Often a VPN or an office network uses the same range, and its route was there first, " +
			"so that the network plugin could not add its own. Take the range out of it, or give the cluster another " +
			"one; then restart the network plugin on {node}, which adds its route.",
	}},
	// Adds two rules on one node: for packets to the two pod ranges the rule that comes after them no longer counts.
	{"WG0401", "rule", "", mainFirst("{there}")},
	// Prints no command: how this system is configured is not known.
	{"WG0401", "below", "", Hint{
		Title: "Have the network plugin on {node} use the WireGuard device {device}, as its peers do",
	}},
	// Prints no command: what the network plugin keeps them out for is not known.
	{"WG0401", "thrown", "", Hint{
		Title: "Find why the network plugin on {node} keeps the pods of {peer} out of its tunnel",
		Note: "It made the route {route} of table {table} itself: its logs on {node} say why it does not use " +
			"the tunnel.",
	}},
	// Prints no command: how this system is restarted is not known.
	{"WG0401", "none", "", Hint{Title: "Restart the network plugin: it adds its routes when it starts"}},
	// Removes one rule of one node, for all that it applied to.
	{"WG0402", "rule", "", Hint{
		Title: "Remove the rule that leads pods' packets past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule delete priority {priority} table {table}"}},
		Note: "Find out what added it, otherwise it will return: often a VPN or a program for several uplinks, " +
			"which can leave the pod network out.",
	}},
	// Adds two rules on one node: for packets to the two pod ranges the rule that comes after them no longer counts.
	{"WG0402", "before", "", mainFirst("{range}")},
	// Removes one rule of one node, for all packets with the mark.
	{"WG0402", "mark", "", Hint{
		Title: "Remove the rule that leads marked packets past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule delete priority {priority} table {table}"}},
		Note: "Or have the statement that sets the mark leave the pod network out. Find out what added the two, " +
			"otherwise they will return.",
	}},
	// Replaces one route of one node: what it led to besides the tunnel gets nothing more.
	{"WG0402", "hop", "", Hint{
		Title: "Make the tunnel the only next hop",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route replace {route} dev {device} table {table}"}},
		Note:  "Find out what added the other, otherwise it will return.",
	}},
	// Adds a route for one pod range on one node; the wider one stays.
	{"WG0402", "wide", "", Hint{
		Title: "Lead all of {range} into the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route replace {range} dev {device}"}},
		Note: "The route {route} is for more than pods: leave it as it is. The network plugin's own route lacks a " +
			"part of the range; it adds its routes when it starts.",
	}},
	// Removes one route of one node.
	{"WG0402", "route", "", Hint{
		Title: "Delete the route that overrides the tunnel route",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {route} dev {link} table {table}"}},
		Note:  "Find out what added it, otherwise it will return.",
	}},
	// Prints no command: whose rule or statement it is is not known.
	{"WG0402", "", "", Hint{
		Title: "Have the named rule, route or statement leave the pod network out",
		Note: "What it does to pods' packets could not be shown to be harmless. Where something was not read, " +
			"give the probe what it needs and run verify again.",
	}},
}

// mainFirst has packets to the node's own pods and to those of another pod range looked up in the main table, before
// the rule that led them past the tunnel.
func mainFirst(there string) Hint {
	return Hint{
		Title: "Have pods looked up in the main table, before the rule that leads past the tunnel",
		Steps: []Step{
			{On: "{node}", Command: "ip -{ip} rule add priority {before} to {here} lookup main"},
			{On: "{node}", Command: "ip -{ip} rule add priority {before} to " + there + " lookup main"},
		},
		Note: "It is gone after a restart: have what made the rule, often a VPN, leave the pod network out.",
	}
}
