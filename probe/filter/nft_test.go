//go:build linux

package filter

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// readNft runs a script of nft in a namespace with eth0 (index 2 or so) and returns
// what was found, and each statement of it as JSON.
func readNft(t *testing.T, script string) (found result, lines []string) {
	t.Helper()
	enter(t)
	run(t, "ip link set lo up")
	run(t, "ip link add eth0 type veth peer name wan")
	runScript(t, script)
	found, err := Reader{}.nftables(links())
	if err != nil {
		t.Error(err)
	}
	for _, d := range found.diversions {
		line, _ := json.Marshal(d)
		lines = append(lines, string(line))
	}
	return found, lines
}

// Each row is one rule of a chain at prerouting (lists of octets are base64 in
// JSON), and parts of what must be
// reported; "" says that nothing is.
var nftStatements = []struct {
	rule string
	want []string
}{
	{"ip daddr 10.42.1.0/24 tcp dport 5432 meta mark set 0x77",
		[]string{`"effect":"mark"`, `"mark":119,"mask":4294967295`, `"to":["10.42.1.0/24"]`, `"protocol":"Bg=="`,
			`"target":[{"from":5432,"to":5432}]`, `"hook":"prerouting"`}},
	{"meta mark set meta mark or 0x10", []string{`"mark":16,"mask":16`}},
	{"meta mark set meta mark and 0xffffff0f", []string{`"mask":240`}},
	{"meta mark set ct mark", []string{`"unknown":true`}},
	{"ct mark set meta mark", nil},
	{"ct direction original meta mark set 1", []string{`"mark":1,`, `"other":["a condition that is not read"]`}},
	{`iifname "veth*" meta mark set 1`, []string{`"in":["veth*"]`}},
	{`iifname "cni0" meta mark set 1`, []string{`"in":["cni0"]`}},
	{`iif eth0 meta mark set 1`, []string{`"in":["eth0"]`}},
	{`iifname != "cni0" meta mark set 1`, []string{`"notIn":["cni0"]`}},
	{`iifname { "cni0", "eth9" } meta mark set 1`, []string{`"in":["cni0","eth9"]`}},
	{"ip saddr 10.42.0.7 meta mark set 1", []string{`"from":["10.42.0.7/32"]`}},
	{"ip saddr != 10.42.0.0/20 meta mark set 1", []string{`"notFrom":["10.42.0.0/20"]`}},
	{"ip saddr 10.42.0.0-10.42.0.127 meta mark set 1", []string{`"from":["10.42.0.0/25"]`}},
	{"ip daddr { 10.42.1.0/24, 10.42.3.0/25 } meta mark set 1", []string{`"to":["10.42.1.0/24","10.42.3.0/25"]`}},
	{"ip6 daddr 2001:db8:1::/48 meta mark set 1", []string{`"to":["2001:db8:1::/48"]`}},
	{"ip6 saddr 2001:db8:1::7 meta mark set 1", []string{`"from":["2001:db8:1::7/128"]`}},
	{"udp sport 1000-2000 meta mark set 1", []string{`"source":[{"from":1000,"to":2000}]`, `"protocol":"EQ=="`}},
	{"tcp dport { 80, 443, 1000-1010 } meta mark set 1",
		[]string{`"target":[{"from":80,"to":80},{"from":443,"to":443},{"from":1000,"to":1010}]`}},
	{"tcp dport != 80 meta mark set 1", []string{`"target":[{"from":0,"to":79},{"from":81,"to":65535}]`}},
	{"tcp dport > 1023 meta mark set 1", []string{`"target":[{"from":1024,"to":65535}]`}},
	{"meta l4proto { tcp, udp } meta mark set 1", []string{`"protocol":"BhE="`}},
	{"meta l4proto sctp meta mark set 1", []string{`"protocol":"hA=="`}},
	{"ip dscp ef meta mark set 1", []string{`"dscp":"Lg=="`}},
	{"ip6 dscp cs1 meta mark set 1", []string{`"dscp":"CA=="`, `"from":["::/0"]`}},
	{"meta mark 0x1 meta mark set 2", []string{`"markIs":1,"markMask":4294967295`}},
	{"meta mark and 0xf0 == 0x10 meta mark set 2", []string{`"markIs":16,"markMask":240`}},
	{"limit rate 10/second meta mark set 1", []string{`"other":["limit"]`}},
	{"meta nfproto ipv4 meta mark set 1", []string{`"from":["0.0.0.0/0"]`}},
	{"meta mark set tcp dport map { 80 : 1, 443 : 2 }", []string{`"unknown":true`}},
	{"ip daddr 10.42.1.0/24 dup to 192.0.2.9 device eth0", []string{`"effect":"copy"`, `"to":"eth0"`}},
	{"meta l4proto tcp tproxy ip to 127.0.0.1:9", []string{`"effect":"proxy"`}},
	{"queue num 3", []string{`"effect":"proxy"`}},
	{"tcp dport 80 accept", nil},
	{"counter packets 7 bytes 9 meta mark set 1", []string{`"mark":1,`}},
	{"tcp dport vmap { 80 : jump there, 9 : accept }",
		[]string{`"target":[{"from":80,"to":80}]`, `"mark":153`, `"chain":"there"`}},
	{"tcp dport 80 jump there", []string{`"target":[{"from":80,"to":80}]`, `"mark":153`}},
	{"tcp dport 80 goto there", []string{`"mark":153`}},
	{"ip saddr 10.42.0.1 ip saddr 10.42.0.2 meta mark set 1", nil},
	{"tcp dport 22 accept; meta mark set 1", []string{`"other":["no earlier rule of pre applies"]`}},
	{"ip daddr { 10.0.0.0/8, 192.168.0.0/16 } return; meta mark set 1",
		[]string{`"notTo":["10.0.0.0/8","192.168.0.0/16"]},`}},
	{"ip saddr != 10.42.0.0/16 accept; meta mark set 1", []string{`"from":["10.42.0.0/16"]},`}},
	{"iifname lo accept; iifname wg0 return; meta mark set 1", []string{`"notIn":["lo","wg0"]},`}},
	{"iifname eth1 goto there; meta mark set 1", []string{`"notIn":["eth1"]},`}},
	{"counter accept; meta mark set 1", nil},
	{"tcp dport 80 meta mark set 1 ip daddr 10.99.0.0/16 accept",
		[]string{`"selector":{"protocol":"Bg==","target":[{"from":80,"to":80}]}`}},
	{"meta mark set 1 ip saddr 10.42.0.1 ip saddr 10.42.0.2", []string{`"mark":1,"mask":4294967295,"rule":`}},
	{"meta mark set 1 fib daddr type local", []string{`"mark":1,"mask":4294967295,"rule":`}},
	{"iifname eth1 tcp dport 22 accept; meta mark set 1", []string{`"other":["no earlier rule of pre applies"]`}},
	{"meta nfproto ipv6 iifname lo accept; meta mark set 1", []string{`"other":["no earlier rule of pre applies"]`}},
	{"meta nfproto ipv6 accept; meta mark set 1", []string{`"other":["no earlier rule of pre applies"]`}},
	{"quota over 1 mbytes accept; meta mark set 1", []string{`"other":["no earlier rule of pre applies"]`}},
	{"limit rate 1/second accept; meta mark set 1", []string{`"other":["no earlier rule of pre applies"]`}},
	{"ip saddr 10.42.0.1 jump there; meta mark set 1", []string{`"mark":1,"mask":4294967295,"rule":`}},
	{"ether type ip meta mark set 1", []string{`"from":["0.0.0.0/0"]`}},
	{"numgen random mod 2 0 meta mark set 1", []string{`"other":["a condition that is not read"]`}},
	{"fib daddr type local meta mark set 1", nil}, // never of a packet that the host forwards
	{"fib daddr . iif type != local meta mark set 1", []string{`"other":["daddr type != local"]`}},
	{"fib saddr type local meta mark set 1", []string{`"other":["saddr type local"]`}},
	{"ip daddr set 192.0.2.9", []string{`"effect":"dnat"`, "writes to the packet's addresses"}},
	{"ip6 daddr set 2001:db8::9", []string{`"effect":"dnat"`}},
	{"ip dscp set ef", nil},
	{"tcp dport set 81", nil},
	{"ip ttl set 9", nil},
}

func TestNftStatements(t *testing.T) {
	for _, test := range nftStatements {
		t.Run(test.rule, func(t *testing.T) {
			script := "table inet t {\n chain there { meta mark set 0x99\n }\n chain pre { type filter hook " +
				"prerouting priority mangle;\n" +
				strings.ReplaceAll(test.rule, ";", "\n") + "\n }\n}\n"
			if strings.Contains(test.rule, "dup to") || strings.Contains(test.rule, "tproxy") {
				script = strings.ReplaceAll(script, "table inet", "table ip")
			}
			found, lines := readNft(t, script)
			if found.lacking != "" || found.count == 0 {
				t.Errorf("%+v", found)
			}
			all := strings.Join(lines, "\n")
			if test.want == nil && all != "" {
				t.Errorf("reported %s", all)
			}
			for _, part := range test.want {
				if !strings.Contains(all, part) {
					t.Errorf("no %s in %s", part, all)
				}
			}
		})
	}
}

// What is left by more rules than can be named has a condition that is not understood.
func TestNftManyEndings(t *testing.T) {
	var rules strings.Builder
	for n := range maxAlternatives + 3 {
		fmt.Fprintf(&rules, "iifname \"cali%d\" return\n", n)
	}
	found, lines := readNft(t, "table ip x { chain pre { type filter hook prerouting priority mangle;\n"+rules.String()+
		"meta mark set 1\n}\n}\n")
	if all := strings.Join(lines, "\n"); found.lacking != "" || !strings.Contains(all, `"other":["iif among 1"]`) {
		t.Error(all)
	}
}

// What is in a set that packets or time change is not known.
func TestNftChangingSet(t *testing.T) {
	_, lines := readNft(t, `
table ip x {
  set s { type ipv4_addr; flags dynamic,timeout; timeout 1m; elements = { 10.42.1.7 }
  }
  chain pre { type filter hook prerouting priority mangle; ip daddr @s meta mark set 1
  }
}
`)
	if all := strings.Join(lines, "\n"); !strings.Contains(all, `"other":["in set @s"]`) {
		t.Error(all)
	}
}

// Of kube-proxy's chains every kind of statement is read once, however many
// rules there are.
func TestNftManyOfKubeProxy(t *testing.T) {
	script := "table ip filter {\n chain KUBE-A {\n" + strings.Repeat("meta mark set meta mark or 0x4000\n", 40) +
		"tcp dport 5432 meta mark set 0x77\n }\n chain pre { type filter hook prerouting priority mangle; " +
		"jump KUBE-A\n }\n}\n"
	_, lines := readNft(t, script)
	if len(lines) != 2 || !strings.Contains(strings.Join(lines, "\n"), `"mark":119`) {
		t.Errorf("%q", lines)
	}
}

// Statements by hook and family, and what is nobody's business: marks by which
// nothing is routed any more, and kube-proxy's translation of Services.
func TestNftHooks(t *testing.T) {
	_, lines := readNft(t, `
table ip nat {
  chain KUBE-SEP-1 { meta l4proto tcp dnat to 10.42.1.2:80
  }
  chain KUBE-MARK-MASQ { meta mark set meta mark or 0x4000
  }
  chain KUBE-SERVICES { ip daddr 10.43.0.1 tcp dport 443 jump KUBE-SEP-1
    ip daddr 10.43.0.1 jump KUBE-MARK-MASQ
    ip daddr 10.43.0.2 jump KUBE-MARK-MASQ
  }
  chain pre { type nat hook prerouting priority dstnat; jump KUBE-SERVICES
    tcp dport 81 dnat to 192.0.2.7
    tcp dport 82 redirect to :8080
  }
  chain out { type nat hook output priority 0; jump KUBE-SERVICES
  }
}
table ip m { chain o { type route hook output priority mangle; meta mark set 0x5
  }
  chain early { type filter hook output priority raw; meta mark set 0x8
  }
  chain late { type filter hook output priority filter; meta mark set 0x9
  }
}
table netdev n {
  chain i { type filter hook ingress device "eth0" priority 0; ip daddr 10.42.1.0/24 fwd to "lo"
  }
  chain e { type filter hook egress device "eth0" priority 0; dup to "lo"
  }
}
table bridge b { chain f { type filter hook forward priority 0; ether type ip ip daddr 10.42.1.5 meta mark set 6
  }
  chain i { type filter hook input priority 0; meta mark set 7
  }
}
`)
	for _, want := range []string{
		`"effect":"mark","family":"ip","table":"nat","chain":"KUBE-MARK-MASQ","hook":"prerouting","mark":16384,"mask":16384`,
		`"effect":"dnat","family":"ip","table":"nat","chain":"pre","hook":"prerouting","to":"192.0.2.7"`,
		`"effect":"proxy","family":"ip","table":"nat","chain":"pre","hook":"prerouting","port":8080`,
		`"effect":"forward","family":"netdev","table":"n","chain":"i","hook":"ingress","link":"eth0","to":"lo"`,
		`"effect":"copy","family":"netdev","table":"n","chain":"e","hook":"egress","link":"eth0","to":"lo"`,
		`"effect":"mark","family":"bridge","table":"b","chain":"f","hook":"forward","mark":6`,
		`"effect":"mark","family":"bridge","table":"b","chain":"i","hook":"input","mark":7`,
		`"table":"m","chain":"o","hook":"output","mark":5`,
		`"table":"m","chain":"early","hook":"output","mark":8`,
	} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("no %s in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if len(lines) != 9 {
		t.Errorf("%d:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

// No packet enters a table that sleeps.
func TestNftDormant(t *testing.T) {
	for flags, want := range map[string]int{"": 1, "flags dormant; ": 0} {
		t.Run(flags, func(t *testing.T) {
			script := "table ip x { " + flags + "chain pre { type filter hook prerouting priority mangle; " +
				"meta mark set 1\n}\n}\n"
			if _, lines := readNft(t, script); len(lines) != want {
				t.Errorf("%q", lines)
			}
		})
	}
}

// A chain can be attached to many links, and many chains can lead to one.
func TestNftManyLinks(t *testing.T) {
	enter(t)
	var names []string
	script := "table netdev n {\n chain there { meta mark set 0x99\n }\n"
	for n := range maxVisits + 4 {
		name := fmt.Sprintf("link%d", n)
		run(t, "ip link add "+name+" type bridge")
		names = append(names, name)
		script += fmt.Sprintf(" chain c%d { type filter hook ingress device %q priority 0; jump there\n }\n", n, name)
	}
	script += " chain every { type filter hook ingress devices = { " + strings.Join(names, ", ") +
		" } priority 1; meta mark set 0x77\n }\n}\n"
	runScript(t, script)
	found, err := Reader{}.nftables(nil)
	if err != nil {
		t.Error(err)
	}
	ofEvery, anywhere := false, false
	for _, d := range found.diversions {
		ofEvery = ofEvery || d.Mark == 0x77 && len(strings.Fields(d.Link)) == len(names)
		anywhere = anywhere || d.Mark == 0x99 && d.Link == ""
	}
	if !ofEvery {
		t.Errorf("not all links of a chain are reported: %+v", found)
	}
	if !anywhere {
		t.Errorf("a chain that is reached more often than it is visited is reported with some links only: %+v", found)
	}
}

// Statements are reported in the order in which a packet meets them.
func TestNftOrder(t *testing.T) {
	_, lines := readNft(t, `
table ip x {
  chain late { type filter hook prerouting priority -10; meta mark set 3
  }
  chain early { type filter hook prerouting priority -200; meta mark set 1
  }
}
table inet y { chain middle { type filter hook prerouting priority -150; meta mark set 2
  }
}
`)
	for i, line := range lines {
		if !strings.Contains(line, fmt.Sprintf(`"mark":%d,`, i+1)) {
			t.Errorf("%d: %s", i, line)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%q", lines)
	}
}

// Expressions that not every kernel has, and one that none has.
func TestNftExpressions(t *testing.T) {
	for name, want := range map[string]string{
		"flow_offload": evidence.EffectForward, "queue": evidence.EffectProxy, "tproxy": evidence.EffectProxy,
		"fwd": evidence.EffectForward,
		"dup": evidence.EffectCopy, "a-later-one": evidence.EffectBPF,
	} {
		r := rule{body: nftRule{{name: name}}}.glance()
		if len(r.statements) != 1 || r.statements[0].effect != want {
			t.Errorf("%s: %+v", name, r.statements)
		}
	}
}

// iptables-nft writes some conditions and targets as its old modules'.
var iptablesRules = []struct {
	rule string
	want []string
}{
	{"-t mangle -A PREROUTING -d 10.42.1.0/24 -p tcp --dport 5432 -j MARK --set-mark 0x77",
		[]string{`"effect":"mark"`, `"mark":119,"mask":4294967295`, `"to":["10.42.1.0/24"]`, `"protocol":"Bg=="`,
			`"target":[{"from":5432,"to":5432}]`}},
	{"-t mangle -A PREROUTING -s 10.42.0.0/25 -j MARK --set-xmark 0x10/0x10",
		[]string{`"mark":16,"mask":16`, `"from":["10.42.0.0/25"]`}},
	{"-t mangle -A PREROUTING ! -d 10.42.1.0/24 -i cni+ -j MARK --set-mark 1",
		[]string{`"in":["cni*"]`, `"notTo":["10.42.1.0/24"]`}},
	{"-t mangle -A PREROUTING -p udp -m multiport --dports 53,80:90 -j MARK --set-mark 1",
		[]string{`"target":[{"from":53,"to":53},{"from":80,"to":90}]`, `"protocol":"EQ=="`}},
	{"-t mangle -A PREROUTING -p udp -m multiport --sports 53 -j MARK --set-mark 1",
		[]string{`"source":[{"from":53,"to":53}]`}},
	{"-t mangle -A PREROUTING -m mark --mark 0x1/0xf -j MARK --set-mark 2", []string{`"markIs":1,"markMask":15`}},
	{"-t mangle -A PREROUTING -m conntrack --ctstate NEW -j MARK --set-mark 2", []string{`"other":[`}},
	{"-t mangle -A PREROUTING -m dscp --dscp 46 -j MARK --set-mark 2", []string{`"dscp":"Lg=="`}},
	{"-t mangle -A PREROUTING -j CONNMARK --restore-mark", []string{`"effect":"mark"`, `"unknown":true`}},
	{"-t mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80",
		[]string{`"mask":128,"unknown":true`}},
	{"-t mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0xff",
		[]string{`"mask":255,"unknown":true`}},
	{"-t mangle -A PREROUTING -j CONNMARK --save-mark", nil},
	{"-t mangle -A PREROUTING -j TEE --gateway 192.0.2.9", []string{`"effect":"copy"`, `"to":"192.0.2.9"`}},
	{"-t mangle -A PREROUTING -p tcp -j TPROXY --on-port 9 --tproxy-mark 0x1/0x1",
		[]string{`"effect":"proxy"`, `"mark":1,"mask":1`}},
	{"-t mangle -A FORWARD -j NFQUEUE --queue-num 1", []string{`"effect":"proxy"`, `"hook":"forward"`}},
	{"-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",
		[]string{`"effect":"proxy"`, `"port":8080,"sel`}},
	{"-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080-8081",
		[]string{`"effect":"proxy"`, `"hook":"prerouting","sel`}},
	{"-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT", []string{`"effect":"proxy"`, `"hook":"prerouting","sel`}},
	{"-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.0.2.7",
		[]string{`"effect":"dnat"`, `"to":"192.0.2.7","sel`}},
	{"-t nat -A PREROUTING -p udp --dport 80 -j DNAT --to-destination 192.0.2.7:51820",
		[]string{`"effect":"dnat"`, `"to":"192.0.2.7","port":51820,"sel`}},
	{"-t nat -A PREROUTING -p udp --dport 80 -j DNAT --to-destination :51820",
		[]string{`"effect":"dnat"`, `"hook":"prerouting","port":51820,"sel`}},
	{"-t nat -A PREROUTING -p udp --dport 80 -j DNAT --to-destination :51820-51821",
		[]string{`"effect":"dnat"`, `"hook":"prerouting","sel`}},
	{"-t filter -A FORWARD -j ACCEPT", nil},
}

// Where one of several addresses is chosen, a port alone says nothing.
func TestTranslationToSeveral(t *testing.T) {
	for _, tool := range []string{"iptables-nft", "iptables-legacy"} {
		t.Run(tool, func(t *testing.T) {
			enter(t)
			run(t, tool+" -t nat -A PREROUTING -p udp --dport 80 -j DNAT --to-destination 192.0.2.7-192.0.2.8:51820")
			found, err := Reader{}.nftables(nil)
			if tool == "iptables-legacy" {
				found, err = Reader{}.iptables(nil)
			}
			if err != nil || len(found.diversions) != 1 || found.diversions[0].Port != 0 {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

func TestIptablesNft(t *testing.T) {
	for _, test := range iptablesRules {
		t.Run(test.rule, func(t *testing.T) {
			enter(t)
			run(t, "iptables-nft "+test.rule)
			found, err := Reader{}.nftables(nil)
			checkFound(t, found, err, test.want)
		})
	}
}

// ebtables writes its own targets into nf_tables.
func TestEbtablesNft(t *testing.T) {
	for line, want := range map[string][]string{
		"-t nat -A PREROUTING -p ipv4 --ip-dst 10.42.1.9 -j mark --mark-set 7": {`"effect":"mark"`,
			`"family":"bridge"`},
		"-t nat -A PREROUTING -i veth0 -j dnat --to-destination 02:00:00:00:00:07": {`"effect":"dnat"`,
			`"family":"bridge"`},
		"-t nat -A PREROUTING -i veth0 -j redirect":                                   nil,
		"-t nat -A POSTROUTING -o veth0 -j snat --to-source 02:00:00:00:00:07":        nil,
		"-t nat -A PREROUTING -p arp -j arpreply --arpreply-mac 02:00:00:00:00:07":    nil,
		"-t filter -A FORWARD -i vnet0 -p ipv4 --ip-src 198.51.100.9 -j ACCEPT --log": nil,
		"-t filter -A FORWARD -i vnet0 -s ! 02:00:00:00:00:09 -j DROP":                nil,
	} {
		t.Run(line, func(t *testing.T) {
			enter(t)
			run(t, "ebtables-nft "+line)
			found, err := Reader{}.nftables(nil)
			checkFound(t, found, err, want)
		})
	}
}

// What a target does that is not known cannot be reported.
func TestUnknownTargets(t *testing.T) {
	for name, want := range map[string]string{"ROUTE": evidence.EffectBPF, "HMARK": evidence.EffectMark,
		"RAWDNAT": evidence.EffectDNAT, "TARPIT": ""} {
		got, r := "", reading{}
		if r.target(name, 0, nil); len(r.statements) > 0 {
			got = r.statements[0].effect
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func FuzzNftables(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 12, 0, 3, 0, 'p', 'r', 'e', 0, 0, 0, 0, 0, 8, 0, 1, 0, 't', 0, 0, 0})
	number := func(kind uint16, n uint32) []byte { return encode(kind, binary.BigEndian.AppendUint32(nil, n)) }
	element := func(name string, data ...[]byte) []byte {
		return encode(1, encode(unix.NFTA_EXPR_NAME, []byte(name+"\x00")), encode(unix.NFTA_EXPR_DATA, data...))
	}
	f.Add(slices.Concat([]byte{unix.NFPROTO_IPV4, 0, 0, 0}, encode(unix.NFTA_RULE_CHAIN, []byte("c\x00")),
		encode(unix.NFTA_RULE_EXPRESSIONS,
			element("meta", number(unix.NFTA_META_KEY, unix.NFT_META_IIFNAME), number(unix.NFTA_META_DREG, 8)),
			element("lookup", encode(unix.NFTA_LOOKUP_SET, []byte("s\x00")), number(unix.NFTA_LOOKUP_SREG, 8)),
			element("immediate", number(nftaImmediateTo, 9),
				encode(unix.NFTA_IMMEDIATE_DATA, number(unix.NFTA_DATA_VALUE, 1))),
			element("meta", number(unix.NFTA_META_KEY, unix.NFT_META_MARK), number(unix.NFTA_META_SREG, 9)))))
	f.Fuzz(func(t *testing.T, message []byte) {
		parseChain(message)
		values := set{elements: parseElements(message), whole: true, intervals: len(message)%2 == 0}
		at, body := parseRule(message)
		r := rule{chainName: at, body: body}.read(condition{}, nil, func(string, field) set { return values })
		for _, d := range r.decisions {
			words(d.condition, 0, "drop")
		}
		for _, s := range r.statements {
			selector := s.condition.selector()
			d := evidence.Diversion{Selector: selector, Rule: shown(selector, s.text)}
			if _, err := evidence.Encode(&evidence.Message{Diversion: &d}); err != nil && len(message) < 2048 {
				t.Error(err)
			}
		}
	})
}
