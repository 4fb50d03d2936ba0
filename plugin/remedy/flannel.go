package remedy

import "strings"

// Flannel is run by K3s itself, by RKE2's chart and by its own manifest. What fixes
// it is the same but for how it is restarted and where its configuration is.
type flannelRun struct {
	system  string // see K3s
	name    string // for a reader
	restart Step   // of one node
	// netConf is where the fields of its net-conf.json are set.
	netConf string
	// address is where the address is set that a node publishes.
	address string
	// cni is where the container runtime looks for its configuration.
	cni  string
	logs string // a command that shows what it said on a node
}

// byManifest is Flannel as its own manifest installs it.
var byManifest = flannelRun{
	system: Flannel, name: "Flannel", restart: flannelStep,
	netConf: "net-conf.json in the ConfigMap kube-flannel/kube-flannel-cfg",
	address: "the kubelet's --node-ip, --iface or --public-ip of kube-flannel-ds",
	cni:     "/etc/cni/net.d",
	logs:    "kubectl -n kube-flannel logs -l app=flannel --prefix --tail=100",
}

// flannelRemedies are for Flannel by its own manifest only.
var flannelRemedies = []row{
	// Changes the carrier of all pods' traffic and their MTU; reboots every node.
	{"WG0101", "plain", Flannel, flannelSwitch},
	// Changes the same.
	{"WG0601", "vxlan", Flannel, flannelSwitch},
	// Changes the same.
	{"WG0601", "bare", Flannel, flannelSwitch},
	// Changes nothing else: a node that is restarted takes the backend of the configuration.
	{"WG0101", "mixed", Flannel, Hint{
		Title: "Bring every node to the backend of Flannel's configuration",
		Note: "On a node that runs another: restart its Flannel pod, then reboot it, which removes the links and " +
			"routes of the backend before.",
	}},
	// Prints no command: which card is right is known, where the manifest has its arguments is not.
	{"WG0106", "same", Flannel, Hint{
		Title: "Have Flannel use {card}, on which the nodes differ",
		Note: "It took {link}, which has the same address on every machine; {peer} has {address} on {card}. Add " +
			"--iface={card} to the arguments of the DaemonSet kube-flannel-ds.",
	}},
	// Prints no command: the card is not known.
	{"WG0106", "same", Flannel, Hint{
		Title: "Have Flannel use a card on which the nodes differ",
		Note: "It took {link}, which has the same address on every machine. Name another one by --iface or " +
			"--iface-regex in the arguments of the DaemonSet kube-flannel-ds.",
	}},
	// Prints no command: all nodes have the same arguments.
	{"WG0401", "below", Flannel, Hint{
		Title: "Have Flannel on {node} use the WireGuard device {device}, as its peers do",
		Note:  "Add --iface={device} to the arguments of the DaemonSet kube-flannel-ds.",
	}},
	// Prints no command: the reachable address is not known.
	{"WG0306", "private", Flannel, Hint{
		Title: "Have {node} publish an address that {peer} reaches",
		Note: "If a router between the two networks knows {address}, open UDP port {port} there instead, in both " +
			"directions. Else annotate the node with flannel.alpha.coreos.com/public-ip-overwrite: <public address " +
			"of {node}>, and restart its Flannel pod.",
	}},
}

var flannelSwitch = Hint{
	Title:      "Switch Flannel to the WireGuard backend",
	Disruption: "pod traffic between nodes stops until every node has been restarted: use a maintenance window",
	Steps: []Step{
		{On: Operator, Command: "kubectl -n kube-flannel edit configmap kube-flannel-cfg",
			Note: "in net-conf.json set \"Backend\": {\"Type\": \"wireguard\"}"},
		{On: Operator, Command: "kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds"},
		{On: EachNode, Command: "reboot",
			Note: "flannel.1 and its routes stay otherwise and take precedence over the tunnel's"},
		{On: Operator, Command: "kubectl wg verify"},
	},
}

// rows are the remedies for Flannel however it is run.
func (f flannelRun) rows() []row {
	restart := restartHint("Restart "+f.name+" on {node}: it makes the device, its routes and its peers again",
		f.restart)
	return []row{
		// Changes nothing: it reads the nodes and the log.
		{"WG0101", "unleased", f.system, Hint{
			Title: "Find out why " + f.name + " did not start on {node}",
			Note:  "Its log says why: " + f.logs,
		}},
		// Changes nothing: ranges of nodes that still exist must not be freed.
		{"WG0101", "rangeless", f.system, Hint{
			Title: "Give {node} a pod range",
			Note: "The controller manager gives each node a part of the cluster's range when it joins. If none is " +
				"left, delete the Node objects of machines that no longer exist, which frees theirs: kubectl get " +
				"nodes -o custom-columns=NAME:.metadata.name,RANGE:.spec.podCIDR lists them.",
		}},
		// Prints no command: whose configuration is to go is the operator's to know.
		{"WG0107", "foreign", f.system, Hint{
			Title: "Have pods on {node} get their addresses from {range}",
			Note: "Either another CNI configuration comes first: of " +
				f.cni + " on {node} the first file by name counts, " +
				"which has to be Flannel's; move away what another network plugin or the container runtime left " +
				"there. Or the node had another range before, which /run/flannel/subnet.env and the bridge cni0 " +
				"keep: restart " +
				f.name + " there. Then create the node's pods again.",
		}},
		// Prints no command: a port is one of the whole cluster's configuration, and of the NAT's.
		{"WG0106", "", f.system, Hint{
			Title: "Give each node an endpoint of its own",
			Note: "Behind one address each node needs a port of its own: set \"ListenPort\" in " + f.netConf + " for " +
				"{node} and have the NAT forward it. Flannel before 0.26.5 cannot use different ports.",
		}},
		// Loads a module, which stays until the next boot; restarts the plugin on one node.
		{"WG0201", "missing", f.system,
			restartHint("Restart "+f.name+" on {node}: it makes the device when it starts", loadModule,
				f.restart)},
		// Restarts the plugin on one node.
		{"WG0201", "down", f.system, restart},
		// Prints no command: which of the two devices gives way is the operator's choice.
		{"WG0201", "port", f.system, Hint{
			Title: "Give one of the two WireGuard devices another port",
			Note: "Set \"ListenPort\" in " + f.netConf + ", the same on every node, and restart " + f.name + "; or " +
				"change the port of {link}.",
		}},
		// Prints no command: which of the two gives way is the operator's choice.
		{"WG0204", "", f.system, Hint{
			Title: "Free UDP port {port} on {node}, or give the tunnel another",
			Note: "ss -lunp 'sport = :{port}' on {node} names the program. For the tunnel set \"ListenPort\" in " +
				f.netConf + ", the same on every node.",
		}},
		// Restarts the plugin on one node.
		{"WG0202", "hangs", f.system, restart},
		// Restarts the plugin on one node.
		{"WG0301", "", f.system, restart},
		// Restarts the plugin on one node.
		{"WG0302", "", f.system, restart},
		// Removes a key that other devices of the node may share (that of IPv6); all others learn the new one.
		{"WG0303", "", f.system, newKey(f.restart)},
		// Restarts the plugin on one node.
		{"WG0304", "", f.system, restart},
		// Restarts the plugin on one node.
		{"WG0306", "", f.system, restart},
		// Restarts the plugin on one node, which then publishes the address that it finds.
		{"WG0306", "moved", f.system, Hint{
			Title:      "Restart " + f.name + " on {node}: it looks for its address when it starts",
			Disruption: "traffic of its pods stops for seconds",
			Steps:      []Step{f.restart},
			Note: "A control-plane node needs {address} back instead, which etcd and certificates name. Where it is " +
				"set, correct it first. Keep it the same: a reservation of DHCP, no temporary IPv6 address.",
		}},
		// Prints no command: which address is right is the operator's to know.
		{"WG0306", "elsewhere", f.system, Hint{
			Title: "Have {node} publish an address of its own, and not {address} of {holder}",
			Note: "Often it is a virtual address (keepalived, kube-vip) that moved from one to the other. " +
				"Set the node's own address or network card, in " +
				f.address + ", or the annotation flannel.alpha.coreos.com/public-ip-overwrite, and restart " + f.name +
				" on {node}.",
		}},
		// Prints no command: a port is one of the whole cluster's configuration and of its firewalls.
		{"WG0306", "announced", f.system, Hint{
			Title: "Have {peer} listen on the port that it publishes",
			Note: "Flannel publishes ListenPortV6 for its IPv6 address, in the modes auto and ipv6 too, where " +
				"{device} listens on ListenPort alone: give both the same port in " + f.netConf + ", on every node, " +
				"and restart " + f.name + ".",
		}},
		// Prints no command, as before.
		{"WG0306", "own", f.system, Hint{
			Title: "Give all nodes the same port, or update Flannel",
			Note: "Flannel before 0.26.5 takes its own port for that of its peers (flannel-io/flannel issue 2200). " +
				"Set the same \"ListenPort\" in " + f.netConf + " on every node and restart " + f.name + ".",
		}},
		// Restarts the plugin on one node; what removed the routes is not changed.
		{"WG0401", "none", f.system, Hint{
			Title: restart.Title, Disruption: restart.Disruption, Steps: restart.Steps, Note: foreignRoutes,
		}},
		// Restarts the plugin on both nodes.
		{"WG0501", "handshake", f.system, Hint{
			Title:      "Restart " + f.name + " on both nodes: it sets the preshared key, or none, on all peers",
			Disruption: "running pods keep running; traffic between the two and the others is interrupted for seconds",
			Steps:      []Step{f.restart, onOther(f.restart)},
			Note:       "If \"PSK\" is set in " + f.netConf + ", it must be the same on every node.",
		}},
		// Restarts the plugin on one node; the clock is not changed.
		{"WG0501", "clock", f.system, forgetHandshakes(f.name, f.restart)},
		// Prints no command: the MTU is of the whole cluster, and running pods keep theirs.
		{"WG0503", "fits", f.system, Hint{
			Title: "Lower the tunnel's MTU to {mtu}",
			Note: "Packets of {mtu} bytes pass from {node} to {peer}. Set \"MTU\": {underlay} in " + f.netConf +
				", of " +
				"which Flannel subtracts 80 itself. Restart " + f.name + " and recreate the pods.",
		}},
		// Restarts the plugin on one node.
		{"WG0606", "", f.system, restart},
		// Prints no command: the file is replaced whole, and every node has it.
		{"WG0702", "", f.system, Hint{
			Title: "Have {node} send keepalives",
			Note: "Set \"PersistentKeepaliveInterval\": 25 (seconds) in " + f.netConf + ", and restart " + f.name +
				" on {node}.",
		}},
	}
}

// foreignRoutes is what keeps routes that a network manager does not know.
const foreignRoutes = "If systemd-networkd or NetworkManager removed them, it does so again: set " +
	"ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no in networkd.conf, or " +
	"unmanaged-devices=interface-name:flannel* in NetworkManager's [keyfile]."

// onOther is a restart on the other node, however it is run.
func onOther(step Step) Step {
	step.On = strings.ReplaceAll(step.On, "{node}", "{peer}")
	step.Command = strings.ReplaceAll(step.Command, "{node}", "{peer}")
	return step
}
