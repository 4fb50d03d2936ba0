package graph_test

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What carries the traffic is what was seen to: the expected device if it saw
// anything, else the WireGuard device that saw most.
func TestCarrierByEvidence(t *testing.T) {
	device := func(index int, name string, role evidence.LinkRole) []any {
		return []any{&evidence.Link{Index: index, Name: name, Role: role, Up: true},
			&evidence.Device{Name: name, PublicKey: "of " + name}}
	}
	marks := func(link, direction string, family int, udp uint32) any {
		s := evidence.Seen{Source: 0, Target: 1, UDP: udp}
		if direction == evidence.DirectionRX {
			s.Source, s.Target = 1, 0
		}
		return tunnelled(link, direction, family, s)
	}
	for _, test := range []struct {
		name     string
		expected string
		said     []any
		want     string
	}{
		{"none did", "wg1", nil, "wg1"},
		{"the expected one did", "wg1", []any{marks("wg1", "tx", 4, 1), marks("wg2", "tx", 4, 100)}, "wg1"},
		{"the expected one only received", "wg1", []any{marks("wg1", "rx", 4, 1), marks("wg2", "tx", 4, 100)}, "wg1"},
		{"another did", "wg1", []any{marks("wg2", "tx", 4, 1)}, "wg2"},
		{"the one that saw most", "wg1", []any{marks("wg2", "tx", 4, 5), marks("wg3", "rx", 4, 6)}, "wg3"},
		{"the one that saw most, in any order", "wg1", []any{marks("wg2", "tx", 4, 6), marks("wg3", "rx", 4, 5)},
			"wg2"},
		{"both directions count", "wg1",
			[]any{marks("wg2", "tx", 4, 5), marks("wg3", "tx", 4, 3), marks("wg3", "rx", 4, 3)}, "wg3"},
		{"of those that saw as much the first by name", "wg1",
			[]any{marks("wg3", "tx", 4, 5), marks("wg2", "tx", 4, 5)}, "wg2"},
		{"in any order", "wg1", []any{marks("wg2", "tx", 4, 5), marks("wg9", "tx", 4, 5)}, "wg2"},
		{"the other family's marks do not count", "wg1",
			[]any{marks("wg2", "tx", 6, 100), marks("wg3", "tx", 4, 1)}, "wg3"},
		{"a device whose link is unknown", "wg1", []any{marks("wg8", "tx", 4, 100)}, "wg1"},
		{"a device that is not a WireGuard link", "wg1", []any{marks("tun0", "tx", 4, 100)}, "wg1"},
		{"a link without a device", "wg1", []any{marks("eth0", "tx", 4, 100)}, "wg1"},
		{"nothing was expected", "", []any{marks("wg2", "tx", 4, 1)}, "wg2"},
		{"nothing was expected and nothing seen", "", nil, ""},
		{"controls do not count", "wg1",
			[]any{tunnelled("wg2", "tx", 4, evidence.Seen{Source: 0, Target: 1, Control: 5})}, "wg1"},
		{"first packets do", "wg1", []any{tunnelled("wg2", "tx", 4, evidence.Seen{Source: 0, Target: 1, First: 5})},
			"wg2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := ground([]int{4, 6}, "a", "b").
				say("probe/a", device(11, "wg3", evidence.RoleWireGuard)...).
				say("probe/a", device(12, "wg1", evidence.RoleWireGuard)...).
				say("probe/a", device(13, "wg2", evidence.RoleWireGuard)...).
				say("probe/a", device(15, "wg9", evidence.RoleWireGuard)...).
				say("probe/a", device(14, "tun0", evidence.RoleInside)...).
				say("probe/a", &evidence.Device{Name: "wg8"}).
				say("probe/a", test.said...)
			g := graph.New(f)
			g.Resolve(func(n *graph.Node, family int) graph.Carrier {
				return graph.Carrier{Name: test.expected, Endpoint: endpoint(n.Index).Addr()}
			})
			a := g.Node("a")
			c := a.Carrier(4)
			same(t, "carrier", c.Name, test.want)
			same(t, "expected", c.Expected, test.expected)
			same(t, "endpoint", c.Endpoint, endpoint(0).Addr())
			if c.Device != a.Device(test.want) || c.Link != a.Link(test.want) {
				t.Errorf("device %v, link %v", c.Device, c.Link)
			}
			same(t, "of another node", g.Node("b").Carrier(4).Name, test.expected)
		})
	}
}

func TestCarriersByFamily(t *testing.T) {
	g := graph.New(ground([]int{4, 6}, "a", "b"))
	g.Resolve(func(n *graph.Node, family int) graph.Carrier {
		return graph.Carrier{Name: map[int]string{4: "wg0", 6: "eth0"}[family]}
	})
	a, b := g.Nodes[0], g.Nodes[1]
	same(t, "IPv4", a.Carrier(4).Device.PublicKey, "key-a")
	same(t, "IPv6, of which no device was read", []any{a.Carrier(6).Device, a.Carrier(6).Link.Index},
		[]any{(*evidence.Device)(nil), 2})
	same(t, "a family that does not exist", *a.Carrier(5), graph.Carrier{})
	four, six := g.Edge(a, b, 4), g.Edge(b, a, 6)
	same(t, "ends of IPv4", four.FromLink()+four.ToLink(), "wg0wg0")
	same(t, "ends of IPv6", six.FromLink()+six.ToLink(), "eth0eth0")
}

// The peer that stands for a node is the one with the key of its carrier.
func TestPeerOfEdge(t *testing.T) {
	counted := &evidence.Count{Device: "wg0", PublicKey: "key-b", Readings: 4}
	elsewhere := peer("key-b", endpoint(1))
	elsewhere.Device = "wg1"
	for _, test := range []struct {
		name          string
		change        func(*fake)
		peer, counted bool
	}{
		{"configured", func(f *fake) { f.say("probe/a", peer("key-b", endpoint(1))) }, true, false},
		{"counted", func(f *fake) { f.say("probe/a", counted) }, false, true},
		{"both", func(f *fake) { f.say("probe/a", counted, peer("key-b", endpoint(1))) }, true, true},
		{"another key", func(f *fake) {
			f.say("probe/a", peer("key-x", endpoint(1)), peer("key-c", endpoint(1)))
		}, false, false},
		{"another device", func(f *fake) { f.say("probe/a", elsewhere) }, false, false},
		{"b's device was not read", func(f *fake) {
			f.say("probe/a", peer("key-b", endpoint(1)), counted)
			f.streams["probe/b"] = nil
		}, false, false},
		{"a's device was not read", func(f *fake) {
			f.streams["probe/a"] = nil
			f.say("probe/a", peer("key-b", endpoint(1)), counted)
		}, false, false},
		{"b has no key", func(f *fake) {
			f.streams["probe/b"] = nil
			f.say("probe/b", &evidence.Device{Name: "wg0"}).say("probe/a", peer("", endpoint(1)))
		}, false, false},
	} {
		f := abc()
		test.change(f)
		e := edge(f, "a", "b")
		back := e.Back()
		if (e.Peer != nil) != test.peer || (e.Sent != nil) != test.counted || back.Received != e.Sent ||
			back.Peer != nil || e.Received != nil {
			t.Errorf("%s: peer %v, sent %v, received %v; back: peer %v, sent %v, received %v", test.name,
				e.Peer, e.Sent, e.Received, back.Peer, back.Sent, back.Received)
		}
	}
}
