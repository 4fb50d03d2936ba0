package wire

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"
)

// headerRow is a frame, how it must be read, and where its headers end.
type headerRow struct {
	name    string
	frame   Frame
	layers  string
	class   Class
	headers int
}

// dissecting reads frames with and without pods being watched, whole and cut at
// each byte, which must never be read beyond.
func dissecting(t *testing.T, rows []headerRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, subject := range []Subject{testSubject(), watching()} {
				s, err := newSettings(subject)
				if err != nil {
					t.Fatal(err)
				}
				var d dissection
				dissect(&d, &row.frame, &s.wireguard, s.pods)
				if d.text() != row.layers || d.class != row.class || d.headers != row.headers {
					t.Errorf("is %q, class %s, headers to %d; want %q, class %s, headers to %d",
						d.text(), d.class, d.headers, row.layers, row.class, row.headers)
				}
				for n := range row.frame.Data {
					cut := row.frame
					cut.Data = cut.Data[:n:n]
					dissect(&d, &cut, &s.wireguard, s.pods)
					if d.headers > n {
						t.Fatalf("cut to %d bytes it has %d of headers", n, d.headers)
					}
				}
			}
		})
	}
}

// plain4 is an IPv4 header between hosts, of which some bytes are changed.
func plain4(protocol byte, total int, changes ...[2]byte) []byte {
	b := []byte{0x45, 0, byte(total >> 8), byte(total), 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 10, 192, 0, 2, 11}
	for _, change := range changes {
		b[change[0]] = change[1]
	}
	return b
}

// plain6 is an IPv6 header between hosts.
func plain6(next byte, payload int) []byte {
	b := make([]byte, 40)
	copy(b, []byte{0x60, 0, 0, 0, byte(payload >> 8), byte(payload), next, 64})
	copy(b[8:], []byte{0x20, 1, 0xd, 0xb8})
	copy(b[24:], []byte{0x20, 1, 0xd, 0xb8})
	b[23], b[39] = 10, 11
	return b
}

// framed is an Ethernet frame of a type.
func framed(kind uint16, parts ...[]byte) Frame {
	header := append(append(append([]byte{}, macB...), macA...), byte(kind>>8), byte(kind))
	return tx(append(header, bytes.Join(parts, nil)...))
}

// udpOf is a UDP header of a length, without a checksum.
func udpOf(target uint16, length int) []byte {
	return []byte{0x80, 0, byte(target >> 8), byte(target), byte(length >> 8), byte(length), 0, 0}
}

// IP headers end where they say, and what an Ethernet frame is padded with is
// none of the packet. Lengths follow RFC 791 and RFC 8200.
func TestIPHeaders(t *testing.T) {
	padding := make([]byte, 26)
	toWireGuard := append(udpOf(wgPort, 26), padding...)
	options := make([]byte, 40)
	dissecting(t, []headerRow{
		{"IPv4, a header alone", framed(etherIPv4, plain4(59, 20)), "ethernet ipv4 unknown", ClassOther, 34},
		{"IPv4, less than a header", framed(etherIPv4, plain4(59, 20)[:19]), "ethernet unknown", ClassOther, 14},
		{"IPv4, another version", framed(etherIPv4, plain4(17, 28, [2]byte{0, 0x55}), udpOf(53, 8)), "ethernet unknown",
			ClassOther, 14},
		{"IPv4, a header of 16 bytes", framed(etherIPv4, plain4(17, 28, [2]byte{0, 0x44}), udpOf(53, 8)),
			"ethernet unknown", ClassOther, 14},
		{"IPv4, the longest header", framed(etherIPv4, plain4(17, 68, [2]byte{0, 0x4f}), options, udpOf(53, 8)),
			"ethernet ipv4 udp", ClassUDP, 14 + 60 + 8},
		{"IPv4, options and nothing behind them", framed(etherIPv4, plain4(59, 60, [2]byte{0, 0x4f}), options),
			"ethernet ipv4 unknown", ClassOther, 14 + 60},
		{"IPv4, options that are cut off", framed(etherIPv4, plain4(59, 60, [2]byte{0, 0x4f}), options[:39]),
			"ethernet unknown", ClassOther, 14},
		{"IPv4, padded", framed(etherIPv4, plain4(17, 20), toWireGuard), "ethernet ipv4 udp", ClassUDP, 34},
		{"IPv4, a segmentation offload of 64 KiB", framed(etherIPv4, plain4(17, 0), toWireGuard),
			"ethernet ipv4 udp", ClassMalformed, 42},
		{"IPv4, a length of nonsense", framed(etherIPv4, plain4(17, 19), toWireGuard),
			"ethernet ipv4 udp", ClassMalformed, 42},
		{"IPv6, a header alone", framed(etherIPv6, plain6(59, 0)), "ethernet ipv6 unknown", ClassOther, 54},
		{"IPv6, less than a header", framed(etherIPv6, plain6(59, 0)[:39]), "ethernet unknown", ClassOther, 14},
		{"IPv6, padded", framed(etherIPv6, plain6(17, 4), udpOf(wgPort, 26)[:4], padding),
			"ethernet ipv6 udp", ClassUDP, 54},
		{"IPv6, a jumbogram", framed(etherIPv6, plain6(17, 0), toWireGuard), "ethernet ipv6 udp", ClassMalformed, 62},
		{"IPv6, an extension and nothing behind it", framed(etherIPv6, plain6(60, 8), []byte{59, 0, 1, 4, 0, 0, 0, 0}),
			"ethernet ipv6 unknown", ClassOther, 62},
		{"IPv6, less than an extension", framed(etherIPv6, plain6(60, 7), []byte{59, 0, 1, 4, 0, 0, 0}),
			"ethernet ipv6", ClassOther, 54},
		{"IPv6, an extension of 24 bytes",
			framed(etherIPv6, plain6(43, 32), []byte{17, 2, 0, 0}, make([]byte, 20), udpOf(53, 8)),
			"ethernet ipv6 udp", ClassUDP, 14 + 40 + 24 + 8},
		{"IPv6, an extension that is cut off", framed(etherIPv6, plain6(43, 23), []byte{17, 2, 0, 0}, make([]byte, 19)),
			"ethernet ipv6", ClassOther, 54},
		{"IPv6, less than a fragment header", framed(etherIPv6, plain6(44, 7), []byte{17, 0, 0, 1, 0, 0, 0}),
			"ethernet ipv6", ClassOther, 54},
		{"no Ethernet, IPv6", Frame{Data: append(plain6(17, 8), udpOf(53, 8)...), Header: RawIP},
			"ipv6 udp", ClassUDP, 48},
		{"no Ethernet, another version", Frame{Data: append([]byte{0x56}, make([]byte, 60)...), Header: RawIP},
			"unknown", ClassOther, 0},
	})
}

// Headers between Ethernet, IP and the transports: RFC 3032, RFC 2516, RFC 4302.
func TestHeadersBetween(t *testing.T) {
	datagram := append(plain4(17, 28), udpOf(53, 8)...)
	six := append(plain6(17, 8), udpOf(53, 8)...)
	ah := func(next, length byte, value int) []byte { return append([]byte{next, length}, make([]byte, value)...) }
	pppoe := func(protocol uint16) []byte { return []byte{0x11, 0, 0, 1, 0, 30, byte(protocol >> 8), byte(protocol)} }
	dissecting(t, []headerRow{
		{"MPLS, one label", framed(etherMPLS, []byte{0, 1, 1, 9}, datagram), "ethernet mpls ipv4 udp", ClassUDP, 46},
		{"MPLS, three labels", framed(etherMPLS, []byte{0, 1, 0, 9, 0, 2, 0xfe, 9, 0, 3, 1, 9}, six),
			"ethernet mpls ipv6 udp", ClassUDP, 74},
		{"MPLS, no last label", framed(etherMPLS, []byte{0, 1, 0, 9}), "ethernet mpls", ClassOther, 18},
		{"MPLS, of something else", framed(etherMPLS, []byte{0, 1, 1, 9}, []byte{0, 0, 0, 0}), "ethernet mpls unknown",
			ClassOther, 18},
		{"PPPoE of IPv6", framed(etherPPPoE, pppoe(0x57), six), "ethernet pppoe ipv6 udp", ClassUDP, 70},
		{"PPPoE of LCP", framed(etherPPPoE, pppoe(0xc021), datagram), "ethernet pppoe", ClassOther, 22},
		{"VLAN of nothing known", framed(etherVLAN, []byte{0, 7, 0x88, 0xcc}), "ethernet vlan unknown", ClassOther, 18},
		{"the old QinQ", framed(etherQinQOld, []byte{0, 7, 8, 0}, datagram), "ethernet vlan ipv4 udp", ClassUDP, 46},
		{"AH in transport mode", framed(etherIPv4, plain4(51, 52), ah(17, 4, 22), udpOf(53, 8)), "ethernet ipv4 ah udp",
			ClassUDP, 66},
		{"AH in tunnel mode", framed(etherIPv4, plain4(51, 72), ah(4, 4, 22), datagram), "ethernet ipv4 ah ipv4 udp",
			ClassIPIP, 86},
		{"AH over IPv6", framed(etherIPv6, plain6(51, 32), ah(17, 4, 22), udpOf(53, 8)),
			"ethernet ipv6 ah udp", ClassUDP, 86},
		{"AH without a value", framed(etherIPv4, plain4(51, 32), ah(59, 1, 10)), "ethernet ipv4 ah unknown",
			ClassOther, 46},
		{"AH, less than its header", framed(etherIPv4, plain4(51, 31), ah(59, 1, 9)), "ethernet ipv4", ClassOther, 34},
		{"AH, longer than the packet", framed(etherIPv4, plain4(51, 43), ah(17, 4, 21)),
			"ethernet ipv4", ClassOther, 34},
		{"ESP", framed(etherIPv6, plain6(50, 40), make([]byte, 40)), "ethernet ipv6 esp", ClassESP, 62},
		{"ESP, less than its header", framed(etherIPv4, plain4(50, 27), make([]byte, 7)),
			"ethernet ipv4 esp", ClassESP, 34},
		{"ICMP, less than its header", framed(etherIPv4, plain4(1, 27), make([]byte, 7)),
			"ethernet ipv4 icmp", ClassICMP, 34},
	})
}

// A TCP header ends where its data offset says (RFC 9293), if that is there.
func TestTCPHeaders(t *testing.T) {
	tcp := func(words byte, size int) []byte {
		b := make([]byte, size)
		if size > 12 {
			b[12] = words << 4
		}
		return b
	}
	for name, row := range map[string]struct{ words, size, headers int }{
		"no options":                     {5, 60, 20},
		"nothing but a header":           {5, 20, 20},
		"options":                        {8, 60, 32},
		"options and nothing behind":     {8, 32, 32},
		"options that are cut off":       {8, 31, 20},
		"the longest":                    {15, 60, 60},
		"an offset of nonsense":          {4, 60, 20},
		"less than a header":             {0, 19, 19},
		"a header that is longer, alone": {6, 20, 20},
	} {
		dissecting(t, []headerRow{{name, framed(etherIPv4, plain4(6, 20+row.size), tcp(byte(row.words), row.size)),
			"ethernet ipv4 tcp", ClassTCP, 34 + row.headers}})
	}
}

// Depth is bounded by 20 layers; what lies deeper has no class of its own.
func TestDeepFrames(t *testing.T) {
	datagram := append(plain4(17, 28), udpOf(53, 8)...)
	for _, row := range []struct {
		tags  int // between Ethernet, IPv4 and UDP
		depth int
		class Class
	}{{16, 19, ClassUDP}, {17, 20, ClassUDP}, {18, 20, ClassUDP}, {19, 20, ClassOther}, {40, 20, ClassOther}} {
		tags := bytes.Repeat([]byte{0, 7, 0x81, 0}, row.tags)
		tags[len(tags)-2], tags[len(tags)-1] = 8, 0 // of the last one: IPv4
		frame := framed(etherVLAN, tags, datagram)
		s, err := newSettings(testSubject())
		if err != nil {
			t.Fatal(err)
		}
		var d dissection
		dissect(&d, &frame, &s.wireguard, s.pods)
		if d.depth != row.depth || d.class != row.class || d.headers > len(frame.Data) {
			t.Errorf("%d tags: %d layers, class %s, headers to %d", row.tags, d.depth, d.class, d.headers)
		}
	}
}

// What arrives with its VLAN tag taken off has one layer more.
func TestTagOutOfBand(t *testing.T) {
	frame := framed(etherIPv4, plain4(59, 20))
	frame.Tagged = true
	dissecting(t, []headerRow{{"tagged", frame, "ethernet vlan ipv4 unknown", ClassOther, 34}})
}

// Ports of WireGuard are a set: each of several is known, and no other.
func TestPortSet(t *testing.T) {
	var set ports
	list := []uint16{0, 1, 63, 64, 51820, 51821, 51871, 65535}
	for _, port := range list {
		set.add(port)
	}
	in := map[uint16]bool{}
	for _, port := range list {
		in[port] = true
	}
	for port := range 1 << 16 {
		if set.has(uint16(port)) != in[uint16(port)] {
			t.Errorf("port %d: %v", port, set.has(uint16(port)))
		}
	}
}

// The frame's name for a layer does not depend on gopacket: one of each kind
// that others write as well.
func TestLayersOfOthers(t *testing.T) {
	frame := build(t, eth(layers.EthernetTypeIPv6), ip6("2001:db8::1", "2001:db8::2", layers.IPProtocolTCP),
		&layers.TCP{SrcPort: 1, DstPort: 2, DataOffset: 5,
			Options: []layers.TCPOption{{OptionType: 2, OptionLength: 4, OptionData: []byte{5, 0x78}}}})
	dissecting(t, []headerRow{{"IPv6 and TCP with an option", tx(frame), "ethernet ipv6 tcp", ClassTCP, 14 + 40 + 24}})
}
