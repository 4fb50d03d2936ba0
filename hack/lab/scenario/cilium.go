package scenario

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Real agents of Cilium, whose programs lead packets into cilium_wg0 where they leave by eth0:
//
//	pod ── lxc… ── cil_from_container ── route ── eth0 ── cil_to_netdev ── cilium_wg0 ── WireGuard ── eth0
//	                                       in the tunnel: cilium_vxlan ┘
var (
	ciliumNative = cluster(topology.Cilium, "", 2)
	ciliumTunnel = cluster(topology.CiliumVXLAN, "", 2)
)

// agents changes options of the agents, and restarts them, as a chart's upgrade does.
func agents(options map[string]string) []Command {
	patch, err := json.Marshal(map[string]any{"data": options})
	if err != nil {
		panic(err) // of strings alone
	}
	return append([]Command{
		kubectl("-n", "kube-system", "patch", "configmap", "cilium-config", "--type=merge", "-p", string(patch)),
	}, restartAgents()...)
}

func restartAgents() []Command {
	return []Command{
		kubectl("-n", "kube-system", "rollout", "restart", "daemonset", "cilium"),
		kubectl("-n", "kube-system", "rollout", "status", "daemonset", "cilium", "--timeout=5m"),
	}
}

// settleCilium waits until all agents say that they are well.
func settleCilium(ctx context.Context, lab *state.Lab) error {
	if said, err := execute(ctx, lab, restartAgents()[1]); err != nil {
		return fmt.Errorf("waiting for Cilium's agents: %w\n%s", err, said)
	}
	return nil
}

// option is a change of one option, for a row's Sabotage and Restore.
func option(name, value string) func([]string) []Command {
	return on(agents(map[string]string{name: value})...)
}

// again restarts the agents, whatever was done to what they set up.
var again = on(restartAgents()...)

// ciliumPeer changes the peer that a node has for the node of an address.
func ciliumPeer(node, of, change string) Command {
	return shell(node, "/opt/lab/lab hostile peer cilium_wg0 %s/32 %s", of, change)
}

var strictOptions = map[string]string{
	"enable-encryption-strict-mode-egress": "true", "encryption-strict-egress-cidr": topology.PodNetwork,
	"enable-encryption-strict-mode-ingress": "true",
}

var laxOptions = map[string]string{
	"enable-encryption-strict-mode-egress": "false", "enable-encryption-strict-mode-ingress": "false",
}

// cloneAgents gives both nodes one key, as machines have it that were cloned from one image.
func cloneAgents(nodes []string) []Command {
	return append(onEach(func(node string) Command {
		return shell(node, "printf '%%32s' '' | tr ' ' k >/run/cilium/state/cilium_wg0.key")
	})(nodes), restartAgents()...)
}

func newAgentKeys(nodes []string) []Command {
	return append(onEach(func(node string) Command {
		return shell(node, "rm -f /run/cilium/state/cilium_wg0.key")
	})(nodes), restartAgents()...)
}

// pastPrograms leads one address of the other node's pods through a card that is none of the agents' devices.
func pastPrograms(nodes []string) []Command {
	return append(secondCards(nodes), shell("node-1", `
		for host in $(seq 2 254); do echo "route replace 10.42.1.$host/32 via 198.51.100.12 dev eth1"; done | ip -batch -`))
}

// Of what is not from pod to pod, Cilium encrypts what nodes send only where encrypt-node says so, and on no node that a
// selector keeps out of it: an empty one selects all.
var (
	encryptNodes   = agents(map[string]string{"encrypt-node": "true", "node-encryption-opt-out-labels": "lab/none"})
	encryptNoNodes = agents(map[string]string{"encrypt-node": "true", "node-encryption-opt-out-labels": ""})
	spareNodes     = agents(map[string]string{
		"encrypt-node": "false", "node-encryption-opt-out-labels": "node-role.kubernetes.io/control-plane",
	})
	// replaceKubeProxy has the agents translate the addresses of Services packet by packet, not when a pod's program opens
	// a socket: the cgroup in which the lab's agents run is beside the pods'.
	replaceKubeProxy = agents(map[string]string{"kube-proxy-replacement": "true", "bpf-lb-sock-hostns-only": "true"})

	podCells = map[string]string{
		"pod-pod": encrypted, "pod-cluster-ip": encrypted, "pod-node-port": byDesign, "pod-node-port-far": byDesign,
		"pod-node": byDesign, "node-pod": byDesign, "node-node": byDesign,
	}
	// Where Cilium itself translates, a NodePort of any node becomes the pod's address before anything leaves.
	replacedCells = map[string]string{
		"pod-pod": encrypted, "pod-cluster-ip": encrypted, "pod-node-port": encrypted, "pod-node-port-far": encrypted,
		"pod-node": byDesign, "node-node": byDesign,
	}
	allCells = map[string]string{
		"pod-pod": encrypted, "pod-cluster-ip": encrypted, "pod-node-port": encrypted, "pod-node-port-far": encrypted,
		"pod-node": encrypted, "node-pod": encrypted, "node-node": encrypted,
	}
)

var cilium = []Scenario{
	{Name: "cilium-encrypted", Title: "Cilium, native routing, with WireGuard", Cluster: ciliumNative, Want: pass},
	{
		Name: "cilium-node", Title: "Cilium encrypts what nodes send each other, but of the control plane's", Cluster: ciliumNative,
		Sabotage: option("encrypt-node", "true"), Restore: option("encrypt-node", "false"), Want: pass,
	},
	{
		Name: "cilium-node-all", Title: "Cilium encrypts what all nodes send each other", Cluster: ciliumNative,
		Sabotage: on(encryptNodes...), Restore: on(spareNodes...), Want: pass,
	},
	{
		Name: "cilium-strict", Title: "Cilium in strict mode", Cluster: ciliumNative,
		Sabotage: on(agents(strictOptions)...), Restore: on(agents(laxOptions)...), Want: pass,
	},
	{
		Name: "cilium-off", Title: "Cilium, native routing, WireGuard was switched off", Cluster: ciliumNative,
		Sabotage: option("enable-wireguard", "false"), Restore: option("enable-wireguard", "true"), Want: fail(codeLeak), Pairs: bothWays,
	},
	{
		Name: "cilium-allowed-lost", Title: "a peer of Cilium's lost the allowed IPs of pods that are there (cilium/cilium issue 35644)",
		Cluster: ciliumNative, Restore: again, Want: fail(codeRanges), Pairs: []string{"node-1>node-2"},
		Sabotage: on(ciliumPeer("node-1", "192.0.2.12", "allowed=192.0.2.12/32")),
	},
	{
		Name: "cilium-shared-key", Title: "two nodes of Cilium, cloned from one image, have one key", Cluster: ciliumNative,
		Sabotage: cloneAgents, Restore: newAgentKeys, Want: fail(codeUnique), Pairs: bothWays,
	},
	{
		Name: "cilium-no-key", Title: "a CiliumNode lost the annotation with its key", Cluster: ciliumNative,
		Sabotage: on(kubectl("annotate", "ciliumnode", "node-2", "network.cilium.io/wg-pub-key-")), Restore: again,
		Want: fail(codePublished), Pairs: bothWays,
	},
	{
		Name: "cilium-route-past", Title: "routes lead to pods through a card that Cilium has no program on", Cluster: ciliumNative,
		Sabotage: pastPrograms, Restore: dropSecondCards, Want: fail(codeRoute), Pairs: []string{"node-1>node-2"},
	},
	{
		Name: "cilium-udp-blocked", Title: "a firewall on one node drops UDP 51871", Cluster: ciliumNative,
		Sabotage: on(nftRule("node-2", "input", 0, "udp dport 51871 counter drop")), Restore: onEach(dropTable),
		Want: fail(codeBlocked), Pairs: bothWays,
	},
	{
		Name: "cilium-mark", Title: "a statement gives one port the mark by which Cilium knows encrypted packets", Cluster: ciliumNative,
		Sabotage: on(nftRule("node-1", "prerouting", -150, "ip saddr 10.42.0.0/16 tcp dport 5432 meta mark set 0xe00")),
		Restore:  onEach(dropTable), Want: undecided(codePath), Unmendable: "whose statement it is is not known",
	},
	{
		Name: "cilium-mark-all", Title: "the same of all UDP, which then leaves in clear", Cluster: ciliumNative,
		Sabotage: on(nftRule("node-1", "prerouting", -150, "ip saddr 10.42.0.0/16 meta l4proto udp meta mark set 0xe00")),
		Restore:  onEach(dropTable), Want: fail(codeLeak), Unmendable: "whose statement it is is not known",
	},
	{
		Name: "cilium-scope", Title: "pods reach Services and nodes through Cilium", Cluster: ciliumNative,
		Args: allScopes, Meanwhile: proxied, Sabotage: onEach(proxy), Restore: onEach(withoutProxy),
		Want: pass, Classes: podCells,
	},
	{
		Name: "cilium-scope-node", Title: "the same where Cilium encrypts what all nodes send", Cluster: ciliumNative,
		Args: allScopes, Meanwhile: proxied, Sabotage: inTurn(on(encryptNodes...), onEach(proxy)),
		Restore: inTurn(onEach(withoutProxy), on(spareNodes...)), Want: pass, Classes: allCells,
	},
	{
		Name: "cilium-scope-opted-out", Title: "the same where a selector keeps all nodes out of it", Cluster: ciliumNative,
		Args: allScopes, Meanwhile: proxied, Sabotage: inTurn(on(encryptNoNodes...), onEach(proxy)),
		Restore: inTurn(onEach(withoutProxy), on(spareNodes...)), Want: pass, Classes: podCells,
	},
	{
		Name: "cilium-scope-ended", Title: "pods still send to pods on the other node that have ended", Cluster: ciliumNative,
		Args: endedScope, Want: pass, Classes: map[string]string{"pod-pod": encrypted, "pod-ended": encrypted},
	},
	{
		Name: "cilium-kpr", Title: "Cilium in the place of kube-proxy, past the kernel's routing", Cluster: ciliumNative,
		Args: allScopes, Sabotage: on(replaceKubeProxy...), Restore: option("kube-proxy-replacement", "false"), Want: pass,
		Classes: replacedCells,
	},
	{Name: "cilium-tunnel", Title: "Cilium, tunnel, with WireGuard", Cluster: ciliumTunnel, Want: pass},
	{
		Name: "cilium-tunnel-node", Title: "Cilium, tunnel, encrypts what all nodes send each other", Cluster: ciliumTunnel,
		Sabotage: on(encryptNodes...), Restore: on(spareNodes...), Want: pass,
	},
	{
		Name: "cilium-tunnel-off", Title: "Cilium, tunnel, WireGuard was switched off", Cluster: ciliumTunnel,
		Sabotage: option("enable-wireguard", "false"), Restore: option("enable-wireguard", "true"), Want: fail(codeLeak), Pairs: bothWays,
	},
	{
		Name: "cilium-tunnel-allowed-lost", Title: "a peer of Cilium's lost the address that the tunnel sends to", Cluster: ciliumTunnel,
		Sabotage: on(shell("node-1", "/opt/lab/lab hostile peer cilium_wg0 192.0.2.12/32 allowed=")), Restore: again,
		Want: fail(codeRanges), Pairs: bothWays,
	},
	{
		Name: "cilium-tunnel-scope", Title: "pods reach Services and nodes through Cilium's tunnel", Cluster: ciliumTunnel,
		Args: allScopes, Meanwhile: proxied, Sabotage: onEach(proxy), Restore: onEach(withoutProxy),
		Want: pass, Classes: flannelCells, // the overlay carries what nodes send to pods
	},
	{
		Name: "cilium-tunnel-ended", Title: "pods still send to pods on the other node that have ended", Cluster: ciliumTunnel,
		Args: endedScope, Want: pass, Classes: map[string]string{"pod-pod": encrypted, "pod-ended": encrypted},
	},
	{
		Name: "cilium-tunnel-kpr", Title: "the same with Cilium's tunnel", Cluster: ciliumTunnel,
		Args: allScopes, Sabotage: on(replaceKubeProxy...), Restore: option("kube-proxy-replacement", "false"), Want: pass,
		Classes: replacedCells,
	},
}
