//go:build linux

package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

var traffic = Traffic{
	Ports: []uint16{51820},
	Pods:  []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24"), netip.MustParsePrefix("10.42.1.0/24")},
}

// firewallLines reads what the test's namespace has and renders it, each with
// where it is and its conditions.
func firewallLines(t *testing.T) (lines []string) {
	t.Helper()
	found, problems := Reader{}.Firewall(traffic, links())
	if len(problems) > 0 {
		t.Error(problems)
	}
	for _, f := range found {
		when := ""
		if len(f.When.Other) > 0 {
			when = " if " + strings.Join(f.When.Other, ", ")
		}
		lines = append(lines, fmt.Sprintf("%s %s/%s %s<%s #%d: %s = %s %d %d%s",
			f.Tool, f.Table, f.Chain, f.Hook, f.Base, f.Number, f.Rule, f.Effect, f.Port, f.Packets, when))
		if f.Tool == "nftables" && f.Rule != "policy drop" && f.Handle == 0 {
			t.Errorf("no handle: %+v", f)
		}
	}
	return lines
}

func sameLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What bears on the port, in the order in which a packet meets it, with the
// conditions of the jumps that lead there.
func TestFirewall(t *testing.T) {
	enter(t)
	runScript(t, `
table inet filter {
  set closed { type inet_service; flags interval; elements = { 51000-52000, 60000 } }
  chain input { type filter hook input priority 0; policy drop;
    tcp dport 51820 accept
    udp dport 53 accept
    iifname "eth9" udp dport 51820 counter packets 7 bytes 700 drop
    udp dport { 22, 51821 } accept
    udp dport @closed reject
    ip saddr 192.0.2.7 drop
    ct state established accept
    ct state invalid drop
    ct state new udp dport 51820 drop
    meta l4proto != tcp drop
    meta l4proto udp drop
    udp dport vmap { 51820 : accept, 9 : drop, 7 : jump other }
    iifname "eth3" jump ufw-after
    udp dport != 51820 accept
    udp dport 50000-52000 accept
  }
  chain ufw-after { counter drop
  }
  chain other { drop
  }
  chain unreached { udp dport 51820 drop
  }
}
table ip nat { chain pre { type nat hook prerouting priority 0; udp dport 51820 accept
  }
}
`)
	sameLines(t, firewallLines(t), []string{
		`nftables filter/input input<input #3: iifname "eth9" udp dport 51820 drop = drop 51820 7`,
		`nftables filter/input input<input #5: udp dport { 51000-52000, 60000 } reject = drop 51820 0`,
		`nftables filter/input input<input #6: ip saddr 192.0.2.7 drop = drop 0 0`,
		`nftables filter/input input<input #8: (a part of a field) drop = drop 0 0 if a part of a field`,
		`nftables filter/input input<input #9: udp dport 51820 (a part of a field) drop = drop 51820 0 if a part of a field`,
		`nftables filter/input input<input #10: meta l4proto != tcp drop = drop 0 0`,
		`nftables filter/input input<input #11: meta l4proto udp drop = drop 0 0`,
		`nftables filter/input input<input #12: udp dport 51820 accept = accept 51820 0`,
		`ufw filter/ufw-after input<input #1: drop = drop 0 0`,
		`nftables filter/input input<input #15: udp dport 50000-52000 accept = accept 51820 0`,
		`nftables filter/input input<input #16: policy drop = drop 0 0`,
	})
	found, _ := Reader{}.Firewall(traffic, links())
	for _, f := range found {
		switch {
		case f.Chain == "ufw-after" && !slices.Equal(f.When.In, []string{"eth3"}):
			t.Errorf("the condition of the jump is lost: %+v", f.When)
		case strings.Contains(f.Rule, "!= tcp") &&
			(slices.Contains(f.When.Protocol, 6) || !slices.Contains(f.When.Protocol, 17)):
			t.Errorf("%+v", f.When)
		}
	}
}

// ufw accepts in a chain of its own; what returns from a chain leaves the rest to others.
func TestFirewallChains(t *testing.T) {
	enter(t)
	runScript(t, `
table ip filter {
  chain INPUT { type filter hook input priority 0; policy drop;
    iifname "lo" accept
    jump ufw-user-input
    ip saddr 192.0.2.0/24 jump guarded
    goto last
  }
  chain ufw-user-input { udp dport 51820 accept
  }
  chain guarded { udp dport 51820 return
    drop
  }
  chain last { accept
  }
}
`)
	sameLines(t, firewallLines(t), []string{
		`nftables filter/INPUT input<INPUT #1: iifname "lo" accept = accept 0 0`,
		`ufw filter/ufw-user-input input<INPUT #1: udp dport 51820 accept = accept 51820 0`,
		`nftables filter/guarded input<INPUT #2: drop = drop 0 0 if no earlier rule of guarded applies`,
		`nftables filter/last input<INPUT #1: accept = accept 0 0`,
		`nftables filter/INPUT input<INPUT #5: policy drop = drop 0 0`,
	})
}

// Before the input hook: a card's own chain, a bridge's, a translation, and the
// chains of a program for NetworkPolicies, which are named and not read.
func TestFirewallElsewhere(t *testing.T) {
	enter(t)
	run(t, "ip link add eth0 type veth peer name wan")
	runScript(t, `
table netdev t { chain in { type filter hook ingress device "eth0" priority 0; udp dport 51820 drop
  }
}
table bridge b { chain in { type filter hook prerouting priority 0; ip saddr 192.0.2.11 drop
  }
}
table ip nat {
  chain pre { type nat hook prerouting priority dstnat; fib daddr type local jump CNI-HOSTPORT-DNAT
    ip daddr 10.43.0.7 udp dport 51820 jump KUBE-SVC-A
    tcp dport 80 dnat to 10.42.1.7
  }
  chain CNI-HOSTPORT-DNAT { udp dport 51820 dnat to 10.42.1.250:51820
    udp dport 53 dnat to 10.42.1.9
  }
  chain KUBE-SVC-A { dnat to 10.42.1.9
  }
}
table ip filter {
  chain FORWARD { type filter hook forward priority 0; policy drop;
    jump KUBE-ROUTER-FORWARD
    ip saddr 10.42.0.0/16 accept
    ip saddr 172.17.0.0/16 accept
    ip daddr 10.42.1.0/24 meta l4proto udp drop
  }
  chain KUBE-ROUTER-FORWARD { drop
  }
}
`)
	sameLines(t, firewallLines(t), []string{
		`nftables nat/CNI-HOSTPORT-DNAT prerouting<pre #1: udp dport 51820 dnat to 10.42.1.250 = dnat 51820 0 if daddr type local`,
		`nftables nat/pre prerouting<pre #2: ip daddr 10.43.0.7 udp dport 51820 jump KUBE-SVC-A = dnat 51820 0`,
		`nftables t/in ingress<in #1: udp dport 51820 drop = drop 51820 0`,
		`nftables b/in prerouting<in #1: ip saddr 192.0.2.11 drop = drop 0 0`,
		`nftables filter/FORWARD forward<FORWARD #1: jump KUBE-ROUTER-FORWARD = present 0 0`,
		`nftables filter/FORWARD forward<FORWARD #2: ip saddr 10.42.0.0/16 accept = accept 0 0`,
		`nftables filter/FORWARD forward<FORWARD #4: ip daddr 10.42.1.0/24 meta l4proto udp drop = drop 0 0`,
		`nftables filter/FORWARD forward<FORWARD #5: policy drop = drop 0 0`,
	})
	found, _ := Reader{}.Firewall(traffic, links())
	for _, f := range found {
		if f.Table == "t" && (f.Link != "eth0" || !slices.Equal(f.When.In, []string{"eth0"})) {
			t.Errorf("%+v", f)
		}
	}
}

func TestFirewallLegacy(t *testing.T) {
	enter(t)
	for _, line := range []string{
		"-I INPUT -p udp --dport 51820 -j DROP", "-A INPUT -i lo -j ACCEPT", "-P INPUT DROP",
		"-t raw -A PREROUTING -s 192.0.2.11 -j DROP", "-t mangle -A OUTPUT -p udp -j DROP",
		"-t nat -A PREROUTING -p udp --dport 51820 -j DNAT --to-destination 10.42.1.250",
	} {
		run(t, "iptables-legacy "+line)
	}
	sameLines(t, firewallLines(t), []string{
		`iptables-legacy raw/PREROUTING prerouting<PREROUTING #1: ip saddr 192.0.2.11 drop = drop 0 0`,
		`iptables-legacy mangle/OUTPUT output<OUTPUT #1: meta l4proto udp drop = drop 0 0`,
		`iptables-legacy nat/PREROUTING prerouting<PREROUTING #1: udp dport 51820 DNAT = dnat 51820 0`,
		`iptables-legacy filter/INPUT input<INPUT #1: udp dport 51820 drop = drop 51820 0`,
		`iptables-legacy filter/INPUT input<INPUT #2: iifname "lo" accept = accept 0 0`,
		`iptables-legacy filter/INPUT input<INPUT #3: policy drop = drop 0 0`,
	})
}

// Filters of traffic control that drop, in the words of each kind.
func TestFirewallTC(t *testing.T) {
	for filter, want := range map[string]string{
		"protocol ip flower ip_proto udp dst_port 51820 action drop": "udp dport 51820 flower " +
			"action drop = drop 51820",
		"protocol ip u32 match ip protocol 17 0xff match ip dport 51820 0xffff action drop": "udp dport 51820 u32 " +
			"action drop = drop 51820",
		"protocol all matchall action drop":                          "matchall action drop = drop 0",
		"protocol ip flower ip_proto tcp dst_port 51820 action drop": "",
	} {
		t.Run(filter, func(t *testing.T) {
			enter(t)
			run(t, "ip link add eth0 type veth peer name wan")
			run(t, "tc qdisc add dev eth0 clsact")
			run(t, "tc filter add dev eth0 ingress "+filter)
			found, problems := Reader{}.Firewall(traffic, links())
			if got := dropLine(found); got != want && got != "meta nfproto ipv4 "+want || len(problems) > 0 {
				t.Errorf("%q, want %q; %v", got, want, problems)
			}
		})
	}
}

func dropLine(found []evidence.Firewall) (line string) {
	for _, f := range found {
		line += fmt.Sprintf("%s = %s %d", f.Rule, f.Effect, f.Port)
		if len(f.When.Other) > 0 {
			line += " if " + strings.Join(f.When.Other, ", ")
		}
	}
	return line
}

// The same as TestFirewallTC for filters that the kernel may not have.
func TestFirewallTCFilters(t *testing.T) {
	key := func(kind uint16, value ...byte) []byte { return encode(kind, value) }
	word := func(mask, value uint32, offset uint32) (b []byte) {
		b = binary.BigEndian.AppendUint32(b, mask)
		b = binary.BigEndian.AppendUint32(b, value)
		return native.AppendUint32(native.AppendUint32(b, offset), 0)
	}
	selector := func(words ...[]byte) []byte {
		head := append([]byte{0, 0, byte(len(words)), 0}, make([]byte, 12)...)
		return encode(5, append([][]byte{head}, words...)...)
	}
	const shot, ok = 2, 0
	ip, arp := []byte{0x08, 0x00}, []byte{0x08, 0x06}
	for name, test := range map[string]struct {
		kind     string
		protocol []byte
		action   uint32
		keys     []byte
		want     string
	}{
		"port": {"flower", ip, shot,
			slices.Concat(key(8, ip...), key(9, 17), key(21, 0xca, 0x6c), key(38, 0xff, 0xff), key(86, 0, 0, 0, 0)),
			"udp dport 51820 flower action drop = drop 51820"},
		"sender": {"flower", ip, shot, slices.Concat(key(9, 17), key(10, 192, 0, 2, 0), key(11, 255, 255, 255, 0)),
			"ip saddr 192.0.2.0/24 meta l4proto udp flower action drop = drop 0"},
		"another key": {"flower", ip, shot, slices.Concat(key(9, 17), key(21, 0xca, 0x6c), key(73, 1)),
			"udp dport 51820 (flower key 73) flower action drop = drop 51820 if flower key 73"},
		"ports under a mask": {"flower", ip, shot, slices.Concat(key(9, 17), key(21, 0xca, 0x6c), key(38, 0xff, 0)),
			"meta l4proto udp (a port under a mask) flower action drop = drop 0 if a port under a mask"},
		"tcp":        {"flower", ip, shot, slices.Concat(key(9, 6), key(19, 0xca, 0x6c)), ""},
		"other port": {"flower", ip, shot, slices.Concat(key(9, 17), key(21, 0, 53)), ""},
		"passes":     {"flower", ip, ok, key(9, 17), ""},
		"arp":        {"matchall", arp, shot, nil, ""},
		"everything": {"matchall", []byte{0, 3}, shot, nil, "matchall action drop = drop 0"},
		"u32": {"u32", ip, shot, selector(word(0xff0000, 17<<16, 8), word(0xffff, 51820, 20)),
			"udp dport 51820 u32 action drop = drop 51820"},
		"u32, sender": {"u32", ip, shot, selector(word(0xffffffff, 0xc000020b, 12)),
			"ip saddr 192.0.2.11 u32 action drop = drop 0"},
		"u32, else": {"u32", ip, shot, selector(word(0xff, 1, 0)),
			"(u32 0x1/0xff at 0) u32 action drop = drop 0 if u32 0x1/0xff at 0"},
		"cut short": {"u32", ip, shot, encode(5, []byte{0, 0, 9, 0}),
			"(a selector that cannot be read) u32 action drop = drop 0 if a selector that cannot be read"},
	} {
		message := make([]byte, sizeofTcMessage)
		native.PutUint32(message[4:], 2)
		native.PutUint32(message[12:], clsactIngress)
		native.PutUint32(message[16:], 1<<16|uint32(native.Uint16(test.protocol)))
		parms := native.AppendUint32(make([]byte, 8), test.action)
		gact := encode(1, encode(tcaKind, []byte("gact\x00")), encode(tcaOptions, encode(2, parms, make([]byte, 8))))
		options := encode(tcaOptions, encode(actionLists[test.kind], gact), test.keys)
		w := newFirewall(traffic, []evidence.Link{{Index: 2, Name: "eth0"}})
		w.filter(slices.Concat(message, encode(tcaKind, []byte(test.kind+"\x00")), options))
		if got := dropLine(w.found); got != test.want && got != "meta nfproto ipv4 "+test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// Rules for pods' own links are not the tunnel's, and there can be one for each pod.
func TestFirewallOfPodLinks(t *testing.T) {
	w := newFirewall(traffic, []evidence.Link{
		{Index: 2, Name: "eth0", Role: evidence.RoleOutside}, {Index: 3, Name: "tun7", Kind: "tun",
			Role: evidence.RoleInside},
		{Index: 4, Name: "cali123", Kind: "veth", Role: evidence.RoleInside},
	})
	for name, want := range map[string]bool{"eth0": true, "e*": true, "*": true, "tun7": true, "cali123": false,
		"cali*": false, "eth1": false} {
		c := condition{Selector: evidence.Selector{In: []string{name}}}
		if bears, _ := w.concerns("input", c); bears != want {
			t.Errorf("%s: %v", name, bears)
		}
	}
}

// What is reported is bounded, whatever a node's filters are.
func TestFirewallBounds(t *testing.T) {
	w := newFirewall(traffic, nil)
	for range 3 * maxFirewallRules {
		w.add(chainName{}, firewallBase{}, evidence.Firewall{Effect: "drop"}, condition{})
	}
	if len(w.found) != maxFirewallRules {
		t.Error(len(w.found))
	}
	// A policy behind chains that were not read may not come to drop.
	w = newFirewall(traffic, nil)
	w.visits = maxFirewallVisits
	w.rules = func(chainName) ([]numberedRule, error) { return nil, nil }
	w.enter(firewallBase{baseChain: baseChain{hook: "input"}, policy: codeDrop})
	if len(w.found) != 1 || len(w.found[0].When.Other) == 0 {
		t.Errorf("%+v", w.found)
	}
}
