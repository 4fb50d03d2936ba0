package wire

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The example of RFC 1071, a header from a textbook, and sums that carry twice.
func TestChecksum(t *testing.T) {
	for _, test := range []struct {
		b    []byte
		want uint32
	}{
		{nil, 0},
		{[]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0xddf2},
		{[]byte{0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7},
			0xffff},
		{[]byte{0xff, 0xff, 0xff, 0xff}, 0xffff},
		{[]byte{0xff, 0xff, 0, 1}, 1},
		{bytes.Repeat([]byte{0xff, 0xff}, 30), 0xffff},
		{append(bytes.Repeat([]byte{0x80, 0x01}, 30), 0, 9), 30*0x8001%0xffff + 9},
	} {
		if got := checksum(test.b); got != test.want {
			t.Errorf("% x: %#x, want %#x", test.b, got, test.want)
		}
	}
	// Of a header that another wrote, and of the same with any bit changed.
	serialized := gopacket.NewSerializeBuffer()
	header := ip4("10.42.0.7", "10.42.1.9", layers.IPProtocolTCP)
	if err := gopacket.SerializeLayers(serialized, gopacket.SerializeOptions{ComputeChecksums: true},
		header); err != nil {
		t.Fatal(err)
	}
	b := serialized.Bytes()
	for bit := range 160 {
		b[bit/8] ^= 1 << (bit % 8)
		if checksum(b) == 0xffff {
			t.Errorf("valid with bit %d changed", bit)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	if checksum(b) != 0xffff {
		t.Errorf("%#x of a whole header", checksum(b))
	}
}

// What a frame must hold to be taken for an IPv4 header between test pods.
func TestHeader4(t *testing.T) {
	packet := func(size int) []byte { return sum(podPacket(t, make([]byte, size))) }
	changed := func(b []byte, at int, value byte) []byte {
		b = bytes.Clone(b)
		b[at] = value
		return b
	}
	alone := sum(build(t, ip4("10.42.0.7", "10.42.1.9", layers.IPProtocolUDP)))
	offloaded := func(trailer int) []byte {
		b := append(packet(40), make([]byte, trailer)...)
		b[10], b[11] = 0, 0
		return b
	}
	options := sum(build(t, &layers.IPv4{Version: 4, TTL: 9, Protocol: 17, SrcIP: source4, DstIP: target4,
		Options: []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 1}}}, udp(1, 2)))
	for _, row := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"a header alone", alone, true},
		{"a header alone, of another checksum", changed(alone, 10, alone[10]^1), false},
		{"a header that says it has 16 bytes", sum(changed(packet(40), 0, 0x44)), false},
		{"a packet of 19 bytes", sum(changed(alone, 3, 19)), false},
		{"with options", options, true},
		{"with options that are cut off", options[:22], true},
		{"with all of its options, of another checksum", changed(options[:24], 10, options[10]^1), false},
		{"a checksum left to the card", offloaded(0), true},
		{"with the longest trailer", offloaded(64), true},
		{"with a longer one", offloaded(65), false},
	} {
		if got := header4(row.b, 0); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
		if _, found := newFlows(pods).find(row.b); found != row.want {
			t.Errorf("%s: a flow was found: %v", row.name, found)
		}
	}
}

// six is an IPv6 header between test pods with what stands behind it. payload is
// its length as it says.
func six(next byte, payload int, behind ...[]byte) []byte {
	b := plain6(next, payload)
	copy(b[8:], source6)
	copy(b[24:], target6)
	return append(b, bytes.Join(behind, nil)...)
}

// An IPv6 header has no checksum, so the headers behind it must be possible as
// well, as far as they are there (RFC 8200).
func TestHeader6(t *testing.T) {
	udp8 := udpOf(53, 8)
	tcp := append(make([]byte, 12), 0x50, 0, 0, 0, 0, 0, 0, 0)
	option := func(next, length byte, size int) []byte { return append([]byte{next, length}, make([]byte, size-2)...) }
	fragment := func(next, reserved, high, low byte) []byte { return []byte{next, reserved, high, low, 0, 0, 0, 9} }
	for _, row := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"UDP", six(17, 8, udp8), true},
		{"UDP that is shorter than the packet", six(17, 12, udp8, make([]byte, 4)), false},
		{"UDP that is longer than the packet", six(17, 8, udpOf(53, 9)), false},
		{"UDP, a jumbogram", six(17, 0, udpOf(53, 0)), true},
		{"UDP without a length in a packet of one", six(17, 8, udpOf(53, 0)), true},
		{"UDP in a packet of the greatest length", six(17, 0xffff, udpOf(53, 100)), false},
		{"UDP, cut behind its length", six(17, 20, udpOf(53, 8)[:6]), false},
		{"UDP, cut in its length", six(17, 20, udpOf(53, 8)[:5]), true},
		{"UDP in less than its header", six(17, 7, make([]byte, 7)), false},
		{"TCP", six(6, 20, tcp), true},
		{"TCP, cut before its header's length", six(6, 20, tcp[:12]), true},
		{"TCP, cut behind it", six(6, 20, tcp[:13]), true},
		{"TCP in less than its header", six(6, 19, tcp[:12]), false},
		{"ICMPv6", six(58, 4, make([]byte, 4)), true},
		{"ICMPv6 in less than its header", six(58, 3, make([]byte, 3)), false},
		{"ESP", six(50, 2, make([]byte, 2)), true},
		{"nothing", six(59, 0), true},
		{"an unknown protocol", six(200, 8, make([]byte, 8)), false},
		{"ICMP of IPv4", six(1, 8, make([]byte, 8)), false},

		{"IPv4 in it", six(4, 20, plain4(59, 20)), true},
		{"IPv4 in it, cut off", six(4, 20), true},
		{"IPv4 in it that is IPv6", six(4, 40, plain6(59, 0)), false},
		{"less than IPv4 in it", six(4, 19, plain4(59, 20)[:19]), false},
		{"IPv6 in it", six(41, 40, plain6(59, 0)), true},
		{"IPv6 in it that is IPv4", six(41, 20, plain4(59, 20)), false},

		{"an extension", six(0, 16, option(17, 0, 8), udp8), true},
		{"an extension of 24 bytes", six(43, 32, option(17, 2, 24), udp8), true},
		{"two extensions", six(0, 24, option(60, 0, 8), option(17, 0, 8), udp8), true},
		{"an extension that is all", six(60, 8, option(59, 0, 8)), true},
		{"an extension that is longer than the packet", six(60, 8, option(59, 1, 16)), false},
		{"the same, cut behind its length", six(60, 8, option(59, 1, 2)), false},
		{"the same, cut before its length", six(60, 8, []byte{59}), true},
		{"an extension before an unknown protocol", six(60, 16, option(200, 0, 8), make([]byte, 8)), false},
		{"the same, cut off behind that", six(60, 16, []byte{200}), false},
		{"an extension that is cut off", six(60, 16), true},
		{"an extension before UDP of another length", six(60, 20, option(17, 0, 8), udp8, make([]byte, 4)), false},
		{"an extension before less than UDP", six(60, 12, option(17, 0, 8)), false},
		{"an extension before UDP that is cut off", six(60, 16, option(17, 0, 8)), true},
		{"an endless chain", six(60, 8*30, bytes.Repeat(option(60, 0, 8), 30)), true},

		{"the first fragment", six(44, 16, fragment(17, 0, 0, 1), udpOf(53, 9000)), true},
		{"the first fragment, cut in its header", six(44, 16, fragment(17, 0, 0, 1)[:2]), true},
		{"a fragment of less than it", six(44, 16, fragment(17, 0, 0, 1), udpOf(53, 7)), false},
		{"the only fragment", six(44, 16, fragment(17, 0, 0, 0), udp8), true},
		{"a later fragment", six(44, 16, fragment(17, 0, 5, 0x60), []byte{1, 2, 3, 4, 5, 6, 7, 8}), true},
		{"the last fragment", six(44, 9, fragment(17, 0, 5, 0x60), []byte{1}), true},
		{"a later fragment of an unknown protocol", six(44, 16, fragment(200, 0, 5, 0x60), make([]byte, 8)), false},
		{"a later fragment, less than its header", six(44, 7, fragment(17, 0, 5, 0x60)), false},
		{"the reserved byte of a fragment", six(44, 16, fragment(17, 1, 0, 1), udpOf(53, 9000)), false},
		{"the reserved bits of a fragment", six(44, 16, fragment(17, 0, 0, 3), udpOf(53, 9000)), false},
		{"the same, cut behind them", six(44, 16, fragment(17, 0, 0, 3)[:4]), false},
		{"the same, cut before them", six(44, 16, fragment(17, 0, 0, 3)[:3]), true},
	} {
		if got := header6(slices.Clip(row.b), 0); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

// A link without Ethernet begins with the IP header, so a flow may stand at the
// very beginning of a frame.
func TestFlowAtTheBeginning(t *testing.T) {
	for name, packet := range map[string][]byte{
		"IPv4": sum(podPacket(t, make([]byte, 40))), "IPv6": six(59, 4, make([]byte, 4)),
	} {
		stats := newStats(t, testSubject())
		stats.Link("tun0", evidence.RoleOutside).Add(
			Frame{Data: packet, Header: RawIP, Direction: evidence.DirectionTX})
		seen := pick(t, stats.Messages(), leakOf)
		if len(seen) != 1 || seen[0].By != evidence.LeakedByFlow || seen[0].Source != 0 || seen[0].Target != 1 {
			t.Errorf("%s: %+v", name, seen)
		}
	}
}

// The pods' addresses may have any bytes in common, with each other and with
// what stands next to them; a header is found up to the last byte of a frame.
func TestFlowAtTheEnd(t *testing.T) {
	for _, row := range []struct{ source, target string }{
		{"10.10.0.7", "10.10.1.9"}, {"10.42.0.7", "10.42.1.9"}, {"7.7.7.7", "7.7.7.8"}, {"0.0.0.1", "0.0.0.2"},
		{"1.2.3.4", "5.6.7.8"},
	} {
		list := flowPods(row.source, row.target)
		header := sum(build(t, ip4(row.source, row.target, layers.IPProtocolUDP)))
		for _, before := range []int{0, 1, 2, 3, 50} {
			b := append(bytes.Repeat(list[0].IPs[0].AsSlice()[:1], before), header...)
			hit, found := newFlows(list).find(b)
			if !found || hit.at != before+sourceAt4 {
				t.Errorf("%s to %s, %d bytes on: %v at %d", row.source, row.target, before, found, hit.at)
			}
		}
	}
}
