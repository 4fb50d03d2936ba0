//go:build linux

package agent

import (
	"fmt"
	"testing"
)

// Two network cards, and datagrams between the nodes choose by their ports.
//
//	192.0.2.1 lo │ eth0 10.255.0.1 ──── br0 ──── 10.255.0.2 eth0 │ lo 192.0.2.2
//	      node 0 │ eth1 198.51.100.1 ── br1 ── 198.51.100.2 eth1 │ node 1
func TestLiveTwoCards(t *testing.T) {
	for seed := range 3 {
		c := liveCase{name: fmt.Sprint("seed-", seed), prepare: func(l *live) { twoCards(l, seed) }, verdict: "PASS"}
		t.Run(c.name, c.run)
	}
}

func twoCards(l *live, seed int) {
	l.network.run("ip link add br1 type bridge", "ip link set br1 up")
	for i, node := range l.nodes {
		l.plug(node, "eth1", fmt.Sprintf("q%d", i), "br1")
		node.run(
			"echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy",
			fmt.Sprintf("echo %d >/proc/sys/net/ipv4/fib_multipath_hash_seed", 7919*(seed+1)*(i+3)),
			"echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce",
			fmt.Sprintf("ip addr add 198.51.100.%d/24 dev eth1", 1+i),
			"ip link set eth1 up")
	}
	for i, node := range l.nodes {
		node.run(
			"until ip link show eth1 | grep -q 'state UP'; do sleep 0.02; done",
			fmt.Sprintf("ip addr del %s/24 dev eth0", nodeAddr(i)),
			fmt.Sprintf("ip addr add 10.255.0.%d/30 dev eth0", 1+i),
			fmt.Sprintf("ip addr add %s/32 dev lo", nodeAddr(i)),
			fmt.Sprintf("ip route add %s/32 src %s "+
				"nexthop via 10.255.0.%[3]d dev eth0 nexthop via 198.51.100.%[3]d dev eth1",
				nodeAddr(1-i), nodeAddr(i), 2-i))
	}
}
