package remedy

// flannelRemedies are for Flannel by its own manifest.
var flannelRemedies = []row{
	{"WG0101", "plain", Flannel, flannelSwitch},
	{"WG0306", "", Flannel, restartFlannel},
	{"WG0201", "missing", Flannel, Hint{
		Title: "Restart Flannel on {node}: it makes the device when it starts", Disruption: pauses,
		Steps: []Step{loadModule, flannelStep},
	}},
	{"WG0201", "down", Flannel, restartFlannel},
	{"WG0202", "hangs", Flannel, restartFlannel},
	{"WG0301", "", Flannel, restartFlannel},
	{"WG0302", "", Flannel, restartFlannel},
	{"WG0304", "", Flannel, restartFlannel},
	{"WG0303", "", Flannel, newKey(flannelStep)},
	{"WG0401", "none", Flannel, restartFlannel},
	{"WG0501", "clock", Flannel, forgetHandshakes("Flannel", flannelStep)},
	{"WG0601", "vxlan", Flannel, flannelSwitch},
	{"WG0601", "bare", Flannel, flannelSwitch},
	{"WG0606", "", Flannel, restartFlannel},
}

var flannelSwitch = Hint{
	Title:      "Switch Flannel to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node was restarted: use a maintenance window",
	Steps: []Step{
		{On: Operator, Command: "kubectl -n kube-flannel edit configmap kube-flannel-cfg",
			Note: "in net-conf.json set \"Backend\": {\"Type\": \"wireguard\"}"},
		{On: Operator, Command: "kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds"},
		{On: EachNode, Command: "reboot", Note: "flannel.1 and its routes stay otherwise and win over the tunnel's"},
		{On: Operator, Command: "kubectl wg verify"},
	},
}

var restartFlannel = Hint{
	Title:      "Restart Flannel on {node}: it makes the device, its routes and its peers again",
	Disruption: pauses,
	Steps:      []Step{flannelStep},
}
