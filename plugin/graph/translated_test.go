package graph_test

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// wired is a run between a and b whose devices and captures have the given ends.
//
//	a wg0 :51820 — its translation — wire — b's translation — wg0 :51820 b
type wired struct {
	hasA, hasB         netip.AddrPort // the endpoint that a's device has for b, and b's for a
	localA, remoteA    netip.AddrPort // as captured on a
	localB, remoteB    netip.AddrPort
	sessionA, sessionB uint32 // in which a sends, as a saw it and as b did
	answer             uint32 // in which b sends, as a saw it
	forA               string // whom a's handshake was made for
	silentA            bool   // a's device received nothing of b
}

func at(node int, port uint16) netip.AddrPort { return netip.AddrPortFrom(endpoint(node).Addr(), port) }

// plainWire is a run in which nothing is translated.
func plainWire() wired {
	return wired{
		hasA: endpoint(1), hasB: endpoint(0), localA: endpoint(0), remoteA: endpoint(1), localB: endpoint(1),
		remoteB: endpoint(0), sessionA: 7, sessionB: 7, answer: 8,
	}
}

func inSession(index uint32, bytes uint64, handshakes ...evidence.Handshake) evidence.Flow {
	return evidence.Flow{Data: 3, Bytes: bytes, Handshakes: handshakes,
		Indices: []evidence.IndexRange{{Index: index, Min: 0, Max: 2, Messages: 3}}}
}

func (w *wired) count(key string, endpoint netip.AddrPort, silent bool) *evidence.Count {
	count := &evidence.Count{Device: "wg0", PublicKey: key, Endpoint: endpoint, Readings: 4}
	if !silent {
		count.RX = [evidence.Readings]uint64{0, 0, 100, 100}
	}
	return count
}

func (w *wired) recording() *fake {
	sent := inSession(w.sessionA, 100)
	if w.forA != "" {
		sent = inSession(w.sessionA, 100, evidence.Handshake{Type: 1, For: w.forA})
	}
	return abc().
		say("probe/a", peer("key-b", w.hasA, "10.0.1.0/24"),
			w.count("key-b", w.hasA, w.silentA), &evidence.Address{Link: "eth0",
				Prefix: netip.PrefixFrom(endpoint(0).Addr(), 24)},
			&evidence.Tunnel{Local: w.localA, Remote: w.remoteA, Links: []string{"eth0"}, TX: sent,
				RX: inSession(w.answer, 200)}).
		say("probe/b", peer("key-a", w.hasB, "10.0.0.0/24"),
			w.count("key-a", w.hasB, false), &evidence.Address{Link: "eth0",
				Prefix: netip.PrefixFrom(endpoint(1).Addr(), 24)},
			&evidence.Tunnel{Local: w.localB, Remote: w.remoteB, Links: []string{"eth0"},
				TX: inSession(8, 200), RX: inSession(w.sessionB, 100)})
}

// The datagrams of a tunnel are its own wherever the nodes translate them, and
// nothing else is, however much it looks like them.
func TestTranslatedTunnel(t *testing.T) {
	for _, test := range []struct {
		name       string
		change     func(*wired)
		outA, outB uint64
	}{
		{"nothing is translated", func(*wired) {}, 100, 200},
		{"a's source port is", func(w *wired) {
			w.localA, w.remoteB, w.hasB = at(0, 40000), at(0, 40000), at(0, 40000)
		}, 100, 200},
		{"b's target port is", func(w *wired) {
			w.hasA, w.remoteA, w.localB = at(1, 51999), at(1, 51999), at(1, 51999)
		}, 100, 200},
		{"both are", func(w *wired) {
			w.localA, w.remoteB, w.hasB = at(0, 40000), at(0, 40000), at(0, 40000)
			w.hasA, w.remoteA, w.localB = at(1, 51999), at(1, 51999), at(1, 51999)
		}, 100, 200},
		{"a's kernel rewrites what arrives", func(w *wired) { w.hasA = at(1, 34567) }, 100, 200},
		{"both kernels do", func(w *wired) { w.hasA, w.hasB = at(1, 34567), at(0, 34568) }, 100, 200},
		{"a sends to an address that it translates", func(w *wired) {
			w.hasA = netip.AddrPortFrom(addr("203.0.113.7"), 51820)
		}, 100, 200},
		{"a's source port is, and the handshake is b's", func(w *wired) {
			w.localA, w.remoteB, w.hasB, w.forA = at(0, 40000), at(0, 40000), at(0, 40000), "key-b"
		}, 100, 200},
		{"a's source port is, and the handshake is somebody else's", func(w *wired) {
			w.localA, w.remoteB, w.hasB, w.forA = at(0, 40000), at(0, 40000), at(0, 40000), "key-c"
		}, 0, 200},
		{"a's source port is, and the handshake is of no known key", func(w *wired) {
			w.localA, w.remoteB, w.hasB, w.forA = at(0, 40000), at(0, 40000), at(0, 40000), "key-x"
		}, 0, 200},
		{"another port, and another session arrives", func(w *wired) {
			w.localA, w.remoteB, w.hasB, w.sessionB = at(0, 40000), at(0, 40000), at(0, 40000), 9
		}, 0, 200},
		{"another port, and another session is answered", func(w *wired) {
			w.localA, w.remoteB, w.hasB, w.answer = at(0, 40000), at(0, 40000), at(0, 40000), 9
		}, 0, 200},
		{"another port, and a's device received nothing", func(w *wired) {
			w.localA, w.remoteB, w.hasB, w.silentA = at(0, 40000), at(0, 40000), at(0, 40000), true
		}, 0, 200},
		{"of ports of which no device knows", func(w *wired) {
			w.localA, w.remoteB, w.localB, w.remoteA = at(0, 40000), at(0, 40000), at(1, 40001), at(1, 40001)
		}, 0, 0},
	} {
		w := plainWire()
		test.change(&w)
		e := edge(w.recording(), "a", "b")
		same(t, test.name+": leaving a", e.Out.Bytes, test.outA)
		same(t, test.name+": leaving b", e.Back().Out.Bytes, test.outB)
		if test.outA > 0 {
			same(t, test.name+": arriving at a", e.Back().In.Bytes, uint64(200))
		}
		if test.outB > 0 {
			same(t, test.name+": arriving at b", e.In.Bytes, uint64(100))
		}
	}
}

// What went one way between translated ports is the tunnel's if it is of a session that
// this has otherwise too; anything else can come from anybody.
func TestTranslatedInPart(t *testing.T) {
	part := func(session uint32, to netip.AddrPort) *graph.Edge {
		early := inSession(session, 11, evidence.Handshake{Type: 1, For: "key-b"})
		early.Sizes = []evidence.SizeCount{{Size: 128, Count: 3}}
		w := plainWire()
		return edge(w.recording().
			say("probe/a", &evidence.Tunnel{Local: at(0, 40000), Remote: to, Links: []string{"eth1"}, TX: early}).
			say("probe/b", &evidence.Tunnel{Local: endpoint(1), Remote: at(0, 40000), RX: early}), "a", "b")
	}
	e := part(7, endpoint(1))
	same(t, "leaving", *e.Out, graph.Flow{
		Shape: &graph.Shape{Data: 6, Handshakes: 1, Sizes: []evidence.SizeCount{{Size: 128, Count: 3}}},
		Bytes: 111, Sessions: []uint32{7, 7}, For: "key-b",
	})
	same(t, "arriving", e.In.Bytes, uint64(111))
	same(t, "links", e.OutLinks, []string{"eth0", "eth1"})
	same(t, "answers", e.Back().Out.Bytes, uint64(200))
	other := part(5, endpoint(1))
	same(t, "of another session", []uint64{other.Out.Bytes, other.In.Bytes}, []uint64{100, 100})
	same(t, "to another host", part(7, endpoint(2)).Out.Bytes, uint64(100))
}

// What speaks against one part of a tunnel speaks against the whole.
func TestTranslatedPartIsNoBetter(t *testing.T) {
	w := plainWire()
	early := inSession(7, 11)
	early.Indices = []evidence.IndexRange{{Index: 7, Min: 1 << 40, Max: 1<<40 + 5, Messages: 4, Repeats: 2}}
	e := edge(w.recording().
		say("probe/a", &evidence.Tunnel{Local: at(0, 40000), Remote: endpoint(1), TX: early}).
		say("probe/b", &evidence.Tunnel{Local: endpoint(1), Remote: at(0, 40000), RX: early}), "a", "b")
	same(t, "repeats", e.Out.Repeats, uint64(2))
	same(t, "jumps", e.Out.Jumps, true)
	same(t, "unmatched", e.Out.Unmatched, true)
}

// A second device with the same key does not take the traffic of the first.
func TestTranslatedBesideAClone(t *testing.T) {
	w := plainWire()
	w.localA, w.remoteB, w.hasB = at(0, 40000), at(0, 40000), at(0, 40000)
	f := w.recording()
	for i, name := range []string{"a", "b"} {
		other := []string{"key-b", "key-a"}[i]
		f.say("probe/"+name, &evidence.Device{Name: "wg7", PublicKey: "key-" + name, Port: 51900},
			&evidence.Peer{Device: "wg7", PublicKey: other, Endpoint: at(1-i, 51900)},
			&evidence.Count{Device: "wg7", PublicKey: other, Endpoint: at(1-i, 51900), Readings: 4,
				RX: [evidence.Readings]uint64{0, 0, 1, 1}})
	}
	same(t, "leaving", edge(f, "a", "b").Out.Bytes, uint64(100))
}

// A session that many tunnels have says nothing of any of them.
func TestTranslatedSessionOfMany(t *testing.T) {
	w := plainWire()
	w.localA, w.remoteB, w.hasB = at(0, 40000), at(0, 40000), at(0, 40000)
	f := w.recording()
	for i := range uint16(8) {
		f.say("probe/c",
			&evidence.Tunnel{Local: at(2, 1+i), Remote: at(0, 40000), TX: inSession(8, 1), RX: inSession(7, 1)})
	}
	same(t, "leaving", edge(f, "a", "b").Out.Bytes, uint64(0))
}
