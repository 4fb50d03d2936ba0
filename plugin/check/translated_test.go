package check

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// translatedRun is healthy(3) in which node-1 sends what is for node-2 from another
// source port, and node-2 gets it on another port than that of its device if target is
// not 51820.
//
//	node-1 :51820 — source — wire — target — :51820 node-2
func translatedRun(source, target uint16) map[string][]evidence.Message {
	s := healthy(3)
	here, there := netip.AddrPortFrom(underlay(0), source), netip.AddrPortFrom(underlay(1), target)
	for stream, change := range map[string]func(*evidence.Tunnel){
		"probe/node-1": func(t *evidence.Tunnel) { t.Local, t.Remote = here, there },
		"probe/node-2": func(t *evidence.Tunnel) { t.Local, t.Remote = there, here },
	} {
		other, has := 1, there
		if stream == "probe/node-2" {
			other, has = 0, here
		}
		each(s[stream], func(m *evidence.Message) {
			switch {
			case m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(other):
				change(m.Tunnel)
			case m.Count != nil && m.Count.PublicKey == publicKey(other):
				m.Count.Endpoint = has
			case m.Peer != nil && m.Peer.PublicKey == publicKey(other):
				m.Peer.Endpoint = has
			}
		})
	}
	return s
}

// tunnelOf changes what a node captured of its tunnel with another.
func tunnelOf(s map[string][]evidence.Message, stream string, other int, change func(*evidence.Tunnel)) {
	each(s[stream], func(m *evidence.Message) {
		if m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(other) {
			change(m.Tunnel)
		}
	})
}

// endpointOf changes the endpoint that a node's device has for another.
func endpointOf(s map[string][]evidence.Message, stream string, other int, endpoint netip.AddrPort) {
	each(s[stream], func(m *evidence.Message) {
		switch {
		case m.Count != nil && m.Count.PublicKey == publicKey(other):
			m.Count.Endpoint = endpoint
		case m.Peer != nil && m.Peer.PublicKey == publicKey(other):
			m.Peer.Endpoint = endpoint
		}
	})
}

// The nodes may translate their tunnel's datagrams. What is shaped like them and is not
// the tunnel's does not stand in for them.
func TestTranslated(t *testing.T) {
	for _, test := range []struct {
		name           string
		source, target uint16
		change         func(map[string][]evidence.Message)
		verdict        verdict.Verdict
		cause          string
	}{
		{"source port", 40000, 51820, nil, verdict.Passed, ""},
		{"target port", 51820, 51999, nil, verdict.Passed, ""},
		{"both", 40000, 51999, nil, verdict.Passed, ""},
		// Of the four ends of the tunnel no more than one is as the devices report it.
		{"both, and connection tracking at the sender too", 40000, 51999, func(s map[string][]evidence.Message) {
			endpointOf(s, "probe/node-1", 1, netip.AddrPortFrom(underlay(1), 34567))
		}, verdict.Undecided, "WG0602"},
		{"both, and connection tracking at both nodes", 40000, 51999, func(s map[string][]evidence.Message) {
			endpointOf(s, "probe/node-1", 1, netip.AddrPortFrom(underlay(1), 34567))
			endpointOf(s, "probe/node-2", 0, netip.AddrPortFrom(underlay(0), 34568))
		}, verdict.Undecided, "WG0602"},
		{"the same, and other sessions arrive", 40000, 51999, func(s map[string][]evidence.Message) {
			endpointOf(s, "probe/node-1", 1, netip.AddrPortFrom(underlay(1), 34567))
			endpointOf(s, "probe/node-2", 0, netip.AddrPortFrom(underlay(0), 34568))
			tunnelOf(s, "probe/node-2", 0, func(t *evidence.Tunnel) {
				t.RX.Indices[0].Index++
				t.TX.Indices[0].Index++
			})
		}, verdict.Failed, "WG0602"},
		{"other sessions arrive", 40000, 51820, func(s map[string][]evidence.Message) {
			tunnelOf(s, "probe/node-2", 0, func(t *evidence.Tunnel) { t.RX.Indices[0].Index++ })
		}, verdict.Failed, "WG0602"},
		{"other sessions leave", 40000, 51820, func(s map[string][]evidence.Message) {
			tunnelOf(s, "probe/node-1", 1, func(t *evidence.Tunnel) { t.TX.Indices[0].Index++ })
		}, verdict.Failed, "WG0602"},
		{"made for another key", 40000, 51820, func(s map[string][]evidence.Message) {
			tunnelOf(s, "probe/node-1", 1, func(t *evidence.Tunnel) {
				t.TX.Handshakes = []evidence.Handshake{{Type: 1, For: publicKey(2)}}
			})
		}, verdict.Failed, "WG0602"},
		{"less than was counted", 40000, 51820, func(s map[string][]evidence.Message) {
			tunnelOf(s, "probe/node-1", 1, func(t *evidence.Tunnel) { t.TX.Bytes -= 400 })
		}, verdict.Undecided, "WG0603"},
		{"more than was counted", 40000, 51820, func(s map[string][]evidence.Message) {
			tunnelOf(s, "probe/node-1", 1, func(t *evidence.Tunnel) { t.TX.Bytes += 400 })
		}, verdict.Undecided, "WG0603"},
		{"of other sizes", 40000, 51820, func(s map[string][]evidence.Message) {
			tunnelOf(s, "probe/node-1", 1, func(t *evidence.Tunnel) {
				t.TX.Sizes = []evidence.SizeCount{{Size: 1452, Count: 8}}
			})
		}, verdict.Failed, "WG0602"},
		{"counters sent twice", 40000, 51820, func(s map[string][]evidence.Message) {
			tunnelOf(s, "probe/node-1", 1, func(t *evidence.Tunnel) { t.TX.Indices[0].Repeats = 1 })
		}, verdict.Failed, "WG0602"},
		{"in clear", 40000, 51820, func(s map[string][]evidence.Message) {
			s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Sighting: &evidence.Sighting{
				Link: "eth0", Direction: evidence.DirectionTX, Source: 0,
				Target: 1, Family: 4, By: evidence.LeakedByMark, Count: 1,
			}})
		}, verdict.Failed, "WG0601"},
	} {
		s := translatedRun(test.source, test.target)
		if test.change != nil {
			test.change(s)
		}
		j := Judge(record(t, s))
		cause := ""
		if j.FirstCause != nil {
			cause = j.FirstCause.Code
		}
		if j.Verdict != test.verdict || cause != test.cause {
			t.Errorf("%s: %s %s, want %s %s: %v", test.name, j.Verdict, cause, test.verdict, test.cause, bad(j))
		}
	}
}

// The report says which ports the messages of a tunnel have, if not those of its devices.
func TestTranslatedNote(t *testing.T) {
	text := note(t, Judge(record(t, translatedRun(40000, 51999))), verdict.P4Ciphertext)
	for _, want := range []string{
		"; a translation on node-1 has them leave from UDP port 40000",
		"; a translation on node-2 takes them from UDP port 51999",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}

// A statement that gives the tunnel's own datagrams the port of its device takes pods'
// UDP packets nowhere in clear; one that may take them elsewhere is another matter.
func TestStatementForTheTunnel(t *testing.T) {
	udp := evidence.Selector{Protocol: []uint8{protocolUDP}, Target: []evidence.Ports{{From: 51999, To: 51999}}}
	own := underlay(1).String()
	for _, test := range []struct {
		name string
		evidence.Diversion
		verdict verdict.Verdict
		says    string
	}{
		{"redirect", evidence.Diversion{Effect: evidence.EffectProxy, Port: 51820, Selector: udp}, verdict.Passed,
			"to flannel-wg of node-2, which drops them"},
		{"dnat", evidence.Diversion{Effect: evidence.EffectDNAT, To: own, Port: 51820, Selector: udp}, verdict.Passed,
			"to flannel-wg of node-2, which drops them"},
		{"port alone", evidence.Diversion{Effect: evidence.EffectDNAT, Port: 51820, Selector: udp}, verdict.Passed,
			"with UDP port 51820 as their target"},
		{"to another port", evidence.Diversion{Effect: evidence.EffectDNAT, To: own, Port: 9, Selector: udp},
			verdict.Undecided, ""},
		{"to a port that is not known", evidence.Diversion{Effect: evidence.EffectDNAT, To: own, Selector: udp},
			verdict.Undecided, ""},
		{"to another host",
			evidence.Diversion{Effect: evidence.EffectDNAT, To: underlay(2).String(), Port: 51820, Selector: udp},
			verdict.Undecided, ""},
		{"to a link", evidence.Diversion{Effect: evidence.EffectDNAT, To: "eth0", Port: 51820, Selector: udp},
			verdict.Undecided, ""},
		{"TCP too", evidence.Diversion{Effect: evidence.EffectProxy, Port: 51820}, verdict.Undecided, ""},
		{"a program", evidence.Diversion{Effect: evidence.EffectProxy, Selector: udp}, verdict.Undecided, ""},
		{"copies", evidence.Diversion{Effect: evidence.EffectCopy, Port: 51820, Selector: udp}, verdict.Undecided, ""},
	} {
		s := healthy(3)
		d := test.Diversion
		d.By, d.Family, d.Table, d.Chain, d.Hook = "nftables", "ip", "nat", "PREROUTING", "prerouting"
		s["probe/node-2"] = append(s["probe/node-2"], evidence.Message{Diversion: &d},
			evidence.Message{Address: &evidence.Address{Link: "eth0", Prefix: netip.PrefixFrom(underlay(1), 24)}})
		j := Judge(record(t, s))
		found := ""
		for _, f := range j.Findings {
			if f.Code == "WG0402" && f.Status != verdict.Pass {
				found += f.Status.String() + " " + f.Text + "\n"
			}
		}
		if j.Verdict != test.verdict || !strings.Contains(found, test.says) {
			t.Errorf("%s: %s, want %s: %s", test.name, j.Verdict, test.verdict, found)
		}
	}
}

// Attempts to have a leak pass as the tunnel's own: a statement that only gives pods'
// packets the tunnel's port, and a rule that leads what has this port past the tunnel.
func TestTunnelsPortHidesNoRule(t *testing.T) {
	udp := evidence.Selector{Protocol: []uint8{protocolUDP}, Target: []evidence.Ports{{From: 9000, To: 9000}}}
	statement := evidence.Diversion{Effect: evidence.EffectDNAT, Port: 51820, Selector: udp,
		By: "nftables", Family: "ip", Table: "nat", Chain: "PREROUTING", Hook: "prerouting"}
	port := evidence.Rule{Priority: 50, Protocol: protocolUDP,
		TargetPorts: &evidence.Ports{From: 51820, To: 51820}, Table: 77}
	marking := statement
	marking.Effect, marking.Port, marking.Mark, marking.Mask = evidence.EffectMark, 0, 0x77, 0x77
	for _, test := range []struct {
		name       string
		statements []evidence.Diversion
		rule       evidence.Rule
	}{
		{"a rule for the port", nil, port},
		{"and a statement that gives it to others", []evidence.Diversion{statement}, port},
		{"a statement that marks too, and a rule for the mark", []evidence.Diversion{statement, marking},
			evidence.Rule{Priority: 50, Mark: 0x77, Mask: 0x77, Table: 77}},
	} {
		s := healthy(3)
		s["probe/node-1"] = append(s["probe/node-1"], ruled(test.rule), past("10.42.1.0/24", 77))
		for _, d := range test.statements {
			s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Diversion: &d})
		}
		if j := Judge(record(t, s)); j.Verdict == verdict.Passed {
			t.Errorf("%s: PASS", test.name)
		}
	}
	s := healthy(3)
	port.Table = mainTable // leads into the tunnel
	s["probe/node-1"] = append(s["probe/node-1"], ruled(port), past("10.42.1.0/24", 77))
	if j := Judge(record(t, s)); j.Verdict != verdict.Passed {
		t.Errorf("a rule that leads to the tunnel: %s: %+v", j.Verdict, j.FirstCause)
	}
}
