package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// forgedMark is a marked header of which everything but the tag is right.
func forgedMark(t testing.TB, change func(*Marked)) []byte {
	t.Helper()
	h := about(change)
	b, err := h.Payload(MarkedSize, testMark, testKey)
	if err != nil {
		t.Fatal(err)
	}
	b[40] ^= 1
	return b
}

// A mark is found from the first byte of a frame to the last, where there is no
// header before it too.
func TestMarkAtTheBeginning(t *testing.T) {
	first := payloadWith(t, about(func(m *Marked) { m.Kind = KindFirst }), evidence.FirstKey(testKey))
	for _, row := range []struct {
		name           string
		b              []byte
		first          bool
		source, target int
	}{
		{"a canary", payload(t, about(func(*Marked) {})), false, 0, 1},
		{"a first packet", first, true, 0, 1},
		{"the mark alone", testMark[:], false, -1, -1},
		{"the mark twice", slices.Concat(testMark[:], testMark[:]), false, -1, -1},
	} {
		seen := leaksOf(t, Frame{Data: row.b, Header: RawIP})
		if len(seen) != 1 {
			t.Errorf("%s: %d leaks", row.name, len(seen))
			continue
		}
		s := seen[0]
		if s.By != evidence.LeakedByMark || s.First != row.first || s.Source != row.source || s.Target != row.target {
			t.Errorf("%s: %+v", row.name, s)
		}
		if size := min(MarkedSize, len(row.b)); row.source == 0 && len(s.Sample) != size {
			t.Errorf("%s: a sample of %d bytes", row.name, len(s.Sample))
		}
	}
}

// payloadWith is a marked payload under a key.
func payloadWith(t testing.TB, m Marked, key []byte) []byte {
	t.Helper()
	b, err := m.Payload(int(m.Size), testMark, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Of several marks in a frame the first genuine canary counts, then the first
// genuine control, then the first of all.
func TestWhichMark(t *testing.T) {
	there := payload(t, about(func(m *Marked) { m.Size = MarkedSize }))
	back := payload(t, about(func(m *Marked) { m.Size, m.Source, m.Target = MarkedSize, 1, 0 }))
	strange := forgedMark(t, func(m *Marked) { m.Source = 77 })
	known := forgedMark(t, func(*Marked) {})
	steer := control(t, TransportUDP, 5)
	for _, row := range []struct {
		name           string
		marks          [][]byte
		source, target int // none for a control
	}{
		{"two canaries", [][]byte{there, back}, 0, 1},
		{"the other way round", [][]byte{back, there}, 1, 0},
		{"a forgery before a canary", [][]byte{strange, back}, 1, 0},
		{"a forgery behind a canary", [][]byte{back, known}, 1, 0},
		{"a control before a canary", [][]byte{steer, back}, 1, 0},
		{"a canary before a control", [][]byte{back, steer}, 1, 0},
		{"two forgeries", [][]byte{strange, known}, -1, -1},
		{"two forgeries, the other way round", [][]byte{known, strange}, 0, 1},
	} {
		for _, before := range []int{0, 5} {
			b := append(make([]byte, before), bytes.Join(row.marks, nil)...)
			seen := leaksOf(t, Frame{Data: b, Header: RawIP})
			if len(seen) != 1 || seen[0].Source != row.source || seen[0].Target != row.target {
				t.Errorf("%s, %d bytes on: %+v", row.name, before, seen)
			}
		}
	}
}

// Only so many marks of a frame are tried; one behind them is a leak still, but
// nobody knows whose.
func TestManyMarks(t *testing.T) {
	genuine := payload(t, about(func(m *Marked) { m.Size = MarkedSize }))
	for forgeries, source := range map[int]int{1: 0, maxMarks - 1: 0, maxMarks: -1} {
		b := append(bytes.Repeat(testMark[:], forgeries), genuine...)
		seen := leaksOf(t, Frame{Data: build(t, eth(0x9999), raw(b))})
		if len(seen) != 1 || seen[0].Source != source {
			t.Errorf("behind %d forgeries: %+v", forgeries, seen)
		}
	}
}

// A header that is not genuine is believed if it could be one of the run's: from
// one test pod to another, of a family and a kind that there are.
func TestForgedHeaders(t *testing.T) {
	for _, row := range []struct {
		name     string
		change   func(*Marked)
		believed bool
	}{
		{"a canary", func(*Marked) {}, true},
		{"IPv6", func(m *Marked) { m.Family = 6 }, true},
		{"another family", func(m *Marked) { m.Family = 5 }, false},
		{"from no test pod", func(m *Marked) { m.Source = 5 }, false},
		{"to no test pod", func(m *Marked) { m.Target = 5 }, false},
		{"to itself", func(m *Marked) { m.Target = 0 }, false},
		{"the first kind", func(m *Marked) { m.Kind = KindCanary }, true},
		{"the last kind", func(m *Marked) { m.Kind = KindTry }, true},
		{"no kind", func(m *Marked) { m.Kind = 0 }, false},
		{"a kind that there is not", func(m *Marked) { m.Kind = KindTry + 1 }, false},
	} {
		seen := leaksOf(t, Frame{Data: build(t, eth(0x9999), raw(forgedMark(t, row.change)))})
		if len(seen) != 1 || (seen[0].Source == 0 && seen[0].Target == 1) != row.believed {
			t.Errorf("%s: %+v", row.name, seen)
		}
	}
}

// A genuine header is believed, whichever nodes it names: it knows the run's key.
func TestGenuineHeaderOfOtherNodes(t *testing.T) {
	b := payload(t, about(func(m *Marked) { m.Source, m.Target, m.Family = 5, 6, 6 }))
	seen := leaksOf(t, Frame{Data: inUDP(t, b)})
	if len(seen) != 1 || seen[0].Source != 5 || seen[0].Target != 6 || seen[0].Family != 6 {
		t.Errorf("%+v", seen)
	}
}

// Where nobody knows whose a mark is, the family is that of what carries it.
func TestFamilyOfTheCarrier(t *testing.T) {
	lone := append(make([]byte, 4), testMark[:]...)
	for family, frame := range map[int][]byte{
		4: inUDP(t, lone),
		6: build(t, eth(layers.EthernetTypeIPv6), ip6("2001:db8::10", "2001:db8::11", layers.IPProtocolUDP),
			udp(9, 5555), raw(lone)),
		0: build(t, eth(0x9999), raw(lone)),
	} {
		if seen := leaksOf(t, Frame{Data: frame}); len(seen) != 1 || seen[0].Family != family || seen[0].Source != -1 {
			t.Errorf("%+v, want family %d", seen, family)
		}
	}
}

// A marked payload has room for one header at least, and a datagram for 65535
// bytes at most.
func TestPayloadSizes(t *testing.T) {
	for size, ok := range map[int]bool{-1: false, 0: false, 47: false, 48: true, 49: true, 65535: true, 65536: false,
		65536 + 48: false} {
		b, err := about(func(*Marked) {}).Payload(size, testMark, testKey)
		if (err == nil) != ok || ok && len(b) != size {
			t.Errorf("%d bytes: %d, %v", size, len(b), err)
		}
	}
	b := payload(t, about(func(m *Marked) { m.Size = 130 }))
	if !bytes.Equal(b[:48], b[48:96]) || !bytes.Equal(b[:34], b[96:]) {
		t.Error("the header does not fill the payload")
	}
}

// A sample ends with the headers, or with the run's own mark where that stands
// close behind them; nothing of a payload is kept.
func TestSamples(t *testing.T) {
	options := &layers.TCP{DataOffset: 8,
		Options: []layers.TCPOption{{OptionType: 8, OptionLength: 10, OptionData: make([]byte, 8)}}}
	tcp := func(body ...[]byte) []byte {
		return build(t, eth(layers.EthernetTypeIPv4), ip4("10.42.0.7", "10.42.1.9", layers.IPProtocolTCP), options,
			raw(bytes.Join(body, nil)))
	}
	mark := payload(t, about(func(m *Marked) { m.Size = MarkedSize }))
	secret := func(size int) []byte { return bytes.Repeat([]byte("s"), size) }
	const headers = 14 + 20 + 32
	six := build(t, ip6("fd42::7", "fd42:1::9", layers.IPProtocolUDP), udp(1, 2), raw(secret(40)))
	four := sum(build(t, &layers.IPv4{Version: 4, TTL: 9, Protocol: 17, SrcIP: source4, DstIP: target4,
		Options: []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 1}}}, udp(1, 2),
		raw(secret(40))))
	for _, row := range []struct {
		name   string
		frame  Frame
		sample int
	}{
		{"a mark right behind the headers", tx(tcp(mark)), headers + 48},
		{"a mark 46 bytes behind", tx(tcp(secret(46), mark)), headers + 46 + 48},
		{"a mark 47 bytes behind", tx(tcp(secret(47), mark)), 160}, // the longest sample
		{"a mark 48 bytes behind", tx(tcp(secret(48), mark)), headers},
		{"IPv4 with options", tx(build(t, eth(layers.EthernetTypeIPv4), raw(four))), 14 + 24 + 8},
		{"IPv4 with options, no Ethernet", Frame{Data: four, Header: RawIP}, 24 + 8},
		{"IPv6", tx(build(t, eth(layers.EthernetTypeIPv6), raw(six))), 14 + 40 + 8},
		{"IPv6, no Ethernet", Frame{Data: six, Header: RawIP}, 40 + 8},
	} {
		seen := leaksOf(t, row.frame)
		if len(seen) != 1 || len(seen[0].Sample) != row.sample || !bytes.HasPrefix(row.frame.Data, seen[0].Sample) {
			t.Errorf("%s: %+v, want a sample of %d bytes", row.name, seen, row.sample)
		}
	}
}

// The kind of a message shows in four bytes, of a data message in its header.
func TestKindOfWhatWasCut(t *testing.T) {
	for _, row := range []struct {
		b    []byte
		size int
		want uint8
	}{
		{[]byte{1, 0, 0}, 148, 0}, {[]byte{1, 0, 0, 0}, 148, 1},
		{[]byte{2, 0, 0, 0}, 92, 2}, {[]byte{3, 0, 0, 0}, 64, 3},
		{data(1, 2, 96)[:15], 96, 0}, {data(1, 2, 96)[:16], 96, 4}, {[]byte{1, 1, 0, 0}, 148, 0}, {[]byte{1, 0, 1, 0},
			148, 0}, {[]byte{1, 0, 0, 1}, 148, 0},
		{[]byte{0, 0, 0, 0}, 148, 0},
	} {
		if got := messageKind(row.b, row.size); got != row.want {
			t.Errorf("% x of %d bytes: %d, want %d", row.b, row.size, got, row.want)
		}
	}
	for kind, size := range map[byte]int{1: 148, 2: 92, 3: 64} {
		b := make([]byte, size)
		b[0] = kind
		for n := range b {
			binary.LittleEndian.PutUint32(b[4:], 7)
			if m, ok := parseMessage(b[:n:n], size); ok {
				t.Errorf("%d bytes of a message of %d are one: %+v", n, size, m)
			}
		}
		if m, ok := parseMessage(b, size); !ok || m.kind != kind {
			t.Errorf("%v %+v", ok, m)
		}
	}
}
