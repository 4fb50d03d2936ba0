//go:build linux

package agent

import (
	"fmt"
	"strings"
	"testing"
)

// Codes that are right as first cause of a packet that took another way: what
// leads it there, what carries it in clear, or what is missing in the tunnel.
const (
	otherPath = "WG0402"
	leak      = "WG0601"
	blind     = "WG0611"
	inside    = "WG0605"
	cipher    = "WG0602"
)

const marker = "this-is-a-secret"

// isClear is how the switch knows a datagram with the marker, by its first bytes.
const isClear = "ip saddr 10.42.0.2 @th,64,32 0x74686973"

// Something leads packets of pods past the tunnel, in clear. The switch counts
// them, whatever the product says.
func TestLivePaths(t *testing.T) {
	runLive(t, []liveCase{
		{
			name: "rule-for-a-part", prepare: ruleForPart, during: sendMarker("10.42.1.200:9"), after: crossed(8),
			verdict: "FAIL", causes: []string{otherPath, leak},
		},
		{
			name: "rule-for-a-port", prepare: ruleForPort, during: sendMarker("10.42.1.2:53"), after: crossed(8),
			verdict: "FAIL", causes: []string{otherPath, leak},
		},
		{
			name: "rule-behind-the-tunnel", prepare: ruleBehindTunnel,
			during: sendMarker("10.42.1.200:9"), after: crossed(8), verdict: "FAIL", causes: []string{otherPath, leak},
		},
		{
			name: "two-hops", prepare: twoHops, during: sendMarker(""), after: crossed(8),
			verdict: "FAIL", causes: []string{otherPath, leak},
		},
		{name: "route-into-srv6", prepare: routeIntoSRv6, verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{name: "statement-into-overlay", prepare: intoOverlay("fwd to vx0"), verdict: "INCONCLUSIVE",
			causes: []string{otherPath}},
		{name: "copy-into-overlay", prepare: intoOverlay("dup to vx0"), verdict: "INCONCLUSIVE",
			causes: []string{otherPath}},
		{name: "rule-for-a-pod-link-not-proven", prepare: ruleForDoubtfulLink, verdict: "FAIL INCONCLUSIVE",
			causes: []string{otherPath}},
		{name: "late-rule", during: lateRule, verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{
			name: "late-statement", prepare: ruleForMark, during: markDatabase,
			verdict: "FAIL INCONCLUSIVE", causes: []string{otherPath},
		},
		{name: "route-for-a-moment", during: momentaryRoute, verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{name: "the-same-route-again", during: sameRoute, verdict: "PASS"},
		{name: "mark-at-a-bridge",
			prepare: inTurn(podBridge, ruleForMark, marks("bridge", "input", "tcp dport 5432 meta mark set 0x77")),
			verdict: "FAIL INCONCLUSIVE", causes: []string{otherPath}},
		{name: "mark-before-a-condition",
			prepare: inTurn(ruleForMark,
				marks("ip", "prerouting", "tcp dport 5432 meta mark set 0x77 iifname eth0 accept")),
			verdict: "FAIL INCONCLUSIVE", causes: []string{otherPath}},
		{name: "mark-set-again",
			prepare: inTurn(ruleForMark,
				marks("ip", "prerouting", "tcp dport 5433 meta mark set 0x77", "meta mark set 0",
					"tcp dport 5432 meta mark set 0x77")),
			verdict: "FAIL INCONCLUSIVE", causes: []string{otherPath}},
		{name: "mark-taken-away", prepare: inTurn(ruleForMark,
			marks("ip", "prerouting", "tcp dport 5432 meta mark set 0x77", "meta mark set 0")), verdict: "PASS"},
		{name: "rewritten-target", prepare: rewriteTarget, verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{
			name: "late-link", prepare: latePod, during: lateLink,
			verdict: "FAIL INCONCLUSIVE", causes: []string{otherPath, leak, blind},
		},
	})
}

// A tunnel that obfuscates carries a part of the canaries; their answers come
// through WireGuard.
func TestLiveObfuscated(t *testing.T) {
	causes := []string{otherPath, leak, inside, cipher}
	carried := func(l *live) { l.watch(0, "udp dport 7777") }
	runLive(t, []liveCase{
		{name: "udp", prepare: inTurn(carried, obfuscate0("udp")), after: crossed(1), verdict: "FAIL", causes: causes},
		{name: "tcp", prepare: inTurn(carried, obfuscate0("tcp")), after: crossed(1), verdict: "FAIL", causes: causes},
		{name: "originals", prepare: inTurn(carried, obfuscateBoth),
			after: crossed(1), verdict: "FAIL", causes: causes},
	})
}

// XDP programs lead UDP canaries from the pod's link to the network card, and
// on the other node back: packet sockets see nothing of it.
func TestLiveXDP(t *testing.T) {
	runLive(t, []liveCase{{
		name: "redirect",
		prepare: func(l *live) {
			l.watch(0, "ip saddr 10.42.0.2 ip daddr 10.42.1.2 meta l4proto udp")
			l.nodes[0].play("xdp", "veth0", "eth0")
			l.nodes[1].play("xdp", "eth0", "veth0")
		},
		after: crossed(4), verdict: "FAIL INCONCLUSIVE", causes: []string{blind, inside, cipher},
	}})
}

func inTurn(steps ...func(*live)) func(*live) {
	return func(l *live) {
		for _, step := range steps {
			step(l)
		}
	}
}

// crossed holds that the switch counted at least so many of the frames watched.
func crossed(frames int) func(*live) {
	return func(l *live) {
		if got := l.counted(); got < frames {
			l.t.Errorf("the switch counted %d frames past the tunnel, want %d: nothing was tested", got, frames)
		}
	}
}

// sendMarker has another pod of node 0 send what only a capture of clear
// packets can hold. Pod 0 stands for it: its packets are none of the run's.
func sendMarker(to string) func(*live) {
	return func(l *live) {
		if to == "" {
			to = l.hop + ":9"
		}
		l.pods[0].send(8, to, marker)
	}
}

func ruleForPart(l *live) {
	l.watch(0, isClear)
	l.secondPod("10.42.1.200")
	l.nodes[0].run("ip route add default via 192.0.2.2 table 100", "ip rule add to 10.42.1.128/25 lookup 100")
}

// ruleBehindTunnel leads off the receiver again what came out of its tunnel.
func ruleBehindTunnel(l *live) {
	l.watch(1, isClear)
	l.secondPod("10.42.1.200")
	l.nodes[1].run("ip route add default via 192.0.2.1 table 100",
		"ip rule add iif flannel-wg to 10.42.1.128/25 lookup 100")
}

func ruleForPort(l *live) {
	l.watch(0, isClear)
	l.nodes[0].run("ip route add default via 192.0.2.2 table 100", "ip rule add ipproto udp dport 53 lookup 100")
}

// routeIntoSRv6 names the tunnel and leads elsewhere: what it encapsulates is
// routed again, by the segment's address.
func routeIntoSRv6(l *live) {
	l.nodes[0].run("ip route add 10.42.1.128/25 encap seg6 mode encap segs 2001:db8::2 dev flannel-wg")
}

// intoOverlay gives packets for a database to a tunnel in clear, which is not a link
// that leaves the host.
func intoOverlay(statement string) func(*live) {
	return func(l *live) {
		l.nodes[0].run(
			"ip link add vx0 type vxlan id 7 remote 192.0.2.2 dstport 4789 dev eth0", "ip link set vx0 up",
			"nft add table netdev divert",
			"nft add chain netdev divert in '{ type filter hook ingress device veth0 priority 0; }'",
			"nft add rule netdev divert in tcp dport 5432 "+statement)
	}
}

// ruleForDoubtfulLink is for what arrives on the pod's link, which an address of
// its own keeps from being proven to be one.
func ruleForDoubtfulLink(l *live) {
	l.nodes[0].run(
		"ip addr add 203.0.113.1/32 dev veth0", "ip route add 10.42.1.0/24 via 192.0.2.2 table 77",
		"ip rule add pref 50 iif veth0 ipproto tcp dport 5432 lookup 77")
}

// ruleForMark leads past the tunnel what has a mark, which nothing sets yet.
func ruleForMark(l *live) {
	l.nodes[0].run("ip route add 10.42.1.0/24 via 192.0.2.2 table 77", "ip rule add pref 50 fwmark 0x77 lookup 77")
}

// marks are rules of a chain of nftables on node 0.
func marks(family, hook string, rules ...string) func(*live) {
	return func(l *live) {
		l.nodes[0].run("nft add table "+family+" marks",
			fmt.Sprintf("nft add chain %s marks c '{ type filter hook %s priority -150; }'", family, hook))
		for _, rule := range rules {
			l.nodes[0].run(fmt.Sprintf("nft add rule %s marks c %s", family, rule))
		}
	}
}

// markDatabase sets the mark on what is for a port, while packets are watched.
func markDatabase(l *live) {
	l.nodes[0].run("nft add table ip late",
		"nft add chain ip late pre '{ type filter hook prerouting priority mangle; }'",
		"nft add rule ip late pre ip daddr 10.42.1.0/24 tcp dport 5432 meta mark set 0x77")
}

// lateRule is for a part of the other node's pods, and made after rules were read.
func lateRule(l *live) {
	l.nodes[0].run("ip route add default via 192.0.2.2 table 77", "ip rule add to 10.42.1.128/25 lookup 77")
}

// momentaryRoute is neither there before nor behind the captures. What a pod
// sends meanwhile, with the node's own address in the place of the pod's, could
// be the node's.
func momentaryRoute(l *live) {
	l.nodes[0].run(
		"nft add table ip masq", "nft add chain ip masq out '{ type nat hook postrouting priority 100; }'",
		"nft add rule ip masq out oifname eth0 masquerade",
		"ip route add 10.42.1.200/32 via 192.0.2.2")
	l.pods[0].send(8, "10.42.1.200:9", marker)
	l.nodes[0].run("ip route del 10.42.1.200/32")
}

// sameRoute writes a route as it was, as agents of networks do.
func sameRoute(l *live) { l.nodes[0].run("ip route replace 10.42.0.0/16 dev flannel-wg") }

// rewriteTarget sends what is for one pod elsewhere without a translation that
// connections know of.
func rewriteTarget(l *live) {
	l.nodes[0].run(
		"nft add table ip rewrite", "nft add chain ip rewrite in '{ type filter hook prerouting priority -150; }'",
		"nft add rule ip rewrite in ip daddr 10.42.1.200 ip daddr set 203.0.113.9")
}

// twoHops are two equal ways to all other pods, one of them past the tunnel:
// the kernel chooses by addresses. The canaries' go into the tunnel.
func twoHops(l *live) {
	l.watch(0, isClear)
	node := l.nodes[0]
	node.run("ip route replace 10.42.0.0/16 nexthop via 192.0.2.2 dev eth0 nexthop dev flannel-wg")
	for seed := 1; seed < 100; seed++ {
		node.run(fmt.Sprintf("echo %d >/proc/sys/net/ipv4/fib_multipath_hash_seed", seed))
		if l.way("10.42.1.2 from 10.42.0.2 iif veth0") != "flannel-wg" || l.way("10.42.1.2") != "flannel-wg" {
			continue
		}
		for n := 3; n < 60; n++ {
			l.hop = fmt.Sprintf("10.42.1.%d", n)
			if l.way(l.hop+" from 10.42.0.2 iif veth0") == "eth0" {
				l.secondPod(l.hop)
				return
			}
		}
	}
	l.t.Fatal("the kernel takes no seed by which the canaries go into the tunnel")
}

// way is the link that node 0 sends a packet out of.
func (l *live) way(packet string) string {
	out, err := l.nodes[0].enter("sh", "-c", "ip route get "+packet).CombinedOutput()
	if err != nil {
		l.t.Fatalf("ip route get %s: %v: %s", packet, err, out)
	}
	words := strings.Fields(string(out))
	for i, word := range words[:len(words)-1] {
		if word == "dev" {
			return words[i+1]
		}
	}
	return ""
}

func latePod(l *live) { l.secondPod("10.42.1.200") }

// lateLink appears after the captures began, carries a pod's packets in clear,
// and is gone before they end.
func lateLink(l *live) {
	first, second := l.nodes[0], l.nodes[1]
	first.run(
		fmt.Sprintf("ip link add late0 type veth peer name late0 netns %d", second.pid),
		"ip addr add 203.0.113.1/24 dev late0", "ip link set late0 up")
	second.run("ip addr add 203.0.113.2/24 dev late0", "ip link set late0 up",
		"nft add table netdev late", "nft add counter netdev late watched",
		"nft add chain netdev late i '{ type filter hook ingress device late0 priority 0; }'",
		"nft add rule netdev late i "+isClear+" counter name watched")
	first.run("until ip link show late0 | grep -q 'state UP'; do sleep 0.02; done",
		"ip route add 10.42.1.200/32 via 203.0.113.2 dev late0 onlink")
	l.pods[0].send(8, "10.42.1.200:9", marker)
	second.run(`for i in $(seq 50); do
		nft list counter netdev late watched | grep -q 'packets 8' && exit 0
		sleep 0.02
	done
	exit 1`)
	first.run("ip link del late0")
}

// obfuscate0 leads what pod 0 begins with a protocol into the obfuscator.
func obfuscate0(protocol string) func(*live) {
	return func(l *live) {
		l.obfuscators()
		l.lead(0, protocol)
	}
}

func obfuscateBoth(l *live) {
	l.obfuscators()
	l.lead(0, "{ tcp, udp }")
	l.lead(1, "{ tcp, udp }")
}

func (l *live) lead(i int, protocols string) {
	l.nodes[i].run(
		fmt.Sprintf("ip route add %s dev obf0 table 100", podRange(1-i)),
		"ip rule add fwmark 1 lookup 100",
		"nft add table ip lead",
		"nft add chain ip lead prerouting '{ type filter hook prerouting priority -150; }'",
		fmt.Sprintf("nft add rule ip lead prerouting iifname veth0 meta l4proto '%s' "+
			"ct direction original meta mark set 1", protocols))
}
