package wire

import (
	"encoding/base64"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The cast of the tests: two nodes with a pod each, one address per family.
//
//	pod 10.42.0.7, fd42::7      pod 10.42.1.9, fd42:1::9
//	     node 0                      node 1
//	192.0.2.10:51820  ───────  192.0.2.11:51820
var (
	testMark = [MarkSize]byte{0xde, 0xad, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	testKey  = []byte("0123456789abcdef0123456789abcdef")
	pods     = []evidence.PodAddress{
		{Index: 0, IPs: []netip.Addr{netip.MustParseAddr("10.42.0.7"), netip.MustParseAddr("fd42::7")}},
		{Index: 1, IPs: []netip.Addr{netip.MustParseAddr("10.42.1.9"), netip.MustParseAddr("fd42:1::9")}},
	}
	macA = net.HardwareAddr{2, 0, 0, 0, 0, 0xa}
	macB = net.HardwareAddr{2, 0, 0, 0, 0, 0xb}
)

const wgPort = 51820

func testSubject() Subject {
	return Subject{Run: Run{testMark, testKey}, Pods: pods, Ports: []uint16{wgPort}, Sizes: []int{1452}}
}

func eth(kind layers.EthernetType) gopacket.SerializableLayer {
	return &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: kind}
}

func ip4(src, dst string, next layers.IPProtocol) gopacket.SerializableLayer {
	return &layers.IPv4{
		Version: 4, IHL: 5, TTL: 64, Protocol: next,
		SrcIP: net.ParseIP(src).To4(), DstIP: net.ParseIP(dst).To4(),
	}
}

func ip6(src, dst string, next layers.IPProtocol) gopacket.SerializableLayer {
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: next, SrcIP: net.ParseIP(src), DstIP: net.ParseIP(dst)}
}

func udp(src, dst uint16) gopacket.SerializableLayer {
	return &layers.UDP{SrcPort: layers.UDPPort(src), DstPort: layers.UDPPort(dst)}
}

// build serialises layers with gopacket, so that our own reading of headers is
// tried against someone else's writing of them.
func build(t testing.TB, stack ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return append([]byte(nil), b.Bytes()...)
}

func raw(b []byte) gopacket.SerializableLayer { return gopacket.Payload(b) }

// canary is the payload of a genuine canary from node 0 to node 1.
func canary(t testing.TB, size int) []byte { return marked(t, TransportUDP, size) }

func marked(t testing.TB, transport uint8, size int) []byte {
	t.Helper()
	b, err := Marked{Kind: KindCanary, Family: 4, Transport: transport, Source: 0, Target: 1, Sequence: 1}.
		Payload(size, testMark, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func control(t testing.TB, transport uint8, sequence uint16) []byte {
	t.Helper()
	b, err := Marked{Kind: KindControl, Family: 4, Transport: transport, Sequence: sequence}.
		Payload(MarkedSize, testMark, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// podPacket is a canary as the pod's own kernel sends it, from the IP header.
func podPacket(t testing.TB, payload []byte) []byte {
	t.Helper()
	return build(t, ip4("10.42.0.7", "10.42.1.9", layers.IPProtocolUDP), udp(40000, 40001), raw(payload))
}

// data is a data message of size bytes, its ciphertext 0x5a.
func data(index uint32, counter uint64, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = 0x5a
	}
	copy(b, []byte{typeData, 0, 0, 0})
	binary.LittleEndian.PutUint32(b[4:], index)
	binary.LittleEndian.PutUint64(b[8:], counter)
	return b
}

// underlay wraps a UDP payload in a datagram from node 0's endpoint to node 1's.
func underlay(t testing.TB, payload []byte) []byte {
	t.Helper()
	return build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
		udp(wgPort, wgPort), raw(payload))
}

// reverse is underlay from node 1 to node 0.
func reverse(t testing.TB, payload []byte) []byte {
	t.Helper()
	return build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.11", "192.0.2.10", layers.IPProtocolUDP),
		udp(wgPort, wgPort), raw(payload))
}

func newStats(t testing.TB, subject Subject) *Stats {
	t.Helper()
	stats, err := NewStats(subject)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

func tx(b []byte) Frame { return Frame{Data: b, Direction: evidence.DirectionTX} }
func rx(b []byte) Frame { return Frame{Data: b, Direction: evidence.DirectionRX} }

// pick returns the payloads of one kind out of a stats's messages, each of
// which must be fit to be written.
func pick[T any](t testing.TB, messages []evidence.Message, of func(*evidence.Message) *T) []T {
	t.Helper()
	var out []T
	for _, m := range messages {
		if line, err := evidence.Encode(&m); err != nil || len(line) > evidence.MaxMessage {
			t.Fatalf("unfit message of %d bytes: %v", len(line), err)
		}
		if one := of(&m); one != nil {
			out = append(out, *one)
		}
	}
	return out
}

func captureOf(m *evidence.Message) *evidence.Capture { return m.Capture }
func tunnelOf(m *evidence.Message) *evidence.Tunnel   { return m.Tunnel }
func leakOf(m *evidence.Message) *evidence.Sighting   { return m.Sighting }
func seenOf(m *evidence.Message) *evidence.Witness    { return m.Witness }

func publicKey(b byte) string {
	key := make([]byte, 32)
	key[0] = b
	return base64.StdEncoding.EncodeToString(key)
}
