package wire

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestQuotedControls: a router's ICMP error that quotes a part of a control is
// no leak. Whatever only looks like one is.
//
//	192.0.2.10 ── control ──► 192.0.2.1 (router) ── ICMP error, quoting ──► 192.0.2.10
func TestQuotedControls(t *testing.T) {
	exceeded := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeTimeExceeded, 0)}
	reply := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoReply, 0)}
	quote := func(payload []byte, source, target string) []byte {
		return build(t, ip4(source, target, layers.IPProtocolUDP), udp(40000, wgPort), raw(payload))
	}
	between := func(payload []byte) []byte { return quote(payload, "192.0.2.10", "192.0.2.11") }
	router := func(icmp *layers.ICMPv4, quoted []byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.1", "192.0.2.10", layers.IPProtocolICMPv4), icmp,
			raw(quoted))
	}
	router6 := func(kind uint8, payload []byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv6), ip6("2001:db8::1", "2001:db8::10", layers.IPProtocolICMPv6),
			&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(kind, 0)}, raw(make([]byte, 4)),
			ip6("2001:db8::10", "2001:db8::11", layers.IPProtocolUDP), udp(40000, wgPort), raw(payload))
	}
	part := control(t, TransportUDP, 3)[:32]
	canaryPart := canary(t, 100)[:32]
	forged := bytes.Clone(control(t, TransportUDP, 3))
	forged[40] ^= 1
	for _, row := range []struct {
		name  string
		frame []byte
		leak  bool
	}{
		{"a part", router(exceeded, between(part)), false},
		{"the kind and no more", router(exceeded, between(part[:17])), false},
		{"all but the last byte", router(exceeded, between(control(t, TransportUDP, 3)[:47])), false},
		{"the whole", router(exceeded, between(control(t, TransportUDP, 3))), false},
		{"the first 8 bytes, as RFC 792 has it", router(exceeded, between(nil)), false},
		{"IPv6", router6(3, part), false},
		{"IPv6, an echo", router6(129, part), true},
		{"a mark and no more", router(exceeded, between(part[:16])), true},
		{"a part of a canary", router(exceeded, between(canaryPart)), true},
		{"whole, with a forged tag", router(exceeded, between(forged)), true},
		{"in an echo", router(reply, between(part)), true},
		{"not at the beginning of the payload", router(exceeded, between(append([]byte{0}, part...))), true},
		{"between pods", router(exceeded, quote(part, "10.42.0.7", "10.42.1.9")), true},
		{"from a pod of another", router(exceeded, quote(part, "10.42.0.33", "192.0.2.11")), true},
		{"to a pod", build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.1", "10.42.0.33", layers.IPProtocolICMPv4),
			exceeded, raw(between(part))), true},
		{"in an encapsulation", build(t, eth(layers.EthernetTypeIPv4),
			ip4("192.0.2.1", "192.0.2.10", layers.IPProtocolUDP), udp(9, 4789),
			raw([]byte{8, 0, 0, 0, 0, 0, 1, 0}), raw(build(t, eth(layers.EthernetTypeIPv4),
				ip4("10.42.1.3", "10.42.0.3", layers.IPProtocolICMPv4), exceeded, raw(between(part))))), true},
		{"bare, without an error", build(t, eth(layers.EthernetTypeIPv4), raw(between(part))), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			stats := newStats(t, watching())
			stats.Link("eth0", evidence.RoleOutside).Add(rx(row.frame))
			seen := pick(t, stats.Messages(), leakOf)
			if (len(seen) > 0) != row.leak {
				t.Errorf("%d leaks: %+v", len(seen), seen)
			}
		})
	}
}
