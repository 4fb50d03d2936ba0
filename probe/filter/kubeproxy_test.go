//go:build linux

package filter

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// podNetwork is where the pods of these tests are.
var podNetwork = []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24"), netip.MustParsePrefix("10.42.1.0/24")}

// genuine are rules as kube-proxy and the portmap plugin write them.
const (
	genuineIptables = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-EXT-A - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-DN-1 - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES -d 10.43.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-A
-A KUBE-SERVICES -d 203.0.113.9/32 -p tcp -m tcp --dport 443 -j KUBE-EXT-A
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m tcp --dport 30443 -j KUBE-EXT-A
-A KUBE-EXT-A -j KUBE-MARK-MASQ
-A KUBE-EXT-A -j KUBE-SVC-A
-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-A
-A KUBE-SVC-A -j KUBE-SEP-A
-A KUBE-SEP-A -s 10.42.1.9/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.42.1.9:443
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8080 -j CNI-DN-1
-A CNI-DN-1 -s 10.42.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.42.0.5:80
-A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
`
	genuineNft = `
table ip kube-proxy {
 set nodeport-ips { type ipv4_addr; elements = { 192.0.2.11 }
 }
 map service-ips { type ipv4_addr . inet_proto . inet_service : verdict
  elements = { 10.43.0.1 . tcp . 443 : goto service-A, 203.0.113.9 . tcp . 443 : goto external-A }
 }
 map service-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30443 : goto external-A }
 }
 chain endpoint-A { ip saddr 10.42.1.9 jump mark-for-masquerade
  meta l4proto tcp dnat to 10.42.1.9:443
 }
 chain service-A { ip daddr 10.43.0.1 tcp dport 443 ip saddr != 10.42.0.0/16 jump mark-for-masquerade
  numgen random mod 1 vmap { 0 : goto endpoint-A }
 }
 chain external-A { jump mark-for-masquerade
  goto service-A
 }
 chain mark-for-masquerade { mark set mark or 0x4000
 }
 chain services { ip daddr . meta l4proto . th dport vmap @service-ips
  ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
 }
 chain nat-prerouting { type nat hook prerouting priority dstnat; jump services
 }
}
`
)

// What kube-proxy writes gives no packet for a pod another target, and who takes its
// names for something else is not trusted.
func TestKubeProxysTranslations(t *testing.T) {
	for _, test := range []struct {
		name, from, to string // what is replaced in the genuine rules
		want           []string
	}{
		{"genuine", "", "", nil},
		{"a DNAT of what is for pods", "-A KUBE-SERVICES -d 203.0.113.9/32", "-A KUBE-SERVICES -d 10.42.1.0/24",
			[]string{`"effect":"dnat"`, `"chain":"KUBE-SEP-A"`, "not for an address of a Service"}},
		{"a DNAT of everything", "-A KUBE-SERVICES -d 203.0.113.9/32", "-A KUBE-SERVICES", []string{`"effect":"dnat"`}},
		{"a chain of its own", "-A PREROUTING -j KUBE-SERVICES\n",
			"-A PREROUTING -j KUBE-SERVICES\n-A PREROUTING -p tcp --dport 5432 -j KUBE-SEP-A\n",
			[]string{`"effect":"dnat"`, `"target":[{"from":5432,"to":5432}]`}},
		{"a DNAT of an overlay's port", "-A KUBE-NODEPORTS -p tcp -m tcp --dport 30443 -j KUBE-EXT-A",
			"-A KUBE-NODEPORTS -p udp -m udp --dport 8472 -j DNAT --to-destination 203.0.113.9",
			[]string{`"effect":"dnat"`, `"hook":"prerouting"`, `"chain":"KUBE-NODEPORTS"`, `"protocol":"EQ=="`,
				`{"from":8472,"to":8472}`, "daddr type local"}},
		{"a DNAT of what an overlay sends",
			"-A KUBE-SERVICES -d 203.0.113.9/32 -p tcp -m tcp --dport 443 -j KUBE-EXT-A",
			"-A KUBE-SERVICES -d 198.18.0.2/32 -p udp -j DNAT --to-destination 203.0.113.9",
			[]string{`"effect":"dnat"`, `"hook":"output"`, `"chain":"KUBE-SERVICES"`}},
		{"a node port of UDP", "-A KUBE-NODEPORTS -p tcp -m tcp --dport 30443 -j KUBE-EXT-A",
			"-A KUBE-NODEPORTS -p udp -m udp --dport 30443 -j DNAT --to-destination 10.42.1.9", nil},
		{"a host port of an overlay's", "-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8080 -j CNI-DN-1",
			"-A CNI-HOSTPORT-DNAT -p udp -m udp --dport 8472 -j DNAT --to-destination 10.42.0.5:80",
			[]string{`"effect":"dnat"`, "daddr type local", `{"from":8472,"to":8472}`}},
		{"a redirect", "-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.42.1.9:443",
			"-A KUBE-SERVICES -p tcp -j REDIRECT --to-ports 99", []string{`"effect":"proxy"`}},
		{"a host port for everybody", "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
			"-A PREROUTING -j CNI-HOSTPORT-DNAT", []string{`"effect":"dnat"`, `"chain":"CNI-DN-1"`}},
		{"a chain behind kube-proxy's", "-A KUBE-EXT-A -j KUBE-MARK-MASQ",
			"-N evil\n-A evil -j MARK --set-xmark 0x77/0xff\n-A KUBE-EXT-A -j evil",
			[]string{`"mark":119`, `"chain":"evil"`}},
	} {
		for _, kind := range []string{"nft", "legacy"} {
			t.Run(kind+" "+test.name, func(t *testing.T) {
				enter(t)
				runInput(t, "iptables-"+kind+"-restore",
					strings.ReplaceAll(genuineIptables, test.from, test.to)+"COMMIT\n")
				checkDiversions(t, test.want)
			})
		}
	}
}

func TestKubeProxysNftTranslations(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		want           []string
	}{
		{"genuine", "", "", nil},
		{"an element for pods", "10.43.0.1 . tcp . 443 :", "10.42.1.7 . tcp . 443 :",
			[]string{`"effect":"dnat"`, `"chain":"endpoint-A"`}},
		{"a port of every address", "ip daddr @nodeport-ips meta", "meta", []string{`"effect":"dnat"`}},
		{"a port of pods' addresses", "elements = { 192.0.2.11 }",
			"elements = { 10.42.1.9 }", []string{`"effect":"dnat"`}},
		{"not of an address", "ip daddr @nodeport-ips meta", "ip daddr != @nodeport-ips meta",
			[]string{`"effect":"dnat"`}},
		{"a range of addresses", "type ipv4_addr; elements = { 192.0.2.11 }",
			"type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 10.42.0.0/16 }", []string{`"effect":"dnat"`}},
		{"another range", "type ipv4_addr; elements = { 192.0.2.11 }",
			"type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 10.45.0.0/16 }", nil},
		{"a DNAT of an overlay's port", "tcp . 30443 : goto external-A }\n }",
			"udp . 8472 : goto b }\n }\n chain b { meta l4proto udp dnat to 203.0.113.9\n }",
			[]string{`"effect":"dnat"`, `"chain":"b"`, "daddr type local", `{"from":8472,"to":8472}`}},
		{"a node port of UDP", "tcp . 30443 : goto external-A }\n }",
			"udp . 30443 : goto b }\n }\n chain b { meta l4proto udp dnat to 10.42.1.9\n }", nil},
		{"a DNAT of what an overlay sends", "10.43.0.1 . tcp . 443 : goto service-A,",
			"198.18.0.2 . udp . 4789 : goto b,\n }\n }\n chain b { meta l4proto udp dnat to 203.0.113.9\n }\n map m " +
				"{ type ipv4_addr . inet_proto . inet_service : verdict; elements = {", []string{`"effect":"dnat"`,
				`"chain":"b"`}},
		{"a Service on an overlay's port", "10.43.0.1 . tcp . 443 : goto service-A,",
			"10.43.0.1 . udp . 4789 : goto b,\n }\n }\n chain b { meta l4proto udp dnat to 10.42.1.9\n }\n map m { " +
				"type ipv4_addr . inet_proto . inet_service : verdict; elements = {", nil},
		{"writes to addresses", "chain external-A {",
			"chain nat2 { type filter hook prerouting priority 0; ip daddr set 192.0.2.9\n }\n chain external-A {",
			[]string{`"effect":"dnat"`, "writes to"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			enter(t)
			runScript(t, strings.ReplaceAll(genuineNft, test.from, test.to))
			checkDiversions(t, test.want)
		})
	}
}

// checkDiversions checks that of statements that are not marks of kube-proxy there
// are such, or none.
func checkDiversions(t *testing.T, want []string) {
	t.Helper()
	found, inventories, problems := Reader{}.Diversions(links(),
		podNetwork, []netip.Addr{netip.MustParseAddr("198.18.0.2")}, nil)
	all := ""
	for _, d := range found {
		if d.Effect == evidence.EffectMark && d.Mark == 0x4000 {
			continue
		}
		line, _ := evidence.Encode(&evidence.Message{Diversion: &d})
		all += string(line)
	}
	for _, i := range inventories {
		if !i.Complete {
			t.Error(i)
		}
	}
	if len(problems) > 0 || want == nil && all != "" {
		t.Error(problems, all)
	}
	for _, part := range want {
		if !strings.Contains(all, part) {
			t.Errorf("no %s in %s", part, all)
		}
	}
}
