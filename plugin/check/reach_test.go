package check

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// reached is one fault between node-1 and node-2, with the variant of WG0501
// that it must be reported by, parts of the text and the readings, and facts of the
// remedy ("" = must not be there).
type reachedCase struct {
	name    string
	run     func() streams
	variant string
	says    []string
	facts   map[string]string
}

const reachesCard = "WireGuard messages of node-1 reach eth0 of node-2"

var reachedCases = []reachedCase{
	// Rules.
	{"a rule for one sender, shown whole", func() streams {
		return unacceptedRun(inputRule("drop", "INPUT", "ip saddr 192.0.2.10 udp dport 51820 drop",
			at51820(evidence.Selector{From: prefixes("192.0.2.10/32")})))
	}, "iptables-rule", []string{reachesCard, "its kernel drops them before flannel-wg", "chain ip filter INPUT",
		"ip saddr 192.0.2.10 udp dport 51820 drop"},
		map[string]string{"address": "192.0.2.10", "side": "source",
			"number": "3", "handle": "7", "iptables": "iptables-nft"}},
	{"a rule for another sender", func() streams {
		return unacceptedRun(inputRule("drop", "INPUT", "drop",
			at51820(evidence.Selector{From: prefixes("203.0.113.7/32")})))
	}, "dropped", []string{reachesCard, "what drops them was not found"}, map[string]string{"handle": ""}},
	{"a rule for a sender that names no port", func() streams {
		return unacceptedRun(inputRule("drop",
			"INPUT", "ip saddr 192.0.2.0/24 drop", evidence.Selector{From: prefixes("192.0.2.0/24")}))
	}, "iptables-rule", []string{"ip saddr 192.0.2.0/24 drop"}, nil},
	{"a rule for all but TCP", func() streams {
		return unacceptedRun(inputRule("drop",
			"INPUT", "meta l4proto != tcp drop", evidence.Selector{Protocol: []byte{1, 17, 58}}))
	}, "iptables-rule", []string{"meta l4proto != tcp drop"}, nil},
	{"a rule for TCP", func() streams {
		return unacceptedRun(inputRule("drop",
			"INPUT", "meta l4proto tcp drop", evidence.Selector{Protocol: []byte{6}}))
	}, "dropped", nil, nil},
	{"a rule for another link", func() streams {
		return unacceptedRun(inputRule("drop", "INPUT", `iifname "eth1" drop`, evidence.Selector{In: []string{"eth1"}}))
	}, "dropped", nil, nil},
	{"a rule of nf_tables' own", func() streams {
		return unacceptedRun(rewritten(inputRule("drop", "input", "udp dport 51820 drop", at51820(evidence.Selector{})),
			func(f *evidence.Firewall) {
				f.Family, f.Table, f.Base = "inet", "fw", "input"
			}))
	}, "nft-rule", []string{"chain inet fw input"}, map[string]string{"handle": "7", "iptables": "",
		"ip": "ip", "end": "saddr"}},
	{"a rule behind one that accepts", func() streams {
		return unacceptedRun(inputRule("accept", "INPUT", "udp dport 51820 accept", at51820(evidence.Selector{})),
			inputRule("drop", "INPUT", "udp dport 51820 drop", at51820(evidence.Selector{})))
	}, "dropped", nil, nil},
	{"an accept behind the rule", func() streams {
		return unacceptedRun(inputRule("drop", "INPUT", "udp dport 51820 drop", at51820(evidence.Selector{})),
			inputRule("accept", "INPUT", "udp dport 51820 accept", at51820(evidence.Selector{})))
	}, "iptables-rule", nil, nil},
	{"a policy that nothing accepts against", func() streams {
		return unacceptedRun(inputRule("accept", "INPUT", `iifname "lo" accept`, evidence.Selector{In: []string{"lo"}}),
			policy("INPUT"))
	}, "iptables-policy", []string{"accepts no UDP port 51820", "policy drop"}, map[string]string{"chain": "INPUT"}},
	{"a policy, and an accept in a chain of ufw", func() streams {
		return unacceptedRun(inputRule("accept", "ufw-user-input",
			"udp dport 51820 accept", at51820(evidence.Selector{})), policy("INPUT"))
	}, "dropped", nil, nil},
	{"a policy, and an accept under a condition that is not understood", func() streams {
		return unacceptedRun(inputRule("accept", "ufw-user-input",
			"udp dport 51820 (limit) accept", at51820(evidence.Selector{Other: []string{"limit"}})), policy("INPUT"))
	}, "doubtful", []string{"a rule whose conditions were not all understood may (chain ip filter INPUT)",
		"policy drop"}, nil},
	{"a last rule that rejects what nothing accepted", func() streams {
		return unacceptedRun(rewritten(inputRule("drop", "filter_INPUT", "reject", evidence.Selector{}),
			func(f *evidence.Firewall) {
				f.Tool, f.Family, f.Table, f.Base = "firewalld", "inet", "firewalld", "filter_INPUT"
			}))
	}, "firewalld-rule", []string{"firewalld inet firewalld filter_INPUT reject",
		"drops what it does not accept"}, nil},
	{"a rule that may drop it", func() streams {
		return unacceptedRun(inputRule("drop", "INPUT", "udp dport 51820 (limit) drop",
			at51820(evidence.Selector{Other: []string{"limit"}})))
	}, "doubtful", []string{"what drops them is not known", "(limit) drop"}, map[string]string{"handle": ""}},
	{"iptables-legacy", func() streams {
		return unacceptedRun(rewritten(inputRule("drop", "INPUT", "udp dport 51820 drop", at51820(evidence.Selector{})),
			func(f *evidence.Firewall) {
				f.Tool, f.Handle = "iptables-legacy", 0
			}))
	}, "iptables-rule", []string{"iptables-legacy ip filter INPUT"}, map[string]string{"iptables": "iptables-legacy"}},
	{"a chain of the card", func() streams {
		return unacceptedRun(rewritten(inputRule("drop", "in", "udp dport "+
			"51820 drop", at51820(evidence.Selector{In: []string{"eth0"}})), func(f *evidence.Firewall) {
			f.Family, f.Table, f.Base, f.Hook, f.Link = "netdev", "t", "in", "ingress", "eth0"
		}))
	}, "nft-rule", []string{"chain netdev t in on eth0"}, nil},
	{"a filter of traffic control", func() streams {
		return unacceptedRun(evidence.Message{Firewall: &evidence.Firewall{Tool: "tc", Chain: "ingress",
			Base: "ingress", Hook: "ingress", Link: "eth0", Effect: "drop", Rule: "udp dport 51820 flower action drop",
			When: &evidence.Selector{In: []string{"eth0"}}}})
	}, "tc", []string{reachesCard, "a filter of traffic control (tc) on eth0 drops UDP port 51820"}, nil},
	{"a rule in a chain of network policies", func() streams {
		return unacceptedRun(inputRule("drop", "cali-from-host-endpoint", "drop", evidence.Selector{}))
	}, "policies", nil, nil},
	{"a bridge's rule, and no bridge", func() streams {
		return unacceptedRun(rewritten(inputRule("drop", "pre", "drop", evidence.Selector{}),
			func(f *evidence.Firewall) {
				f.Family, f.Hook = "bridge", "prerouting"
			}))
	}, "dropped", nil, nil},

	// Other causes behind the card.
	{"a translation of the port", func() streams {
		return unacceptedRun(rewritten(inputRule("dnat", "PREROUTING", "udp dport "+
			"51820 DNAT", at51820(evidence.Selector{Other: []string{toHost}})), func(f *evidence.Firewall) {
			f.Table, f.Base, f.Hook = "nat", "PREROUTING", "prerouting"
		}))
	}, "dnat", []string{reachesCard, "sends them elsewhere", "chain ip nat PREROUTING"}, nil},
	{"a translation for a Service's own address", func() streams {
		return unacceptedRun(rewritten(inputRule("dnat", "KUBE-SERVICES", "jump KUBE-SVC-A",
			at51820(evidence.Selector{To: prefixes("10.43.0.7/32")})), func(f *evidence.Firewall) {
			f.Table, f.Base, f.Hook = "nat", "PREROUTING", "prerouting"
		}))
	}, "dropped", nil, nil},
	{"a strict rp_filter, and a route back by another card", func() streams {
		s := unacceptedRun(evidence.Message{
			Link: &evidence.Link{Index: 9, Name: "eth1", Up: true, Role: evidence.RoleOutside},
		},
			evidence.Message{
				Capture: &evidence.Capture{Link: "eth1", Role: evidence.RoleOutside, Started: true, Alive: true,
					ControlTX: 1, ControlRX: 1},
			})
		onLink(s, "eth0", func(l *evidence.Link) { l.ReversePath = 1 })
		route(s["probe/node-2"], evidence.Route{For: underlay(0), Link: "eth1", Type: "unicast", Table: 254})
		return s
	}, "reverse-path", []string{reachesCard,
		"rp_filter of eth0 is strict (1), and the route back to 192.0.2.10 leaves by eth1"},
		map[string]string{"link": "eth0"}},
	{"a loose rp_filter", func() streams {
		s := unacceptedRun()
		onLink(s, "eth0", func(l *evidence.Link) { l.ReversePath = 2 })
		route(s["probe/node-2"], evidence.Route{For: underlay(0), Link: "cni0", Type: "unicast", Table: 254})
		return s
	}, "dropped", nil, nil},
	{"a strict rp_filter, and the route back by the same card", func() streams {
		s := unacceptedRun()
		onLink(s, "eth0", func(l *evidence.Link) { l.ReversePath = 1 })
		return s
	}, "dropped", nil, nil},
	{"a rule that does what rp_filter does", func() streams {
		s := unacceptedRun(inputRule("drop",
			"INPUT", "(rpfilter) drop", evidence.Selector{Other: []string{"rpfilter"}}))
		route(s["probe/node-2"], evidence.Route{For: underlay(0), Link: "cni0", Type: "unicast", Table: 254})
		return s
	}, "reverse-path", []string{"drops what arrives by another link", "leaves by cni0"}, nil},
	{"a rule that does what rp_filter does, and the route back by the same card", func() streams {
		return unacceptedRun(inputRule("drop",
			"INPUT", "(rpfilter) drop", evidence.Selector{Other: []string{"rpfilter"}}))
	}, "doubtful", nil, nil},
	{"the counter of rp_filter", func() streams { return unacceptedRun(counter("IPReversePathFilter")) },
		"reverse-path", []string{reachesCard, "IPReversePathFilter rose by 12"}, nil},
	{"wrong checksums", func() streams { return unacceptedRun(counter("UdpInCsumErrors")) }, "checksum",
		[]string{reachesCard, "wrong checksums", "UdpInCsumErrors rose by 12"}, nil},
	{"wrong checksums of the other family", func() streams { return unacceptedRun(counter("Udp6InCsumErrors")) },
		"dropped", nil, nil},
	{"an XDP program", func() streams {
		s := unacceptedRun()
		onLink(s, "eth0", func(l *evidence.Link) { l.XDP = &evidence.XDP{Mode: "native", ID: 44} })
		return s
	}, "program", []string{"a BPF program on eth0 can", "XDP program 44"}, nil},
	{"a BPF program of traffic control", func() streams {
		return unacceptedRun(evidence.Message{
			Diversion: &evidence.Diversion{By: "tc", Effect: evidence.EffectBPF, Hook: "ingress", Link: "eth0",
				Rule: "bpf cali_from_host"},
		})
	}, "program", []string{"bpf cali_from_host"}, nil},

	// Keys.
	{"a preshared key at one end", func() streams { s := unacceptedRun(); preshared(s, 0, 1); answered(s); return s },
		"handshake", []string{"node-1 has a preshared key for node-2, which has none for it",
			"preshared key for node-1 none"}, nil},
	{"a preshared key at the other end", func() streams { s := unacceptedRun(); preshared(s, 1, 0); return s },
		"handshake", []string{"node-2 has a preshared key for node-1, which has none for it"}, nil},
	{"a preshared key at both ends", func() streams {
		s := unacceptedRun()
		preshared(s, 0, 1)
		preshared(s, 1, 0)
		answered(s)
		return s
	},
		"handshake", []string{"may differ"}, nil},
	{"a preshared key at both ends, and no answer that is not accepted",
		func() streams { s := unacceptedRun(); preshared(s, 0, 1); preshared(s, 1, 0); return s },
		"dropped", nil, nil},
	{"no preshared key, and answers that are not accepted",
		func() streams { s := unacceptedRun(); answered(s); return s }, "dropped",
		[]string{reachesCard, "what drops them was not found"}, nil},
	{"a policy with an accept for the port, and a preshared key at one end", func() streams {
		s := unacceptedRun(inputRule("accept", "ufw-user-input",
			"udp dport 51820 accept", at51820(evidence.Selector{})), policy("INPUT"))
		preshared(s, 0, 1)
		return s
	}, "handshake", nil, nil},

	// What does not leave.
	{"an unreachable route to the endpoint", func() streams {
		s := unsentRun(entry("192.0.2.11/32", "", "unreachable", 254))
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Error: "no route to host"})
		return s
	}, "unreachable", []string{"node-1 cannot send to the endpoint of node-2, 192.0.2.11: the route unreachable " +
		"192.0.2.11/32 refuses it", "no route to host"},
		map[string]string{"route": "192.0.2.11/32", "type": "unreachable", "table": "254"}},
	{"a blackhole for more than the endpoint", func() streams {
		s := unsentRun(entry("192.0.2.0/28", "", "blackhole", 254))
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Error: "invalid argument"})
		return s
	}, "unreachable", []string{"blackhole 192.0.2.0/28"}, map[string]string{"route": ""}},
	{"no route to the endpoint", func() streams {
		s := unsentRun()
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Error: "network is unreachable"})
		return s
	}, "no-route", []string{"node-1 has no route to the endpoint of node-2, 192.0.2.11: network is unreachable"}, nil},
	{"a policy rule that refuses the endpoint", func() streams {
		s := unsentRun(evidence.Message{
			Rule: &evidence.Rule{Family: 4, Priority: 77, To: prefixes("192.0.2.11/32")[0], Action: "prohibit"},
		})
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Error: "permission denied"})
		return s
	}, "no-route", []string{"the policy rule of priority 77 refuses it (prohibit)"}, nil},
	{"an endpoint that the node has itself", func() streams {
		s := unsentRun()
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Link: "lo", Type: "local", Table: 255})
		return s
	}, "own-address", []string{"node-1 takes the endpoint of node-2, 192.0.2.11, for an address of its own (on lo)"},
		nil},
	{"a loop", func() streams {
		s := unsentRun(entry("192.0.2.11/32", "flannel-wg", "unicast", 254))
		route(s["probe/node-1"], evidence.Route{For: underlay(1),
			Link: "flannel-wg", Destination: prefixes("192.0.2.11/32")[0], Type: "unicast", Table: 254})
		return s
	}, "loop", []string{"leads into flannel-wg itself: a loop"}, map[string]string{"route": "192.0.2.11/32",
		"link": "flannel-wg"}},
	{"a pod range that covers the nodes", func() streams {
		s := unsentRun(entry("192.0.0.0/16", "flannel-wg", "unicast", 254))
		route(s["probe/node-1"], evidence.Route{For: underlay(1),
			Link: "flannel-wg", Destination: prefixes("192.0.0.0/16")[0], Type: "unicast", Table: 254})
		return s
	}, "loop", []string{"the route 192.0.0.0/16 covers the nodes' own network"}, map[string]string{"route": ""}},
	{"another VPN", func() streams {
		s := unsentRun(evidence.Message{
			Link: &evidence.Link{Index: 8, Name: "tun7", Kind: "tun", Up: true, MTU: 1500, Role: evidence.RoleInside},
		})
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Link: "tun7", Type: "unicast", Table: 254})
		return s
	}, "vpn", []string{"leads into tun7 (tun), and nothing of it arrives"}, nil},
	{"a source port that is rewritten", func() streams {
		s := unsentRun()
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(1) {
				tunnel := *m.Tunnel
				tunnel.Local = netip.AddrPortFrom(underlay(0), 11787)
				tunnel.TX = evidence.Flow{Initiations: 3, Bytes: 444,
					Handshakes: []evidence.Handshake{{Type: 1, Sender: 7, For: publicKey(1)}}}
				m.Tunnel = &tunnel
			}
		})
		return s
	}, "source-port", []string{"leave it from UDP port 11787 and not from 51820"}, nil},
	{"a message of nobody for the same endpoint", func() streams { return sentBeside(nil) }, "output",
		[]string{"no WireGuard message leaves the host"}, nil},
	{"both, and another tunnel's handshake from the same port", func() streams {
		return sentBeside([]evidence.Handshake{{Type: 1, Sender: 7, For: publicKey(1)},
			{Type: 1, Sender: 8, For: publicKey(2)}})
	}, "output", []string{"no WireGuard message leaves the host"}, nil},
	{"another tunnel's handshake for the same endpoint", func() streams {
		return sentBeside([]evidence.Handshake{{Type: 1, Sender: 7, For: publicKey(2)}})
	}, "output", []string{"no WireGuard message leaves the host"}, nil},
	{"a neighbour that does not answer", func() streams {
		return unsentRun(
			evidence.Message{Neighbour: &evidence.Neighbour{Address: underlay(1), Link: "eth0", State: "failed"}})
	}, "neighbour", []string{"node-1 gets no answer to ARP for 192.0.2.11 on eth0", "192.0.2.11 failed"},
		map[string]string{"hop": "192.0.2.11"}},
	{"a neighbour of another", func() streams {
		return unsentRun(
			evidence.Message{Neighbour: &evidence.Neighbour{Address: underlay(2), Link: "eth0", State: "failed"}})
	}, "output", []string{"no WireGuard message leaves the host"}, nil},
	{"a rule for what is sent", func() streams {
		return unsentRun(rewritten(inputRule("drop", "OUTPUT", "udp dport 51820 drop", at51820(evidence.Selector{})),
			func(f *evidence.Firewall) {
				f.Base, f.Hook = "OUTPUT", "output"
			}))
	}, "output-iptables-rule", []string{"its kernel drops the WireGuard messages before they leave"},
		map[string]string{"address": "192.0.2.11", "side": "destination"}},
	{"a rule for what is sent to another", func() streams {
		return unsentRun(rewritten(inputRule("drop",
			"OUTPUT", "drop", evidence.Selector{To: prefixes("192.0.2.12/32")}), func(f *evidence.Firewall) {
			f.Base, f.Hook = "OUTPUT", "output"
		}))
	}, "output", nil, nil},
}

// What does not arrive may have been dropped by an XDP program, before any capture.
func TestLostBehindXDP(t *testing.T) {
	for name, test := range map[string]struct {
		xdp     *evidence.XDP
		variant string
	}{"no program": {nil, "network"}, "a program": {&evidence.XDP{Mode: "native", ID: 44}, "xdp"}} {
		s := unacceptedRun()
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(0) {
				tunnel := *m.Tunnel
				tunnel.RX = evidence.Flow{}
				m.Tunnel = &tunnel
			}
		})
		onLink(s, "eth0", func(l *evidence.Link) { l.XDP = test.xdp })
		f := Judge(record(t, s)).FirstCause
		if f == nil || f.Code != "WG0501" || f.Variant != test.variant ||
			!strings.Contains(f.Text, "it leaves node-1 and does not arrive") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// Each fault has its own cause, in words that are true of it.
func TestReached(t *testing.T) {
	for _, test := range reachedCases {
		t.Run(test.name, func(t *testing.T) {
			f := Judge(record(t, test.run())).FirstCause
			if f == nil || f.Code != "WG0501" || f.Status != verdict.Fail || f.Subject.Node != "node-1" ||
				f.Variant != test.variant {
				t.Fatalf("%+v, want variant %s", f, test.variant)
			}
			text := f.Text
			for _, r := range f.Readings {
				text += "\n" + r.Node + " " + r.What + " " + r.Text
			}
			for _, part := range test.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in\n%s", part, text)
				}
			}
			for name, want := range test.facts {
				if f.Facts[name] != want {
					t.Errorf("fact %s is %q, want %q", name, f.Facts[name], want)
				}
			}
			if strings.Contains(text, "preshared") && f.Variant != "handshake" {
				t.Error("preshared keys are blamed:\n" + text)
			}
		})
	}
}
