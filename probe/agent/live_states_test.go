//go:build linux

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What nodes have apart from the tunnel that is not a leak: the rules of what runs on
// them, other links, other routes, and what changes while all is watched.
func TestLiveStates(t *testing.T) {
	runLive(t, []liveCase{
		{name: "kube-proxy-nft", prepare: restored("iptables-nft-restore", k3sSets, kubeProxyIptables(60), k3sRules),
			verdict: "PASS"},
		{name: "kube-proxy-legacy", prepare: restored("iptables-legacy-restore",
			k3sSets, kubeProxyIptables(60), k3sRules), verdict: "PASS"},
		{name: "kube-proxy-nftables", prepare: tabled(proxyTable), verdict: "PASS"},
		{name: "canal", prepare: restored("iptables-nft-restore", "", kubeProxyIptables(3), canalRules),
			verdict: "PASS"},
		{name: "canal-many-pods", prepare: restored("iptables-nft-restore", "", canalRules, canalPods(150)),
			verdict: "PASS"},
		{name: "canal-many-pods-legacy", prepare: restored("iptables-legacy-restore", "", canalRules, canalPods(150)),
			verdict: "PASS"},
		{name: "canal-legacy-tailscale",
			prepare: inTurn(restored("iptables-legacy-restore", "", kubeProxyIptables(3), canalRules),
				tailscale), verdict: "PASS"},
		{name: "docker", prepare: inTurn(docker, restored("iptables-nft-restore", "", dockerRules)), verdict: "PASS"},
		{name: "docker-legacy", prepare: inTurn(docker, restored("iptables-legacy-restore", "", dockerRules)),
			verdict: "PASS"},
		{name: "docker-many-ports",
			prepare: inTurn(docker, restored("iptables-nft-restore", "", dockerRules, publishedPorts(600))),
			verdict: "PASS"},
		{name: "docker-many-ports-legacy",
			prepare: inTurn(docker, restored("iptables-legacy-restore", "", dockerRules, publishedPorts(600))),
			verdict: "PASS"},
		{name: "docker-nftables", prepare: inTurn(docker, tabled(dockerTable)), verdict: "PASS"},
		{name: "docker-by-a-vpn", prepare: inTurn(docker, podBridge,
			secondCard, onNodes("ip rule add iif docker0 lookup 101")), verdict: "PASS"},
		{name: "docker-by-a-proxy",
			prepare: inTurn(docker, podBridge,
				onNodes("iptables -t mangle -A PREROUTING -i docker0 -p tcp -j TPROXY --on-port 9 --tproxy-mark 1",
					"ip rule add fwmark 1 lookup 100", "ip route add local default dev lo table 100")),
			verdict: "PASS"},
		{name: "podman", prepare: tabled(netavarkTable), verdict: "PASS"},
		{name: "libvirt", prepare: onNodes("ip link add virbr0 type bridge",
			"ip addr add 198.51.100.1/24 dev virbr0", "ip link set virbr0 up",
			"ip tuntap add vnet0 mode tap", "ip link set vnet0 master virbr0 up"), verdict: "PASS"},
		{name: "tailscale",
			prepare: inTurn(tailscale, restored("iptables-nft-restore", "", kubeProxyIptables(3), tailscaleRules)),
			verdict: "PASS"},
		{name: "wg-quick", prepare: inTurn(quick, tabled(quickTable)), verdict: "PASS"},
		{name: "openvpn", prepare: onNodes("ip tuntap add tun0 mode tun",
			"ip addr add 203.0.113.9/24 dev tun0", "ip link set tun0 up",
			"ip route add 0.0.0.0/1 dev tun0", "ip route add 128.0.0.0/1 dev tun0"), verdict: "PASS"},
		{name: "two-homes", prepare: secondCard, verdict: "PASS"},
		{name: "virtual-address", prepare: onNodes("ip addr add 192.0.2.100/32 dev eth0"), verdict: "PASS"},
		{name: "local-dns",
			prepare: inTurn(onNodes("ip link add nodelocaldns type bridge",
				"ip addr add 169.254.20.10/32 dev nodelocaldns"),
				restored("iptables-nft-restore", "", localDNSRules)), verdict: "PASS"},
		{name: "bandwidth", prepare: bandwidth, verdict: "PASS"},
		{name: "macvlan", prepare: onNodes("ip link add shim0 link eth0 type macvlan mode bridge",
			"ip addr add 192.0.2.201/32 dev shim0",
			"ip link set shim0 up", "ip link set eth0 promisc on"), verdict: "PASS"},
		{name: "ipvs", prepare: ipvs, verdict: "PASS"},
		{name: "pods-come-and-go", prepare: podBridge, during: churn("cni0", 40, "10.42.%d.%d/32"), verdict: "PASS"},
		{name: "routed-pods-come-and-go", during: churn("", 40, "10.42.%d.%d/32"), verdict: "PASS"},
		{name: "containers-come-and-go", prepare: docker, during: churn("docker0", 5, "172.17.%d.%d/32"),
			verdict: "PASS"},
		{name: "many-pods-come-and-go", prepare: podBridge, during: churn("cni0", 70, "10.42.%d.%d/32"),
			verdict: "PASS"},
		{name: "container-ends", prepare: docker, during: onNodes("ip link del vethd"), verdict: "PASS"},
		{name: "container-begins-and-ends", prepare: docker,
			during: inTurn(churn("docker0", 3, "172.17.%d.%d/32"), onNodes("ip link del c1")), verdict: "PASS"},
		{name: "container-begins-early", prepare: inTurn(docker, early(churn("docker0", 3, "172.17.%d.%d/32"))),
			verdict: "PASS"},
		{name: "container-ends-early", prepare: inTurn(docker, early(onNodes("ip link del vethd"))), verdict: "PASS"},
		{name: "pods-come-early", prepare: inTurn(podBridge, early(churn("cni0", 9, "10.42.%d.%d/32"))),
			verdict: "PASS"},
		{name: "bridged-uplink", prepare: bridgedUplink, verdict: "PASS"},
		{name: "netbird", prepare: netbird, verdict: "PASS"},
		{name: "bans", prepare: restored("iptables-legacy-restore", "ipset create bad hash:ip timeout 600", banRules),
			verdict: "PASS"},
		{name: "rule-of-a-link-that-is-gone", prepare: inTurn(secondCard, onNodes("ip rule add iif ppp7 lookup 101")),
			verdict: "PASS"},
		{name: "transparent-proxy",
			prepare: inTurn(tabled(transparentTable), onNodes("ip rule add fwmark 1 lookup 100",
				"ip route add local default dev lo table 100")), verdict: "PASS"},
		{name: "vpn-by-mark", prepare: inTurn(secondCard, restored("iptables-nft-restore", "", vpnRules),
			onNodes("ip rule add fwmark 0x10 lookup 101")), verdict: "PASS"},
		{name: "vpn-by-mark-legacy", prepare: inTurn(secondCard, restored("iptables-legacy-restore", "", vpnRules),
			onNodes("ip rule add fwmark 0x10 lookup 101")), verdict: "PASS"},
		{name: "vpn-by-mark-for-pods", prepare: inTurn(secondCard, restored("iptables-nft-restore", "",
			"*mangle\n-A PREROUTING -d 10.42.0.0/25 -j RETURN\n-A PREROUTING -d 10.42.1.0/25 -j RETURN\n-A "+
				"PREROUTING -j MARK --set-mark 0x10\nCOMMIT\n"),
			onNodes("ip rule add fwmark 0x10 lookup 101")), verdict: "FAIL", causes: []string{otherPath, leak}},
		{name: "multicast", during: onNodes("ip route replace 224.0.0.0/4 dev eth0", multicast), verdict: "PASS"},
		{name: "restless", prepare: inTurn(podBridge, restored("iptables-nft-restore", "", kubeProxyIptables(100)),
			restless), verdict: "PASS"},
		{name: "flap", prepare: idleCard, during: onNodes("ip link set eth1 down", "ip link set eth1 up"),
			verdict: "PASS"},
		{name: "lease-renewed",
			during: onNodes("ip addr change $(ip -o -4 addr show dev eth0 | awk '{print $4}') dev eth0 valid_lft " +
				"3600 preferred_lft 3600"), verdict: "PASS"},
		{name: "much-traffic", during: muchTraffic, verdict: "PASS INCONCLUSIVE",
			causes: []string{"", "WG0604"}}, // a busy machine loses frames
	})
}

// onNodes runs commands on both nodes.
func onNodes(lines ...string) func(*live) {
	return func(l *live) {
		for _, node := range l.nodes {
			node.run(lines...)
		}
	}
}

// restored has a tool restore rules on both nodes, as far as it is installed.
func restored(tool, before string, rules ...string) func(*live) {
	return func(l *live) {
		for _, text := range rules {
			l.fed(tool+" --noflush", before, text)
			before = ""
		}
	}
}

func tabled(table string) func(*live) { return func(l *live) { l.fed("nft -f", "", table) } }

func (l *live) fed(tool, before, text string) {
	l.t.Helper()
	file := filepath.Join(l.t.TempDir(), "rules")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	for _, node := range l.nodes {
		if before != "" {
			node.run(before)
		}
		node.run(tool + " " + file)
	}
}

// docker is a bridge with an address of its own and a container behind it.
func docker(l *live) {
	for i, node := range l.nodes {
		node.run("ip link add docker0 type bridge", "ip addr add 172.17.0.1/16 dev docker0", "ip link set docker0 up",
			fmt.Sprintf("ip link add vethd type veth peer name dock0 netns %d",
				l.pods[i].pid), "ip link set vethd master docker0 up")
		l.pods[i].run("ip addr add 172.17.0.2/16 dev dock0",
			"ip link set dock0 up", "ip route del 172.17.0.0/16 dev dock0")
	}
}

func tailscale(l *live) {
	onNodes("ip tuntap add tailscale0 mode tun",
		"ip addr add 100.100.1.1/32 dev tailscale0", "ip link set tailscale0 up",
		"ip rule add priority 5210 fwmark 0x80000/0xff0000 lookup main",
		"ip rule add priority 5230 fwmark 0x80000/0xff0000 lookup default",
		"ip rule add priority 5250 fwmark 0x80000/0xff0000 unreachable",
		"ip rule add priority 5270 lookup 52",
		"ip route add 100.64.0.7/32 dev tailscale0 table 52",
		"ip route add 100.100.100.100/32 dev tailscale0 table 52")(l)
}

// quick is a VPN for everything that no other route is for.
func quick(l *live) {
	for _, node := range l.nodes {
		peer, own := keyPair(l.t), keyPair(l.t)
		public := peer.PublicKey()
		node.device("wg0", strings.Join([]string{
			fmt.Sprintf("private_key=%x", own[:]), "listen_port=51999", "fwmark=51820", fmt.Sprintf("public_key=%x",
				public[:]),
			"endpoint=203.0.113.77:51820", "allowed_ip=0.0.0.0/0",
		}, "\n"))
		node.run("ip link set wg0 mtu 1420 up",
			"ip addr add 10.99.0.2/32 dev wg0", "ip route add default dev wg0 table 51820",
			"ip rule add not fwmark 51820 table 51820", "ip rule add table main suppress_prefixlength 0")
	}
}

// secondCard has rules of its own for what a node sends from its address there.
func secondCard(l *live) {
	idleCard(l)
	for i, node := range l.nodes {
		node.run(fmt.Sprintf("ip addr add 203.0.113.%d/24 dev eth1", 5+i),
			"ip route add default via 203.0.113.1 dev eth1 table 101", "ip route add 203.0.113.0/24 dev eth1 table 101",
			fmt.Sprintf("ip rule add from 203.0.113.%d lookup 101", 5+i),
			"ip route add default via 192.0.2.254 metric 100", "ip route add default via 203.0.113.1 metric 200")
	}
}

func idleCard(l *live) {
	l.network.run("ip link add br1 type bridge", "ip link set br1 up")
	for i, node := range l.nodes {
		l.plug(node, "eth1", fmt.Sprintf("q%d", i), "br1")
		node.run("ip link set eth1 up", "until ip link show eth1 | grep -q 'state UP'; do sleep 0.02; done")
	}
}

// bandwidth is what the plugin of that name makes for a pod with a limit.
func bandwidth(l *live) {
	onNodes("ip link add bwp1 type ifb", "ip link set bwp1 mtu 1380 up",
		"tc qdisc add dev veth0 root tbf rate 100mbit burst 256k latency 25ms",
		"tc qdisc add dev bwp1 root tbf rate 100mbit burst 256k latency 25ms",
		"tc qdisc add dev veth0 ingress",
		"tc filter add dev veth0 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev bwp1")(l)
}

func ipvs(l *live) {
	onNodes("ip link add kube-ipvs0 type ifb", "ip link set kube-ipvs0 down",
		"for a in $(seq 12); do for b in $(seq 200); do echo addr add 10.43.$a.$b/32 dev kube-ipvs0; done; "+
			"done | ip -batch -", "ip link set kube-ipvs0 up")(l)
}

func podBridge(l *live) {
	for i, node := range l.nodes {
		node.run("ip link add cni0 type bridge", fmt.Sprintf("ip addr add 10.42.%d.1/24 dev cni0", i),
			"ip link set cni0 up")
	}
}

// churn makes and removes pods while everything is captured, as plugins do: the
// pair is made on the node, one end goes into the pod's namespace.
func churn(bridge string, pods int, addr string) func(*live) {
	return func(l *live) {
		for i, node := range l.nodes {
			third := i
			if bridge == "docker0" {
				third = 0
			}
			var b strings.Builder
			for n := range pods {
				ip := fmt.Sprintf(addr, third, 50+n)
				fmt.Fprintf(&b, "ip link add c%d type veth peer name d%d; ip link set d%d netns %d; ", n,
					n, n, l.pods[i].pid)
				if bridge != "" {
					fmt.Fprintf(&b, "ip link set c%d master %s; ip link set c%d up; ", n, bridge, n)
				} else {
					fmt.Fprintf(&b, "ip link set c%d up; ip route add %s dev c%d; ", n, ip, n)
				}
				fmt.Fprintf(&b, "nsenter --net=/proc/%d/ns/net sh -c 'ip addr add %s dev d%d; ip link set d%d up'; ",
					l.pods[i].pid, ip, n, n)
				if n%2 == 0 {
					fmt.Fprintf(&b, "ip link del c%d; ", n)
				}
			}
			node.run(b.String())
		}
	}
}

// muchTraffic is a flow of super-packets between the nodes, and one between pods.
func muchTraffic(l *live) {
	for _, pair := range [][2]*keeper{{l.nodes[1], l.nodes[0]}, {l.pods[1], l.pods[0]}} {
		sink := pair[0].enter("python3",
			"-c", "import socket\ns=socket.create_server(('',9999))\nc,_=s.accept()\nwhile c.recv(1<<20): pass")
		if err := sink.Start(); err != nil {
			l.t.Skip("needs python3")
		}
		to := nodeAddr(1)
		if pair[1] == l.pods[0] {
			to = podAddr(1)
		}
		source := pair[1].enter("python3", "-c",
			fmt.Sprintf("import socket,time\nfor _ in range(50):\n try:\n  c=socket.create_connection(('%s',9999)); "+
				"break\n except OSError: time.sleep(.05)\nend=time.time()+3\nwhile time.time()<end: c.send(b'x'*65536)",
				to))
		if err := source.Start(); err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { source.Process.Kill(); source.Wait(); sink.Process.Kill(); sink.Wait() })
	}
	time.Sleep(500 * time.Millisecond)
}

// restless is a node where pods, routes, rules and Services change all the time.
func restless(l *live) {
	for i, node := range l.nodes {
		loop := node.enter("sh", "-c", fmt.Sprintf(`n=0; while :; do n=$((n+1))
			ip link add r$n type veth peer name s$n && ip link set s$n netns %d && ip link set r$n master cni0 && ip link set r$n up
			ip route add 10.42.%d.200/32 dev cni0; ip rule add priority 900 to 198.51.100.9 lookup main
			iptables-nft -t nat -A KUBE-SERVICES -d 10.43.9.9 -j KUBE-SVC-0000000000000000
			sleep 0.01
			iptables-nft -t nat -D KUBE-SERVICES -d 10.43.9.9 -j KUBE-SVC-0000000000000000
			ip rule del priority 900; ip route del 10.42.%[2]d.200/32 dev cni0; ip link del r$n
		done`, l.pods[i].pid, i))
		if err := loop.Start(); err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { loop.Process.Kill(); loop.Wait() })
	}
}

// early does something after the first reading and before the captures.
func early(step func(*live)) func(*live) {
	return func(l *live) { l.between = func() { step(l) } }
}

// bridgedUplink has the node's address on a bridge of its card, for virtual machines.
func bridgedUplink(l *live) {
	for i, node := range l.nodes {
		node.run("ip link add vmbr0 type bridge",
			"ip link set vmbr0 up", fmt.Sprintf("ip addr del %s/24 dev eth0", nodeAddr(i)),
			fmt.Sprintf("ip addr add %s/24 dev vmbr0", nodeAddr(i)), "ip link set eth0 master vmbr0",
			"until ip link show vmbr0 | grep -q 'state UP'; do sleep 0.02; done")
	}
}

// netbird is a mesh of WireGuard that leads what no other route is for past main.
func netbird(l *live) {
	for _, node := range l.nodes {
		peer, own := keyPair(l.t), keyPair(l.t)
		public := peer.PublicKey()
		node.device("wt0", strings.Join([]string{
			fmt.Sprintf("private_key=%x", own[:]), "listen_port=51999", "fwmark=113920", fmt.Sprintf("public_key=%x",
				public[:]),
			"endpoint=203.0.113.77:51820", "allowed_ip=100.92.0.7/32", "allowed_ip=0.0.0.0/0",
		}, "\n"))
		node.run("ip link set wt0 mtu 1280 up",
			"ip addr add 100.92.0.2/16 dev wt0", "ip route add default dev wt0 table 7120",
			"ip rule add priority 105 lookup main suppress_prefixlength 0",
			"ip rule add priority 110 not fwmark 0x1bd00 lookup 7120")
	}
}

// transparentTable hands what leaves for the Internet to a proxy.
const transparentTable = `table inet proxy {
	set private { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 127.0.0.0/8, 172.16.0.0/12, 192.0.0.0/8, 224.0.0.0/3 }; }
	chain prerouting { type filter hook prerouting priority mangle; policy accept;
		ip daddr @private return
		meta l4proto { tcp, udp } meta mark set 1 tproxy ip to 127.0.0.1:7893 accept
	}
}`

// vpnRules mark what leaves for the Internet.
const vpnRules = `*mangle
-A PREROUTING -d 10.0.0.0/8 -j RETURN
-A PREROUTING -i lo -j RETURN
-A PREROUTING -j MARK --set-mark 0x10
COMMIT
`

// banRules remember who asks too often.
const banRules = `*raw
-A PREROUTING -m set --match-set bad src -j DROP
-A PREROUTING -p tcp -m tcp --dport 23 -j SET --add-set bad src --timeout 600
COMMIT
`

const multicast = `python3 -c "
import socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
for n in range(300): s.sendto(b'x'*400,('239.1.2.%d'%(n%250),5353))
for n in range(50): s.sendto(b'x'*1400,('192.0.2.99',9))
" || true`
