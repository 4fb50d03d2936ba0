package graph_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// captured is a's edge to b with what a's probe says of its tunnels.
func captured(said ...any) *graph.Edge {
	return edge(abc().
		say("probe/a", peer("key-b", endpoint(1), "10.0.1.0/24"),
			&evidence.Count{Device: "wg0", PublicKey: "key-b", Endpoint: endpoint(1), Readings: 4}).
		say("probe/a", said...), "a", "b")
}

// sentFlow is captured of one flow from a to b.
func sentFlow(f evidence.Flow) *graph.Flow {
	return captured(&evidence.Tunnel{Local: endpoint(0), Remote: endpoint(1), TX: f}).Out
}

// A peer's tunnel is what the device's port and the peer's endpoint exchanged.
func TestTunnelOfPeer(t *testing.T) {
	tunnel := evidence.Tunnel{Local: endpoint(0), Remote: endpoint(1), Links: []string{"eth0", "eth1"},
		TX: evidence.Flow{Bytes: 7}, RX: evidence.Flow{Bytes: 8}}
	for _, test := range []struct {
		name   string
		change func(*evidence.Tunnel)
		found  bool
	}{
		{"its own", func(*evidence.Tunnel) {}, true},
		{"by another of its addresses", func(t *evidence.Tunnel) {
			t.Local = netip.AddrPortFrom(addr("198.51.100.1"), 51820)
		}, true},
		{"by another port", func(t *evidence.Tunnel) { t.Local = netip.AddrPortFrom(endpoint(0).Addr(), 51821) },
			false},
		{"to another address", func(t *evidence.Tunnel) { t.Remote = endpoint(2) }, false},
		{"to another port", func(t *evidence.Tunnel) { t.Remote = netip.AddrPortFrom(endpoint(1).Addr(), 51821) },
			false},
	} {
		changed := tunnel
		test.change(&changed)
		e := captured(&changed)
		back := e.Back()
		if !test.found {
			same(t, test.name, *e.Out, graph.Flow{Shape: &graph.Shape{}})
			same(t, test.name, *back.In, graph.Flow{Shape: &graph.Shape{}})
			continue
		}
		same(t, test.name+", sent", e.Out.Bytes, uint64(7))
		same(t, test.name+", received", back.In.Bytes, uint64(8))
		same(t, test.name+", links", [][]string{e.OutLinks, back.InLinks}, [][]string{tunnel.Links, tunnel.Links})
		same(t, test.name+", b captured nothing", e.In.Bytes+back.Out.Bytes, uint64(0))
	}
}

// The tunnels of a device's port from several of the node's addresses are one.
func TestFlowsAreSummedOverLocalAddresses(t *testing.T) {
	one := evidence.Flow{
		Initiations: 1, Responses: 2, Cookies: 3, Data: 4, Keepalives: 5, Malformed: 6, Bytes: 7,
		Indices:    []evidence.IndexRange{{Index: 10, Min: 0, Max: 8, Messages: 9, Repeats: 1}},
		Sizes:      []evidence.SizeCount{{Size: 128, Count: 3}, {Size: 96, Count: 1}},
		Handshakes: []evidence.Handshake{{Type: 1, For: "key-b"}},
	}
	two := evidence.Flow{
		Initiations: 10, Responses: 20, Cookies: 30, Data: 40, Keepalives: 50, Malformed: 60, Bytes: 70,
		Indices:    []evidence.IndexRange{{Index: 11, Min: 0, Max: 89, Messages: 90, Repeats: 4}},
		Sizes:      []evidence.SizeCount{{Size: 128, Count: 30}, {Size: 1452, Count: 10}},
		Handshakes: []evidence.Handshake{{Type: 1, For: "key-b"}, {Type: 2, For: "key-b"}},
	}
	want := graph.Flow{
		Shape: &graph.Shape{
			Initiations: 11, Responses: 22, Cookies: 33, Data: 44, Keepalives: 55, Malformed: 66,
			Repeats: 5, Handshakes: 3, Sizes: []evidence.SizeCount{{Size: 96, Count: 1}, {Size: 128, Count: 33},
				{Size: 1452, Count: 10}},
		},
		Bytes: 77, Sessions: []uint32{10, 11}, For: "key-b",
	}
	other := netip.AddrPortFrom(addr("198.51.100.1"), 51820)
	e := captured(
		&evidence.Tunnel{Local: endpoint(0), Remote: endpoint(1), Links: []string{"eth0"}, TX: one, RX: two},
		&evidence.Tunnel{Local: endpoint(0), Remote: endpoint(2),
			Links: []string{"eth2"}, TX: one, RX: one}, // another peer
		&evidence.Tunnel{Local: other, Remote: endpoint(1), Links: []string{"eth1"}, TX: two})
	same(t, "sent", *e.Out, want)
	same(t, "links", e.OutLinks, []string{"eth0", "eth1"})
	received := e.Back().In
	same(t, "received", []uint64{received.Data, received.Bytes, received.Messages()}, []uint64{40, 70, 150})
	same(t, "all WireGuard messages", e.Out.Messages(), uint64(11+22+33+44+55))
	for size, count := range map[int]uint64{96: 1, 128: 33, 1452: 10, 100: 0} {
		same(t, "of one size", e.Out.Sized(size), count)
	}
}

// Sessions must add up to the data messages, of which keepalives are some.
func TestSessionsThatDoNotMatch(t *testing.T) {
	session := func(from, to, messages uint64) evidence.IndexRange {
		return evidence.IndexRange{Min: from, Max: to, Messages: messages}
	}
	eight := make([]evidence.IndexRange, 8)
	for i := range eight {
		eight[i] = session(0, 0, 1)
	}
	for _, test := range []struct {
		name      string
		data      uint64
		keep      uint64
		sessions  []evidence.IndexRange
		unmatched bool
	}{
		{"nothing", 0, 0, nil, false},
		{"one session", 10, 0, []evidence.IndexRange{session(0, 9, 10)}, false},
		{"with gaps in its counters", 10, 0, []evidence.IndexRange{session(0, 99, 10)}, false},
		{"with keepalives", 8, 2, []evidence.IndexRange{session(100, 109, 10)}, false},
		{"more messages than counters", 11, 0, []evidence.IndexRange{session(0, 9, 11)}, true},
		{"one message", 1, 0, []evidence.IndexRange{session(7, 7, 1)}, false},
		{"two of one counter", 2, 0, []evidence.IndexRange{session(7, 7, 2)}, true},
		{"counters the wrong way round", 1, 0, []evidence.IndexRange{session(8, 7, 1)}, true},
		{"an empty session", 0, 0, []evidence.IndexRange{session(8, 7, 0)}, false},
		{"two sessions", 3, 0, []evidence.IndexRange{session(0, 0, 1), session(5, 6, 2)}, false},
		{"the second is wrong", 3, 0, []evidence.IndexRange{session(0, 0, 1), session(5, 5, 2)}, true},
		{"more data", 11, 0, []evidence.IndexRange{session(0, 9, 10)}, true},
		{"less data", 9, 0, []evidence.IndexRange{session(0, 9, 10)}, true},
		{"no session for data", 1, 0, nil, true},
		{"as many as are listed", 9, 0, eight, false},
		{"as many as are listed, with too many messages", 7, 0, eight, true},
		{"one less than are listed", 8, 0, eight[:7], true},
	} {
		got := sentFlow(evidence.Flow{Data: test.data, Keepalives: test.keep, Indices: test.sessions})
		same(t, test.name, got.Unmatched, test.unmatched)
	}
}

// No session sends 2⁴⁰ messages: a counter that says so is not WireGuard's.
func TestSessionsThatJump(t *testing.T) {
	for _, test := range []struct {
		last  []uint64
		jumps bool
	}{
		{[]uint64{1<<40 - 1}, false},
		{[]uint64{1 << 40}, true},
		{[]uint64{1 << 40, 5}, true},
		{[]uint64{5, 1 << 41}, true},
		{[]uint64{5, 6}, false},
		{nil, false},
	} {
		f := evidence.Flow{}
		for _, last := range test.last {
			f.Indices = append(f.Indices, evidence.IndexRange{Min: last, Max: last, Messages: 1})
		}
		same(t, "jumps", sentFlow(f).Jumps, test.jumps)
	}
}

// Handshakes that were made for different keys were made for none.
func TestForWhomHandshakesWereMade(t *testing.T) {
	for _, test := range []struct {
		keys []string
		want string
	}{
		{nil, ""},
		{[]string{"key-b"}, "key-b"},
		{[]string{"key-b", "key-b", "key-b"}, "key-b"},
		{[]string{"key-b", "key-c"}, ""},
		{[]string{"key-b", "key-b", "key-c"}, ""},
		{[]string{"key-b", "key-c", "key-b"}, ""},
		{[]string{"", "key-b"}, ""},
		{[]string{"key-b", ""}, ""},
	} {
		f := evidence.Flow{}
		for _, key := range test.keys {
			f.Handshakes = append(f.Handshakes, evidence.Handshake{Type: 2, For: key})
		}
		flow := sentFlow(f)
		same(t, "key", flow.For, test.want)
		same(t, "handshakes", flow.Handshakes, len(test.keys))
	}
}

// Initiations that a device sends to a stale peer are not meant for the peer.
func TestInitiationsForStalePeers(t *testing.T) {
	handshake := func(kind int, key string) evidence.Handshake { return evidence.Handshake{Type: kind, For: key} }
	mine, stale := handshake(1, "key-b"), handshake(1, "key-old")
	for _, test := range []struct {
		name        string
		initiations uint64
		handshakes  []evidence.Handshake
		want        uint64
		left        int
		key         string
	}{
		{"none", 2, []evidence.Handshake{mine}, 2, 1, "key-b"},
		{"one", 2, []evidence.Handshake{mine, stale}, 1, 1, "key-b"},
		{"all", 2, []evidence.Handshake{stale, stale}, 0, 0, ""},
		{"more than were counted", 1, []evidence.Handshake{stale, stale, stale}, 0, 0, ""},
		{"responses are nobody's but the peer's", 2, []evidence.Handshake{mine, handshake(2, "key-old")}, 2, 2, ""},
		{"of a key that nobody has", 2, []evidence.Handshake{mine, handshake(1, "key-x")}, 2, 2, ""},
		{"that do not verify", 2, []evidence.Handshake{mine, handshake(1, "")}, 2, 2, ""},
	} {
		flow := evidence.Flow{Initiations: test.initiations, Bytes: 148 * test.initiations, Handshakes: test.handshakes}
		tunnel := &evidence.Tunnel{Local: endpoint(0), Remote: endpoint(1), TX: flow, RX: flow}
		before := len(flow.Handshakes)
		e := captured(peer("key-old", endpoint(1)), peer("", endpoint(2)), tunnel)
		if e.Out.Initiations != test.want || e.Out.Handshakes != test.left || e.Out.For != test.key {
			t.Errorf("%s: %d initiations, %d handshakes for %q",
				test.name, e.Out.Initiations, e.Out.Handshakes, e.Out.For)
		}
		same(t, test.name+", bytes, which are the wire's", e.Out.Bytes, flow.Bytes)
		same(t, test.name+", what came, which no device here made", e.Back().In.Initiations, test.initiations)
		same(t, test.name+", the recording is as it was", len(tunnel.TX.Handshakes), before)
	}
}

// Most tunnels of a run are alike and share what is; nothing that differs may be
// taken over from another.
func TestShapesAreSharedWhereEqual(t *testing.T) {
	base := evidence.Flow{
		Initiations: 1, Responses: 2, Cookies: 3, Data: 4, Keepalives: 5, Malformed: 6, Bytes: 7,
		Indices:    []evidence.IndexRange{{Index: 1, Max: 99, Messages: 9, Repeats: 1}},
		Sizes:      []evidence.SizeCount{{Size: 96, Count: 4}},
		Handshakes: []evidence.Handshake{{Type: 1}},
	}
	for _, test := range []struct {
		name   string
		change func(*evidence.Flow)
		one    bool
	}{
		{"equal", func(*evidence.Flow) {}, true},
		{"bytes", func(f *evidence.Flow) { f.Bytes++ }, true},
		{"session", func(f *evidence.Flow) { f.Indices[0].Index++ }, true},
		{"initiations", func(f *evidence.Flow) { f.Initiations++ }, false},
		{"responses", func(f *evidence.Flow) { f.Responses++ }, false},
		{"cookies", func(f *evidence.Flow) { f.Cookies++ }, false},
		{"data", func(f *evidence.Flow) { f.Data++; f.Keepalives-- }, false},
		{"keepalives", func(f *evidence.Flow) { f.Keepalives++; f.Indices[0].Messages++ }, false},
		{"malformed", func(f *evidence.Flow) { f.Malformed++ }, false},
		{"repeats", func(f *evidence.Flow) { f.Indices[0].Repeats++ }, false},
		{"jumps", func(f *evidence.Flow) { f.Indices[0].Max = 1 << 50 }, false},
		{"unmatched", func(f *evidence.Flow) { f.Indices[0].Messages++ }, false},
		{"handshakes", func(f *evidence.Flow) { f.Handshakes = append(f.Handshakes, evidence.Handshake{}) }, false},
		{"sizes", func(f *evidence.Flow) { f.Sizes[0].Size++ }, false},
	} {
		changed := base
		changed.Indices = []evidence.IndexRange{base.Indices[0]}
		changed.Sizes = []evidence.SizeCount{base.Sizes[0]}
		test.change(&changed)
		f := abc().say("probe/a",
			&evidence.Count{Device: "wg0", PublicKey: "key-b", Endpoint: endpoint(1), Readings: 4},
			&evidence.Count{Device: "wg0", PublicKey: "key-c", Endpoint: endpoint(2), Readings: 4},
			&evidence.Tunnel{Local: endpoint(0), Remote: endpoint(1), Links: []string{"eth0"}, TX: base, RX: base},
			&evidence.Tunnel{Local: endpoint(0), Remote: endpoint(2),
				Links: []string{"eth0"}, TX: changed, RX: changed})
		g := resolved(f)
		b, c := g.Edge(g.Nodes[0], g.Nodes[1], 4), g.Edge(g.Nodes[0], g.Nodes[2], 4)
		same(t, test.name+", sent", b.Out.Shape == c.Out.Shape, test.one)
		same(t, test.name+", received", b.Back().In.Shape == c.Back().In.Shape, test.one)
		alone := sentFlow(changed)
		if !reflect.DeepEqual(alone, c.Out) || !reflect.DeepEqual(alone, c.Back().In) {
			t.Errorf("%s: %+v behind another, %+v alone", test.name, c.Out.Shape, alone.Shape)
		}
	}
}

// A frame joins up to 128 datagrams, so that so many frames were there at least.
func TestFramesOfTunnelsOnLinks(t *testing.T) {
	tunnel := func(sent, received uint64, links ...string) *evidence.Tunnel {
		return &evidence.Tunnel{Local: endpoint(0), Remote: endpoint(1), Links: links, TX: evidence.Flow{Data: sent},
			RX: evidence.Flow{Data: received}}
	}
	second := tunnel(1, 0, "eth0")
	second.Remote = endpoint(2)
	each := evidence.Flow{Initiations: 26, Responses: 26, Cookies: 26, Data: 26, Keepalives: 25}
	for _, test := range []struct {
		name string
		said []any
		want map[string]uint64
	}{
		{"none", nil, nil},
		{"nothing", []any{tunnel(0, 0, "eth0")}, map[string]uint64{"eth0": 0}},
		{"one", []any{tunnel(1, 0, "eth0")}, map[string]uint64{"eth0": 1}},
		{"as many as a frame joins", []any{tunnel(128, 0, "eth0")}, map[string]uint64{"eth0": 1}},
		{"one more", []any{tunnel(129, 0, "eth0")}, map[string]uint64{"eth0": 2}},
		{"directions by themselves", []any{tunnel(1, 129, "eth0")}, map[string]uint64{"eth0": 3}},
		{"every kind of message", []any{&evidence.Tunnel{Links: []string{"eth0"}, TX: each}},
			map[string]uint64{"eth0": 2}},
		{"two tunnels", []any{tunnel(1, 1, "eth0"), second}, map[string]uint64{"eth0": 3}},
		{"on a bond and its member", []any{tunnel(500, 500, "bond0", "eth0")},
			map[string]uint64{"bond0": 0, "eth0": 0}},
		{"on no link", []any{tunnel(500, 500)}, map[string]uint64{"": 0}},
		{"of endless messages", []any{tunnel(1<<63, 0, "eth0")}, map[string]uint64{"eth0": 1 << 33}},
	} {
		same(t, test.name, graph.New(abc().say("probe/a", test.said...)).Node("a").OnWire, test.want)
	}
}
