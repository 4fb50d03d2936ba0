package wire

import (
	"testing"

	"github.com/google/gopacket/layers"
)

// TestDissect reads frames written by gopacket: the text a person is shown, and
// the class that is counted.
func TestDissect(t *testing.T) {
	plain := podPacket(t, canary(t, 64))
	inner := build(t, eth(layers.EthernetTypeIPv4), raw(plain))
	geneveHeader := func(kind uint16, options byte) []byte {
		return append([]byte{options, 0, byte(kind >> 8), byte(kind), 0, 0, 1, 0}, make([]byte, 4*int(options))...)
	}
	vxlanHeader := []byte{8, 0, 0, 0, 0, 0, 1, 0}
	carrier := func(port uint16, parts ...[]byte) []byte {
		var payload []byte
		for _, part := range parts {
			payload = append(payload, part...)
		}
		return build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
			udp(33333, port), raw(payload))
	}
	for _, row := range []struct {
		name   string
		frame  Frame
		layers string
		class  Class
	}{
		{"bare", tx(inner), "ethernet ipv4 udp", ClassUDP},
		{"raw ip", Frame{Data: plain, Header: RawIP}, "ipv4 udp", ClassUDP},
		{"raw ip of nothing", Frame{Header: RawIP}, "unknown", ClassOther},
		{"tag out of band", Frame{Data: inner, Tagged: true, VLAN: 7}, "ethernet vlan ipv4 udp", ClassUDP},
		{"vlan", tx(build(t, eth(layers.EthernetTypeDot1Q),
			&layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv4},
			raw(plain))), "ethernet vlan ipv4 udp", ClassUDP},
		{"qinq", tx(build(t, eth(layers.EthernetTypeQinQ),
			&layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeDot1Q},
			&layers.Dot1Q{VLANIdentifier: 8, Type: layers.EthernetTypeIPv4}, raw(plain))),
			"ethernet vlan vlan ipv4 udp", ClassUDP},
		{"mpls", tx(build(t, eth(layers.EthernetTypeMPLSUnicast), &layers.MPLS{Label: 16, StackBottom: true, TTL: 3},
			raw(plain))), "ethernet mpls ipv4 udp", ClassUDP},
		{"pppoe", tx(build(t, eth(layers.EthernetTypePPPoESession), raw([]byte{0x11, 0, 0, 1, 0, 0, 0, 0x21}),
			raw(plain))),
			"ethernet pppoe ipv4 udp", ClassUDP},
		{"vxlan", tx(carrier(8472, vxlanHeader, inner)), "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp", ClassVXLAN},
		{"vxlan iana", tx(carrier(4789, vxlanHeader, inner)), "ethernet ipv4 udp:4789 vxlan ethernet ipv4 udp",
			ClassVXLAN},
		{"vxlan elsewhere", tx(carrier(12345, vxlanHeader, inner)), "ethernet ipv4 udp:12345 vxlan ethernet ipv4 udp",
			ClassVXLAN},
		{"vxlan on wireguard's port", tx(carrier(wgPort, vxlanHeader, inner)),
			"ethernet ipv4 udp:51820 vxlan ethernet ipv4 udp", ClassMalformed},
		{"geneve", tx(carrier(6081, geneveHeader(etherBridged, 2), inner)),
			"ethernet ipv4 udp:6081 geneve ethernet ipv4 udp", ClassGeneve},
		{"geneve of ip", tx(carrier(6081, geneveHeader(etherIPv4, 0), plain)), "ethernet ipv4 udp:6081 geneve ipv4 udp",
			ClassGeneve},
		{"ip in udp", tx(carrier(5555, plain)), "ethernet ipv4 udp:5555 ipv4 udp", ClassFOU},
		{"ipip", tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolIPv4),
			raw(plain))),
			"ethernet ipv4 ipv4 udp", ClassIPIP},
		{"sit", tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolIPv6),
			ip6("fd42::7", "fd42:1::9", layers.IPProtocolTCP), &layers.TCP{DataOffset: 5})),
			"ethernet ipv4 ipv6 tcp", ClassIPIP},
		{"gre with key", tx(build(t, eth(layers.EthernetTypeIPv4),
			ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolGRE),
			raw([]byte{0x20, 0, 8, 0, 0, 0, 0, 1}), raw(plain))), "ethernet ipv4 gre ipv4 udp", ClassGRE},
		{"gretap", tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolGRE),
			raw([]byte{0, 0, 0x65, 0x58}), raw(inner))), "ethernet ipv4 gre ethernet ipv4 udp", ClassGRE},
		{"esp", tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolESP),
			raw(make([]byte, 40)))),
			"ethernet ipv4 esp", ClassESP},
		{"ipv6 extensions", tx(build(t, eth(layers.EthernetTypeIPv6),
			ip6("fd42::7", "fd42:1::9", layers.IPProtocolIPv6HopByHop),
			raw([]byte{60, 0, 1, 4, 0, 0, 0, 0}), raw([]byte{58, 0, 1, 4, 0, 0, 0, 0}),
			raw([]byte{128, 0, 0, 0, 0, 0, 0, 0}))),
			"ethernet ipv6 icmp", ClassICMP},
		{"ipv6 first fragment", tx(build(t, eth(layers.EthernetTypeIPv6),
			ip6("fd42::7", "fd42:1::9", layers.IPProtocolIPv6Fragment),
			raw([]byte{17, 0, 0, 1, 0, 0, 0, 9}), raw([]byte{0, 1, 0, 2, 9, 9, 0, 0}))), "ethernet ipv6 udp", ClassUDP},
		{"ipv6 later fragment", tx(build(t, eth(layers.EthernetTypeIPv6),
			ip6("fd42::7", "fd42:1::9", layers.IPProtocolIPv6Fragment),
			raw([]byte{17, 0, 5, 0x61, 0, 0, 0, 9}), raw(make([]byte, 40)))), "ethernet ipv6 fragment", ClassFragment},
		{"ipv4 later fragment", tx(build(t, eth(layers.EthernetTypeIPv4),
			&layers.IPv4{Version: 4, IHL: 5, FragOffset: 9, TTL: 1,
				Protocol: 17, SrcIP: []byte{192, 0, 2, 10}, DstIP: []byte{192, 0, 2, 11}}, raw(make([]byte, 40)))),
			"ethernet ipv4 fragment", ClassFragment},
		{"arp", tx(build(t, eth(layers.EthernetTypeARP), raw(make([]byte, 28)))), "ethernet arp", ClassARP},
		{"looped", tx(build(t, eth(EtherTypeMarked), raw(control(t, TransportFrame, 1)))), "ethernet marked",
			ClassOther},
		{"wireguard", tx(underlay(t, data(1, 0, 96))), "ethernet ipv4 udp:51820 wireguard", ClassWireGuard},
		{"wireguard with nonzero reserved", tx(underlay(t, append([]byte{4, 1}, make([]byte, 94)...))),
			"ethernet ipv4 udp", ClassMalformed},
		{"wireguard of a wrong length", tx(underlay(t, append([]byte{1}, make([]byte, 148)...))), "ethernet ipv4 udp",
			ClassMalformed},
		{"lldp", tx(build(t, eth(0x88cc), raw(make([]byte, 50)))), "ethernet unknown", ClassOther},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := newSettings(testSubject())
			if err != nil {
				t.Fatal(err)
			}
			var d dissection
			dissect(&d, &row.frame, &s.wireguard, s.pods)
			if d.text() != row.layers || d.class != row.class {
				t.Errorf("is %q, class %s; want %q, class %s", d.text(), d.class, row.layers, row.class)
			}
			// Cut anywhere, it must still be read without harm.
			for n := range row.frame.Data {
				cut := row.frame
				cut.Data = cut.Data[:n]
				dissect(&d, &cut, &s.wireguard, s.pods)
				if d.headers > n {
					t.Fatalf("cut to %d bytes it has %d of headers", n, d.headers)
				}
			}
		})
	}
}

// TestMessageKind goes through every length around the exact ones.
func TestMessageKind(t *testing.T) {
	for size := range 300 {
		for kind := range byte(7) {
			b := make([]byte, size)
			if size > 0 {
				b[0] = kind
			}
			var want uint8
			switch {
			case kind == 1 && size == 148, kind == 2 && size == 92, kind == 3 && size == 64, kind == 4 && size >= 32:
				want = kind
			}
			if got := messageKind(b, size); got != want {
				t.Fatalf("type %d of %d bytes is taken for %d", kind, size, got)
			}
		}
	}
}
