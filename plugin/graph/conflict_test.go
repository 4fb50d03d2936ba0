package graph_test

import (
	"math"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What contradicts itself is not evidence, whatever came first.
func TestConflicts(t *testing.T) {
	tunnel := &evidence.Tunnel{Local: endpoint(0), Remote: endpoint(1)}
	count := evidence.Count{Device: "wg0", PublicKey: "key-b", Readings: 4}
	counted := func(change func(*evidence.Count)) *evidence.Count {
		changed := count
		change(&changed)
		return &changed
	}
	seen := func(link, direction string, s evidence.Seen) *evidence.Witness {
		return &evidence.Witness{Link: link, Direction: direction, Family: 4, Seen: []evidence.Seen{s}}
	}
	const counters = "the counters of a peer of wg0"
	for _, test := range []struct {
		name     string
		one, two any
		what     string // empty if both can be true
	}{
		{"a link", &evidence.Link{Index: 9, Name: "x", MTU: 1}, &evidence.Link{Index: 9, Name: "x", MTU: 2},
			"the link with index 9"},
		{"a link again", &evidence.Link{Index: 9, Name: "x"}, &evidence.Link{Index: 9, Name: "x"}, ""},
		{"a link's index", &evidence.Link{Index: 8, Name: "x"}, &evidence.Link{Index: 9, Name: "x"}, "the link x"},
		{"a link's name", &evidence.Link{Index: 9, Name: "x"}, &evidence.Link{Index: 9, Name: "y"},
			"the link with index 9"},
		{"two links", &evidence.Link{Index: 8, Name: "x"}, &evidence.Link{Index: 9, Name: "y"}, ""},
		{"a device", &evidence.Device{Name: "x", Port: 1}, &evidence.Device{Name: "x", Port: 2}, "the device x"},
		{"a device again", &evidence.Device{Name: "x", Port: 1}, &evidence.Device{Name: "x", Port: 1}, ""},
		{"two devices", &evidence.Device{Name: "x"}, &evidence.Device{Name: "y"}, ""},
		{"a capture", &evidence.Capture{Link: "x"}, &evidence.Capture{Link: "x", Drops: 1}, "the capture on x"},
		{"a capture again", &evidence.Capture{Link: "x", Drops: 1}, &evidence.Capture{Link: "x", Drops: 1}, ""},
		{"a tunnel, which would count twice", tunnel, tunnel,
			"the messages between 192.0.2.0:51820 and 192.0.2.1:51820"},
		{"a tunnel's other end", tunnel, &evidence.Tunnel{Local: endpoint(0), Remote: endpoint(2)}, ""},
		{"a tunnel's own end", tunnel, &evidence.Tunnel{Local: endpoint(7), Remote: endpoint(1)}, ""},
		{"counters again", &count, counted(func(*evidence.Count) {}), ""},
		{"counters sent", &count, counted(func(c *evidence.Count) { c.TX[3] = 1 }), counters},
		{"counters received", &count, counted(func(c *evidence.Count) { c.RX[3] = 1 }), counters},
		{"an endpoint", &count, counted(func(c *evidence.Count) { c.Endpoint = endpoint(1) }), counters},
		{"a handshake", &count, counted(func(c *evidence.Count) { c.Handshake = 1 }), counters},
		{"a handshake's age", &count, counted(func(c *evidence.Count) { c.Age = 1 }), counters},
		{"readings", &count, counted(func(c *evidence.Count) { c.Readings = 3 }), counters},
		{"a device's index", &count, counted(func(c *evidence.Count) { c.Index = 4 }), counters},
		{"counters of two peers", &count, counted(func(c *evidence.Count) { c.PublicKey, c.TX[3] = "key-c", 1 }), ""},
		{"counters of two devices", &count, counted(func(c *evidence.Count) { c.Device, c.TX[3] = "wg1", 1 }), ""},
		{"what was seen", seen("wg0", "tx", evidence.Seen{Target: 1, UDP: 1}),
			seen("wg0", "tx", evidence.Seen{Target: 1, UDP: 2}),
			"the marked packets on wg0"},
		{"what was seen again", seen("wg0", "tx", evidence.Seen{Target: 1, UDP: 1}),
			seen("wg0", "tx", evidence.Seen{Target: 1, UDP: 1}), ""},
		{"what was seen of two", seen("wg0", "tx", evidence.Seen{Target: 1, UDP: 1}),
			seen("wg0", "tx", evidence.Seen{Target: 2, UDP: 2}), ""},
		{"what was seen both ways", seen("wg0", "tx", evidence.Seen{Target: 1, UDP: 1}),
			seen("wg0", "rx", evidence.Seen{Source: 1, UDP: 2}), ""},
		{"what was seen on two links", seen("wg0", "tx", evidence.Seen{Target: 1, UDP: 1}),
			seen("eth0", "tx", evidence.Seen{Target: 1, UDP: 2}), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := ""
			if test.what != "" {
				want = "it describes " + test.what + " in two ways"
			}
			same(t, "in this order", graph.New(abc().say("probe/a", test.one, test.two)).Node("a").ProbeGap, want)
			same(t, "in the other", graph.New(abc().say("probe/a", test.two, test.one)).Node("a").ProbeGap, want)
			same(t, "of another node", graph.New(abc().say("probe/a", test.one, test.two)).Node("b").ProbeGap, "")
		})
	}
}

// A figure that has no place where it is kept would be taken for another.
func TestCountersOutOfBounds(t *testing.T) {
	for _, test := range []struct {
		count evidence.Count
		fine  bool
	}{
		{evidence.Count{Readings: 0}, true},
		{evidence.Count{Readings: 4}, true},
		{evidence.Count{Readings: -1}, false},
		{evidence.Count{Readings: 5}, false},
		{evidence.Count{Readings: 260}, false}, // 4 in a byte
		{evidence.Count{Index: math.MaxInt32}, true},
		{evidence.Count{Index: math.MaxInt32 + 1}, false},
	} {
		if gap := graph.New(abc().say("probe/a", &test.count)).Node("a").ProbeGap; (gap == "") != test.fine {
			t.Errorf("%+v: %q", test.count, gap)
		}
	}
}

func TestConflictsOfPods(t *testing.T) {
	canary := func(peer, family int, first uint32, rows ...evidence.CanaryRow) *evidence.Canary {
		return &evidence.Canary{Peer: peer, Family: family, First: first, Rows: rows}
	}
	sent := evidence.CanaryRow{Transport: "udp", Size: 64, Sent: 1}
	lost, slow := sent, sent
	lost.Received, slow.RTT = 1, 900
	for _, test := range []struct {
		name     string
		one, two *evidence.Canary
		conflict bool
	}{
		{"again", canary(1, 4, 0, sent), canary(1, 4, 0, sent), false},
		{"another row", canary(1, 4, 0, sent), canary(1, 4, 0, lost), true},
		{"a row more", canary(1, 4, 0, sent), canary(1, 4, 0, sent, sent), true},
		{"first packets", canary(1, 4, 0, sent), canary(1, 4, 2, sent), true},
		{"round trips, which prove nothing", canary(1, 4, 0, sent), canary(1, 4, 0, slow), false},
		{"another node", canary(1, 4, 0, sent), canary(2, 4, 0, lost), false},
		{"another family", canary(1, 4, 0, sent), canary(1, 6, 0, lost), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := ""
			if test.conflict {
				want = "it describes the test packets of its pod and that of b in two ways"
			}
			for _, said := range [][]any{{test.one, test.two}, {test.two, test.one}} {
				n := graph.New(ground([]int{4, 6}, "a", "b", "c").say("pod/a", said...)).Node("a")
				same(t, "pod", n.PodGap, want)
				same(t, "probe", n.ProbeGap, "")
			}
		})
	}
}

// Of several conflicts always the same is named.
func TestTheFirstConflictByTextCounts(t *testing.T) {
	said := []any{
		&evidence.Device{Name: "wg1", Port: 1}, &evidence.Link{Index: 9, Name: "x"},
		&evidence.Capture{Link: "x"}, &evidence.Capture{Link: "x", Drops: 1},
		&evidence.Link{Index: 9, Name: "y"}, &evidence.Device{Name: "wg1", Port: 2},
	}
	for range said {
		said = slices.Concat(said[1:], said[:1])
		same(t, "gap", graph.New(abc().say("probe/a", said...)).Node("a").ProbeGap,
			"it describes the capture on x in two ways")
	}
}

// What one agent writes is only that of its node and its role.
func TestWhoWritesAStream(t *testing.T) {
	hello := func(role, node, boot string) *evidence.Hello {
		return &evidence.Hello{Role: role, Node: node, BootID: boot}
	}
	for _, test := range []struct {
		name string
		said []any
		gap  string
	}{
		{"its own", []any{hello("probe", "a", "1")}, ""},
		{"its own, twice the same", []any{hello("probe", "a", "1"), hello("probe", "a", "1")}, ""},
		{"another boot", []any{hello("probe", "a", "1"), hello("probe", "a", "2")}, "it describes who writes it in two ways"},
		{"another node", []any{hello("probe", "b", "1")}, `it was written on "b", and not on a`},
		{"another node, later", []any{hello("probe", "a", "1"), hello("probe", "b", "1")},
			`it was written on "b", and not on a`},
		{"another role", []any{hello("pod", "a", "1")}, `it was written by "pod", and not by a probe`},
	} {
		g := graph.New(abc().say("probe/a", test.said...))
		same(t, test.name, g.Node("a").ProbeGap, test.gap)
	}
}
