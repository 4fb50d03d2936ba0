package remedy

// canal is Flannel as RKE2's chart for Canal installs it.
var canal = flannelRun{
	system: RKE2, name: "Canal", restart: canalStep,
	netConf: "net-conf.json in the ConfigMap kube-system/rke2-canal-config",
	address: "node-ip of /etc/rancher/rke2/config.yaml, or flannel.iface of Canal's chart",
	cni:     "/etc/cni/net.d",
	logs:    "kubectl -n kube-system logs -l k8s-app=canal -c kube-flannel --prefix --tail=100",
}

// rke2Remedies are for RKE2 only.
var rke2Remedies = []row{
	// Changes the carrier of all pods' traffic and their MTU; reboots every node.
	{"WG0101", "plain", RKE2, rke2Switch},
	// Changes the same.
	{"WG0601", "vxlan", RKE2, rke2Switch},
	// Changes the same.
	{"WG0601", "bare", RKE2, rke2Switch},
	// Changes nothing else: a node that is restarted takes the backend of the chart.
	{"WG0101", "mixed", RKE2, Hint{
		Title: "Bring every node to the backend of Canal's chart",
		Note: "On a node that runs another: restart its Canal pod, then reboot it, which removes the links and " +
			"routes of the backend before.",
	}},
	// Prints no command: a HelmChartConfig holds all of the chart's values, which may be there already.
	{"WG0106", "same", RKE2, Hint{
		Title: "Have Canal use {card}, on which the nodes differ",
		Note: "It took {link}, which has the same address on every machine; {peer} has {address} on {card}. Set " +
			"flannel.iface: {card} in the HelmChartConfig rke2-canal of kube-system.",
	}},
	// Prints no command: the card is not known.
	{"WG0106", "same", RKE2, Hint{
		Title: "Have Canal use a card on which the nodes differ",
		Note: "It took {link}, which has the same address on every machine. Name another one as flannel.iface or " +
			"flannel.regexIface in the HelmChartConfig rke2-canal of kube-system.",
	}},
	// Prints no command: a HelmChartConfig holds all of the chart's values.
	{"WG0505", "new", RKE2, Hint{
		Title: "Give pods the MTU of {device}, {mtu}",
		Note: "Canal's pods get calico.vethuMTU of the chart, 1450 unless it is set, whatever Flannel's backend " +
			"takes: set it to {mtu} in the HelmChartConfig rke2-canal of kube-system. Pods get it when they are " +
			"created again.",
	}},
	// Prints no command, as before.
	{"WG0503", "pods", RKE2, Hint{
		Title: "Give pods the tunnel's MTU, {most}, or have their node tell them",
		Note: "The kernel of {node} answers what is too large for {device} with ICMP \"fragmentation needed\" (IPv6: " +
			"\"packet too big\"), and that did not reach the pod: look for what drops ICMP in nft list ruleset " +
			"on {node}. Canal's pods get calico.vethuMTU of the chart, 1450 unless it is set: set it in the HelmChartConfig " +
			"rke2-canal of kube-system. Pods get it when they are created again.",
	}},
	// Prints no command, as before.
	{"WG0401", "below", RKE2, Hint{
		Title: "Have Canal on {node} use the WireGuard device {device}, as its peers do",
		Note:  "Set flannel.iface: {device} in the HelmChartConfig rke2-canal of kube-system.",
	}},
	// Prints no command: the reachable address is not known.
	{"WG0306", "private", RKE2, Hint{
		Title: "Have {node} publish an address that {peer} reaches",
		Note: "If a router between the two networks knows {address}, open UDP port {port} there instead, in both " +
			"directions. Else set node-external-ip: <public address of {node}> in /etc/rancher/rke2/config.yaml of " +
			"{node}, and annotate the node with flannel.alpha.coreos.com/public-ip-overwrite: <the same address>.",
	}},
}

var rke2Switch = Hint{
	Title:      "Switch Canal to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node has been restarted: use a maintenance window",
	Steps: []Step{
		{
			On: Operator,
			Command: `echo '{"apiVersion":"helm.cattle.io/v1","kind":"HelmChartConfig","metadata":{"name":"rke2-canal",` +
				`"namespace":"kube-system"},"spec":{"valuesContent":"flannel: {backend: wireguard}"}}' | kubectl create -f -`,
			Note: "if one is there, edit that: it holds all values of the chart",
		},
		{On: Operator, Command: "kubectl -n kube-system rollout restart daemonset rke2-canal"},
		{
			On:      EachNode,
			Command: "reboot",
			Note:    "servers first; removes flannel.1 and its routes",
		},
		{On: Operator, Command: "kubectl wg verify"},
	},
	Note: "Set calico.vethuMTU too, to the network's MTU less 80.",
}
