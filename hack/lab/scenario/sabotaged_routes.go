package scenario

import "github.com/kubectl-wg/kubectl-wg/hack/lab/topology"

var bothWays = []string{"node-1>node-2", "node-2>node-1"}

// sabotagedRoutes are healthy tunnels that something leads past.
var sabotagedRoutes = []Scenario{
	{
		Name: "stale-flannel-route", Title: "routes of an earlier vxlan backend win over flannel-wg",
		Cluster: wireguard, Sabotage: staleRoutes, Restore: dropStaleRoutes, Want: fail(codeRoute), Pairs: bothWays,
	},
	{
		Name: "stale-route-one-way", Title: "the route of an earlier vxlan backend is left on one node only",
		Cluster: wireguard, Sabotage: staleRouteOneWay, Restore: dropStaleRoutes, Want: fail(codeRoute),
		Pairs:    []string{"node-1>node-2"},
		Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "stale-host-gw-route", Title: "a route of an earlier host-gw backend wins over flannel-wg",
		Cluster: wireguard, Sabotage: hostGWRoutes, Restore: dropHostGWRoutes, Want: fail(codeRoute), Pairs: bothWays,
		Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "leak-by-25", Title: "a route for half of a node's pods leads past the tunnel, as a cloud's router has them",
		Cluster: wireguard, Sabotage: halfRoutes, Restore: dropHalfRoutes, Want: fail(codeRoute),
		Pairs: []string{"node-1>node-2"}, Findings: map[string]string{codeLeak: "fail"},
	},
	{
		Name: "leak-by-28", Title: "a route for a few of a node's pods leads past the tunnel, and the test pod is not among them",
		Cluster:  wireguard,
		Sabotage: on(shell("node-1", "ip route add 10.42.1.240/28 via 192.0.2.12 dev eth0")),
		Restore:  on(shell("node-1", "ip route delete 10.42.1.240/28 2>/dev/null || true")), Want: fail(codeRoute), Findings: map[string]string{codeLeak: "pass"},
	},
	{
		Name: "route-missing", Title: "the tunnel's route is gone, and the default route takes its place",
		Cluster:  wireguard,
		Sabotage: on(shell("node-1", "ip route delete 10.42.0.0/16 dev flannel-wg")), Restore: restartFlannel, Want: fail(codeRoute),
	},
	{
		Name: "route-blackhole", Title: "a blackhole route for another node's pods",
		Cluster:  wireguard,
		Sabotage: on(shell("node-1", "ip route add blackhole 10.42.1.0/24")),
		Restore:  on(shell("node-1", "ip route delete blackhole 10.42.1.0/24 2>/dev/null || true")), Want: fail(codeRoute),
	},
	{
		Name: "route-unreachable", Title: "an unreachable route for another node's pods",
		Cluster:  wireguard,
		Sabotage: on(shell("node-2", "ip route add unreachable 10.42.0.0/24")),
		Restore:  on(shell("node-2", "ip route delete unreachable 10.42.0.0/24 2>/dev/null || true")), Want: fail(codeRoute),
	},
	{
		Name: "rule-bypass", Title: "a rule sends pod traffic to a table of its own, as VPN clients do",
		Cluster: wireguard, Want: fail(codeRoute), Findings: map[string]string{codeLeak: "fail"},
		Sabotage: on(shell("node-1", `
			ip route add 10.42.0.0/16 via 192.0.2.12 dev eth0 table 52
			ip rule add priority 5210 to 10.42.0.0/16 lookup 52`)),
		Restore: on(shell("node-1", `
			while ip rule delete priority 5210 2>/dev/null; do :; done
			while ip rule delete priority 5209 2>/dev/null; do :; done
			ip route flush table 52 2>/dev/null || true`)),
	},
}

// staleRouteOneWay leaves both overlay devices, and the routes of the first node.
func staleRouteOneWay(nodes []string) []Command {
	commands := staleRoutes(nodes)
	for i, node := range nodes[1:] {
		for j := range nodes {
			if j != i+1 {
				commands = append(commands, shell(node, "ip route delete %s dev flannel.1", topology.PodCIDR(j+1)))
			}
		}
	}
	return commands
}

func hostGWRoutes(nodes []string) []Command {
	return eachPair(nodes, func(node string, peer int) Command {
		return shell(node, "ip route replace %s via %s dev eth0", topology.PodCIDR(peer), topology.Node(peer).IPv4.Addr())
	})
}

func dropHostGWRoutes(nodes []string) []Command {
	return eachPair(nodes, func(node string, peer int) Command {
		return shell(node, "ip route delete %s dev eth0 2>/dev/null || true", topology.PodCIDR(peer))
	})
}

func eachPair(nodes []string, command func(node string, peer int) Command) []Command {
	var commands []Command
	for i, node := range nodes {
		for j := range nodes {
			if i != j {
				commands = append(commands, command(node, j+1))
			}
		}
	}
	return commands
}

// halfRoutes cover both halves of the second node's pods, so that the test pod is in one of them.
func halfRoutes([]string) []Command {
	return []Command{shell("node-1", "for half in 0 128; do ip route add 10.42.1.$half/25 via 192.0.2.12 dev eth0; done")}
}

func dropHalfRoutes([]string) []Command {
	return []Command{shell("node-1", "for half in 0 128; do ip route delete 10.42.1.$half/25 2>/dev/null || true; done")}
}
