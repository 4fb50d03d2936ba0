package wire

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// BenchmarkAdd is the cost of one full frame of ciphertext, the bulk of what a
// capture sees, in a cluster of many nodes.
func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name    string
		nodes   int
		wide    bool // addresses have nothing in common
		segment int
	}{{"2 nodes", 2, false, 0}, {"5000 nodes", 5000, false, 0}, {"5000 nodes of 5000 ranges", 5000, true, 0},
		{"super-packet", 2, false, 1452}} {
		b.Run(c.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 1))
			subject := testSubject()
			subject.Pods = nil
			for n := range c.nodes {
				v4 := [4]byte{10, 42 + byte(n>>8)&3, byte(n), byte(n >> 2)}
				if c.wide {
					v4 = [4]byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()),
						byte(random.Uint32())}
				}
				subject.Pods = append(subject.Pods, evidence.PodAddress{Index: n, IPs: []netip.Addr{netip.AddrFrom4(v4),
					netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x42, 6: byte(n >> 8), 7: byte(n), 15: 3})}})
				subject.Ranges = append(subject.Ranges, evidence.PodRange{Index: n, Prefixes: []netip.Prefix{
					netip.PrefixFrom(netip.AddrFrom4(v4), 24).Masked(),
					netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x42, 6: byte(n >> 8), 7: byte(n)}), 64)}})
			}
			subject.Addresses, subject.Ethers = []netip.Addr{netip.MustParseAddr("192.0.2.10")},
				[][6]byte{[6]byte(macA)}
			payload := data(1, 0, 1452)
			if c.segment > 0 {
				for n := range uint64(30) {
					payload = append(payload, data(1, n+1, 1452)...)
				}
			}
			frame := tx(underlay(b, payload))
			for i := 42 + 16; c.segment == 0 && i < len(frame.Data); i++ {
				frame.Data[i] = byte(random.Uint32())
			}
			frame.Segment = c.segment
			stats := newStats(b, subject)
			link := stats.Link("eth0", evidence.RoleOutside)
			b.SetBytes(int64(len(frame.Data)))
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				n++
				frame.Data[50], frame.Data[51], frame.Data[52] = byte(n), byte(n>>8), byte(n>>16)
				link.Add(frame)
			}
		})
	}
}

// BenchmarkOtherPods is the cost of a frame of another pod in clear, of which
// there may be as many as pods send.
func BenchmarkOtherPods(b *testing.B) {
	stats := newStats(b, watching())
	link := stats.Link("eth0", evidence.RoleOutside)
	frame := tx(build(b, eth(layers.EthernetTypeIPv4),
		raw(build(b, ip4("10.42.0.33", "10.42.1.44", layers.IPProtocolUDP), udp(1, 2), raw(make([]byte, 1400))))))
	b.ReportAllocs()
	for b.Loop() {
		link.Add(frame)
	}
}

// BenchmarkOtherUDP is the cost of a datagram that cannot be read, behind which
// a packet of a pod is looked for: QUIC, DNS, media.
func BenchmarkOtherUDP(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	payload := make([]byte, 1200)
	for i := range payload {
		payload[i] = byte(random.Uint32())
	}
	frame := tx(build(b, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
		udp(9, 443), raw(payload)))
	for _, watched := range []bool{false, true} {
		b.Run(fmt.Sprintf("watched=%t", watched), func(b *testing.B) {
			subject := testSubject()
			if watched {
				subject = watching()
			}
			link := newStats(b, subject).Link("eth0", evidence.RoleOutside)
			for b.Loop() {
				link.Add(frame)
			}
		})
	}
}
