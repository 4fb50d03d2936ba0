//go:build linux

package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Services and nodes next to the pods. Each node translates the address of the other
// pod's Service, and masquerades what its pods send to nodes, as kube-proxy and
// flannel do.
//
//	Service of pod i: 10.43.0.1i:9477, and port 3000i of every node

func serviceAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 43, 0, byte(10 + i)}) }

// answerClasses has all agents answer, if more than pods is asked for. It returns
// what the probes said of their ports.
func (l *live) answerClasses() (hosts [2]*evidence.Ready) {
	if len(l.scope) == 0 {
		return hosts
	}
	answer := func(int) evidence.Request {
		return evidence.Request{Answer: &evidence.AnswerRequest{Families: []int{4}}}
	}
	each(l.tests, answer)
	return each(l.probes, answer)
}

func (l *live) reachClasses(hosts [2]*evidence.Ready) {
	if len(l.scope) == 0 {
		return
	}
	target := func(class evidence.Class, to int, addr netip.Addr, port uint16) evidence.ReachTarget {
		return evidence.ReachTarget{Class: class, Index: to, Addr: netip.AddrPortFrom(addr, port)}
	}
	reach := func(targets ...evidence.ReachTarget) evidence.Request {
		targets = slices.DeleteFunc(targets, func(t evidence.ReachTarget) bool {
			return !slices.Contains(l.scope, evidence.Classes[t.Class.Number()-1].Scope)
		})
		return evidence.Request{Reach: &evidence.ReachRequest{Targets: targets, Attempts: 2, Timeout: 1000}}
	}
	each(l.tests, func(i int) evidence.Request {
		to := 1 - i
		return reach(
			target(evidence.ClassClusterIP, to, serviceAddr(to), evidence.PodClassPort),
			target(evidence.ClassNodePort, to, nodeAddr(i), uint16(30000+to)),
			target(evidence.ClassNodePortFar, to, nodeAddr(to), uint16(30000+to)),
			target(evidence.ClassPodNode, to, nodeAddr(to), hosts[to].Ports["udp4"]),
		)
	})
	each(l.probes, func(i int) evidence.Request {
		to := 1 - i
		return reach(
			target(evidence.ClassNodePod, to, podAddr(to), evidence.PodClassPort),
			target(evidence.ClassNodeNode, to, nodeAddr(to), hosts[to].Ports["udp4"]),
		)
	})
}

// services gives the nodes their rules.
func services(l *live) {
	for i, node := range l.nodes {
		node.run(
			fmt.Sprintf("ip addr add 10.42.%d.0/32 dev flannel-wg", i),
			"nft add table ip services",
			"nft add chain ip services pre '{ type nat hook prerouting priority -100; }'",
			"nft add chain ip services post '{ type nat hook postrouting priority 100; }'",
			"nft add rule ip services post meta mark '&' 0x4000 == 0x4000 masquerade",
			"nft add rule ip services post ip saddr 10.42.0.0/16 ip daddr 192.0.2.0/24 masquerade")
		for to := range 2 {
			node.run(
				fmt.Sprintf("nft add rule ip services pre ip daddr %s udp dport 9477 dnat to %s:9477",
					serviceAddr(to), podAddr(to)),
				fmt.Sprintf("nft add rule ip services pre fib daddr type local udp dport %d meta mark set 0x4000 "+
					"dnat to %s:9477", 30000+to, podAddr(to)))
		}
	}
}

// past has node 0 route past the tunnel what a rule selects.
func past(rule string, marking ...string) func(*live) {
	return func(l *live) {
		services(l)
		l.nodes[0].run(append(marking,
			"ip route add 10.42.1.0/24 via 192.0.2.2 dev eth0 table 88", "ip rule add priority 50 "+rule+
				" lookup 88")...)
	}
}

// What is seen on the wire decides about each class, and the verdict follows what the
// network promises.
func TestLiveClasses(t *testing.T) {
	const enc, design, leak, unproven = "encrypted", "clearByDesign", "leak", "notProven"
	both, hosts := []string{evidence.ScopeServices, evidence.ScopeHosts}, []string{evidence.ScopeHosts}
	for _, c := range []struct {
		name    string
		scope   []string
		prepare func(*live)
		verdict string
		causes  []string
		cells   map[string]string
	}{
		{"classes", both, services, "PASS", nil, map[string]string{
			"pod-pod": enc, "pod-cluster-ip": enc, "pod-node-port": enc, "pod-node-port-far": design,
			"pod-node": design, "node-pod": enc, "node-node": design}},
		{"classes-untranslated", both, func(l *live) {
			services(l)
			l.nodes[0].run("nft flush chain ip services pre")
		}, "INCONCLUSIVE", []string{"WG0621"}, map[string]string{"pod-pod": enc, "pod-cluster-ip": unproven,
			"node-pod": enc}},
		{"classes-service-leak", both, past("fwmark 0x88", "nft add table ip mangled",
			"nft add chain ip mangled pre '{ type filter hook prerouting priority -50; }'",
			"nft add rule ip mangled pre iifname veth0 ct status dnat meta mark set 0x88"),
			"FAIL", []string{"WG0621", "WG0402"}, map[string]string{
				"pod-cluster-ip": leak, "pod-node-port": leak, "node-pod": enc, "node-node": design}},
		{"classes-node-leak", hosts, past("iif lo to 10.42.1.0/24"), "FAIL", []string{"WG0621"}, map[string]string{
			"node-pod": leak, "pod-node": design, "node-node": design, "pod-cluster-ip": ""}},
		{"classes-dropped", hosts, func(l *live) {
			services(l)
			for _, node := range l.nodes {
				node.run("nft add table ip guard", "nft add chain ip guard in '{ type filter hook input priority 0; }'",
					"nft add rule ip guard in iifname eth0 udp dport != 51820 ct state new drop")
			}
		}, "PASS", nil, map[string]string{"node-node": design, "pod-node": design, "node-pod": enc}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLive(t)
			l.scope = c.scope
			c.prepare(l)
			l.verify(nil)
			o := l.judged()
			o.want(t, c.verdict, c.causes...)
			had := map[string]string{}
			for _, row := range o.Classes {
				had[row.Class] = row.Cell
			}
			for class, want := range c.cells {
				if had[class] != want {
					t.Errorf("%s is %q, want %q: %+v", class, had[class], want, o.Classes)
				}
			}
		})
	}
}
