package wire

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// flowOf returns what is reported of messages that leave by one link.
func flowOf(t testing.TB, payloads ...[]byte) evidence.Flow {
	t.Helper()
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	for _, payload := range payloads {
		link.Add(tx(underlay(t, payload)))
	}
	return pick(t, stats.Messages(), tunnelOf)[0].TX
}

// initiation is one of its own sender index.
func initiation(sender uint32) []byte {
	b := make([]byte, sizeInitiation)
	b[0] = typeInitiation
	binary.LittleEndian.PutUint32(b[4:], sender)
	return b
}

// Of handshakes the first eight are reported in full; all are counted.
func TestHandshakesAreBounded(t *testing.T) {
	var sent [][]byte
	for n := range uint32(12) {
		sent = append(sent, initiation(n))
	}
	flow := flowOf(t, sent...)
	if len(flow.Handshakes) != maxHandshakes || flow.Initiations != 12 || flow.Bytes != 12*sizeInitiation {
		t.Errorf("%d handshakes of %d, %d bytes", len(flow.Handshakes), flow.Initiations, flow.Bytes)
	}
	for i, h := range flow.Handshakes {
		if h.Sender != uint32(i) {
			t.Errorf("handshake %d is of sender %d", i, h.Sender)
		}
	}
}

// Repeats are distinguished from new messages for so many handshakes and sessions; beyond
// these bounds everything counts, so that a sum can only become too large.
func TestRepeatsAreFoundWithinBounds(t *testing.T) {
	for _, test := range []struct {
		name  string
		known int
		of    func(n uint32) []byte
		count func(*evidence.Flow) uint64
	}{
		{"handshakes", maxUnique, initiation, func(f *evidence.Flow) uint64 { return f.Initiations }},
		{"sessions", maxSessions, func(n uint32) []byte { return data(n, 5, 96) },
			func(f *evidence.Flow) uint64 { return f.Data }},
	} {
		var sent [][]byte
		for n := range test.known + 1 {
			sent = append(sent, test.of(uint32(n)))
		}
		flow := flowOf(t, append(sent, test.of(0), test.of(uint32(test.known-1)))...)
		if got := test.count(&flow); got != uint64(test.known+1) {
			t.Errorf("%s: %d within the bounds, want %d", test.name, got, test.known+1)
		}
		flow = flowOf(t, append(sent, test.of(uint32(test.known)))...)
		if got := test.count(&flow); got != uint64(test.known+2) {
			t.Errorf("%s: %d beyond the bounds, want %d", test.name, got, test.known+2)
		}
	}
}

// Sizes that the run asked for are always counted; of others so many that the
// most frequent ones are among them. What has no count of its own is a data
// message all the same.
func TestSizesAreBounded(t *testing.T) {
	const most = 4 * maxSizes
	var sent [][]byte
	counter := uint64(0)
	add := func(size int) {
		counter++
		sent = append(sent, data(1, counter, size))
	}
	for n := range most {
		add(100 + n)
	}
	for range 3 {
		add(100 + most)     // one size too many
		add(100 + most - 1) // the last that is counted by itself
	}
	add(1452) // asked for
	flow := flowOf(t, sent...)
	if len(flow.Sizes) != maxSizes || flow.Sizes[0] != (evidence.SizeCount{Size: 1452, Count: 1}) ||
		flow.Sizes[1] != (evidence.SizeCount{Size: 100 + most - 1, Count: 4}) {
		t.Errorf("%d sizes, first %+v", len(flow.Sizes), flow.Sizes[:2])
	}
	for i, s := range flow.Sizes[2:] { // of those that are equally frequent the smallest
		if want := (evidence.SizeCount{Size: 100 + i, Count: 1}); s != want {
			t.Errorf("%+v, want %+v", s, want)
		}
	}
	if flow.Data != most+7 {
		t.Errorf("%d data messages, want %d", flow.Data, most+7)
	}
}

// The sessions that are reported are those with the most messages, repeats among them.
func TestBusiestSessions(t *testing.T) {
	var sent [][]byte
	send := func(session uint32, fresh, repeats int) {
		for n := range fresh {
			sent = append(sent, data(session, uint64(n), 96))
		}
		for range repeats {
			sent = append(sent, data(session, 0, 96))
		}
	}
	send(1, 5, 0)
	send(2, 2, 6)
	send(3, 3, 1)
	send(4, 1, 4)
	flow := flowOf(t, sent...)
	var order []uint32
	for _, r := range flow.Indices {
		order = append(order, r.Index)
	}
	if want := []uint32{2, 1, 4, 3}; !slices.Equal(order, want) {
		t.Errorf("%v, want %v", order, want)
	}
}

// A tunnel is reported with eight links at most, each once, whatever else passes.
func TestLinksOfATunnel(t *testing.T) {
	stats := newStats(t, testSubject())
	var links []*LinkStats
	for n := range maxTunnelLinks + 2 {
		links = append(links, stats.Link(string(rune('a'+n)), evidence.RoleOutside))
	}
	there := rx(reverse(t, data(1, 2, 96)))
	elsewhere := rx(build(t, eth(0x0800), ip4("192.0.2.12", "192.0.2.10", 17), udp(wgPort, wgPort),
		raw(data(1, 2, 96))))
	for range 3 {
		for _, link := range links[1:3] {
			link.Add(there)
			link.Add(elsewhere)
		}
	}
	for _, link := range links {
		link.Add(there)
	}
	tunnels := pick(t, stats.Messages(), tunnelOf)
	if want := []string{"a", "b", "c", "d", "e", "f", "g", "h"}; len(tunnels) != 2 || !slices.Equal(tunnels[0].Links,
		want) {
		t.Fatalf("%+v", tunnels)
	}
	if want := []string{"b", "c"}; !slices.Equal(tunnels[1].Links, want) {
		t.Errorf("links %v, want %v", tunnels[1].Links, want)
	}
}

// Tunnels are reported in the order of this host's addresses, then of the others'.
func TestTunnelsInOrder(t *testing.T) {
	all := map[ends]*tunnel{}
	var want []ends
	for _, local := range []string{"192.0.2.9:1", "192.0.2.10:1", "192.0.2.10:2"} {
		for _, remote := range []string{"192.0.2.1:7", "192.0.2.20:3"} {
			e := ends{netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)}
			all[e] = &tunnel{}
			want = append(want, e)
		}
	}
	if got := sortedEnds(all); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// There are tunnels for two families of 5,000 peers and more; what belongs to
// none of those that are kept is reported as a problem.
func TestTunnelsAreBounded(t *testing.T) {
	stats := newStats(t, testSubject())
	all := &stats.tunnels
	at := func(n int) ends {
		return ends{netip.MustParseAddrPort("192.0.2.10:51820"),
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 51820)}
	}
	for n := range maxTunnels - 1 {
		all.between(at(n), true)
	}
	if all.between(at(maxTunnels-1), true) == nil || all.between(at(maxTunnels), true) != nil || all.between(at(5),
		true) == nil {
		t.Error("there is room for so many tunnels and no more")
	}
	link := stats.Link("eth0", evidence.RoleOutside)
	link.Add(tx(underlay(t, []byte("malformed"))))
	if all.missed != 0 {
		t.Error("what is not a message of WireGuard is not a gap")
	}
	link.Add(tx(underlay(t, data(1, 2, 96))))
	if all.missed != 1 {
		t.Error("a message of no tunnel is a gap")
	}
	for missed := range uint64(2) {
		stats := newStats(t, testSubject())
		stats.tunnels.missed = missed
		if messages := stats.Messages(); uint64(len(messages)) != missed || missed > 0 && messages[0].Problem == nil {
			t.Errorf("%d missed: %+v", missed, messages)
		}
	}
}

// What counters of all sessions take is summed to the word, and where it is used
// up each new session has little room.
func TestCounterBudget(t *testing.T) {
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	send := func(session uint32, at uint64) { link.Add(tx(underlay(t, data(session, at, 96)))) }
	send(1, 0)
	send(1, word(9, 0))
	send(2, word(5, 0))
	if stats.tunnels.words != 11 {
		t.Errorf("%d words, want 10 and 1", stats.tunnels.words)
	}
	stats.tunnels.words = wordBudget - 1
	send(3, 0)
	send(3, word(2*minWords, 0)) // a word too many already, so little room
	if grown := stats.tunnels.words - wordBudget; grown < 0 || grown > minWords {
		t.Errorf("grown by %d words beyond the budget", grown)
	}
	stats.tunnels.words = wordBudget - 2
	send(4, 0)
	send(4, word(2*minWords, 0)) // the budget is not used up before
	if grown := stats.tunnels.words - (wordBudget - 1); grown != 2*minWords {
		t.Errorf("grown by %d words within the budget, want %d", grown, 2*minWords)
	}
}

// Whatever the numbers are, a tunnel fits in a message: the least frequent sizes
// are left out, of the direction that has more of them first.
func TestTunnelsFit(t *testing.T) {
	const huge = math.MaxUint64 >> 6
	body := withMAC1(t, publicKey(3), make([]byte, 116))
	full := func(sizes int) passage {
		p := passage{sizes: map[int]*uint64{}, sessions: map[uint32]*session{}}
		p.flow.Bytes, p.flow.Data = math.MaxUint64, math.MaxUint64
		for n := range sizes {
			count := uint64(huge - n)
			p.sizes[60000+n] = &count
		}
		for n := range uint32(maxIndices) {
			p.sessions[n] = &session{index: evidence.IndexRange{
				Index: math.MaxUint32 - n, Min: math.MaxUint64, Max: math.MaxUint64, Messages: huge, Repeats: huge}}
		}
		for n := range uint32(maxHandshakes) {
			last := math.MaxUint32 - n
			p.handshakes = append(p.handshakes, message{kind: typeInitiation, sender: last, receiver: last, body: body})
		}
		return p
	}
	for _, sizes := range [][2]int{{0, maxSizes}, {maxSizes, 0}, {maxSizes, maxSizes}, {maxSizes, maxSizes / 2}} {
		one := &tunnel{ways: [2]passage{full(sizes[0]), full(sizes[1])}}
		for n := range maxTunnelLinks {
			one.links = append(one.links, n)
		}
		subject := testSubject()
		subject.Keys = []string{publicKey(3)}
		stats := newStats(t, subject)
		for n := range maxTunnelLinks {
			stats.Link("a-long-name-"+string(rune('a'+n)), evidence.RoleOutside)
		}
		stats.tunnels.all[ends{netip.MustParseAddrPort("[2001:db8:1:2:3:4:5:6]:65535"),
			netip.MustParseAddrPort("[2001:db8:1:2:3:4:5:7]:65535")}] = one
		got := pick(t, stats.Messages(), tunnelOf)[0]
		if !fits(evidence.Message{Tunnel: &got}) {
			t.Errorf("%v sizes: does not fit", sizes)
		}
		for i, flow := range []evidence.Flow{got.RX, got.TX} {
			for n, s := range flow.Sizes {
				if want := (evidence.SizeCount{Size: 60000 + n, Count: uint64(huge - n)}); s != want {
					t.Errorf("%v sizes, direction %d: %+v, want %+v", sizes, i, s, want)
				}
			}
		}
		if sizes[0] == sizes[1] && len(got.TX.Sizes) == maxSizes {
			t.Errorf("%v sizes: nothing had to be left out, so this tries nothing", sizes)
		}
		if away := len(got.TX.Sizes) - len(got.RX.Sizes); sizes[0] == sizes[1] && (away < -1 || away > 1) {
			t.Errorf("%v sizes: %d and %d are left", sizes, len(got.RX.Sizes), len(got.TX.Sizes))
		}
	}
}
