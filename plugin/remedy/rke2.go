package remedy

// rke2Remedies are for RKE2, whose chart installs Canal.
var rke2Remedies = []row{
	{"WG0101", "mixed", RKE2, rebootAll},
	{"WG0101", "plain", RKE2, rke2Switch},
	{"WG0306", "", RKE2, restartCanal},
	{"WG0201", "missing", RKE2, Hint{
		Title: "Restart Canal on {node}: it makes the device when it starts", Disruption: pauses,
		Steps: []Step{loadModule, canalStep},
	}},
	{"WG0201", "down", RKE2, restartCanal},
	{"WG0202", "hangs", RKE2, restartCanal},
	{"WG0301", "", RKE2, restartCanal},
	{"WG0302", "", RKE2, restartCanal},
	{"WG0304", "", RKE2, restartCanal},
	{"WG0303", "", RKE2, newKey(canalStep)},
	{"WG0401", "none", RKE2, restartCanal},
	{"WG0501", "clock", RKE2, forgetHandshakes("Canal", canalStep)},
	{"WG0601", "vxlan", RKE2, rke2Switch},
	{"WG0601", "bare", RKE2, rke2Switch},
	{"WG0606", "", RKE2, restartCanal},
}

var rke2Switch = Hint{
	Title:      "Switch Canal to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node was restarted: use a maintenance window",
	Steps: []Step{
		{
			On: Operator,
			Command: "kubectl apply -f - <<'EOF'\napiVersion: helm.cattle.io/v1\nkind: " +
				"HelmChartConfig\nmetadata: {name: rke2-canal, namespace: kube-system}\nspec:\n  " +
				"valuesContent: |-\n    flannel:\n      backend: wireguard\nEOF",
		},
		{On: Operator, Command: "kubectl -n kube-system rollout restart daemonset rke2-canal"},
		{
			On:      EachNode,
			Command: "reboot",
			Note:    "servers first; flannel.1 and its routes stay otherwise and win over the tunnel's",
		},
		{On: Operator, Command: "kubectl wg verify"},
	},
}

var restartCanal = Hint{
	Title:      "Restart Canal on {node}: it makes the device, its routes and its peers again",
	Disruption: pauses,
	Steps:      []Step{canalStep},
}
