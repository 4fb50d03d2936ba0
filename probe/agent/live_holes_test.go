//go:build linux

package agent

import (
	"fmt"
	"testing"
)

// More of what healthy nodes have next to the tunnel.
func TestLiveOtherSystems(t *testing.T) {
	runLive(t, []liveCase{
		{name: "kube-proxy-ipvs",
			prepare: inTurn(onNodes("ip link add kube-ipvs0 type ifb", "ip addr add 10.43.0.1/32 dev kube-ipvs0"),
				restored("iptables-nft-restore", ipvsSets, ipvsRules)), verdict: "PASS"},
		{name: "kube-router", prepare: onNodes("ip rule add from 10.42.0.0/16 lookup 77",
			"ip rule add pref 32764 lookup 79",
			"ip route add 203.0.113.80/32 dev veth0 table 79", "ip rule add pref 32765 fwmark 0x3 lookup 78",
			"ip route add local default dev lo table 78"), verdict: "PASS"},
		{name: "vpc-rules",
			prepare: inTurn(secondCard, onNodes("ip rule add pref 512 to 10.42.0.2 lookup main",
				"ip rule add pref 512 to 10.42.1.2 lookup main",
				"ip rule add pref 1024 fwmark 0x80/0x80 lookup main"), restored("iptables-nft-restore",
				"", vpcRules)), verdict: "PASS"},
		{name: "firewalld", prepare: tabled(firewalldTable), verdict: "PASS"},
		{name: "ufw", prepare: restored("iptables-nft-restore", "", ufwRules), verdict: "PASS"},
		{name: "ufw-legacy", prepare: restored("iptables-legacy-restore", "", ufwRules), verdict: "PASS"},
		{name: "limits", prepare: restored("iptables-nft-restore", "ipset create seen hash:ip timeout 600", limitRules),
			verdict: "PASS"},
		{name: "limits-legacy", prepare: restored("iptables-legacy-restore",
			"ipset create seen hash:ip timeout 600", limitRules), verdict: "PASS"},
		{name: "swarm", prepare: inTurn(docker, restored("iptables-nft-restore", "", swarmRules)), verdict: "PASS"},
		{name: "lxd",
			prepare: inTurn(onNodes("ip link add lxdbr0 type bridge",
				"ip addr add 10.99.0.1/24 dev lxdbr0", "ip link set lxdbr0 up"), tabled(lxdTable)), verdict: "PASS"},
		{name: "istio-ambient", prepare: restored("iptables-nft-restore",
			"ipset create istio-inpod-probes-v4 hash:ip", istioRules), verdict: "PASS"},
		{name: "google-addresses", prepare: onNodes("ip route add local 203.0.113.44/32 dev eth0 proto 66"),
			verdict: "PASS"},
		{name: "two-default-hops",
			prepare: inTurn(idleCard,
				onNodes("ip route add default nexthop via 192.0.2.254 dev eth0 nexthop dev eth1")), verdict: "PASS"},
		{name: "shaped", prepare: onNodes("tc qdisc add dev eth0 root handle 1: htb default 10",
			"tc class add dev eth0 parent 1: classid 1:10 htb rate 900mbit",
			"tc filter add dev eth0 parent 1: protocol ip u32 match ip dport 22 0xffff flowid 1:10"), verdict: "PASS"},
		{name: "dormant",
			prepare: inTurn(ruleForMark,
				tabled("table ip sleeping { flags dormant; chain pre { type filter hook prerouting priority mangle; "+
					"meta mark set 0x77\n }\n}\n")), verdict: "PASS"},
		{name: "own-bridge-named-like-docker", prepare: inTurn(docker, onNodes("ip rule add iif docker0 lookup 101")),
			verdict: "PASS"},
		{name: "host-ports", prepare: restored("iptables-nft-restore", "", hostPortRules(20)), verdict: "PASS"},
		{name: "host-ports-legacy", prepare: restored("iptables-legacy-restore", "", hostPortRules(20)),
			verdict: "PASS"},
	})
}

// Ways that no canary takes, each in another disguise.
func TestLiveDisguises(t *testing.T) {
	runLive(t, []liveCase{
		{name: "a chain that is called kube-proxy's", prepare: restored("iptables-nft-restore", "",
			"*nat\n:KUBE-SEP-X - [0:0]\n-A PREROUTING -d 10.42.0.0/16 -p tcp -m tcp --dport 5432 -j KUBE-SEP-X\n-A "+
				"KUBE-SEP-X -p tcp -j DNAT --to-destination 192.0.2.99\nCOMMIT\n"),
			verdict: "INCONCLUSIVE FAIL", causes: []string{otherPath}},
		{name: "a chain that is called portmap's", prepare: restored("iptables-legacy-restore", "",
			"*nat\n:CNI-DN-X - [0:0]\n-A PREROUTING -m statistic --mode random --probability 0.01 -j CNI-DN-X\n-A "+
				"CNI-DN-X -p tcp -j DNAT --to-destination 192.0.2.99\nCOMMIT\n"),
			verdict: "INCONCLUSIVE FAIL", causes: []string{otherPath}},
		{name: "hops-of-an-object", prepare: objectHops, verdict: "FAIL", causes: []string{otherPath, leak, "WG0401"}},
		{name: "an-object-for-a-moment", prepare: onNodes("ip nexthop add id 1 dev flannel-wg",
			"ip route replace 10.42.0.0/16 nhid 1"),
			during: func(l *live) {
				l.nodes[0].run("ip nexthop replace id 1 via 192.0.2.2 dev eth0",
					"ip nexthop replace id 1 dev flannel-wg")
			}, verdict: "INCONCLUSIVE FAIL", causes: []string{otherPath, leak}},
		{name: "a-mark-for-a-moment", prepare: ruleForMark, during: func(l *live) {
			markDatabase(l)
			l.nodes[0].run("nft delete table ip late")
		}, verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{name: "a-mark-for-a-moment-that-no-rule-looks-at", during: func(l *live) {
			markDatabase(l)
			l.nodes[0].run("nft delete table ip late")
		}, verdict: "PASS"},
		{name: "a-copy-for-a-moment", during: func(l *live) {
			l.nodes[0].run("nft add table netdev late",
				"nft add chain netdev late in '{ type filter hook ingress device veth0 priority 0; }'",
				"nft add rule netdev late in tcp dport 5432 dup to eth0", "nft delete table netdev late")
		}, verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{name: "a-policy-for-a-moment", prepare: onNodes("ip xfrm policy list"), during: func(l *live) {
			policy := " dst 10.42.1.128/25 dir out"
			l.nodes[0].run("ip xfrm policy add"+policy+" tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel",
				"ip xfrm policy delete"+policy)
		}, verdict: "INCONCLUSIVE", causes: []string{otherPath}},
		{name: "an-object-behind-a-number-for-a-moment",
			prepare: onNodes("echo 0 >/proc/sys/net/ipv4/nexthop_compat_mode",
				"ip nexthop add id 1 dev flannel-wg", "ip route replace 10.42.0.0/16 nhid 1"),
			during: func(l *live) {
				l.nodes[0].run("ip nexthop replace id 1 via 192.0.2.2 dev eth0",
					"ip nexthop replace id 1 dev flannel-wg")
			}, verdict: "INCONCLUSIVE FAIL", causes: []string{otherPath, leak}},
		{name: "an-object-behind-a-number", prepare: onNodes("echo 0 >/proc/sys/net/ipv4/nexthop_compat_mode",
			"ip nexthop add id 1 dev flannel-wg", "ip route replace 10.42.0.0/16 nhid 1"), verdict: "PASS"},
		{name: "a-redirect-for-a-moment", during: func(l *live) {
			l.nodes[0].run("tc qdisc add dev veth0 clsact",
				"tc filter add dev veth0 ingress protocol ip u32 match u32 0 0 action mirred egress redirect dev eth0",
				"tc filter del dev veth0 ingress", "tc qdisc del dev veth0 clsact")
		}, verdict: "INCONCLUSIVE FAIL", causes: []string{otherPath, leak, blind}},
	})
}

// What agents of healthy clusters write while packets are watched.
func TestLiveBusyAgents(t *testing.T) {
	runLive(t, []liveCase{
		{name: "kube-proxy", prepare: restored("iptables-nft-restore", ipvsSets, ipvsRules),
			during: restored("iptables-nft-restore", "", ipvsRules), verdict: "PASS"},
		{name: "firewalld", prepare: tabled(firewalldTable), during: func(l *live) {
			l.nodes[0].run("nft delete table inet firewalld")
			tabled(firewalldTable)(l)
		}, verdict: "PASS"},
		{name: "neighbours", during: onNodes("ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0",
			"ip neigh del 192.0.2.77 dev eth0"), verdict: "PASS"},
	})
}

// objectHops leads a part of the other pods by a group of nexthop objects.
func objectHops(l *live) {
	l.nodes[0].run("ip nexthop add id 1 dev flannel-wg",
		fmt.Sprintf("ip nexthop add id 2 via %s dev eth0", nodeAddr(1)),
		"ip nexthop add id 10 group 1/2", "ip route replace 10.42.0.0/16 nhid 10")
}

// ipvsRules are those of kube-proxy in mode ipvs, with its sets.
const (
	ipvsSets = "ipset create KUBE-CLUSTER-IP hash:ip,port; ipset create KUBE-LOOP-BACK hash:ip,port,ip; " +
		"ipset create KUBE-NODE-PORT-TCP bitmap:port range 0-65535; ipset add KUBE-CLUSTER-IP 10.43.0.1,tcp:443; " +
		"ipset add KUBE-LOOP-BACK 10.42.0.9,tcp:443,10.42.0.9; ipset add KUBE-NODE-PORT-TCP 30443"
	ipvsRules = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-LOAD-BALANCER - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN
-A KUBE-SERVICES ! -s 10.42.0.0/16 -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
-A KUBE-NODE-PORT -p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ
-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE
COMMIT
`
)

// vpcRules restore the mark of connections that came in by another card, as Amazon's
// network plugin does.
const vpcRules = `*mangle
-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80
-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
COMMIT
*nat
:AWS-SNAT-CHAIN-0 - [0:0]
-A POSTROUTING -j AWS-SNAT-CHAIN-0
-A AWS-SNAT-CHAIN-0 -s 10.0.0.0/8 ! -d 10.0.0.0/8 ! -o vlan+ -m addrtype ! --dst-type LOCAL -j MASQUERADE --random-fully
COMMIT
`

// firewalldTable is firewalld's own table, shortened to one rule of each kind.
const firewalldTable = `table inet firewalld {
	ct helper helper-netbios-ns-udp { type "netbios-ns" protocol udp; l3proto ip; }
	chain mangle_PREROUTING { type filter hook prerouting priority mangle + 10; policy accept; jump mangle_PREROUTING_ZONES; }
	chain mangle_PREROUTING_ZONES { iifname "eth0" goto mangle_PRE_public; goto mangle_PRE_public; }
	chain mangle_PRE_public { jump mangle_PRE_public_allow; }
	chain mangle_PRE_public_allow { }
	chain nat_PREROUTING { type nat hook prerouting priority dstnat + 10; policy accept; jump nat_PREROUTING_ZONES; }
	chain nat_PREROUTING_ZONES { iifname "eth0" goto nat_PRE_public; goto nat_PRE_public; }
	chain nat_PRE_public { jump nat_PRE_public_allow; }
	chain nat_PRE_public_allow { }
	chain nat_POSTROUTING { type nat hook postrouting priority srcnat + 10; policy accept; oifname "eth0" goto nat_POST_public; }
	chain nat_POST_public { meta nfproto ipv4 oifname != "lo" masquerade; }
	chain filter_PREROUTING { type filter hook prerouting priority filter + 10; policy accept;
		icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
		meta nfproto ipv6 fib saddr . mark . iif oif missing drop
	}
	chain filter_INPUT { type filter hook input priority filter + 10; policy accept; ct state established,related accept; iifname "lo" accept; udp dport 51820 accept; udp dport 137 ct helper set "helper-netbios-ns-udp"; }
	chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
		ct state established,related accept
		ct status dnat accept
		iifname "lo" accept
		ip6 daddr { ::/96, ::ffff:0.0.0.0/96 } reject
	}
	chain filter_OUTPUT { type filter hook output priority filter + 10; policy accept; ct state { established, related } accept; oifname "lo" accept; }
}`

// ufwRules are those of ufw, and what its manual adds to pass ports on.
const ufwRules = `*filter
:ufw-before-input - [0:0]
:ufw-before-output - [0:0]
:ufw-before-forward - [0:0]
:ufw-user-limit - [0:0]
:ufw-track-output - [0:0]
-A INPUT -j ufw-before-input
-A OUTPUT -j ufw-before-output
-A FORWARD -j ufw-before-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --set --name DEFAULT --mask 255.255.255.255 --rsource
-A ufw-before-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 --name DEFAULT --mask 255.255.255.255 --rsource -j ufw-user-limit
-A ufw-user-limit -m limit --limit 3/min -j LOG --log-prefix "[UFW LIMIT BLOCK] "
-A ufw-user-limit -j REJECT --reject-with icmp-port-unreachable
-A ufw-before-output -o lo -j ACCEPT
-A ufw-track-output -p tcp -m conntrack --ctstate NEW -j ACCEPT
COMMIT
*nat
-A PREROUTING -i eth0 -p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.77:22
-A POSTROUTING -s 10.99.0.0/24 -o eth0 -j MASQUERADE
COMMIT
`

// limitRules drop by how often something was seen.
const limitRules = `*filter
-A FORWARD -p tcp -m tcp --dport 25 -m connlimit --connlimit-above 20 -j REJECT
-A FORWARD -p tcp -m tcp --dport 26 -m hashlimit --hashlimit-above 10/sec --hashlimit-name x --hashlimit-mode srcip -j DROP
-A FORWARD -p tcp -m tcp --dport 27 -m statistic --mode random --probability 0.01 -j LOG
-A FORWARD -m set --match-set seen src -p tcp -m tcp --dport 28 -j DROP
COMMIT
*mangle
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A PREROUTING -p tcp -m tcp --dport 29 -j DSCP --set-dscp 0x08
-A POSTROUTING -p tcp -m tcp --dport 29 -j CLASSIFY --set-class 0001:0010
COMMIT
`

// swarmRules are those of Docker's mesh of published ports.
const swarmRules = dockerRules + `*nat
:DOCKER-INGRESS - [0:0]
-I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS
-I OUTPUT -m addrtype --dst-type LOCAL -j DOCKER-INGRESS
-A DOCKER-INGRESS -p tcp -m tcp --dport 8090 -j DNAT --to-destination 172.18.0.2:8090
-A DOCKER-INGRESS -j RETURN
COMMIT
`

const lxdTable = `table inet lxd {
	chain pstrt.lxdbr0 { type nat hook postrouting priority srcnat; policy accept; ip saddr 10.99.0.0/24 ip daddr != 10.99.0.0/24 masquerade; }
	chain fwd.lxdbr0 { type filter hook forward priority filter; policy accept; ip version 4 oifname "lxdbr0" accept; ip version 4 iifname "lxdbr0" accept; }
	chain in.lxdbr0 { type filter hook input priority filter; policy accept; iifname "lxdbr0" udp dport 67 accept; }
	chain out.lxdbr0 { type filter hook output priority filter; policy accept; oifname "lxdbr0" udp sport 67 accept; }
	chain prert.u1 { type nat hook prerouting priority dstnat; policy accept; ip daddr 192.0.2.1 tcp dport 8043 dnat ip to 10.99.0.7:443; }
	chain out.u1 { type nat hook output priority -100; policy accept; ip daddr 192.0.2.1 tcp dport 8043 dnat ip to 10.99.0.7:443; }
}`

// istioRules are what Istio's node agent keeps on a node in its ambient mode.
const istioRules = `*nat
:ISTIO_POSTRT - [0:0]
-A POSTROUTING -j ISTIO_POSTRT
-A ISTIO_POSTRT -p tcp -m owner --socket-exists -m set --match-set istio-inpod-probes-v4 dst -j SNAT --to-source 169.254.7.127
COMMIT
`

// hostPortRules are those of the portmap plugin for pods with ports of the host.
func hostPortRules(pods int) string {
	text := "*nat\n:CNI-HOSTPORT-DNAT - [0:0]\n:CNI-HOSTPORT-SETMARK - [0:0]\n:CNI-HOSTPORT-MASQ - [0:0]\n" +
		"-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n-A OUTPUT -m addrtype --dst-type LOCAL -j " +
		"CNI-HOSTPORT-DNAT\n-A POSTROUTING -j CNI-HOSTPORT-MASQ\n-A CNI-HOSTPORT-SETMARK -j MARK --set-xmark " +
		"0x2000/0x2000\n-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE\n"
	for n := range pods {
		chain := fmt.Sprintf("CNI-DN-%d", n)
		text += fmt.Sprintf(":%[1]s - [0:0]\n-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports %[2]d -j %[1]s\n"+
			"-A %[1]s -s 10.42.0.0/24 -p tcp -m tcp --dport %[2]d -j CNI-HOSTPORT-SETMARK\n"+
			"-A %[1]s -p tcp -m tcp --dport %[2]d -j DNAT --to-destination 10.42.0.2:80\n", chain, 8000+n)
	}
	return text + "COMMIT\n"
}
