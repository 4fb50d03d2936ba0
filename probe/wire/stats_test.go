package wire

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestOnceAcrossLinks: a message seen on a VLAN and on its lower link is one
// message; the same message twice on one link is a repeat.
func TestOnceAcrossLinks(t *testing.T) {
	stats := newStats(t, testSubject())
	upper, lower := stats.Link("eth0.7", evidence.RoleOutside), stats.Link("eth0", evidence.RoleOutside)
	for n := range uint64(100) {
		frame := underlay(t, data(5, n, 96))
		if n%2 == 0 {
			upper.Add(tx(frame))
			lower.Add(tx(frame))
		} else {
			lower.Add(tx(frame))
			upper.Add(tx(frame))
		}
	}
	handshake := underlay(t, append([]byte{1}, make([]byte, 147)...))
	upper.Add(tx(handshake))
	lower.Add(tx(handshake))
	lower.Add(tx(underlay(t, data(5, 99, 96))))
	tunnel := pick(t, stats.Messages(), tunnelOf)[0]
	want := evidence.Flow{
		Initiations: 1, Data: 100, Bytes: 148 + 9600,
		Indices:    []evidence.IndexRange{{Index: 5, Max: 99, Messages: 100, Repeats: 1}},
		Sizes:      []evidence.SizeCount{{Size: 96, Count: 100}},
		Handshakes: []evidence.Handshake{{Type: 1}},
	}
	if !reflect.DeepEqual(tunnel.TX, want) {
		t.Errorf("tx %+v\nwant %+v", tunnel.TX, want)
	}
	if !reflect.DeepEqual(tunnel.Links, []string{"eth0", "eth0.7"}) {
		t.Errorf("links %v", tunnel.Links)
	}
}

// TestKinds counts each kind of message, and Bytes as the kernel does: without
// cookies.
func TestKinds(t *testing.T) {
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	for _, b := range [][]byte{
		append([]byte{1}, make([]byte, 147)...), append([]byte{2}, make([]byte, 91)...),
		append([]byte{3}, make([]byte, 63)...),
		data(1, 0, 32), data(1, 1, 1452), []byte("no wireguard at all"),
	} {
		link.Add(rx(reverse(t, b)))
	}
	flow := pick(t, stats.Messages(), tunnelOf)[0].RX
	if flow.Initiations != 1 || flow.Responses != 1 || flow.Cookies != 1 || flow.Keepalives != 1 || flow.Data != 1 ||
		flow.Malformed != 1 {
		t.Errorf("%+v", flow)
	}
	if flow.Bytes != 148+92+32+1452 {
		t.Errorf("bytes %d", flow.Bytes)
	}
}

// TestSuperPackets: several datagrams in one frame count as what they are, with
// and without the kernel's word for their size.
func TestSuperPackets(t *testing.T) {
	row := func(first, count, size, last int) []byte {
		var b []byte
		for n := range count {
			length := size
			if n == count-1 {
				length = last
			}
			b = append(b, data(77, uint64(first+n), length)...)
		}
		return b
	}
	for _, c := range []struct{ first, count, size, last, segment int }{
		{0, 10, 1452, 1452, 1452}, {0, 10, 1452, 1452, 0}, {9, 3, 96, 48, 0}, {9, 3, 96, 48, 96},
		{0, 2, 32, 32, 0}, {1 << 20, 40, 1452, 80, 0}, {5, 1, 1452, 1452, 0},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			stats := newStats(t, testSubject())
			link := stats.Link("eth0", evidence.RoleOutside)
			b := row(c.first, c.count, c.size, c.last)
			frame := tx(underlay(t, b))
			frame.Segment = c.segment
			link.Add(frame)
			flow := pick(t, stats.Messages(), tunnelOf)[0].TX
			if flow.Data+flow.Keepalives != uint64(c.count) || flow.Bytes != uint64(len(b)) || flow.Malformed != 0 {
				t.Errorf("%+v", flow)
			}
			if r := flow.Indices[0]; r.Min != uint64(c.first) || r.Messages != uint64(c.count) || r.Repeats != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestOneDatagram: what looks like a row of messages is one where the kernel
// would have reported several.
func TestOneDatagram(t *testing.T) {
	row := append(data(7, 1, 96), data(7, 2, 96)...)
	for _, known := range []bool{false, true} {
		stats := newStats(t, testSubject())
		frame := tx(underlay(t, row))
		frame.SegmentKnown = known
		stats.Link("eth0", evidence.RoleOutside).Add(frame)
		flow := pick(t, stats.Messages(), tunnelOf)[0].TX
		want := uint64(2)
		if known {
			want = 1
		}
		if flow.Data != want || flow.Bytes != 192 {
			t.Errorf("known %v: %+v", known, flow)
		}
	}
}

// TestFragmented: the first fragment of a datagram counts for all of it.
func TestFragmented(t *testing.T) {
	whole := build(t, udp(wgPort, wgPort), raw(data(1, 4, 1452)))
	frame := build(t, eth(layers.EthernetTypeIPv4),
		&layers.IPv4{Version: 4, IHL: 5, TTL: 9, Protocol: 17, Flags: layers.IPv4MoreFragments,
			SrcIP: []byte{192, 0, 2, 10}, DstIP: []byte{192, 0, 2, 11}}, raw(whole[:800]))
	stats := newStats(t, testSubject())
	stats.Link("eth0", evidence.RoleOutside).Add(tx(frame))
	flow := pick(t, stats.Messages(), tunnelOf)[0].TX
	if flow.Data != 1 || flow.Bytes != 1452 {
		t.Errorf("%+v", flow)
	}
}

// On a WireGuard link the same traffic is not a leak but seen inside the tunnel,
// in chunks that fit.
func TestSeenInTunnel(t *testing.T) {
	stats := newStats(t, testSubject())
	link := stats.Link("flannel-wg", evidence.RoleWireGuard)
	const nodes = 150
	for n := range nodes {
		b, err := Marked{Kind: KindAnswer, Family: 4, Transport: TransportTCP, Source: 0, Target: uint32(n + 1)}.
			Payload(60, testMark, testKey)
		if err != nil {
			t.Fatal(err)
		}
		link.Add(Frame{Data: podPacket(t, b), Header: RawIP, Direction: evidence.DirectionTX})
	}
	forged := canary(t, 60)
	forged[24] ^= 1
	link.Add(Frame{Data: podPacket(t, forged), Header: RawIP, Direction: evidence.DirectionTX})
	messages := stats.Messages()
	if leaks := pick(t, messages, leakOf); len(leaks) != 0 {
		t.Errorf("leaks %+v", leaks)
	}
	seen := 0
	seenPairs := pick(t, messages, seenOf)
	for _, w := range seenPairs {
		for _, s := range w.Seen {
			seen++
			if s.Target != seen || s.TCP != 1 || s.UDP != 0 {
				t.Errorf("%+v", s)
			}
		}
	}
	if seen != nodes || len(seenPairs) != 3 {
		t.Errorf("%d pairs in %d messages", seen, len(seenPairs))
	}
}

// TestBounded: an adversary who sends everything there is makes nothing large.
func TestBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	leaks := uint64(0)
	for n := range 20000 {
		b := data(random.Uint32N(200), random.Uint64(), 32+random.IntN(400))
		link.Add(tx(underlay(t, b)))
		if n%10 == 0 {
			leaks++
			link.Add(tx(build(t, eth(layers.EthernetTypeIPv4), ip4(fmt.Sprintf("192.0.2.%d", n%250), "192.0.2.9", 17),
				udp(7, 9), raw(canary(t, 60)))))
		}
	}
	stats.tunnels.mu.Lock()
	if words := stats.tunnels.words; words > wordBudget+maxWords {
		t.Errorf("%d words of counters", words)
	}
	stats.tunnels.mu.Unlock()
	messages := stats.Messages()
	sum := uint64(0)
	for _, s := range pick(t, messages, leakOf) {
		sum += s.Count
	}
	if sum != leaks || len(messages) > 2+maxLeaks+maxUnformed {
		t.Errorf("%d leaks of %d, %d messages", sum, leaks, len(messages))
	}
	flow := pick(t, messages, tunnelOf)[0].TX
	total := uint64(0)
	for _, s := range flow.Sizes {
		total += s.Count
	}
	if total == 0 || total > flow.Data || len(flow.Indices) > maxIndices || len(flow.Sizes) > maxSizes {
		t.Errorf("%d of %d data messages have a size", total, flow.Data)
	}
}

// TestOrder: the same frames in another order give the same messages.
func TestOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var frames []Frame
	for n := range uint64(60) {
		frames = append(frames, tx(underlay(t, data(uint32(n%5), n, int(40+n)))), rx(reverse(t, data(9, n, 96))))
	}
	frames = append(frames, tx(build(t, eth(layers.EthernetTypeIPv4), raw(podPacket(t, canary(t, 99))))),
		rx(build(t, eth(layers.EthernetTypeIPv4), raw(podPacket(t, canary(t, 99))))))
	var first string
	for range 20 {
		stats := newStats(t, testSubject())
		link := stats.Link("eth0", evidence.RoleOutside)
		random.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
		for _, f := range frames {
			link.Add(f)
		}
		b, err := json.Marshal(stats.Messages())
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(b)
		} else if first != string(b) {
			t.Fatalf("order matters:\n%s\n%s", first, b)
		}
	}
}

// TestCounters: the set behaves as a map does within its window, and below it
// everything counts as seen.
func TestCounters(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var c counters
	seen := map[uint64]bool{}
	for base := uint64(1 << 40); base < 1<<40+200000; base += random.Uint64N(40) {
		n := base + random.Uint64N(2000) - 1000
		if got := c.add(n, maxWords); got != seen[n] {
			t.Fatalf("%d: repeated %v", n, got)
		}
		seen[n] = true
	}
	if c.add(1<<63, maxWords) || !c.add(1<<40, maxWords) || !c.has(0) || len(c.words) > maxWords {
		t.Error("after a leap nothing below is new")
	}
}

func TestKeysRefused(t *testing.T) {
	for _, key := range []string{"", "AAAA", "not base64 at all"} {
		subject := testSubject()
		subject.Keys = []string{key}
		if _, err := NewStats(subject); err == nil {
			t.Errorf("%q is taken for a key", key)
		}
	}
}
