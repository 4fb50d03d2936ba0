package scenario

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
)

// The cells of the matrix of classes, as the report names them.
const (
	encrypted = "encrypted"
	byDesign  = "clearByDesign"
	leaks     = "leak"
	unproven  = "notProven"
)

var (
	allScopes = []string{"--scope", "pods,services,hosts"}
	// flannelCells is what flannel's wireguard backend comes to. What is for a node's address does not go through it.
	flannelCells = map[string]string{
		"pod-pod": encrypted, "pod-cluster-ip": encrypted, "pod-node-port": encrypted, "pod-node-port-far": byDesign,
		"pod-node": byDesign, "node-pod": encrypted, "node-node": byDesign,
	}
)

// scope are clusters of which more is asked than whether pods reach each other encrypted. The lab has no kube-proxy;
// proxied does what it would for the run's own Services.
var scope = []Scenario{
	{
		Name: "scope-healthy", Title: "pods reach Services and nodes, nodes reach pods and nodes",
		Cluster: wireguard, Args: allScopes, Meanwhile: proxied, Sabotage: onEach(proxy), Restore: onEach(withoutProxy),
		Want: pass, Classes: flannelCells, Findings: map[string]string{codeClasses: "pass"},
	},
	{
		Name: "scope-masquerade-all", Title: "whatever is for a Service gets the address of the node's tunnel",
		Cluster: wireguard, Args: allScopes, Meanwhile: proxied,
		Sabotage: inTurn(onEach(proxy), onEach(masqueradeAll)), Restore: onEach(withoutProxy),
		Want: pass, Classes: flannelCells,
	},
	{
		Name: "scope-hosts", Title: "nodes reach pods and nodes, Services were not asked for",
		Cluster: wireguard, Args: []string{"--scope", "hosts"}, Want: pass,
		Classes: map[string]string{"pod-node": byDesign, "node-pod": encrypted, "node-node": byDesign, "pod-node-port": ""},
	},
	{
		Name: "scope-no-proxy", Title: "nothing translates the addresses of Services",
		Cluster: wireguard, Args: allScopes, Want: undecided(codeClasses),
		Classes: map[string]string{"pod-pod": encrypted, "pod-cluster-ip": unproven, "pod-node-port": unproven, "node-pod": encrypted},
	},
	{
		Name: "scope-service-leak", Title: "a node sends past the tunnel whatever it translated for a Service",
		Cluster: wireguard, Args: allScopes, Meanwhile: proxied,
		Sabotage: inTurn(onEach(proxy), pastTunnel("iifname cni0 ct status dnat meta mark set 0x88", "fwmark 0x88")),
		Restore:  inTurn(takeBack, onEach(withoutProxy)),
		Want:     fail(codeClasses), Or: []Want{fail(codePath)}, Unmendable: lookAt,
		Classes: map[string]string{"pod-cluster-ip": leaks, "node-pod": encrypted, "node-node": byDesign},
	},
	{
		Name: "scope-node-leak", Title: "a node sends past the tunnel what its own programs send to pods",
		Cluster: wireguard, Args: []string{"--scope", "hosts"},
		Sabotage: pastTunnel("", "iif lo to 10.42.1.0/24"), Restore: takeBack,
		Want: fail(codeClasses), Unmendable: lookAt,
		Classes: map[string]string{"node-pod": leaks, "pod-node": byDesign, "node-node": byDesign},
	},
	{
		Name: "scope-dns", Title: "a pod on one node asks the DNS on the other",
		Cluster: wireguard, Args: dnsScope, Sabotage: on(dnsPod...), Restore: on(withoutDNS), Want: pass,
		Classes: map[string]string{"pod-pod": encrypted, "pod-dns": encrypted},
	},
	{
		Name: "scope-dns-leak", Title: "a node sends questions to the DNS past the tunnel",
		Cluster: wireguard, Args: dnsScope,
		Sabotage: inTurn(on(dnsPod...), pastTunnel("", "to 10.42.1.0/24 ipproto udp dport 53")),
		Restore:  inTurn(takeBack, on(withoutDNS)), Want: fail(codePath), Or: []Want{fail(codeClasses)}, Unmendable: lookAt,
		Classes: map[string]string{"pod-dns": leaks},
	},
	{
		Name: "scope-dns-none", Title: "no pod answers for the cluster's DNS",
		Cluster: wireguard, Args: dnsScope, Want: undecided(codeClasses),
		Classes: map[string]string{"pod-pod": encrypted, "pod-dns": unproven},
	},
	{
		Name: "scope-ended", Title: "pods still send to pods on the other node that have ended",
		Cluster: wireguard, Args: endedScope, Want: pass,
		Classes: map[string]string{"pod-pod": encrypted, "pod-ended": encrypted},
	},
	{
		Name: "scope-ended-leak", Title: "a node sends past the tunnel what is for pods that have ended",
		Cluster: wireguard, Args: endedScope,
		Sabotage: pastTunnel("", "to 10.42.1.0/24 ipproto udp dport 9477"), Restore: takeBack,
		Want: fail(codePath), Or: []Want{fail(codeClasses)}, Unmendable: lookAt,
		Classes: map[string]string{"pod-ended": leaks},
	},
	{
		Name: "scope-node-firewall", Title: "nodes drop what is for their own UDP ports but the tunnel's",
		Cluster: wireguard, Args: []string{"--scope", "hosts"}, Want: pass,
		Sabotage: onEach(func(node string) Command {
			return shell(node, `nft add table inet sabotage
				nft add chain inet sabotage input '{ type filter hook input priority 0; }'
				nft add rule inet sabotage input iifname eth0 udp dport != 51820 ct state new drop`)
		}), Restore: onEach(dropTable),
		Classes: map[string]string{"pod-node": byDesign, "node-node": byDesign, "node-pod": encrypted},
	},
}

var (
	dnsScope   = []string{"--scope", "dns"}
	endedScope = []string{"--scope", "ended"}
)

// dnsPod is a pod with the label of the cluster's DNS, on the second node.
var dnsPod = []Command{
	{Node: operator, Argv: []string{"kubectl", "apply", "--filename", "-"}, Stdin: []byte(`
apiVersion: v1
kind: Pod
metadata:
  name: lab-dns
  namespace: kube-system
  labels: {k8s-app: kube-dns}
spec:
  nodeName: node-2
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers:
    - name: dns
      image: ` + build.BusyboxImage + `
      imagePullPolicy: Never
      command: [/opt/lab/lab, hostile, dns]
      ports: [{name: dns, containerPort: 53, protocol: UDP}]
      volumeMounts: [{name: lab, mountPath: /opt/lab, readOnly: true}]
  volumes: [{name: lab, hostPath: {path: /opt/lab}}]
`)},
	kubectl("wait", "pod/lab-dns", "--namespace=kube-system", "--for=condition=Ready", "--timeout=60s"),
}

var withoutDNS = kubectl("delete", "pod/lab-dns", "--namespace=kube-system", "--ignore-not-found", "--wait=true")

// scopeDual: the same in both families.
var scopeDual = []Scenario{{
	Name: "dual-scope", Title: "pods reach Services and nodes in both families",
	Cluster: dual, Args: allScopes, Meanwhile: proxied, Sabotage: onEach(proxy), Restore: onEach(withoutProxy),
	Want: pass, Classes: flannelCells,
}}

// scopeUnderlay: where the machines' own WireGuard is between the nodes' addresses.
var scopeUnderlay = []Scenario{{
	Name: "vpn-scope", Title: "over the machines' WireGuard, the nodes' addresses beside it are in clear",
	Cluster: vxlan, Args: allScopes, Meanwhile: proxied, Sabotage: inTurn(overVPN, onEach(proxy)),
	Restore: inTurn(dropVPN, onEach(withoutProxy)), Want: pass,
	Classes: map[string]string{
		"pod-pod": encrypted, "pod-cluster-ip": encrypted, "pod-node-port": encrypted, "pod-node": byDesign, "node-node": byDesign,
	},
}}

// proxy prepares a node for the rules of Services, in the hooks and with the mark that kube-proxy uses: what bears the
// mark is masqueraded.
func proxy(node string) Command {
	return shell(node, `nft -f - <<-EOF
			table inet services {
				chain prerouting { type nat hook prerouting priority dstnat; }
				chain output { type nat hook output priority -100; }
				chain postrouting {
					type nat hook postrouting priority srcnat;
					meta mark & 0x4000 == 0x4000 meta mark set meta mark ^ 0x4000 masquerade
				}
			}
		EOF`)
}

// masqueradeAll is kube-proxy's --masquerade-all.
func masqueradeAll(node string) Command {
	return shell(node, "nft add rule inet services postrouting ct status dnat masquerade")
}

func withoutProxy(node string) Command {
	return shell(node, "nft delete table inet services 2>/dev/null || true")
}

// pastTunnel has the first node route past the tunnel what a rule selects. Statements of a filter can mark it before.
func pastTunnel(statements, rule string) func([]string) []Command {
	return func(nodes []string) []Command {
		marks := ""
		if statements != "" {
			marks = fmt.Sprintf(`
				nft add table inet sabotage
				nft add chain inet sabotage prerouting '{ type filter hook prerouting priority -50; }'
				nft add rule inet sabotage prerouting '%s'`, statements)
		}
		return []Command{shell(nodes[0], `ip route add 10.42.1.0/24 via 192.0.2.12 dev eth0 table 88
			ip rule add priority 50 %s lookup 88%s`, rule, marks)}
	}
}

func takeBack(nodes []string) []Command {
	return []Command{shell(nodes[0], `ip rule del priority 50 2>/dev/null || true
		ip route flush table 88 2>/dev/null || true
		nft delete table inet sabotage 2>/dev/null || true`)}
}

// proxied gives every node the rules of the run's Services, as kube-proxy does when their endpoints appear: the cluster
// address and the node port of a Service are translated to its only pod, what comes by the node port is marked.
func proxied(ctx context.Context, t *Trial) error {
	done := map[string]bool{}
	for {
		if _, _, over := t.said.state(); over {
			return nil
		}
		services, err := t.api.CoreV1().Services("").List(ctx, meta.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=kubectl-wg"})
		if err != nil {
			return fmt.Errorf("listing Services: %w", err)
		}
		for _, service := range services.Items {
			if key := service.Namespace + "/" + service.Name; !done[key] {
				if done[key], err = t.program(ctx, &service); err != nil {
					return err
				}
			}
		}
		pause(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// program adds the rules of one Service to every node, once its pod has addresses.
func (t *Trial) program(ctx context.Context, service *core.Service) (bool, error) {
	selector := meta.FormatLabelSelector(&meta.LabelSelector{MatchLabels: service.Spec.Selector})
	pods, err := t.api.CoreV1().Pods(service.Namespace).List(ctx, meta.ListOptions{LabelSelector: selector})
	if err != nil {
		return false, fmt.Errorf("listing the pods of %s: %w", service.Name, err)
	}
	if len(pods.Items) != 1 || len(pods.Items[0].Status.PodIPs) == 0 {
		return false, nil
	}
	rules := serviceRules(service, pods.Items[0].Status.PodIPs)
	for _, node := range t.lab.Nodes {
		if _, err := t.shell(ctx, node, "nft -f - <<EOF\n"+rules+"EOF"); err != nil {
			return false, err
		}
	}
	return true, nil
}

// serviceRules are the rules of one Service, in nft's language.
func serviceRules(service *core.Service, pods []core.PodIP) string {
	var rules strings.Builder
	port := service.Spec.Ports[0]
	for _, text := range service.Spec.ClusterIPs {
		ip := netip.MustParseAddr(text)
		header, protocol := "ip", "ipv4"
		if ip.Is6() {
			header, protocol = "ip6", "ipv6"
		}
		for _, pod := range pods {
			target := netip.MustParseAddr(pod.IP)
			if target.Is6() != ip.Is6() {
				continue
			}
			to := fmt.Sprintf("dnat %s to %s", header, netip.AddrPortFrom(target, uint16(port.TargetPort.IntVal)))
			for _, chain := range []string{"prerouting", "output"} {
				fmt.Fprintf(&rules, "add rule inet services %s %s daddr %s udp dport %d %s\n", chain, header, ip, port.Port, to)
				fmt.Fprintf(&rules, "add rule inet services %s meta nfproto %s fib daddr type local udp dport %d "+
					"meta mark set meta mark | 0x4000 %s\n", chain, protocol, port.NodePort, to)
			}
		}
	}
	return rules.String()
}
