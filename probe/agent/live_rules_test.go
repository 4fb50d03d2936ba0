//go:build linux

package agent

import (
	"fmt"
	"strings"
)

// kubeProxyIptables is what kube-proxy in mode iptables keeps on a node, in the
// form of iptables-restore: services with endpoints in the pod ranges of both
// nodes, one of them with session affinity, one with a port of the node, one
// with an address of a load balancer.
func kubeProxyIptables(services int) string {
	var b strings.Builder
	b.WriteString(`*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-EXT-ABCDEFGHIJKLMNOP - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
`)
	for n := range services {
		fmt.Fprintf(&b, ":KUBE-SVC-%016d - [0:0]\n:KUBE-SEP-A%015d - [0:0]\n:KUBE-SEP-B%015d - [0:0]\n", n, n, n)
	}
	for n := range services {
		ip, svc := fmt.Sprintf("10.43.%d.%d", n/250, 1+n%250), fmt.Sprintf("KUBE-SVC-%016d", n)
		fmt.Fprintf(&b, "-A KUBE-SERVICES -d %s/32 -p tcp -m comment --comment \"default/s%d:http cluster IP\" -m "+
			"tcp --dport 80 -j %s\n", ip, n, svc)
		fmt.Fprintf(&b, "-A %s ! -s 10.42.0.0/16 -d %s/32 -p tcp -m comment --comment \"default/s%d:http cluster "+
			"IP\" -m tcp --dport 80 -j KUBE-MARK-MASQ\n", svc, ip, n)
		if n == 0 {
			fmt.Fprintf(&b, "-A %s -m recent --rcheck --seconds 10800 --reap --rsource --name KUBE-SEP-A -j "+
				"KUBE-SEP-A%015d\n", svc, n)
		}
		fmt.Fprintf(&b, "-A %s -m comment --comment \"default/s%d:http -> 10.42.0.9:8080\" -m statistic --mode "+
			"random --probability 0.5 -j KUBE-SEP-A%015d\n", svc, n, n)
		fmt.Fprintf(&b, "-A %s -j KUBE-SEP-B%015d\n", svc, n)
		for i, end := range []string{"A", "B"} {
			pod := fmt.Sprintf("10.42.%d.%d", i, 3+n%250)
			fmt.Fprintf(&b, "-A KUBE-SEP-%s%015d -s %s/32 -m comment --comment \"default/s%d:http\" -j "+
				"KUBE-MARK-MASQ\n", end, n, pod, n)
			fmt.Fprintf(&b, "-A KUBE-SEP-%s%015d -p tcp -m comment --comment \"default/s%d:http\" -m tcp -j DNAT "+
				"--to-destination %s:8080\n", end, n, n, pod)
		}
	}
	b.WriteString(`-A KUBE-SERVICES -d 192.0.2.240/32 -p tcp -m tcp --dport 80 -j KUBE-EXT-ABCDEFGHIJKLMNOP
-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-ABCDEFGHIJKLMNOP
-A KUBE-EXT-ABCDEFGHIJKLMNOP -j KUBE-MARK-MASQ
-A KUBE-EXT-ABCDEFGHIJKLMNOP -j KUBE-SVC-0000000000000000
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
`)
	return b.String()
}

// k3sRules are those of the other parts of K3s: flannel, network policies of
// kube-router, ports of the host by the plugin portmap for the pods of servicelb.
const k3sRules = `*nat
:FLANNEL-POSTRTG - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-DN-1d2e3f4a5b6c7d8e9f0a1 - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.42.0.0/16 -d 10.42.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.42.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"cbr0\" id: \"7\"" -m multiport --dports 80,443 -j CNI-DN-1d2e3f4a5b6c7d8e9f0a1
-A CNI-DN-1d2e3f4a5b6c7d8e9f0a1 -s 10.42.0.0/24 -p tcp -m tcp --dport 80 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-1d2e3f4a5b6c7d8e9f0a1 -s 127.0.0.1/32 -p tcp -m tcp --dport 80 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-1d2e3f4a5b6c7d8e9f0a1 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.42.0.8:80
-A CNI-DN-1d2e3f4a5b6c7d8e9f0a1 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.42.0.8:443
COMMIT
*filter
:FLANNEL-FWD - [0:0]
:KUBE-ROUTER-INPUT - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
:KUBE-ROUTER-OUTPUT - [0:0]
:KUBE-NWPLCY-DEFAULT - [0:0]
:KUBE-NWPLCY-ABCDEFGHIJKLMNOP - [0:0]
:KUBE-POD-FW-ABCDEFGHIJKLMNOP - [0:0]
-A INPUT -m comment --comment "kube-router netpol" -j KUBE-ROUTER-INPUT
-A FORWARD -m comment --comment "kube-router netpol" -j KUBE-ROUTER-FORWARD
-A OUTPUT -m comment --comment "kube-router netpol" -j KUBE-ROUTER-OUTPUT
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.42.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A KUBE-ROUTER-FORWARD -d 10.42.0.77/32 -m comment --comment "jump to pod chain" -j KUBE-POD-FW-ABCDEFGHIJKLMNOP
-A KUBE-ROUTER-FORWARD -d 10.42.0.77/32 -m physdev --physdev-is-bridged -j KUBE-POD-FW-ABCDEFGHIJKLMNOP
-A KUBE-ROUTER-FORWARD -s 10.42.0.77/32 -m comment --comment "jump to pod chain" -j KUBE-POD-FW-ABCDEFGHIJKLMNOP
-A KUBE-ROUTER-FORWARD -m comment --comment "marks" -j MARK --set-xmark 0x20000/0x20000
-A KUBE-ROUTER-FORWARD -m mark --mark 0x20000/0x20000 -j ACCEPT
-A KUBE-POD-FW-ABCDEFGHIJKLMNOP -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-POD-FW-ABCDEFGHIJKLMNOP -j KUBE-NWPLCY-ABCDEFGHIJKLMNOP
-A KUBE-POD-FW-ABCDEFGHIJKLMNOP -m mark ! --mark 0x10000/0x10000 -m limit --limit 10/min --limit-burst 10 -j NFLOG --nflog-group 100
-A KUBE-POD-FW-ABCDEFGHIJKLMNOP -m mark ! --mark 0x10000/0x10000 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-POD-FW-ABCDEFGHIJKLMNOP -j MARK --set-xmark 0x0/0x10000
-A KUBE-POD-FW-ABCDEFGHIJKLMNOP -j MARK --set-xmark 0x20000/0x20000
-A KUBE-NWPLCY-DEFAULT -j MARK --set-xmark 0x10000/0x10000
-A KUBE-NWPLCY-ABCDEFGHIJKLMNOP -m set --match-set KUBE-SRC-A src -m set --match-set KUBE-DST-A dst -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x10000/0x10000
-A KUBE-NWPLCY-ABCDEFGHIJKLMNOP -m mark --mark 0x10000/0x10000 -j RETURN
COMMIT
`

// k3sSets are the sets of addresses that k3sRules name.
const k3sSets = "ipset create KUBE-SRC-A hash:ip; ipset create KUBE-DST-A hash:ip; ipset add KUBE-SRC-A 10.42.1.9; " +
	"ipset add KUBE-DST-A 10.42.0.77"

// canalRules are those of Calico's policies over flannel, as in RKE2.
const canalRules = `*raw
:cali-PREROUTING - [0:0]
:cali-OUTPUT - [0:0]
:cali-from-host-endpoint - [0:0]
:cali-rpf-skip - [0:0]
-A PREROUTING -j cali-PREROUTING
-A OUTPUT -j cali-OUTPUT
-A cali-PREROUTING -j MARK --set-xmark 0x0/0xf0000
-A cali-PREROUTING -i cali+ -j MARK --set-xmark 0x40000/0x40000
-A cali-PREROUTING -m mark --mark 0x40000/0x40000 -j cali-rpf-skip
-A cali-PREROUTING -m mark --mark 0x40000/0x40000 -m rpfilter --validmark --invert -j DROP
-A cali-PREROUTING -m mark --mark 0x0/0x40000 -j cali-from-host-endpoint
-A cali-PREROUTING -m mark --mark 0x10000/0x10000 -j ACCEPT
COMMIT
*mangle
:cali-PREROUTING - [0:0]
:cali-POSTROUTING - [0:0]
-A PREROUTING -j cali-PREROUTING
-A POSTROUTING -j cali-POSTROUTING
-A cali-PREROUTING -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-PREROUTING -m mark --mark 0x10000/0x10000 -j ACCEPT
-A cali-POSTROUTING -m mark --mark 0x10000/0x10000 -j RETURN
-A cali-POSTROUTING -j MARK --set-xmark 0x0/0xf0000
-A cali-POSTROUTING -m conntrack --ctstate DNAT -j MARK --set-xmark 0x10000/0x10000
COMMIT
*filter
:cali-FORWARD - [0:0]
:cali-fw-cali0 - [0:0]
:cali-from-wl-dispatch - [0:0]
-A FORWARD -j cali-FORWARD
-A FORWARD -m mark --mark 0x10000/0x10000 -j ACCEPT
-A FORWARD -j MARK --set-xmark 0x10000/0x10000
-A cali-FORWARD -j MARK --set-xmark 0x0/0xe0000
-A cali-FORWARD -i cali+ -j cali-from-wl-dispatch
-A cali-from-wl-dispatch -i cali0 -g cali-fw-cali0
-A cali-fw-cali0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-fw-cali0 -j MARK --set-xmark 0x0/0x30000
-A cali-fw-cali0 -m mark --mark 0x10000/0x10000 -j RETURN
COMMIT
`

// dockerRules are those of Docker with a published port.
const dockerRules = `*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`

// publishedPorts are those of a server for calls, each with a rule of its own.
func publishedPorts(n int) string {
	var b strings.Builder
	b.WriteString("*nat\n")
	for port := 10000; port < 10000+n; port++ {
		fmt.Fprintf(&b, "-A DOCKER ! -i docker0 -p udp -m udp --dport %[1]d -j DNAT --to-destination "+
			"172.17.0.2:%[1]d\n", port)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// dockerTable is the same by Docker's own use of nftables, netavarkTable that of Podman.
const dockerTable = `table ip docker-bridges {
	map filter-forward-in-jumps { type ifname : verdict; elements = { "docker0" : jump filter-forward-in__docker0 }; }
	chain filter-forward-in__docker0 { ct state established,related counter accept; iifname "docker0" accept; counter drop; }
	chain filter-FORWARD { type filter hook forward priority filter; policy accept; oifname vmap @filter-forward-in-jumps; }
	chain nat-prerouting-and-output { iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80; }
	chain nat-PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local counter jump nat-prerouting-and-output; }
}`

const netavarkTable = `table inet netavark {
	chain NETAVARK-HOSTPORT-DNAT { tcp dport 8443 jump nv_2f259bab_dnat; }
	chain NETAVARK-HOSTPORT-SETMARK { meta mark set meta mark | 0x00002000; }
	chain nv_2f259bab_dnat {
		ip saddr 10.88.0.0/16 tcp dport 8443 jump NETAVARK-HOSTPORT-SETMARK
		ip saddr 127.0.0.1 tcp dport 8443 jump NETAVARK-HOSTPORT-SETMARK
		tcp dport 8443 dnat ip to 10.88.0.2:443
	}
	chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump NETAVARK-HOSTPORT-DNAT; }
	chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; meta mark & 0x00002000 == 0x00002000 masquerade; }
}`

// proxyTable is kube-proxy in mode nftables.
const proxyTable = `table ip kube-proxy {
	set cluster-ips { type ipv4_addr; elements = { 10.43.0.1, 10.43.0.10 }; }
	set nodeport-ips { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 }; }
	map service-ips { type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.43.0.1 . tcp . 443 : goto service-A, 10.43.0.10 . udp . 53 : goto service-B, 192.0.2.240 . tcp . 80 : goto external-A }
	}
	map service-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30080 : goto external-A }; }
	chain mark-for-masquerade { meta mark set meta mark | 0x00004000; }
	chain masquerading {
		meta mark & 0x00004000 == 0 return
		meta mark set meta mark ^ 0x00004000
		masquerade fully-random
	}
	chain services { ip daddr . meta l4proto . th dport vmap @service-ips; ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports; }
	chain external-A { jump mark-for-masquerade; goto service-A; }
	chain service-A { ip daddr 10.43.0.1 tcp dport 443 ip saddr != 10.42.0.0/16 jump mark-for-masquerade; numgen random mod 2 vmap { 0 : goto endpoint-A, 1 : goto endpoint-B }; }
	chain service-B { numgen random mod 1 vmap { 0 : goto endpoint-B }; }
	chain endpoint-A { ip saddr 10.42.0.9 jump mark-for-masquerade; meta l4proto tcp dnat to 10.42.0.9:6443; }
	chain endpoint-B { ip saddr 10.42.1.9 jump mark-for-masquerade; meta l4proto tcp dnat to 10.42.1.9:6443; }
	chain nat-prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }
	chain nat-output { type nat hook output priority -100; policy accept; jump services; }
	chain nat-postrouting { type nat hook postrouting priority srcnat; policy accept; jump masquerading; }
}`

// tailscaleRules are those of tailscaled, with the marks of connections that
// newer versions keep.
const tailscaleRules = `*mangle
-A PREROUTING -m conntrack --ctstate RELATED,ESTABLISHED -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000
-A OUTPUT -m conntrack --ctstate NEW -m mark ! --mark 0x0/0xff0000 -j CONNMARK --save-mark --nfmask 0xff0000 --ctmask 0xff0000
COMMIT
*filter
:ts-forward - [0:0]
:ts-input - [0:0]
-A INPUT -j ts-input
-A FORWARD -j ts-forward
-A ts-forward -i tailscale0 -j MARK --set-xmark 0x40000/0xff0000
-A ts-forward -m mark --mark 0x40000/0xff0000 -j ACCEPT
-A ts-forward -s 100.64.0.0/10 -o tailscale0 -j DROP
-A ts-forward -o tailscale0 -j ACCEPT
-A ts-input -s 100.100.1.1/32 -i lo -j ACCEPT
-A ts-input ! -s 100.115.92.0/23 -i tailscale0 -j ACCEPT
COMMIT
*nat
:ts-postrouting - [0:0]
-A POSTROUTING -j ts-postrouting
-A ts-postrouting -m mark --mark 0x40000/0xff0000 -j MASQUERADE
COMMIT
`

// quickTable is what wg-quick adds next to its rules.
const quickTable = `table ip wg-quick-wg0 {
	chain preraw { type filter hook prerouting priority raw; policy accept; iifname != "wg0" ip daddr 10.99.0.2 fib saddr type != local drop; }
	chain premangle { type filter hook prerouting priority mangle; policy accept; meta l4proto udp meta mark set ct mark; }
	chain postmangle { type filter hook postrouting priority mangle; policy accept; meta l4proto udp meta mark 0x0000ca6c ct mark set meta mark; }
}`

// localDNSRules keep what is for the node's own DNS out of connection tracking.
const localDNSRules = `*raw
-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -j NOTRACK
-A PREROUTING -d 169.254.20.10/32 -p tcp -m tcp --dport 53 -j NOTRACK
-A OUTPUT -s 169.254.20.10/32 -p udp -m udp --sport 53 -j NOTRACK
COMMIT
`

// canalPods are the chains that Calico has for pods under a policy.
func canalPods(pods int) string {
	var b strings.Builder
	b.WriteString("*filter\n")
	for n := range pods {
		fmt.Fprintf(&b, ":cali-tw-cali%d - [0:0]\n:cali-fw-cali%d - [0:0]\n:cali-pi-p%d - [0:0]\n", n, n, n)
	}
	b.WriteString(":cali-to-wl-dispatch - [0:0]\n:cali-from-wl-dispatch - [0:0]\n-A cali-FORWARD -o cali+ -j " +
		"cali-to-wl-dispatch\n")
	for n := range pods {
		fmt.Fprintf(&b, "-A cali-from-wl-dispatch -i cali%d -g cali-fw-cali%d\n-A cali-to-wl-dispatch -o cali%d -g "+
			"cali-tw-cali%d\n", n, n, n, n)
		for _, way := range []string{"tw", "fw"} {
			chain := fmt.Sprintf("cali-%s-cali%d", way, n)
			fmt.Fprintf(&b, "-A %[1]s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A %[1]s -j MARK "+
				"--set-xmark 0x0/0x10000\n-A %[1]s -j MARK --set-xmark 0x0/0x20000\n-A %[1]s -m mark --mark "+
				"0x0/0x20000 -j cali-pi-p%[2]d\n-A %[1]s -m mark --mark 0x10000/0x10000 -j RETURN\n", chain, n)
		}
		fmt.Fprintf(&b, "-A cali-pi-p%d -p tcp -m multiport --dports 80,443 -j MARK --set-xmark 0x10000/0x10000\n", n)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}
