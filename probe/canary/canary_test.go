//go:build linux

package canary

import (
	"cmp"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

func identity(index int) Identity {
	return Identity{Index: index,
		Run: wire.Run{Mark: [wire.MarkSize]byte{1, 2, 3}, Key: []byte(strings.Repeat("k", 32))}}
}

const largestMTU = 9000

// Both pods live in one namespace and speak over loopback; where we may make a
// namespace its echo sockets are open to us.
//
//	pod 0 ── lo 127.0.0.1, ::1 ── pod 1
func loopback(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread and its namespace end with the test
	if unix.Unshare(unix.CLONE_NEWNET) != nil {
		t.Skip("needs root to make a network namespace")
	}
	lo, err := netlink.LinkByName("lo")
	// No pod has a larger MTU. Over 16 KiB the kernel puts an echo together of
	// pieces, and adds up its checksum as if each began at an even offset (net/ipv4/
	// ping.c, ping_getfrag): now and then one is wrong, and the echo is dropped.
	if err == nil {
		err = netlink.LinkSetMTU(lo, largestMTU)
	}
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 0"), 0)
}

// On a goroutine of their own sockets would be made in the first namespace, so
// the batch's parts are called one after the other.
func send(ctx context.Context, p *Pod, targets []evidence.Target, sizes []uint16, attempts int, pause time.Duration) {
	v := &batch{id: p.id, counters: &p.counters, attempts: attempts, pause: pause, first: p.sequence}
	p.sequence += uint16(attempts)
	family := familyOf(targets[0].Addr)
	v.sendDatagrams(ctx, targets, sizes, family, wire.TransportUDP)
	v.sendDatagrams(ctx, targets, sizes, family, wire.TransportICMP)
	for _, target := range targets {
		for _, size := range sizes {
			v.stream(ctx, target, size, family)
		}
	}
}

func TestPodsAnswerEachOther(t *testing.T) {
	loopback(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	a, b := NewPod(identity(0)), NewPod(identity(1))
	ports, problems := b.Listen(ctx, evidence.ListenRequest{Families: []int{4, 6, 5}})
	if len(ports) != 4 || len(problems) > 0 {
		t.Fatal(ports, problems)
	}
	for family, addr := range map[string]string{"4": "127.0.0.1", "6": "::1"} {
		target := evidence.Target{Index: 1, Addr: netip.MustParseAddr(addr), UDP: ports["udp"+family],
			TCP: ports["tcp"+family]}
		sizes, err := resolve([]int{0, 101, 1, 101}, target, familyOf(target.Addr))
		if err != nil || len(sizes) != 3 || sizes[0] != wire.MarkedSize || sizes[2] < largestMTU-48 {
			t.Fatal(sizes, err)
		}
		send(ctx, a, []evidence.Target{target}, sizes, 3, time.Second)
	}
	for name, pod := range map[string]*Pod{"sender": a, "listener": b} {
		messages := pod.Stop()
		if len(messages) != 2 {
			t.Fatalf("%s: %d messages", name, len(messages))
		}
		for _, m := range messages {
			for _, row := range m.Canary.Rows {
				ok := row.Received == 1
				if name == "sender" {
					ok = row.Sent == 1 && row.Answered == 1 && row.RTT > 0 && row.Error == ""
				}
				if row.Transport == "icmp" && strings.Contains(row.Error, "not permitted") {
					t.Logf("%+v", row)
					continue
				}
				if !ok {
					t.Errorf("%s to %d, IPv%d: %+v", name, m.Canary.Peer, m.Canary.Family, row)
				}
			}
		}
	}
}

// conntrack knows echoes by their identifier. Two of one identifier, close to
// each other, are a race that one of them may lose; see datagramBatch.open.
func TestEchoesOfDifferentSizesAreDifferentFlows(t *testing.T) {
	loopback(t)
	all, err := net.ListenPacket("ip4:icmp", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	a, sizes := NewPod(identity(0)), []uint16{64, 301, 555, 1392}
	v := &batch{id: a.id, counters: &a.counters, attempts: 1, pause: 2 * time.Second}
	v.sendDatagrams(ctx, []evidence.Target{{Index: 1, Addr: netip.MustParseAddr("127.0.0.1")}}, sizes, 4,
		wire.TransportICMP)

	sizeOf, buffer := map[uint16]int{}, make([]byte, 1<<16)
	for len(sizeOf) < len(sizes) {
		all.SetReadDeadline(time.Now().Add(time.Second))
		n, _, err := all.ReadFrom(buffer)
		if err != nil {
			t.Fatalf("%d identifiers, want %d: %v", len(sizeOf), len(sizes), err)
		}
		if buffer[0] != echoRequest[4] {
			continue
		}
		id := binary.BigEndian.Uint16(buffer[4:])
		if other, known := sizeOf[id]; known {
			t.Fatalf("%d and %d bytes share identifier %d", other, n, id)
		}
		sizeOf[id] = n
	}
	for _, row := range a.Stop()[0].Canary.Rows {
		if row.Answered != 1 {
			t.Errorf("%+v", row)
		}
	}
}

// An echo counts as answered by a genuine reply alone, and only once it was
// asked for: whoever sees one echo cannot make an answer for another size,
// another pod or another attempt of it.
func TestOnlyTheReplyToAnEchoIsAnAnswer(t *testing.T) {
	a := NewPod(identity(0))
	asked := packetKey{1, 64}
	for name, test := range map[string]struct {
		icmp    byte
		change  func(*wire.Marked)
		size    int
		key     string
		counted bool
	}{
		"reply":           {icmp: 0, counted: true},
		"request":         {icmp: 8},
		"unreachable":     {icmp: 3},
		"other key":       {key: "guess"},
		"other size":      {size: 301},
		"from another":    {change: func(m *wire.Marked) { m.Target = 2 }},
		"for another":     {change: func(m *wire.Marked) { m.Source = 2 }},
		"listener's":      {change: func(m *wire.Marked) { m.Kind, m.Source, m.Target = wire.KindAnswer, 1, 0 }},
		"never sent":      {change: func(m *wire.Marked) { m.Sequence++ }},
		"other family":    {change: func(m *wire.Marked) { m.Family = 6 }},
		"other transport": {change: func(m *wire.Marked) { m.Transport = wire.TransportUDP }},
	} {
		var l counters
		s := &datagramBatch{
			batch: &batch{id: a.id, counters: &l}, family: 4, transport: wire.TransportICMP, done: make(chan struct{}),
			waiting: map[packetKey]map[uint16]time.Time{asked: {7: time.Now()}},
		}
		m := wire.Marked{Kind: wire.KindCanary, Family: 4, Transport: wire.TransportICMP, Source: 0, Target: 1,
			Sequence: 7}
		if test.change != nil {
			test.change(&m)
		}
		payload, err := m.Payload(cmp.Or(test.size, 64), a.id.Mark, []byte(cmp.Or(test.key, string(a.id.Key))))
		if err != nil {
			t.Fatal(err)
		}
		if got, peer, ok := s.answer(append([]byte{test.icmp, 0, 0, 0, 0, 0, 0, 0}, payload...)); ok {
			s.take(got, peer)
		}
		if counted := len(s.waiting) == 0 && len(l.messages()) == 1; counted != test.counted || !counted &&
			len(l.messages()) > 0 {
			t.Errorf("%s: counted: %v, want %v; %+v", name, counted, test.counted, l.messages())
		}
	}
}

func TestSilenceIsCountedAndBounded(t *testing.T) {
	loopback(t)
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	a := NewPod(identity(0))
	start := time.Now()
	dead := evidence.Target{Index: 1, Addr: netip.MustParseAddr("127.0.0.1"), UDP: 9, TCP: 9}
	send(ctx, a, []evidence.Target{dead}, []uint16{64}, 3, 50*time.Millisecond)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, row := range a.Stop()[0].Canary.Rows {
		switch {
		case row.Transport == "udp" && (row.Sent < 2 || row.Answered != 0),
			row.Transport == "tcp" && (row.Sent != 0 || row.Error == ""):
			t.Errorf("%+v", row)
		}
	}
}

func TestTooLongIsAnError(t *testing.T) {
	loopback(t)
	lo, _ := netlink.LinkByName("lo")
	if err := netlink.LinkSetMTU(lo, 1400); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	a := NewPod(identity(0))
	target := evidence.Target{Index: 1, Addr: netip.MustParseAddr("127.0.0.1"), UDP: 9, TCP: 9}
	sizes, err := resolve([]int{0}, target, 4)
	if err != nil || sizes[0] != 1372 {
		t.Error(sizes, err)
	}
	v := &batch{id: a.id, counters: &a.counters, attempts: 1, pause: time.Millisecond}
	v.sendDatagrams(ctx, []evidence.Target{target}, []uint16{1372, 1373}, 4, wire.TransportUDP)
	rows := a.Stop()[0].Canary.Rows
	if rows[0].Error != "" || rows[0].Sent != 1 || rows[1].Error != "message too long" || rows[1].Sent != 0 {
		t.Errorf("%+v", rows)
	}
}

// Nothing that is not a genuine canary for this pod is answered or counted, and
// a duplicate counts once.
func TestListenerIsNotFooled(t *testing.T) {
	b := NewPod(identity(1))
	ports, _ := b.Listen(t.Context(), evidence.ListenRequest{Families: []int{4}})
	conn, err := net.Dial("udp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), ports["udp4"]).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	id := identity(0)
	good := wire.Marked{Kind: wire.KindCanary, Family: 4, Transport: wire.TransportUDP, Target: 1, Sequence: 3}
	payload := func(m wire.Marked, key string) []byte {
		b, err := m.Payload(100, id.Mark, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	with := func(change func(*wire.Marked)) []byte { m := good; change(&m); return payload(m, string(id.Key)) }
	torn := payload(good, string(id.Key))
	torn[99]++
	for name, b := range map[string][]byte{
		"other key":       payload(good, "guess"),
		"answer":          with(func(m *wire.Marked) { m.Kind = wire.KindAnswer }),
		"control":         with(func(m *wire.Marked) { m.Kind = wire.KindControl }),
		"for another":     with(func(m *wire.Marked) { m.Target = 2 }),
		"other family":    with(func(m *wire.Marked) { m.Family = 6 }),
		"other transport": with(func(m *wire.Marked) { m.Transport = wire.TransportTCP }),
		"cut":             payload(good, string(id.Key))[:99],
		"torn":            torn,
		"empty":           {},
	} {
		conn.Write(b)
		conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, err := conn.Read(make([]byte, 200)); err == nil {
			t.Errorf("%s: answered with %d bytes", name, n)
		}
	}
	for range 3 {
		conn.Write(payload(good, string(id.Key)))
		conn.SetReadDeadline(time.Now().Add(time.Second))
		answer := make([]byte, 200)
		n, err := conn.Read(answer)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := id.genuine(answer[:n]); !ok || m.Kind != wire.KindAnswer || m.Source != 1 ||
			m.Target != 0 || n != 100 {
			t.Errorf("answer %+v", m)
		}
	}
	messages := b.Stop()
	if len(messages) != 1 || len(messages[0].Canary.Rows) != 1 || messages[0].Canary.Rows[0].Received != 1 {
		t.Errorf("%+v", messages)
	}
}

// Every row is kept below the limit of a message, and a flood of peers ends.
func TestLedgerIsBounded(t *testing.T) {
	var l counters
	for size := range uint16(200) {
		m := wire.Marked{Source: 1, Family: 4, Transport: wire.TransportUDP, Size: size}
		l.update(1, 4, m.Transport, size, func(r *row) { r.err = strings.Repeat("x", 500) })
		l.received(m)
	}
	messages := l.messages()
	if _, err := evidence.Encode(&messages[0]); err != nil || len(messages[0].Canary.Rows) != maxRows {
		t.Error(err, len(messages[0].Canary.Rows))
	}
}
