package remedy

// routeRemedies are for routes and rules (WG04xx) on any system.
var routeRemedies = []row{
	{"WG0401", "vxlan", "", Hint{
		Title:      "Remove the old overlay {link}; its routes go with it",
		Disruption: "none for traffic between nodes that already have the tunnel",
		Steps:      []Step{{On: "{node}", Command: "ip link delete {link}"}},
		Note:       "It is left from the backend before; a reboot of the node removes it as well.",
	}},
	{"WG0401", "", "", Hint{
		Title: "Remove the routes within {range} that win over the tunnel's",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route flush root {range} dev {link}"}},
		Note:  "Find out who added them, or they come back.",
	}},
	{"WG0401", "", "", Hint{
		Title: "Remove the routes that win over the tunnel's",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {route} dev {link}"}},
		Note:  "Find out who added it, or it comes back.",
	}},
	{"WG0401", "refused", "", Hint{
		Title: "Remove the route that refuses the other nodes' pods",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {type} {route} table {table}"}},
		Note:  "Find out who added it, or it comes back.",
	}},
	{"WG0401", "rule", "", Hint{
		Title: "Have pods looked up in the main table, before the rule that leads past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule add priority {before} to {here} lookup main"},
			{On: "{node}", Command: "ip -{ip} rule add priority {before} to {there} lookup main"}},
		Note: "It is gone after a restart: tell whoever made the rule, often a VPN, to leave the pod network out.",
	}},
	{"WG0401", "below", "", Hint{
		Title: "Have the network plugin on {node} use the WireGuard device {device}, as its peers do",
	}},
	{"WG0401", "none", "", Hint{Title: "Restart the network plugin: it adds its routes when it starts"}},
	{"WG0402", "rule", "", Hint{
		Title: "Remove the rule that leads pods' packets past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule delete priority {priority} table {table}"}},
		Note: "Find out who added it, or it comes back: often a VPN or a program for several uplinks, which can " +
			"leave the pod network out.",
	}},
	{"WG0402", "before", "", Hint{
		Title: "Have pods looked up in the main table, before the rule that leads past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule add priority {before} to {here} lookup main"},
			{On: "{node}", Command: "ip -{ip} rule add priority {before} to {range} lookup main"}},
		Note: "It is gone after a restart: tell whoever made the rule, often a VPN, to leave the pod network out.",
	}},
	{"WG0402", "mark", "", Hint{
		Title: "Remove the rule that leads marked packets past the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} rule delete priority {priority} table {table}"}},
		Note: "Or have the statement that sets the mark leave the pod network out. Find out who added the two, " +
			"or they come back.",
	}},
	{"WG0402", "hop", "", Hint{
		Title: "Make the tunnel the only next hop",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route replace {route} dev {device} table {table}"}},
		Note:  "Find out who added the other, or it comes back.",
	}},
	{"WG0402", "wide", "", Hint{
		Title: "Lead all of {range} into the tunnel",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route replace {range} dev {device}"}},
		Note: "The route {route} is for more than pods: leave it as it is. The network plugin's own route lacks a " +
			"part of the range; it adds its routes when it starts.",
	}},
	{"WG0402", "route", "", Hint{
		Title: "Remove the route that wins over the tunnel's",
		Steps: []Step{{On: "{node}", Command: "ip -{ip} route delete {route} dev {link} table {table}"}},
		Note:  "Find out who added it, or it comes back.",
	}},
	{"WG0402", "", "", Hint{
		Title: "Have the named rule, route or statement leave the pod network out",
		Note: "What it does to pods' packets could not be shown to be harmless. Where something was not read, " +
			"give the probe what it needs and run verify again.",
	}},
}
