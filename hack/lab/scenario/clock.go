package scenario

import (
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// clock are clusters whose clock goes wrong. All nodes of a lab have that of its kernel, which nobody sets but in a
// virtual machine.
var clock = []Scenario{
	{
		Name: "clock-set-back", Title: "the clock is an hour behind the last handshakes, as on boards that remember no time",
		Cluster: virtual, Sabotage: inTurn(shakeHandsAhead, onEach(downAndUp)), Restore: inTurn(setBack, restartFlannel),
		Want: fail(codeBlocked), Pairs: bothWays,
	},
}

const ahead = 3600 // seconds

// shakeHandsAhead has all nodes begin a handshake with each other in an hour, and comes back. Kubelets stand still
// meanwhile: a lease that was renewed in an hour is not renewed by anything earlier, and its node not Ready until then.
func shakeHandsAhead(nodes []string) []Command {
	commands := append(onEach(signalKubelet("STOP"))(nodes), shell(nodes[0], "touch /run/lab/ahead; busybox date -s @$(($(busybox date +%%s) + %d))", ahead))
	for i, node := range nodes {
		commands = append(commands, downAndUp(node))
		for peer := range nodes {
			if peer != i {
				commands = append(commands, reach(node, topology.PodCIDR(peer+1).Addr()))
			}
		}
	}
	return append(commands, setBack(nodes)...)
}

// setBack sets the clock right, if it is not.
func setBack(nodes []string) []Command {
	right := shell(nodes[0], "[ ! -e /run/lab/ahead ] || { busybox date -s @$(($(busybox date +%%s) - %d)); rm /run/lab/ahead; }", ahead)
	return append([]Command{right}, onEach(signalKubelet("CONT"))(nodes)...)
}

func signalKubelet(signal string) func(node string) Command {
	return func(node string) Command { return shell(node, "kill -%s $(cat /run/lab/kubelet.pid)", signal) }
}

// downAndUp ends a device's sessions and keeps its peers. Its routes are put back.
func downAndUp(node string) Command {
	return shell(node, `
		routes=$(ip route show dev flannel-wg)
		ip link set flannel-wg down
		ip link set flannel-wg up
		echo "$routes" | while read -r route; do ip route replace $route dev flannel-wg; done`)
}
