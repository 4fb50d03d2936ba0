package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// about is a marked header of a canary from node 0 to node 1, changed.
func about(change func(*Marked)) Marked {
	m := Marked{Kind: KindCanary, Family: 4, Transport: TransportUDP, Source: 0, Target: 1, Size: 64, Sequence: 1}
	change(&m)
	return m
}

// payload is a marked payload as long as its header says.
func payload(t testing.TB, m Marked) []byte {
	t.Helper()
	b, err := m.Payload(int(m.Size), testMark, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// echo is an ICMP packet from one pod to the other, of a type and code.
func echo(t testing.TB, source, target string, kind, code uint8, body []byte) []byte {
	t.Helper()
	return build(t, ip4(source, target, layers.IPProtocolICMPv4),
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(kind, code)}, raw(body))
}

// onTunnel returns what a WireGuard link's capture counts of packets that all
// travel in one direction.
func onTunnel(t *testing.T, direction string, packets ...[]byte) []evidence.Seen {
	t.Helper()
	stats := newStats(t, testSubject())
	link := stats.Link("wg0", evidence.RoleWireGuard)
	for _, b := range packets {
		link.Add(Frame{Data: b, Header: RawIP, Direction: direction})
	}
	var seen []evidence.Seen
	for _, w := range pick(t, stats.Messages(), seenOf) {
		if w.Direction != direction || w.Family != 4 {
			t.Errorf("%+v", w)
		}
		seen = append(seen, w.Seen...)
	}
	return seen
}

// Canaries and answers are counted apart, each once, whatever is repeated.
func TestSeen(t *testing.T) {
	small := payload(t, about(func(*Marked) {}))
	again := payload(t, about(func(m *Marked) { m.Sequence = 2 }))
	larger := payload(t, about(func(m *Marked) { m.Size = 300 }))
	answer := payload(t, about(func(m *Marked) { m.Kind, m.Source, m.Target = KindAnswer, 1, 0 }))
	stream := payload(t, about(func(m *Marked) { m.Transport, m.Size = TransportTCP, 1200 }))
	ping := payload(t, about(func(m *Marked) { m.Transport = TransportICMP }))
	forged := bytes.Clone(small)
	forged[40] ^= 1
	sent := func(s evidence.Seen) []evidence.Seen { s.Target = 1; return []evidence.Seen{s} }
	back := func(s evidence.Seen) []evidence.Seen { s.Source = 1; return []evidence.Seen{s} }
	for _, row := range []struct {
		name    string
		packets [][]byte
		want    []evidence.Seen
	}{
		{"a canary", [][]byte{podPacket(t, small)}, sent(evidence.Seen{UDP: 1})},
		{"the same twice", [][]byte{podPacket(t, small), podPacket(t, small)}, sent(evidence.Seen{UDP: 1})},
		{"a second attempt and another size",
			[][]byte{podPacket(t, small), podPacket(t, again), podPacket(t, larger)}, sent(evidence.Seen{UDP: 3})},
		{"an answer", [][]byte{podPacket(t, answer)}, back(evidence.Seen{UDP: 1, UDPAnswers: 1})},
		{"a forgery", [][]byte{podPacket(t, forged)}, nil},
		{"a stream's segment and what is sent of it again", [][]byte{
			podPacket(t, stream), podPacket(t, stream[:960]), podPacket(t, stream[960:]),
		}, sent(evidence.Seen{TCP: 1})},
		{"a segment that begins amid a header", [][]byte{podPacket(t, stream[20:])}, sent(evidence.Seen{TCP: 1})},
		{"datagrams that were merged",
			[][]byte{podPacket(t, slices.Concat(larger, small, again))}, sent(evidence.Seen{UDP: 3})},
		{"a forgery merged with a canary",
			[][]byte{podPacket(t, slices.Concat(small, forged, again))}, sent(evidence.Seen{UDP: 2})},
		{"an echo request", [][]byte{echo(t, "10.42.0.7", "10.42.1.9", 8, 0, ping)}, sent(evidence.Seen{ICMP: 1})},
		{"its reply",
			[][]byte{echo(t, "10.42.1.9", "10.42.0.7", 0, 0, ping)}, back(evidence.Seen{ICMP: 1, ICMPAnswers: 1})},
		{"something else than an echo", [][]byte{echo(t, "10.42.1.9", "10.42.0.7", 13, 0, ping)}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := onTunnel(t, evidence.DirectionTX, row.packets...); !slices.Equal(got, row.want) {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}

// What an ICMP error quotes travels against its pair's direction: it is nothing
// that went from the pod that sent it.
func TestSeenQuoted(t *testing.T) {
	ping := payload(t, about(func(m *Marked) { m.Transport = TransportICMP }))
	for name, quoted := range map[string][]byte{
		"a canary":        podPacket(t, payload(t, about(func(*Marked) {}))),
		"an echo request": echo(t, "10.42.0.7", "10.42.1.9", 8, 0, ping),
	} {
		for _, seen := range onTunnel(t, evidence.DirectionRX, echo(t, "10.42.1.9", "10.42.0.7", 3, 3, quoted)) {
			if seen.Target == 0 {
				t.Errorf("%s counts for the pod that it was returned to: %+v", name, seen)
			}
		}
	}
}

// An echo of the one pod and the reply to an equal one of the other are two packets.
func TestSeenEqualEchoes(t *testing.T) {
	own := payload(t, about(func(m *Marked) { m.Transport = TransportICMP }))
	other := payload(t, about(func(m *Marked) { m.Transport, m.Source, m.Target = TransportICMP, 1, 0 }))
	got := onTunnel(t, evidence.DirectionTX,
		echo(t, "10.42.0.7", "10.42.1.9", 8, 0, own), echo(t, "10.42.0.7", "10.42.1.9", 0, 0, other))
	if want := []evidence.Seen{{Source: 0, Target: 1, ICMP: 2, ICMPAnswers: 1}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// However packets are repeated, merged and ordered, their number stays.
func TestSeenCountsPackets(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	var all [][]byte
	want := evidence.Seen{Target: 1}
	for sequence := range uint16(40) {
		all = append(all, payload(t, about(func(m *Marked) {
			m.Sequence, m.Size = sequence,
				uint16(48+random.IntN(900))
		})))
		want.UDP++
		if sequence%3 == 0 {
			all = append(all, payload(t, about(func(m *Marked) { m.Sequence, m.Kind = sequence, KindAnswer })))
			want.UDP++
			want.UDPAnswers++
		}
	}
	for range 20 {
		packets := slices.Concat(all, all)
		random.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
		var frames [][]byte
		for len(packets) > 0 {
			n := 1 + random.IntN(min(5, len(packets)))
			frames = append(frames, podPacket(t, slices.Concat(packets[:n]...)))
			packets = packets[n:]
		}
		if got := onTunnel(t, evidence.DirectionTX, frames...); !slices.Equal(got, []evidence.Seen{want}) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
}

// Datagrams of ever new strangers are not a gap in what was captured. Those of a
// peer still count, and a mark in one of them is still found.
func TestStrangers(t *testing.T) {
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	stranger := func(port uint16, body []byte) Frame {
		from := ip4("203.0.113.7", "192.0.2.10", layers.IPProtocolUDP)
		return rx(build(t, eth(layers.EthernetTypeIPv4), from, udp(port, wgPort), raw(body)))
	}
	for port := range uint16(3 * maxUnformed) {
		link.Add(stranger(1000+port, []byte("x")))
	}
	link.Add(stranger(9, canary(t, 64)))
	link.Add(tx(underlay(t, data(1, 2, 128))))
	messages := stats.Messages()
	tunnels := pick(t, messages, tunnelOf)
	if len(tunnels) != maxUnformed+1 || len(pick(t, messages, leakOf)) != 1 {
		t.Errorf("%d tunnels, leaks %+v", len(tunnels), pick(t, messages, leakOf))
	}
	for _, m := range messages {
		if m.Problem != nil {
			t.Errorf("%+v", m.Problem)
		}
		if m.Capture != nil && m.Capture.Classes["malformed"] != 3*maxUnformed+1 {
			t.Errorf("%+v", m.Capture.Classes)
		}
	}
}

// A datagram that comes twice counts once in every sum, whichever message it
// is, and of data messages it is said. Only beyond the bounds it counts again:
// then the sums are too large, which no check takes for proof.
func TestDuplicates(t *testing.T) {
	initiation := make([]byte, sizeInitiation)
	initiation[0] = typeInitiation
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	for n := range 10 {
		for range 2 {
			link.Add(rx(underlay(t, data(1, uint64(n), 128))))
			binary.LittleEndian.PutUint32(initiation[8:], uint32(n))
			link.Add(rx(underlay(t, initiation)))
		}
	}
	flow := pick(t, stats.Messages(), tunnelOf)[0].RX
	if flow.Data != 10 || flow.Bytes != 1280+10*sizeInitiation || flow.Initiations != 10 {
		t.Errorf("%+v", flow)
	}
	if flow.Indices[0].Repeats != 10 || flow.Indices[0].Messages != 10 {
		t.Errorf("%+v", flow.Indices)
	}
}

// FuzzSeen: whatever lies between two marked packets of a frame, both are
// counted, and nothing that is not genuine.
func FuzzSeen(f *testing.F) {
	f.Add([]byte{}, uint16(48), uint16(64))
	f.Add(testMark[:], uint16(100), uint16(48))
	f.Add(canary(f, 60)[:50], uint16(63), uint16(1000))
	f.Fuzz(func(t *testing.T, between []byte, first, second uint16) {
		between = between[:min(len(between), 1000)] // fewer marks than a frame may have
		first, second = max(first, MarkedSize), max(second, MarkedSize)
		b := slices.Concat(
			payload(t, about(func(m *Marked) { m.Size = first })), between,
			payload(t, about(func(m *Marked) { m.Size, m.Sequence = second, 7 })),
		)
		if len(b) > 0xffff-28 {
			return // more than a datagram carries
		}
		seen := onTunnel(t, evidence.DirectionTX, podPacket(t, b))
		if len(seen) != 1 || seen[0].UDP < 2 || seen[0].UDP > 3 { // a seed has one in between
			t.Errorf("%+v", seen)
		}
	})
}
