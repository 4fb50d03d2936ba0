//go:build linux

package agent

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// Two nodes and the switch between them, with real agents, whose recording the
// real judge judges.
//
//	pod 0 10.42.0.2                 switch                 pod 1 10.42.1.2
//	 eth0                   p0 ──── br0 ──── p1                    eth0
//	  │                     │                 │                     │
//	 veth0 │ flannel-wg ══ eth0             eth0 ══ flannel-wg │ veth0
//	 node 0            192.0.2.1           192.0.2.2            node 1
type live struct {
	lab
	t       *testing.T
	network *keeper // the switch
	between func()  // what happens after the first reading, before the captures
	scope   []string
	hop     string // an address whose packets take another hop, where a case looks for one
}

const podMTU = 1380

func newLive(t *testing.T) *live {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	l := &live{t: t, network: newKeeper(t)}
	l.preshared = keyPair(t)
	l.network.run("ip link add br0 type bridge", "ip link set br0 up", "nft add table netdev wire")
	for i := range 2 {
		l.nodes[i], l.pods[i], l.private[i] = newKeeper(t), newKeeper(t), keyPair(t)
		l.plug(l.nodes[i], "eth0", fmt.Sprintf("p%d", i), "br0")
	}
	for i := range 2 {
		l.makeNode(i)
	}
	for i := range 2 {
		l.nodes[i].run("until ip link show eth0 | grep -q 'state UP'; do sleep 0.02; done")
	}
	for _, k := range []*keeper{l.network, l.nodes[0], l.nodes[1], l.pods[0], l.pods[1]} {
		k.strict = true // the machine can do it, so what fails now is the test's own mistake
	}
	return l
}

// plug joins a link of a node to a bridge of the switch.
func (l *live) plug(node *keeper, link, port, bridge string) {
	node.run(fmt.Sprintf("ip link add %s type veth peer name %s netns %d", link, port, l.network.pid))
	l.network.run(
		fmt.Sprintf("ip link set %s master %s", port, bridge),
		fmt.Sprintf("ip link set %s up", port),
		fmt.Sprintf("nft add chain netdev wire %[1]s '{ type filter hook ingress device %[1]s priority 2; }'", port))
}

// makeNode makes a node, its pod and its tunnel, which has no session yet.
func (l *live) makeNode(i int) {
	node, pod, other := l.nodes[i], l.pods[i], 1-i
	node.run(
		fmt.Sprintf("ip link add veth0 type veth peer name eth0 netns %d", pod.pid),
		fmt.Sprintf("ip addr add %s/24 dev eth0", nodeAddr(i)),
		"ip link set eth0 up",
		fmt.Sprintf("ip link set veth0 mtu %d up", podMTU),
		fmt.Sprintf("ip route add %s/32 dev veth0", podAddr(i)),
		"ip addr add 169.254.1.1/32 dev veth0",
		"echo 1 >/proc/sys/net/ipv4/ip_forward",
		"echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter")
	pod.run(
		fmt.Sprintf("ip addr add %s/32 dev eth0", podAddr(i)),
		fmt.Sprintf("ip link set eth0 mtu %d up", podMTU),
		"ip route add 169.254.1.1 dev eth0",
		"ip route add default via 169.254.1.1 dev eth0",
		"echo 0 0 >/proc/sys/net/ipv4/ping_group_range")
	public := l.private[other].PublicKey()
	node.device("flannel-wg", strings.Join([]string{
		fmt.Sprintf("private_key=%x", l.private[i][:]),
		"listen_port=51820",
		fmt.Sprintf("public_key=%x", public[:]),
		fmt.Sprintf("preshared_key=%x", l.preshared[:]),
		fmt.Sprintf("endpoint=%s:51820", nodeAddr(other)),
		fmt.Sprintf("allowed_ip=%s", podRange(other)),
	}, "\n"))
	node.run(fmt.Sprintf("ip link set flannel-wg mtu %d up", podMTU), "ip route add 10.42.0.0/16 dev flannel-wg")
}

// silence keeps the pods from sending echoes, as most container runtimes do.
func (l *live) silence() {
	for _, pod := range l.pods {
		pod.run("echo 1 0 >/proc/sys/net/ipv4/ping_group_range")
	}
}

// secondPod gives the second node's pod another address, which stands for
// another pod: it is not among the run's.
func (l *live) secondPod(addr string) {
	l.pods[1].run(fmt.Sprintf("ip addr add %s/32 dev eth0", addr))
	l.nodes[1].run(fmt.Sprintf("ip route add %s/32 dev veth0", addr))
}

// onSwitch adds a rule to what the switch does with frames of the i-th node.
func (l *live) onSwitch(i int, rule string) {
	l.network.run(fmt.Sprintf("nft add rule netdev wire p%d %s", i, rule))
}

// watch has the switch count frames of the i-th node, independently of what is
// tested; counted returns how many there were.
func (l *live) watch(i int, rule string) {
	l.network.run("nft add counter netdev wire watched")
	l.onSwitch(i, rule+" counter name watched")
}

func (l *live) counted() (frames int) {
	l.t.Helper()
	out, err := l.network.enter("nft", "list", "counter", "netdev", "wire", "watched").CombinedOutput()
	if err != nil {
		l.t.Fatalf("counting on the switch: %v: %s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "packets ")
	if _, err := fmt.Sscan(rest, &frames); err != nil {
		l.t.Fatalf("counting on the switch: %s", out)
	}
	return frames
}

func nodeAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}) }

func podAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 42, byte(i), 2}) }

func podRange(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 42, byte(i), 0}), 24)
}

func (l *live) keys() (keys []string) {
	for _, private := range []wgtypes.Key{l.private[0], l.private[1]} {
		keys = append(keys, private.PublicKey().String())
	}
	return keys
}
