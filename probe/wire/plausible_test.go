package wire

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// sum fills in the checksum of the IPv4 header that b begins with.
func sum(b []byte) []byte {
	header := int(b[0]&15) * 4
	binary.BigEndian.PutUint16(b[10:], 0)
	binary.BigEndian.PutUint16(b[10:], ^uint16(checksum(b[:header])))
	return b
}

var (
	source4, target4 = []byte{10, 42, 0, 7}, []byte{10, 42, 1, 9}
	source6, target6 = pods[0].IPs[1].AsSlice(), pods[1].IPs[1].AsSlice()
)

// TestFlowNeedsAHeader: two addresses are not a packet, and a packet is one
// wherever it stands.
func TestFlowNeedsAHeader(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	ipfix := join([]byte{0, 10, 0, 60, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 44}, source4, target4,
		[]byte{6, 0x9c, 0x40, 0x15, 0x38, 0, 0, 0, 9})
	netflow5 := join([]byte{0, 5, 0, 1}, make([]byte, 20), source4, target4, make([]byte, 40))
	record6 := join([]byte{0, 10, 0, 90, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 74}, source6, target6,
		[]byte{6, 0x9c, 0x40, 0x15, 0x38, 0, 0, 0, 9})
	whole := sum(podPacket(t, make([]byte, 300)))
	v6 := build(t, ip6("fd42::7", "fd42:1::9", layers.IPProtocolUDP), udp(1, 2), raw(make([]byte, 300)))
	tcp6 := build(t, ip6("fd42::7", "fd42:1::9", layers.IPProtocolTCP), &layers.TCP{DataOffset: 5, SYN: true})
	first6 := build(t, ip6("fd42::7", "fd42:1::9", layers.IPProtocolIPv6Fragment),
		raw([]byte{17, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 2, 9, 0, 0, 0}), raw(make([]byte, 200)))
	changed := func(packet []byte, at int, value byte) []byte {
		packet = bytes.Clone(packet)
		packet[at] = value
		return packet
	}
	longer := func(packet []byte) []byte { return append(bytes.Clone(packet), make([]byte, 100)...) }
	offloaded := func(packet []byte) []byte { return changed(changed(packet, 10, 0), 11, 0) }
	for _, row := range []struct {
		name string
		b    []byte
		flow bool
	}{
		{"IPFIX", ipfix, false},
		{"NetFlow 5", netflow5, false},
		{"IPFIX of IPv6", record6, false},
		{"addresses alone", join(source4, target4), false},
		{"addresses alone, IPv6", join(source6, target6), false},
		{"a packet", whole, true},
		{"a packet with a trailer", longer(whole), true},
		{"a sample of a packet, as sFlow has it", whole[:64], true},
		{"the header alone", whole[:20], true},
		{"a checksum left to the card", offloaded(whole), true},
		{"the same, padded", append(offloaded(whole), make([]byte, 18)...), true},
		{"no checksum, and a length that does not fit", longer(offloaded(whole)), false},
		{"another checksum", changed(whole, 10, whole[10]^1), false},
		{"another version", sum(changed(whole, 0, 0x55)), false},
		{"a header too short", changed(whole, 0, 0x44), false},
		{"a length too short", sum(changed(changed(whole, 2, 0), 3, 19)), false},
		{"a lifetime of none", sum(changed(whole, 8, 0)), false},
		{"a segmentation offload of 64 KiB", sum(changed(changed(whole, 2, 0), 3, 0)), true},
		{"IPv6", v6, true},
		{"IPv6 with a trailer", longer(v6), true},
		{"a sample of IPv6", v6[:54], true},
		{"the header of IPv6 alone", v6[:40], true},
		{"a connection of IPv6", tcp6, true},
		{"the first fragment of IPv6", first6, true},
		{"another version of IPv6", changed(v6, 0, 0x70), false},
		{"a hop limit of none", changed(v6, 7, 0), false},
		{"a protocol that is none", changed(v6, 6, 200), false},
		{"UDP of another length", changed(v6, 45, v6[45]^1), false},
		{"TCP with a header longer than the packet", changed(tcp6, 52, 0xf0), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, before := range []int{0, 1, 7, 100} {
				stats := newStats(t, testSubject())
				frame := underlay(t, append(make([]byte, before), row.b...))
				stats.Link("eth0", evidence.RoleOutside).Add(tx(frame))
				if seen := pick(t, stats.Messages(), leakOf); (len(seen) == 1) != row.flow {
					t.Errorf("%d bytes on: %d leaks", before, len(seen))
				}
			}
		})
	}
}

// FuzzFlowHeader: every IP header from a test pod to another is found at any
// offset, and nothing is found where there is none.
func FuzzFlowHeader(f *testing.F) {
	f.Add([]byte("noise"), uint8(9), []byte("payload"), true, uint8(17), uint8(3))
	f.Add([]byte{0x45, 0, 0, 40}, uint8(0), []byte{}, false, uint8(6), uint8(0))
	f.Add(append(bytes.Clone(source4), target4...), uint8(64), []byte{1}, true, uint8(0), uint8(40))
	f.Add([]byte{}, uint8(1), []byte{}, false, uint8(44), uint8(10))
	f.Fuzz(func(t *testing.T, noise []byte, ttl uint8, payload []byte, four bool, protocol, options uint8) {
		flows := newFlows(pods)
		if hit, found := flows.find(noise); found {
			mustBeHeader(t, noise, &hit)
		}
		if ttl == 0 || len(payload) > 60000 || len(noise) > 60000 {
			return
		}
		b := append(bytes.Clone(noise), realPacket(t, ttl, payload, four, protocol, options)...)
		hit, found := flows.find(b)
		if !found || hit.at > len(noise)+sourceAt4 {
			t.Fatalf("not found in % x", b)
		}
		mustBeHeader(t, b, &hit)
	})
}

// realPacket is one that gopacket wrote, of a protocol that it fits.
func realPacket(t *testing.T, ttl uint8, payload []byte, four bool, protocol, options uint8) []byte {
	var stack []gopacket.SerializableLayer
	if four {
		header := &layers.IPv4{Version: 4, TTL: ttl, Protocol: layers.IPProtocol(protocol), SrcIP: source4,
			DstIP: target4}
		for range options % 10 {
			header.Options = append(header.Options,
				layers.IPv4Option{OptionType: 7, OptionLength: 4, OptionData: []byte{1, 2}})
		}
		stack = []gopacket.SerializableLayer{header, raw(payload)}
	} else {
		header := &layers.IPv6{Version: 6, HopLimit: ttl, NextHeader: layers.IPProtocolUDP, TrafficClass: protocol,
			SrcIP: source6, DstIP: target6}
		stack = []gopacket.SerializableLayer{header, udp(1, 2), raw(payload)}
		if options%2 == 1 {
			header.NextHeader = layers.IPProtocolTCP
			stack[1] = &layers.TCP{SrcPort: 1, DstPort: 2, DataOffset: 5}
		}
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: four},
		stack...); err != nil {
		t.Skip("needs layers that can be written: ", err)
	}
	return bytes.Clone(b.Bytes())
}

// mustBeHeader reads by another's code what a flow was found in.
func mustBeHeader(t *testing.T, b []byte, hit *flow) {
	t.Helper()
	if hit.family == 4 {
		header := b[hit.at-12:]
		length := int(header[0]&15) * 4
		if header[0]>>4 != 4 || length < 20 || header[8] == 0 {
			t.Errorf("found in % x", header[:20])
		}
		valid := len(header) >= length && checksum(header[:length]) == 0xffff
		unset := header[10]|header[11] == 0 && int(binary.BigEndian.Uint16(header[2:])) <= len(header)
		if !valid && !unset && len(header) >= length {
			t.Errorf("found in % x, whose checksum is another", header[:20])
		}
		return
	}
	header := b[hit.at-8:]
	if header[0]>>4 != 6 || header[7] == 0 || !known(header[6]) {
		t.Errorf("found in % x", header[:40])
	}
}
