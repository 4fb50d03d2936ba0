package wire

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// VXLAN and Geneve may run on any port, so what stands in their reserved bits
// decides elsewhere than on VXLAN's own ports, where extensions use these bits
// (RFC 7348, RFC 8926; VXLAN-GBP sets others of the first byte).
func TestVXLANAndGeneve(t *testing.T) {
	ether := func(kind uint16, payload ...[]byte) []byte { return framed(kind, payload...).Data }
	four := ether(etherIPv4, plain4(59, 20))
	six := ether(etherIPv6, plain6(59, 0))
	arp := ether(etherARP)
	header := func(changes ...[2]byte) []byte {
		b := []byte{8, 0, 0, 0, 0, 0, 1, 0}
		for _, change := range changes {
			b[change[0]] = change[1]
		}
		return b
	}
	geneve := func(kind uint16, changes ...[2]byte) []byte {
		b := []byte{0, 0, byte(kind >> 8), byte(kind), 0, 0, 1, 0}
		for _, change := range changes {
			b[change[0]] = change[1]
		}
		return b
	}
	const vxlanned, plain = "udp vxlan ethernet", "udp"
	for _, row := range []struct {
		name   string
		port   uint16
		header []byte
		inner  []byte
		layers string // without ports, and without what stands around
		class  Class
	}{
		{"on IANA's port", 4789, header(), four, vxlanned + " ipv4 unknown", ClassVXLAN},
		{"on Linux' port", 8472, header(), four, vxlanned + " ipv4 unknown", ClassVXLAN},
		{"on another", 7000, header(), four, vxlanned + " ipv4 unknown", ClassVXLAN},
		{"a group policy, on IANA's port", 4789, header([2]byte{0, 0x88}, [2]byte{3, 9}), four,
			vxlanned + " ipv4 unknown", ClassVXLAN},
		{"a group policy, on Linux' port", 8472, header([2]byte{0, 0x88}, [2]byte{3, 9}), four,
			vxlanned + " ipv4 unknown", ClassVXLAN},
		{"a group policy, elsewhere", 7000, header([2]byte{0, 0x88}), four, plain, ClassUDP},
		{"no flag I", 4789, header([2]byte{0, 0}), four, plain, ClassUDP},
		{"another flag", 4789, header([2]byte{0, 0x80}), four, plain, ClassUDP},
		{"reserved byte 1, elsewhere", 7000, header([2]byte{1, 1}), four, plain, ClassUDP},
		{"reserved byte 2, elsewhere", 7000, header([2]byte{2, 1}), four, plain, ClassUDP},
		{"reserved byte 3, elsewhere", 7000, header([2]byte{3, 1}), four, plain, ClassUDP},
		{"reserved byte 7, elsewhere", 7000, header([2]byte{7, 1}), four, plain, ClassUDP},
		{"a large network number, elsewhere", 7000, header([2]byte{4, 0xff}, [2]byte{5, 0xff}), four,
			vxlanned + " ipv4 unknown", ClassVXLAN},
		{"of an Ethernet header alone", 4789, header(), ether(0x88cc), vxlanned + " unknown", ClassVXLAN},
		{"of less than that", 4789, header(), ether(0x88cc)[:13], plain, ClassUDP},
		{"of something that pods do not send, elsewhere", 7000,
			header(), ether(0x88cc, make([]byte, 46)), plain, ClassUDP},
		{"of ARP, elsewhere", 7000, header(), arp, vxlanned + " arp", ClassVXLAN},
		{"of a VLAN, elsewhere", 7000, header(), ether(etherVLAN), vxlanned, ClassVXLAN},
		{"of QinQ, elsewhere", 7000, header(), ether(etherQinQ), vxlanned, ClassVXLAN},
		{"of less than an Ethernet header, elsewhere", 7000, header(), arp[:13], plain, ClassUDP},
		{"of IPv6, elsewhere", 7000, header(), six, vxlanned + " ipv6 unknown", ClassVXLAN},
		{"of less than IPv4, elsewhere", 7000, header(), four[:33], plain, ClassUDP},
		{"of less than IPv6, elsewhere", 7000, header(), six[:53], plain, ClassUDP},
		{"of IPv6 that calls itself IPv4, elsewhere", 7000, header(), ether(etherIPv4, plain6(59, 0)), plain, ClassUDP},
		{"of IPv4 that calls itself IPv6, elsewhere", 7000, header(),
			ether(etherIPv6, plain4(59, 20), make([]byte, 30)), plain, ClassUDP},

		{"Geneve of Ethernet", 6081, geneve(etherBridged), four, "udp geneve ethernet ipv4 unknown", ClassGeneve},
		{"Geneve of IPv4", 6081, geneve(etherIPv4), plain4(59, 20), "udp geneve ipv4 unknown", ClassGeneve},
		{"Geneve of IPv6", 7000, geneve(etherIPv6), plain6(59, 0), "udp geneve ipv6 unknown", ClassGeneve},
		{"Geneve with options", 6081, geneve(etherIPv4, [2]byte{0, 2}), append(make([]byte, 8), plain4(59, 20)...),
			"udp geneve ipv4 unknown", ClassGeneve},
		{"Geneve with the longest options", 6081, geneve(etherIPv4, [2]byte{0, 63}),
			append(make([]byte, 252), plain4(59, 20)...),
			"udp geneve ipv4 unknown", ClassGeneve},
		{"Geneve with options that are cut off", 6081, geneve(etherIPv4, [2]byte{0, 2}), make([]byte, 7),
			plain, ClassUDP},
		{"Geneve, critical options", 6081, geneve(etherIPv4, [2]byte{1, 0x40}), plain4(59, 20),
			"udp geneve ipv4 unknown", ClassGeneve},
		{"Geneve, control", 6081, geneve(etherIPv4, [2]byte{1, 0x80}), plain4(59, 20), "udp geneve ipv4 unknown",
			ClassGeneve},
		{"Geneve, another version", 6081, geneve(etherIPv4, [2]byte{0, 0x40}), plain4(59, 20), plain, ClassUDP},
		{"Geneve, reserved bits", 6081, geneve(etherIPv4, [2]byte{1, 1}), plain4(59, 20), plain, ClassUDP},
		{"Geneve, the last reserved byte", 6081, geneve(etherIPv4, [2]byte{7, 1}), plain4(59, 20), plain, ClassUDP},
		{"Geneve of something else", 6081, geneve(0x88cc), plain4(59, 20), plain, ClassUDP},
		{"Geneve of nothing", 6081, geneve(etherIPv4), nil, plain, ClassUDP},
		{"less than Geneve", 6081, geneve(etherIPv4)[:7], nil, plain, ClassUDP},
	} {
		t.Run(row.name, func(t *testing.T) {
			payload := append(bytes.Clone(row.header), row.inner...)
			wantLayers(t,
				tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
					udp(33333, row.port), raw(payload))), row.layers, row.class)
		})
	}
}

// wantLayers compares the layers of a frame behind Ethernet and IPv4, without
// their ports.
func wantLayers(t *testing.T, frame Frame, behind string, class Class) {
	t.Helper()
	s, err := newSettings(testSubject())
	if err != nil {
		t.Fatal(err)
	}
	var d dissection
	dissect(&d, &frame, &s.wireguard, s.pods)
	for i := range d.stack {
		d.stack[i].port = 0
	}
	if got, want := d.text(), "ethernet ipv4 "+behind; got != want || d.class != class {
		t.Errorf("is %q, class %s; want %q, class %s", got, d.class, want, class)
	}
}

// An IP packet may stand in UDP without any header before it. It is one if it is
// as long as it says.
func TestIPInUDP(t *testing.T) {
	four := append(plain4(17, 28), udpOf(53, 8)...)
	six := append(plain6(17, 8), udpOf(53, 8)...)
	for _, row := range []struct {
		name    string
		payload []byte
		layers  string
	}{
		{"IPv4", four, "udp ipv4 udp"},
		{"a header of IPv4", plain4(59, 20), "udp ipv4 unknown"},
		{"IPv4 that is longer", append(bytes.Clone(four), 0), "udp"},
		{"IPv4 that is shorter", four[:27], "udp"},
		{"IPv4 with a header of 16 bytes", append(plain4(17, 28, [2]byte{0, 0x44}), udpOf(53, 8)...), "udp"},
		{"IPv6", six, "udp ipv6 udp"},
		{"a header of IPv6", plain6(59, 0), "udp ipv6 unknown"},
		{"IPv6 that is longer", append(bytes.Clone(six), 0), "udp"},
		{"IPv6 that is shorter", six[:47], "udp"},
		{"another version", append([]byte{0x50, 0, 0, 60}, make([]byte, 56)...), "udp"},
	} {
		class := ClassFOU
		if row.layers == "udp" {
			class = ClassUDP
		}
		t.Run(row.name, func(t *testing.T) {
			wantLayers(t,
				tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
					udp(33333, 5555), raw(row.payload))), row.layers, class)
		})
	}
}

// What stands behind a UDP datagram in its IP packet is none of its payload
// (RFC 768: the length is that of header and data).
func TestUDPLength(t *testing.T) {
	inner := plain4(59, 20)
	for _, row := range []struct {
		name   string
		length int
		parts  [][]byte
		layers string
		class  Class
	}{
		{"all of it", 28, [][]byte{inner}, "udp ipv4 unknown", ClassFOU},
		{"something behind it", 28, [][]byte{inner, {1, 2, 3}}, "udp ipv4 unknown", ClassFOU},
		{"no payload", 8, nil, "udp", ClassUDP},
		{"all of it behind it", 8, [][]byte{inner}, "udp", ClassUDP},
		{"no length, as a jumbogram has", 0, [][]byte{inner}, "udp ipv4 unknown", ClassFOU},
		{"a length of nonsense", 7, [][]byte{inner}, "udp ipv4 unknown", ClassFOU},
		{"a length of more than there is", 29, [][]byte{inner}, "udp ipv4 unknown", ClassFOU},
	} {
		behind := bytes.Join(row.parts, nil)
		frame := framed(etherIPv4, plain4(17, 28+len(behind)), udpOf(5555, row.length), behind)
		t.Run(row.name, func(t *testing.T) { wantLayers(t, frame, row.layers, row.class) })
	}
	// On a WireGuard port a datagram without a payload is malformed as well.
	wantLayers(t, framed(etherIPv4, plain4(17, 28), udpOf(wgPort, 8)), "udp", ClassMalformed)
}

// GRE has up to three optional words (RFC 2890), and version 1 is PPTP's.
func TestGRE(t *testing.T) {
	inner := plain4(59, 20)
	word := []byte{9, 9, 9, 9}
	for _, row := range []struct {
		name  string
		flags byte
		words int
		inner []byte
		want  string
	}{
		{"none", 0, 0, inner, "gre ipv4 unknown"},
		{"a checksum", 0x80, 1, inner, "gre ipv4 unknown"},
		{"a key", 0x20, 1, inner, "gre ipv4 unknown"},
		{"a sequence number", 0x10, 1, inner, "gre ipv4 unknown"},
		{"all", 0xb0, 3, inner, "gre ipv4 unknown"},
		{"a bit that is none of them", 0x40, 0, inner, "gre ipv4 unknown"},
		{"a key that is cut off", 0x20, 0, []byte{1, 2, 3}, "gre"},
	} {
		header := append([]byte{row.flags, 0, 8, 0}, bytes.Repeat(word, row.words)...)
		t.Run(row.name, func(t *testing.T) {
			wantLayers(t,
				tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolGRE),
					raw(header), raw(row.inner))), row.want, ClassGRE)
		})
	}
	for name, behind := range map[string][]byte{
		"PPTP": append([]byte{0x20, 1, 8, 0}, inner...), "another version": append([]byte{0, 4, 8, 0}, inner...),
		"less than a header": {0, 0, 8},
	} {
		t.Run(name, func(t *testing.T) {
			wantLayers(t,
				tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolGRE),
					raw(behind))), "gre", ClassGRE)
		})
	}
}

// A super-packet is what its datagrams are: the kernel sends each of them with
// gso_size bytes of the payload.
func TestSuperPacketsAreWhatTheirDatagramsAre(t *testing.T) {
	initiation := append([]byte{typeInitiation}, make([]byte, sizeInitiation-1)...)
	for _, row := range []struct {
		name    string
		payload []byte
		segment int
		class   Class
	}{
		{"two handshakes", bytes.Repeat(initiation, 2), sizeInitiation, ClassWireGuard},
		{"two handshakes in one datagram", bytes.Repeat(initiation, 2), 0, ClassMalformed},
		{"one handshake", initiation, sizeInitiation, ClassWireGuard},
		{"one handshake, less than a segment", initiation, 1452, ClassWireGuard},
		{"data", append(data(7, 1, 96), data(7, 2, 96)...), 96, ClassWireGuard},
		{"pieces that are too short for data", data(7, 1, 62), 31, ClassMalformed},
		{"pieces of another length than a handshake", bytes.Repeat(initiation, 2), 147, ClassMalformed},
	} {
		frame := tx(underlay(t, row.payload))
		frame.Segment = row.segment
		behind := "udp"
		if row.class == ClassWireGuard {
			behind += " wireguard"
		}
		t.Run(row.name, func(t *testing.T) { wantLayers(t, frame, behind, row.class) })
	}
}

// The port that is shown is that of the outermost datagram, by which a reader
// finds what carries the pods' packets; one inside names no port.
func TestPortOfTheCarrier(t *testing.T) {
	quiet := podPacket(t, make([]byte, 100))
	shimmed := append(make([]byte, 4), quiet...)
	inner := build(t, ip4("198.51.100.1", "198.51.100.2", layers.IPProtocolUDP), udp(7, 7777), raw(shimmed))
	for _, row := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"outermost", inUDP(t, shimmed), "ethernet ipv4 udp:5555"},
		{"inside VXLAN", build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
			udp(9, 4789),
			raw([]byte{8, 0, 0, 0, 0, 0, 1, 0}), eth(layers.EthernetTypeIPv4), raw(inner)),
			"ethernet ipv4 udp:4789 vxlan ethernet ipv4 udp"},
		{"inside IP", build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolIPv4),
			raw(inner)),
			"ethernet ipv4 ipv4 udp"},
		{"in TCP", build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolTCP),
			&layers.TCP{DstPort: 443, DataOffset: 5}, raw(shimmed)), "ethernet ipv4 tcp"},
		{"on a port of WireGuard", underlay(t, shimmed), "ethernet ipv4 udp"},
	} {
		stats := newStats(t, testSubject())
		stats.Link("eth0", evidence.RoleOutside).Add(tx(row.frame))
		seen := pick(t, stats.Messages(), leakOf)
		if len(seen) != 1 || seen[0].Layers != row.want {
			t.Errorf("%s: %+v, want %q", row.name, seen, row.want)
		}
	}
}
