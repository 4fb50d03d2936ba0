package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// guard tries with real packets what was closed before a repair and must be closed after it: a port of a pod that a
// NetworkPolicy denies, and the tunnel's ports of each host for an address of no node.
type guard interface {
	// before makes the policy and the pods, and returns what tries the same after the repair.
	before(context.Context) (after func(context.Context) error, err error)
	// remove takes back what before made.
	remove(context.Context) error
}

// standInGuard is one for a cluster that has no policy engine, as Flannel has none.
//
//	node-1                                              node-2
//	guarded 10.42.0.249 ── FORWARD ── flannel-wg ═══ flannel-wg ── FORWARD ── 10.42.1.249 guarded
//	                          └ KUBE-ROUTER-FORWARD comes first ┘
//	                            and drops UDP 7001 to the pod
//	switch 192.0.2.2 ── UDP 51820, 51821 ── INPUT of each node
//
// The lab has no policy engine; standin/policy makes the chain that kube-router would make.
type standInGuard struct{ lab *state.Lab }

// Ports of the guarded pods.
const (
	deniedPort  = 7001
	allowedPort = 7002
)

// tunnelPorts are those of Flannel and Calico, and that of Cilium.
var tunnelPorts = []int{51820, 51821, 51871}

// guardedPod is an address of the guarded pod of the n-th node, and what belongs to its family.
type guardedPod struct {
	family                    int
	address, gateway, program string
}

func (g standInGuard) pods(n int) []guardedPod {
	var pods []guardedPod
	if g.lab.Families.IPv4() {
		pods = append(pods, guardedPod{4, fmt.Sprintf("10.42.%d.249", n-1), "169.254.1.2", "iptables"})
	}
	if g.lab.Families.IPv6() {
		pods = append(pods, guardedPod{6, fmt.Sprintf("2001:db8:42:%x::249", n-1), "fe80::2", "ip6tables"})
	}
	return pods
}

// install makes a guarded pod on each node and the chain that protects it. The pod itself counts what arrives.
func (g standInGuard) install(ctx context.Context) error {
	return apply(ctx, g.lab, func(nodes []string) []Command {
		var commands []Command
		for i, node := range nodes {
			script := `
				ip netns add guarded
				ip link add guarded mtu 1420 type veth peer name eth0 netns guarded mtu 1420
				ip -n guarded link set lo up
				ip -n guarded link set eth0 up
				ip link set guarded up
				ip netns exec guarded nft -f - <<'END'
				table inet arrived {
					counter denied {}
					counter allowed {}
					chain input {
						type filter hook input priority 0
						udp dport 7001 counter name denied
						udp dport 7002 counter name allowed
					}
				}
END
				rm -f /run/lab/guarded
`
			for _, pod := range g.pods(i + 1) {
				script += pod.attach()
			}
			commands = append(commands, shell(node, "%s/usr/local/sbin/policy", script))
		}
		return commands
	})
}

// attach are lines of a shell that give the pod an address. Host-local IPAM must give it to nobody else.
func (p guardedPod) attach() string {
	bits := map[int]string{4: "32", 6: "128 nodad"}[p.family]
	return fmt.Sprintf(`
		for store in /var/lib/cni/networks/*/; do [ -e $store/%[1]s ] || echo lab-guarded >$store/%[1]s; done
		ip -n guarded address add %[1]s/%[2]s dev eth0
		ip address add %[3]s/%[2]s dev guarded
		ip -n guarded route add %[3]s dev eth0
		ip -n guarded -%[4]d route add default via %[3]s dev eth0 onlink
		ip route add %[1]s dev guarded
		echo %[5]s %[1]s >>/run/lab/guarded
`, p.address, bits, p.gateway, p.family, p.program)
}

// remove takes back what install made.
func (g standInGuard) remove(ctx context.Context) error {
	return apply(ctx, g.lab, onEach(func(node string) Command {
		return shell(node, `
			rm -f /run/lab/guarded
			for tables in iptables ip6tables; do
				while $tables -w -D FORWARD -j KUBE-ROUTER-FORWARD 2>/dev/null; do :; done
				$tables -w -F KUBE-ROUTER-FORWARD 2>/dev/null || true
				$tables -w -X KUBE-ROUTER-FORWARD 2>/dev/null || true
			done
			ip link delete guarded 2>/dev/null || true
			ip netns delete guarded 2>/dev/null || true
			for store in /var/lib/cni/networks/*/; do grep -ls lab-guarded $store/* | xargs -r rm -f; done`)
	}))
}

// crossing is what became of the packets from one guarded pod to another.
type crossing struct {
	denied, allowed int // that arrived, on either port
	dropped         int // by the policy's rule
}

// cross sends a packet to both ports of each node's guarded pod, from that of the node before it.
func (g standInGuard) cross(ctx context.Context) (map[string]crossing, error) {
	all := map[string]crossing{}
	for i, node := range g.lab.Nodes {
		from := g.lab.Nodes[(i+len(g.lab.Nodes)-1)%len(g.lab.Nodes)]
		for _, pod := range g.pods(i + 1) {
			before, err := g.count(ctx, node, pod)
			if err != nil {
				return nil, err
			}
			send := shell(from, `
				for port in %d %d; do ip netns exec guarded bash -c "echo >/dev/udp/%s/$port" 2>/dev/null || true; done
				sleep 0.1`, deniedPort, allowedPort, pod.address)
			if said, err := execute(ctx, g.lab, send); err != nil {
				return nil, fmt.Errorf("sending to the guarded pod of %s: %w\n%s", node, err, said)
			}
			after, err := g.count(ctx, node, pod)
			if err != nil {
				return nil, err
			}
			all[fmt.Sprintf("%s to %s", from, pod.address)] = crossing{
				denied:  after.denied - before.denied,
				allowed: after.allowed - before.allowed,
				dropped: after.dropped - before.dropped,
			}
		}
	}
	return all, nil
}

func (g standInGuard) count(ctx context.Context, node string, pod guardedPod) (crossing, error) {
	said, err := execute(ctx, g.lab, shell(node, `
		for name in denied allowed; do
			ip netns exec guarded nft list counter inet arrived $name | sed -n 's/.*packets \([0-9]*\).*/\1/p'
		done
		%s -w -vxnL KUBE-ROUTER-FORWARD 2>/dev/null | awk '$3 == "DROP" { print $1 }'`, pod.program))
	if err != nil {
		return crossing{}, fmt.Errorf("counting at the guarded pod of %s: %w\n%s", node, err, said)
	}
	var numbers []int
	for _, field := range strings.Fields(said) {
		number, err := strconv.Atoi(field)
		if err != nil {
			return crossing{}, fmt.Errorf("counting at the guarded pod of %s: %w", node, err)
		}
		numbers = append(numbers, number)
	}
	if len(numbers) != 3 {
		return crossing{}, fmt.Errorf("counting at the guarded pod of %s: got %q", node, said)
	}
	return crossing{denied: numbers[0], allowed: numbers[1], dropped: numbers[2]}, nil
}

// openPorts sends a datagram to the tunnel's ports of each node, from an address of no node, and returns those that no
// filter of the node drops.
func openPorts(ctx context.Context, lab *state.Lab) (map[string]bool, error) {
	open := map[string]bool{}
	for i, node := range lab.Nodes {
		place := topology.Node(i + 1)
		var rules, sends strings.Builder
		for _, port := range tunnelPorts {
			fmt.Fprintf(&rules, "counter p%[1]d {}\n", port)
			for _, address := range []string{place.IPv4.Addr().String(), place.IPv6.Addr().String()} {
				fmt.Fprintf(&sends, "bash -c 'echo >/dev/udp/%s/%d' 2>/dev/null || true\n", address, port)
			}
		}
		rules.WriteString("chain input {\ntype filter hook input priority 2000\n")
		for _, port := range tunnelPorts {
			fmt.Fprintf(&rules, "ip saddr { 192.0.2.2, 192.0.2.3 } udp dport %[1]d counter name p%[1]d\n", port)
			fmt.Fprintf(&rules, "ip6 saddr { 2001:db8::2, 2001:db8::3 } udp dport %[1]d counter name p%[1]d\n", port)
		}
		rules.WriteString("}")
		steps := []Command{
			shell(node, "nft -f - <<'END'\ntable inet stranger {\n%s\n}\nEND", rules.String()),
			shell(network, "%ssleep 0.1", sends.String()),
			shell(node, `
				for port in %s; do
					nft list counter inet stranger p$port | sed -n "s/.*packets \([1-9][0-9]*\).*/$port/p"
				done
				nft delete table inet stranger`, strings.Trim(fmt.Sprint(tunnelPorts), "[]")),
		}
		for _, step := range steps {
			said, err := execute(ctx, lab, step)
			if err != nil {
				return nil, fmt.Errorf("trying the ports of %s: %w\n%s", node, err, said)
			}
			for _, port := range strings.Fields(said) {
				open[fmt.Sprintf("UDP %s of %s", port, node)] = true
			}
		}
	}
	return open, nil
}

func (g standInGuard) before(ctx context.Context) (func(context.Context) error, error) {
	if err := g.install(ctx); err != nil {
		return nil, fmt.Errorf("installing a NetworkPolicy: %w", err)
	}
	crossings, err := g.cross(ctx)
	if err != nil {
		return nil, err
	}
	for way, c := range crossings {
		if c.denied > 0 {
			return nil, fmt.Errorf("the stand-in for a NetworkPolicy lets pass what it denies: %s", way)
		}
	}
	open, err := openPorts(ctx, g.lab)
	return func(ctx context.Context) error { return errors.Join(g.held(ctx), stayedClosed(ctx, g.lab, open)) }, err
}

// held returns what became of the NetworkPolicy. What it allows must pass, within the time that a new session may take.
func (g standInGuard) held(ctx context.Context) error {
	for deadline := time.Now().Add(20 * time.Second); ; pause(ctx, 500*time.Millisecond) {
		crossings, err := g.cross(ctx)
		if err != nil {
			return err
		}
		if err := judgeCrossings(crossings); err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}

// stayedClosed tries the tunnel's ports again.
func stayedClosed(ctx context.Context, lab *state.Lab, before map[string]bool) error {
	after, err := openPorts(ctx, lab)
	if err != nil {
		return err
	}
	return judgePorts(before, after)
}

// judgeCrossings returns what a repair made of the NetworkPolicy, nil if it holds as before.
func judgeCrossings(crossings map[string]crossing) error {
	var problems []error
	for _, way := range slices.Sorted(maps.Keys(crossings)) {
		port, problem := deniedPort, ""
		switch c := crossings[way]; {
		case c.denied > 0:
			problem = "the repair opens what a NetworkPolicy denies"
		case c.allowed == 0:
			port, problem = allowedPort, "after the repair what a NetworkPolicy allows does not pass"
		case c.dropped == 0:
			problem = "nothing is known of the NetworkPolicy, since its rule counted no packet"
		default:
			continue
		}
		problems = append(problems, fmt.Errorf("%s: UDP %d from the pod on %s", problem, port, way))
	}
	return errors.Join(problems...)
}

// judgePorts returns which ports are open to an address of no node and were not before.
func judgePorts(before, after map[string]bool) error {
	var opened []string
	for port := range after {
		if !before[port] {
			opened = append(opened, port)
		}
	}
	if opened == nil {
		return nil
	}
	slices.Sort(opened)
	return fmt.Errorf("the repair opens ports to addresses of no node: %s", strings.Join(opened, ", "))
}
