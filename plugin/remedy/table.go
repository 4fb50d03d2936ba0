package remedy

import "slices"

// table is every remedy, those of one system in a file of its own. Sources: K3s
// and RKE2 documentation on network options, flannel's backend documentation,
// and what the lab's repairs showed.
var table = slices.Concat(
	k3sRemedies, k3s.rows(), rke2Remedies, canal.rows(), flannelRemedies, byManifest.rows(),
	calicoRemedies, ciliumRemedies, kiloRemedies, antreaRemedies, kubespanRemedies, machinesRemedies,
	clusterRemedies, runRemedies, captureRemedies, deviceRemedies, preflightRemedies, routeRemedies,
	reachRemedies, wireRemedies,
)

// What restarts the network plugin of one node.
var (
	k3sStep     = Step{On: "{node}", Command: "systemctl restart k3s || systemctl restart k3s-agent"}
	canalStep   = restartPod("kubectl -n kube-system delete pod -l k8s-app=canal")
	flannelStep = restartPod("kubectl -n kube-flannel delete pod -l app=flannel")
	rebootEach  = Step{
		On: EachNode, Command: "reboot", Note: "servers first; removes the links and routes of the backend before",
	}
	loadModule = Step{
		On: "{node}", Command: "modprobe wireguard",
		Note: "if it fails for a key: Secure Boot loads signed modules only; else: {module}",
	}
)

const pauses = "running pods keep running; traffic between the node and the others is interrupted for a few seconds"

// restartPod restarts the agent of one node: its DaemonSet makes the pod again that the command deletes. The command
// selects the agent's pods of all nodes.
func restartPod(command string) Step {
	return Step{On: Operator, Command: command + " --field-selector spec.nodeName={node}"}
}

// restartHint has the network plugin of one node restarted, by the last of its steps.
func restartHint(title string, steps ...Step) Hint {
	return Hint{Title: title, Disruption: pauses, Steps: steps}
}

// newKey gives a node another key, which Flannel makes when it finds none.
func newKey(restart Step) Hint {
	return Hint{
		Title: "Give each node a key of its own", Disruption: "pod traffic of the node stops for seconds",
		Steps: []Step{
			{On: "{node}", Command: "rm -f /run/flannel/wgkey", Note: "or the file that WIREGUARD_KEY_FILE names"},
			restart,
		},
	}
}

// forgetHandshakes has a node make its device again.
func forgetHandshakes(plugin string, restart Step) Hint {
	return Hint{
		Title:      "Restart " + plugin + " on {node}, which clears handshake timestamps that lie in the future",
		Disruption: "running pods keep running; traffic between {node} and the others is interrupted for a few seconds",
		Steps:      []Step{restart},
		Note:       "Then keep the clocks right, with NTP and a battery-backed clock, or the next boot brings it back.",
	}
}
