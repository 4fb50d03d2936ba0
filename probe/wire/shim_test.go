package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// clear4 is an IPv4 packet from a pod of node 0 to one of node 1 that are none
// of the test's, with a checksum and size bytes behind its header.
func clear4(t testing.TB, size int) []byte {
	t.Helper()
	return sum(build(t, ip4("10.42.0.33", "10.42.1.44", layers.IPProtocolUDP), raw(make([]byte, size))))
}

// clear6 is the same in IPv6.
func clear6(t testing.TB, size int) []byte {
	t.Helper()
	return build(t, ip6("fd42::33", "fd42:1::44", layers.IPProtocolNoNextHeader), raw(make([]byte, size)))
}

// inUDP is a frame with a UDP payload of several parts, to a port that no
// encapsulation has.
func inUDP(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	return build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP), udp(9, 5555),
		raw(bytes.Join(parts, nil)))
}

// leaksOf returns what a link that leaves node 0 reports of a frame.
func leaksOf(t testing.TB, f Frame) []evidence.Sighting {
	t.Helper()
	f.Direction = evidence.DirectionTX
	stats := newStats(t, watching())
	stats.Link("eth0", evidence.RoleOutside).Add(f)
	return pick(t, stats.Messages(), leakOf)
}

// A packet behind what cannot be read is looked for within 64 bytes, and it must
// reach to the end of what carries it, but for a trailer of 64 bytes at most.
func TestShim(t *testing.T) {
	shim := func(size int) []byte { return make([]byte, size) }
	short := func(packet []byte, by int) []byte { return packet[:len(packet)-by] }
	changed := func(packet []byte, at int, value byte) []byte {
		packet = bytes.Clone(packet)
		packet[at] = value
		return packet
	}
	v6 := clear6(t, 20)
	for _, row := range []struct {
		name  string
		frame []byte
		leak  bool
	}{
		{"as far behind as it is looked for", inUDP(t, shim(64), clear4(t, 40)), true},
		{"further behind", inUDP(t, shim(65), clear4(t, 40)), false},
		{"a header and nothing behind it", inUDP(t, shim(4), clear4(t, 0)), true},
		{"a header that lacks a byte", inUDP(t, shim(4), short(clear4(t, 0), 1)), false},
		{"the longest trailer", inUDP(t, shim(4), clear4(t, 40), shim(64)), true},
		{"a longer trailer", inUDP(t, shim(4), clear4(t, 40), shim(65)), false},
		{"a packet that lacks a byte", inUDP(t, shim(4), short(clear4(t, 40), 1)), false},
		{"IPv6, as far behind as it is looked for", inUDP(t, shim(64), v6), true},
		{"IPv6, further behind", inUDP(t, shim(65), v6), false},
		{"a header of IPv6 and nothing behind it", inUDP(t, shim(4), clear6(t, 0)), true},
		{"a header of IPv6 that lacks a byte", inUDP(t, shim(4), short(clear6(t, 0), 1)), false},
		{"IPv6 with the longest trailer", inUDP(t, shim(4), v6, shim(64)), true},
		{"IPv6 with a longer trailer", inUDP(t, shim(4), v6, shim(65)), false},
		{"IPv6 that lacks a byte", inUDP(t, shim(4), short(v6, 1)), false},
		{"IPv6 that lives for no hop", inUDP(t, shim(4), changed(v6, 7, 0)), false},
		{"IPv6 between pods of one node", inUDP(t, shim(4), changed(v6, 27, 0)), false},
		{"IPv6 to no pod", inUDP(t, shim(4), changed(v6, 24, 0x20)), false},
	} {
		if seen := leaksOf(t, Frame{Data: row.frame}); (len(seen) == 1) != row.leak {
			t.Errorf("%s: %d leaks", row.name, len(seen))
		}
	}
}

// Where a part of the packet is not in the frame, it cannot reach to its end:
// what is there counts.
func TestShimOfAPart(t *testing.T) {
	packet := clear4(t, 200)
	part := inUDP(t, make([]byte, 4), packet[:100])
	more := bytes.Clone(part)
	more[14+6] |= 0x20 // more fragments follow
	six := func(fragment []byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv6),
			ip6("2001:db8::10", "2001:db8::11", layers.IPProtocolIPv6Fragment),
			raw(fragment), raw([]byte{0, 9, 0x15, 0xb3, 0, 212, 0, 0}), raw(make([]byte, 4)), raw(packet[:100]))
	}
	for _, row := range []struct {
		name  string
		frame Frame
		leak  bool
	}{
		{"the whole datagram", Frame{Data: part}, false},
		{"the frame was cut", Frame{Data: part, Length: len(part) + 100}, true},
		{"the frame was not cut", Frame{Data: part, Length: len(part)}, false},
		{"a super-packet", Frame{Data: part, Segment: 50}, true},
		{"the first fragment", Frame{Data: more}, true},
		{"the first fragment of IPv6", Frame{Data: six([]byte{17, 0, 0, 1, 0, 0, 0, 9})}, true},
		{"the only fragment of IPv6", Frame{Data: six([]byte{17, 0, 0, 0, 0, 0, 0, 9})}, false},
		{"the only fragment of IPv6, cut", Frame{Data: six([]byte{17, 0, 0, 0, 0, 0, 0, 9}), Length: 9000}, true},
	} {
		if seen := leaksOf(t, row.frame); (len(seen) == 1) != row.leak {
			t.Errorf("%s: %d leaks", row.name, len(seen))
		}
	}
}

// Ports stand at the beginning of a transport header, in the first fragment
// only, and not in every protocol. The sample ends behind them.
func TestPortsOfOtherPods(t *testing.T) {
	packet := func(protocol layers.IPProtocol, offset uint16) []byte {
		header := ip4("10.42.0.33", "10.42.1.44", protocol).(*layers.IPv4)
		header.FragOffset = offset
		return sum(build(t, header, raw([]byte{0x11, 0x22, 0x33, 0x44}), raw(make([]byte, 60))))
	}
	bare := func(packet []byte) []byte { return build(t, eth(layers.EthernetTypeIPv4), raw(packet)) }
	options := sum(build(t,
		&layers.IPv4{Version: 4, TTL: 9, Protocol: 132, SrcIP: []byte{10, 42, 0, 33}, DstIP: []byte{10, 42, 1, 44},
			Options: []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 1}}},
		raw([]byte{0x11, 0x22, 0x33, 0x44}), raw(make([]byte, 60))))
	const at = 14 + 20 // the transport header of a bare packet
	const behind = at + 8 + 4 + 20
	for _, row := range []struct {
		name   string
		frame  []byte
		ported bool
		sample int
	}{
		{"TCP", bare(packet(6, 0)), true, at + 20},
		{"UDP", bare(packet(17, 0)), true, at + 8},
		{"DCCP", bare(packet(33, 0)), true, at + 4},
		{"SCTP", bare(packet(132, 0)), true, at + 4},
		{"UDP-Lite", bare(packet(136, 0)), true, at + 4},
		{"SCTP behind options", bare(options), true, at + 8},
		{"ICMP", bare(packet(1, 0)), false, at + 8},
		{"OSPF", bare(packet(89, 0)), false, at},
		{"a later fragment", bare(packet(6, 9)), false, at},
		{"the ports and no more", bare(packet(132, 0))[:at+4], true, at + 4},
		{"less than the ports", bare(packet(132, 0))[:at+3], false, at},
		{"behind a shim", inUDP(t, make([]byte, 4), packet(132, 0)), true, behind + 4},
		{"ICMP behind a shim", inUDP(t, make([]byte, 4), packet(1, 0)), false, behind},
		{"a later fragment behind a shim", inUDP(t, make([]byte, 4), packet(6, 9)), false, at + 8},
		{"options behind a shim", inUDP(t, make([]byte, 4), options), true, behind + 4 + 4},
	} {
		seen := leaksOf(t, Frame{Data: row.frame, Length: max(1000, len(row.frame))})
		if len(seen) != 1 {
			t.Errorf("%s: %d leaks", row.name, len(seen))
			continue
		}
		want := [2]uint16{}
		if row.ported {
			want = [2]uint16{0x1122, 0x3344}
		}
		if got := [2]uint16{seen[0].SourcePort, seen[0].TargetPort}; got != want {
			t.Errorf("%s: ports %x, want %x", row.name, got, want)
		}
		if !slices.Equal(seen[0].Sample, row.frame[:row.sample]) {
			t.Errorf("%s: a sample of %d bytes, want %d", row.name, len(seen[0].Sample), row.sample)
		}
	}
}

// Packets between the same two nodes are one leak, whichever pods they are of,
// and another where the direction, the protocol or the encapsulation differs.
func TestLeaksOfOtherPodsAreSummed(t *testing.T) {
	stats := newStats(t, watching())
	link := stats.Link("eth0", evidence.RoleOutside)
	for n := range byte(3) {
		packet := clear4(t, 40)
		packet[15], packet[19] = 33+n, 44+n
		binary.BigEndian.PutUint16(packet[20:], uint16(1000+int(n)))
		link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(sum(packet)))))
	}
	encapsulated := build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolIPv4),
		raw(clear4(t, 40)))
	link.Add(tx(encapsulated))
	link.Add(tx(encapsulated))
	link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.12", layers.IPProtocolIPv4),
		raw(clear4(t, 40)))))
	var counts []uint64
	for _, s := range pick(t, stats.Messages(), leakOf) {
		counts = append(counts, s.Count)
	}
	slices.Sort(counts)
	if !slices.Equal(counts, []uint64{1, 2, 3}) {
		t.Errorf("%v, want 3 bare, 2 to one host and 1 to another", counts)
	}
}
