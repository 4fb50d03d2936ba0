package wire

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What only looks like a control that a router quotes is a leak: each of the
// signs by which it is known must be there.
func TestLikenessOfAQuotedControl(t *testing.T) {
	part := control(t, TransportUDP, 3)[:32]
	changed := func(b []byte, at int, value byte) []byte {
		b = bytes.Clone(b)
		b[at] = value
		return b
	}
	four := append(plain4(17, 76), append(udpOf(wgPort, 56), part...)...)
	quoted6 := append(plain6(17, 56), append(udpOf(wgPort, 56), part...)...)
	from := func(quote []byte, four bool, kind uint8) Frame {
		if four {
			return Frame{Data: icmp(t, kind, quote), Header: RawIP}
		}
		return Frame{Data: icmp6(t, kind, quote), Header: RawIP}
	}
	ethernet := func(quote []byte, four bool, kind uint8) Frame {
		f := from(quote, four, kind)
		if four {
			return Frame{Data: build(t, eth(layers.EthernetTypeIPv4), raw(f.Data))}
		}
		return Frame{Data: build(t, eth(layers.EthernetTypeIPv6), raw(f.Data))}
	}
	// A datagram whose header and payload together look like an error: its source
	// port begins with the number of one.
	datagram := append(plain4(17, 28+len(four)),
		append([]byte{3, 0, 0x15, 0xb3, 0, byte(8 + len(four)), 0, 0}, four...)...)
	options := append(append(plain4(17, 80, [2]byte{0, 0x46}), 1, 1, 1, 1), append(udpOf(wgPort, 56), part...)...)
	short := append(plain4(17, 72, [2]byte{0, 0x44})[:16], append(udpOf(wgPort, 56), part...)...)
	header := len(four) - len(part)
	for _, row := range []struct {
		name  string
		frame Frame
		leak  bool
	}{
		{"IPv4", ethernet(four, true, 3), false},
		{"IPv4, no Ethernet", from(four, true, 3), false},
		{"IPv6, unreachable", ethernet(quoted6, false, 1), false},
		{"IPv6, too big", ethernet(quoted6, false, 2), false},
		{"IPv6, no Ethernet", from(quoted6, false, 3), false},
		{"an error of IPv6 in IPv4", ethernet(four, true, 1), true},
		{"an error of IPv4 in IPv6", ethernet(quoted6, false, 5), true},
		{"with options", ethernet(options, true, 3), false},
		{"a header of 16 bytes", ethernet(short, true, 3), true},
		{"quoted as TCP", ethernet(changed(four, 9, 6), true, 3), true},
		{"quoted as IPv5", ethernet(changed(four, 0, 0x55), true, 3), true},
		{"quoted as TCP over IPv6", ethernet(changed(quoted6, 6, 6), false, 1), true},
		{"quoted as IPv7", ethernet(changed(quoted6, 0, 0x70), false, 1), true},
		{"in a datagram that looks like an error", Frame{Data: datagram, Header: RawIP}, true},
		{"the mark and no more", ethernet(four[:header+16], true, 3), true},
		{"the kind", ethernet(four[:header+17], true, 3), false},
		{"another kind", ethernet(changed(four[:header+17], header+16, KindCanary), true, 3), true},
		{"the family", ethernet(four[:header+18], true, 3), false},
		{"the family of IPv6", ethernet(changed(four[:header+18], header+17, 6), true, 3), false},
		{"another family", ethernet(changed(four[:header+18], header+17, 9), true, 3), true},
		{"the transport", ethernet(four[:header+19], true, 3), false},
		{"another transport", ethernet(changed(four[:header+19], header+18, TransportTCP), true, 3), true},
	} {
		if seen := leaksOf(t, row.frame); (len(seen) == 1) != row.leak {
			t.Errorf("%s: %+v", row.name, seen)
		}
	}
}

// The mark is random, so it may itself look like an IP header; a control that is
// cut right behind it is not a datagram.
func TestMarkLikeAHeader(t *testing.T) {
	for _, mark := range [][MarkSize]byte{{0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 10},
		{0x60, 0, 0, 0, 0, 20, 17, 64, 0x20, 1}} {
		subject := watching()
		subject.Mark = mark
		header, err := Marked{Kind: KindControl, Family: 4, Transport: TransportUDP}.Payload(MarkedSize, mark, testKey)
		if err != nil {
			t.Fatal(err)
		}
		for size := MarkSize + 1; size < MarkedSize; size++ {
			stats := newStats(t, subject)
			frame := build(t, eth(layers.EthernetTypeIPv4), raw(icmp(t, 3, header[:size])))
			stats.Link("eth0", evidence.RoleOutside).Add(rx(frame))
			if seen := pick(t, stats.Messages(), leakOf); len(seen) != 1 {
				t.Errorf("% x, %d bytes: %+v", mark, size, seen)
			}
		}
	}
}

// A link without Ethernet has no addresses that could show whom a frame is for,
// whatever its first bytes are.
func TestNoEthernetAddresses(t *testing.T) {
	packet := clear6(t, 10)
	subject := watching()
	subject.Ethers = append(subject.Ethers, [6]byte(packet))
	for _, row := range []struct {
		header Header
		toLink bool
		leak   bool
	}{{RawIP, false, false}, {RawIP, true, true}} {
		stats := newStats(t, subject)
		stats.Link("tun0", evidence.RoleOutside).Add(Frame{Data: packet, Header: row.header, ToLink: row.toLink,
			Direction: evidence.DirectionRX})
		if seen := pick(t, stats.Messages(), leakOf); (len(seen) == 1) != row.leak {
			t.Errorf("addressed to the link: %v: %+v", row.toLink, seen)
		}
	}
}

// A range that is not valid takes nothing from those next to it.
func TestInvalidRange(t *testing.T) {
	ranges := []evidence.PodRange{
		{Index: 0, Prefixes: append(prefixes("10.42.0.0/24"), prefixes("fd42::/64")...)},
		{Index: 1, Prefixes: append([]netip.Prefix{{}}, prefixes("10.42.1.0/24", "fd42:1::/64")...)},
	}
	p := newPodRanges(ranges)
	for text, want := range map[string]int{"10.42.1.1": 1, "fd42:1::1": 1, "10.42.0.1": 0, "10.42.2.1": noNode} {
		if got := p.of(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is of node %d, want %d", text, got, want)
		}
	}
}
