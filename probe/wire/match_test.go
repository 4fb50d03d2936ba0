package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestLeaks puts pod traffic into frames of every shape and checks that each is
// seen, and as whose.
func TestLeaks(t *testing.T) {
	probe := canary(t, 200)
	pod := podPacket(t, probe)
	quiet := podPacket(t, make([]byte, 100)) // a flow without a mark
	echo := marked(t, TransportICMP, 200)
	forged := bytes.Clone(control(t, TransportUDP, 1))
	forged[40] ^= 1
	shaped := append(data(9, 9, 32), pod...)
	random := append([]byte("some other encapsulation"), quiet...)
	both := append(bytes.Clone(control(t, TransportUDP, 1)), probe...)
	for _, row := range []struct {
		name           string
		frame          []byte
		by             string
		source, target int
		sample         int
		layers         string
	}{
		{"bare mark", build(t, eth(layers.EthernetTypeIPv4), raw(pod)), evidence.LeakedByMark, 0, 1, 14 + 28 + 48,
			"ethernet ipv4 udp"},
		{"returned echo", build(t, eth(layers.EthernetTypeIPv4), ip4("10.42.1.9", "10.42.0.7", layers.IPProtocolICMPv4),
			raw(append(make([]byte, 8), echo...))),
			evidence.LeakedByMark, 1, 0, 14 + 28 + 48, "ethernet ipv4 icmp"},
		{"bare flow", build(t, eth(layers.EthernetTypeIPv4), raw(quiet)), evidence.LeakedByFlow, 0, 1, 14 + 28,
			"ethernet ipv4 udp"},
		{"ipv6 flow", build(t, eth(layers.EthernetTypeIPv6), ip6("fd42:1::9", "fd42::7", layers.IPProtocolTCP),
			&layers.TCP{DataOffset: 5}, raw(make([]byte, 99))), evidence.LeakedByFlow, 1, 0, 14 + 40 + 20,
			"ethernet ipv6 tcp"},
		{"shaped like wireguard", underlay(t, shaped), evidence.LeakedByMark, 0, 1, 42, /* headers only */
			"ethernet ipv4 udp:51820 wireguard"},
		{"flow shaped like wireguard", underlay(t, append(data(9, 9, 32), quiet...)), evidence.LeakedByFlow, 0, 1, 42,
			"ethernet ipv4 udp:51820 wireguard"},
		{"unknown encapsulation", build(t, eth(layers.EthernetTypeIPv4),
			ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolUDP),
			udp(1, 7777), raw(random)), evidence.LeakedByFlow, 0, 1, 42, "ethernet ipv4 udp:7777"},
		{"unknown ethertype", build(t, eth(0x9999), raw(random)), evidence.LeakedByFlow, 0, 1, 14,
			"ethernet unknown"},
		{"forged control", underlay(t, forged), evidence.LeakedByMark, -1, -1, 42 + 16, "ethernet ipv4 udp"},
		{"mark at the very end", underlay(t, append(make([]byte, 20), testMark[:]...)), evidence.LeakedByMark, -1, -1,
			42 + 36, "ethernet ipv4 udp"},
		{"control with a canary behind it", underlay(t, both), evidence.LeakedByMark, 0, 1,
			42 /* the mark is 48 behind */, "ethernet ipv4 udp"},
		{"control in a pod's packet", build(t, eth(layers.EthernetTypeIPv4),
			raw(podPacket(t, control(t, TransportUDP, 1)))),
			evidence.LeakedByFlow, 0, 1, 42, "ethernet ipv4 udp"},
		{"later fragment", build(t, eth(layers.EthernetTypeIPv4),
			&layers.IPv4{Version: 4, IHL: 5, FragOffset: 100, TTL: 1,
				Protocol: 17, SrcIP: []byte{192, 0, 2, 1}, DstIP: []byte{192, 0, 2, 2}}, raw(probe[30:])),
			evidence.LeakedByMark, 0, 1,
			34 + 18 + 48, "ethernet ipv4 fragment"},
		{"padding of a short frame", append(build(t, eth(layers.EthernetTypeARP), raw(make([]byte, 28))), probe...),
			evidence.LeakedByMark, 0, 1, 60 + 48, "ethernet arp"},
	} {
		t.Run(row.name, func(t *testing.T) {
			stats := newStats(t, testSubject())
			link := stats.Link("eth0", evidence.RoleOutside)
			for range 3 {
				link.Add(tx(row.frame))
			}
			seen := pick(t, stats.Messages(), leakOf)
			if len(seen) != 1 {
				t.Fatalf("%d leaks", len(seen))
			}
			s := seen[0]
			if s.By != row.by || s.Source != row.source || s.Target != row.target || s.Count != 3 ||
				s.Layers != row.layers {
				t.Errorf("seen as %+v", s)
			}
			if len(s.Sample) != row.sample || !bytes.HasPrefix(row.frame, s.Sample) {
				t.Errorf("a sample of %d bytes, want %d", len(s.Sample), row.sample)
			}
		})
	}
}

// TestNoLeak: what is not a pod's traffic is not held for it.
func TestNoLeak(t *testing.T) {
	same := build(t, ip4("10.42.0.7", "10.42.0.7", layers.IPProtocolUDP), udp(1, 2))
	stranger := build(t, ip4("10.42.0.7", "10.42.1.8", layers.IPProtocolUDP), udp(1, 2))
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	for _, b := range [][]byte{
		nil, {}, {1}, same, stranger, underlay(t, data(1, 2, 1452)), underlay(t, control(t, TransportUDP, 5)),
		build(t, eth(EtherTypeMarked), raw(control(t, TransportFrame, SelfTest))),
		build(t, eth(EtherTypeMarked), raw(control(t, TransportFrame, 1))),
	} {
		link.Add(tx(b))
	}
	if seen := pick(t, stats.Messages(), leakOf); len(seen) != 0 {
		t.Errorf("sighted %+v", seen)
	}
	c := pick(t, stats.Messages(), captureOf)[0]
	if c.ControlTX != 2 || c.ControlRX != 0 || c.Classes["control"] != 3 {
		t.Errorf("controls: %+v", c)
	}
}

// TestFindEverywhere: for random pods, random noise and any offset, the search
// finds exactly what a naive one finds.
func TestFindEverywhere(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 400 {
		var list []evidence.PodAddress
		common := round%2 == 0
		for node := range 2 + random.IntN(40) {
			a, b := [4]byte{10, 42, byte(node), byte(random.Uint32())},
				[16]byte{0: 0xfd, 1: 0x42, 7: byte(node), 15: byte(random.Uint32())}
			if !common {
				for i := range a {
					a[i] = byte(random.Uint32())
				}
				for i := range b {
					b[i] = byte(random.Uint32())
				}
			}
			list = append(list, evidence.PodAddress{Index: node,
				IPs: []netip.Addr{netip.AddrFrom4(a), netip.AddrFrom16(b)}})
		}
		f := newFlows(list)
		b := make([]byte, random.IntN(200))
		for i := range b {
			b[i] = []byte{10, 42, 0, 0xfd, byte(random.Uint32())}[random.IntN(5)]
		}
		from, to := list[random.IntN(len(list))], list[random.IntN(len(list))]
		family := random.IntN(2)
		pair := headed(random, from.IPs[family], to.IPs[family])
		if len(b) >= len(pair) && random.IntN(4) > 0 {
			copy(b[random.IntN(len(b)-len(pair)+1):], pair)
		}
		want, wanted := naive(list, b)
		got, found := f.find(b)
		if found != wanted || got != want {
			t.Fatalf("round %d: found %v %+v, want %v %+v", round, found, got, wanted, want)
		}
	}
}

// TestMarkEverywhere: the search finds what bytes.Index does, in noise made of
// the mark's own bytes too.
func TestMarkEverywhere(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 4000 {
		subject := testSubject()
		for i := range subject.Mark {
			subject.Mark[i] = byte(random.IntN(1 + round%4*80))
		}
		b := make([]byte, random.IntN(120))
		for i := range b {
			b[i] = subject.Mark[random.IntN(MarkSize)]
		}
		for range random.IntN(3) {
			copy(b[random.IntN(len(b)+1):], subject.Mark[:])
		}
		if got, want := newMatcher(subject).next(b), bytes.Index(b, subject.Mark[:]); got != want {
			t.Fatalf("round %d: mark at %d, want %d: % x in % x", round, got, want, subject.Mark, b)
		}
	}
}

// headed is an IP header, or something that only looks like one.
func headed(random *rand.Rand, from, to netip.Addr) []byte {
	b := append([]byte{0x60, 0, 0, 0, 0, 64, 59, 9}, from.AsSlice()...)
	if from.Is4() {
		b = append([]byte{0x45, 0, 0, 64, 0, 0, 0, 0, 9, 17, 0, 0}, from.AsSlice()...)
	}
	b = append(b, to.AsSlice()...)
	if from.Is4() {
		binary.BigEndian.PutUint16(b[10:], ^uint16(checksum(b)))
	}
	if random.IntN(3) == 0 {
		b[random.IntN(8)] ^= 0x90
	}
	return b
}

func naive(list []evidence.PodAddress, b []byte) (flow, bool) {
	var addresses [2][][]byte
	for _, pod := range list {
		for family, ip := range pod.IPs {
			addresses[family] = append(addresses[family], ip.AsSlice())
		}
	}
	for at := range b {
		for family := range 2 {
			for i, from := range addresses[family] {
				target, ok := bytes.CutPrefix(b[at:], from)
				if !ok {
					continue
				}
				for j, to := range addresses[family] {
					if list[i].Index == list[j].Index || !bytes.HasPrefix(target, to) {
						continue
					}
					if family == 0 && header4(b, at-12) || family == 1 && header6(b, at-8) {
						return flow{source: list[i].Index, target: list[j].Index, family: 4 + 2*family, at: at}, true
					}
				}
			}
		}
	}
	return flow{}, false
}
