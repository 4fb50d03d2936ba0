package graph_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func peer(key string, at netip.AddrPort, allowed ...string) *evidence.Peer {
	return &evidence.Peer{Device: "wg0", PublicKey: key, Endpoint: at, AllowedIPs: prefixes(allowed...)}
}

// Allowed IPs that do not fit one message follow in others.
func TestPeerInParts(t *testing.T) {
	other := peer("key-b", endpoint(1), "10.9.0.0/16")
	other.Device = "wg1"
	f := abc().say("probe/a",
		peer("key-b", endpoint(1), "10.0.1.0/24"),
		peer("key-c", endpoint(2), "10.0.2.0/24"),
		other,
		peer("key-b", endpoint(7), "10.8.0.0/16", "10.7.0.0/16"),
		peer("key-b", endpoint(1), "10.6.0.0/16"))
	g := graph.New(f)
	a := g.Node("a")
	same(t, "peers", len(a.Peers), 3)
	b := g.Peer(a, "wg0", "key-b")
	same(t, "in order", b.AllowedIPs, prefixes("10.0.1.0/24", "10.8.0.0/16", "10.7.0.0/16", "10.6.0.0/16"))
	same(t, "the first endpoint", b.Endpoint, endpoint(1))
	same(t, "another peer", g.Peer(a, "wg0", "key-c").AllowedIPs, prefixes("10.0.2.0/24"))
	same(t, "another device", g.Peer(a, "wg1", "key-b").AllowedIPs, prefixes("10.9.0.0/16"))
}

// One part more than is joined is a gap, not endless work.
func TestPeerInTooManyParts(t *testing.T) {
	const part = 1024
	f, at := abc(), addr("10.0.0.0")
	more := func(count int) {
		p := peer("key-b", endpoint(1))
		for range count {
			p.AllowedIPs = append(p.AllowedIPs, netip.PrefixFrom(at, 32))
			at = at.Next()
		}
		f.say("probe/a", p)
	}
	for range 4 {
		more(part)
	}
	more(1)
	g := graph.New(f)
	same(t, "gap", g.Node("a").ProbeGap, "")
	same(t, "joined", len(g.Peer(g.Node("a"), "wg0", "key-b").AllowedIPs), 4*part+1)
	more(1)
	same(t, "gap", graph.New(f).Node("a").ProbeGap, "a peer has more allowed IPs than are judged")
}

func TestFindingPeers(t *testing.T) {
	on := func(device, key string) *evidence.Peer { return &evidence.Peer{Device: device, PublicKey: key} }
	g := graph.New(abc().say("probe/a", on("wg1", "key-b"), on("wg0", "key-b"), on("wg0", ""), on("wg0", "key-z"),
		&evidence.Count{Device: "wg0", PublicKey: "key-c", Readings: 4}))
	a := g.Node("a")
	for _, test := range []struct {
		device, key string
		found       bool
	}{
		{"wg0", "key-b", true},
		{"wg1", "key-b", true},
		{"wg2", "key-b", false},
		{"wg0", "key-z", true}, // of no node
		{"wg1", "key-z", false},
		{"wg0", "key-c", false}, // its counters were read, not the peer
		{"wg0", "key-0", false},
		{"wg0", "key-zz", false},
		{"wg0", "", false},
	} {
		p := g.Peer(a, test.device, test.key)
		if (p != nil) != test.found {
			t.Errorf("%s %q: %v", test.device, test.key, p)
		}
		if p != nil && (p.Device != test.device || p.PublicKey != test.key) {
			t.Errorf("%s %q: found %s %q", test.device, test.key, p.Device, p.PublicKey)
		}
	}
}

// Peers are in the order of the nodes whose keys they have, those of none last;
// of two nodes with one key the first counts, and no key is nobody's. Those with
// one key are in the order in which their devices were first named.
func TestOrderOfPeers(t *testing.T) {
	f := (&fake{}).say("plugin", &evidence.Run{Families: []int{4}})
	for i, key := range []string{"zebra", "", "yak", "zebra", "xerus"} {
		name := fmt.Sprint("n", i)
		f.say("plugin", &evidence.Node{Index: i, Name: name}).
			say("probe/"+name, &evidence.Device{Name: "wg0", PublicKey: key})
	}
	f.say("probe/n4", peer("bee", endpoint(0)), &evidence.Peer{Device: "wg1", PublicKey: "yak"})
	for _, key := range []string{"xerus", "", "yak", "ant", "zebra"} {
		f.say("probe/n4", peer(key, endpoint(0)))
	}
	var keys []string
	for _, p := range graph.New(f).Node("n4").Peers {
		keys = append(keys, p.Device+" "+p.PublicKey)
	}
	same(t, "keys", keys, []string{"wg0 zebra", "wg0 yak", "wg1 yak", "wg0 xerus", "wg0 ", "wg0 ant", "wg0 bee"})
}

// The same peer of many nodes is kept once, and one that differs in anything is not.
func TestEqualPeersAreOne(t *testing.T) {
	base := peer("key-a", endpoint(0), "10.0.0.0/24")
	for _, test := range []struct {
		name   string
		change func(*evidence.Peer)
		one    bool
	}{
		{"equal", func(*evidence.Peer) {}, true},
		{"device", func(p *evidence.Peer) { p.Device = "wg1" }, false},
		{"key", func(p *evidence.Peer) { p.PublicKey = "key-x" }, false},
		{"endpoint", func(p *evidence.Peer) { p.Endpoint = endpoint(9) }, false},
		{"allowed IPs", func(p *evidence.Peer) { p.AllowedIPs = prefixes("10.0.0.0/25") }, false},
		{"fewer", func(p *evidence.Peer) { p.AllowedIPs = nil }, false},
		{"keepalive", func(p *evidence.Peer) { p.Keepalive = 25 }, false},
	} {
		changed := *base
		test.change(&changed)
		g := graph.New(abc().say("probe/b", base).say("probe/c", &changed))
		b, c := g.Node("b").Peers[0], g.Node("c").Peers[0]
		same(t, test.name, b.PeerConfig == c.PeerConfig, test.one)
		same(t, test.name+" of c", []any{c.Device, c.PublicKey, c.Endpoint, c.AllowedIPs, c.Keepalive},
			[]any{changed.Device, changed.PublicKey, changed.Endpoint, changed.AllowedIPs, changed.Keepalive})
	}
}

// What must have been captured at least lies between the two inner readings, what
// may have been at most between the two outer ones.
func TestCounters(t *testing.T) {
	for _, test := range []struct {
		readings [evidence.Readings]uint64
		want     graph.Moved
	}{
		{[4]uint64{}, graph.Moved{}},
		{[4]uint64{100, 110, 150, 190}, graph.Moved{Least: 40, Most: 90}},
		{[4]uint64{100, 100, 100, 100}, graph.Moved{}},
		{[4]uint64{0, 10, 10, 10}, graph.Moved{Most: 10}},
	} {
		reversed := test.readings
		reversed[3] += 1000
		e := edge(abc().say("probe/a", &evidence.Count{
			Device: "wg0", PublicKey: "key-b", Index: 3, Endpoint: endpoint(1), TX: test.readings, RX: reversed,
			Handshake: 5, Age: 6, Readings: 4,
		}), "a", "b")
		same(t, fmt.Sprint(test.readings), *e.Sent, graph.Count{
			Endpoint: endpoint(1), TX: test.want, RX: graph.Moved{Least: test.want.Least, Most: test.want.Most + 1000},
			Age: 6, Index: 3, Readings: 4, Handshake: true,
		})
	}
	for _, backwards := range [][evidence.Readings]uint64{{9, 8, 10, 11}, {1, 9, 8, 11}, {1, 2, 9, 8}, {5, 0, 0, 0}} {
		count := &evidence.Count{Device: "wg0", PublicKey: "key-b", TX: backwards, Readings: 4}
		e := edge(abc().say("probe/a", count), "a", "b")
		if !e.Sent.TX.Backwards || e.Sent.RX.Backwards || e.Sent.Handshake {
			t.Errorf("%v: %+v", backwards, e.Sent)
		}
	}
}

// Flannel keeps the peer of a node's old key, and the device goes on sending it
// keepalives at the endpoint of the new one.
func TestStalePeers(t *testing.T) {
	old := func(change func(*evidence.Peer, *evidence.Count)) []any {
		p := peer("key-old", endpoint(1))
		c := &evidence.Count{Device: "wg0", PublicKey: "key-old", Endpoint: endpoint(1), TX: [4]uint64{0, 10, 30, 100},
			Readings: 4}
		change(p, c)
		return []any{p, c}
	}
	for _, test := range []struct {
		name string
		said []any
		want graph.Moved
	}{
		{"none", nil, graph.Moved{}},
		{"one", old(func(*evidence.Peer, *evidence.Count) {}), graph.Moved{Least: 20, Most: 100}},
		{"with allowed IPs", old(func(p *evidence.Peer, _ *evidence.Count) { p.AllowedIPs = prefixes("10.9.0.0/16") }),
			graph.Moved{}},
		{"of another device", old(func(p *evidence.Peer, c *evidence.Count) { p.Device, c.Device = "wg1", "wg1" }),
			graph.Moved{}},
		{"at another endpoint", old(func(_ *evidence.Peer, c *evidence.Count) { c.Endpoint = endpoint(2) }),
			graph.Moved{}},
		{"that moved here", old(func(p *evidence.Peer, _ *evidence.Count) { p.Endpoint = endpoint(2) }),
			graph.Moved{Least: 20, Most: 100}},
		{"whose counters went backwards", old(func(_ *evidence.Peer, c *evidence.Count) { c.TX[3] = 5 }),
			graph.Moved{}},
		{"not configured", old(func(*evidence.Peer, *evidence.Count) {})[1:], graph.Moved{}},
		{"whose counters were not read", old(func(*evidence.Peer, *evidence.Count) {})[:1], graph.Moved{}},
		{"two", append(old(func(*evidence.Peer, *evidence.Count) {}), old(func(p *evidence.Peer, c *evidence.Count) {
			p.PublicKey, c.PublicKey, c.TX = "key-older", "key-older", [4]uint64{1, 1, 2, 3}
		})...), graph.Moved{Least: 21, Most: 102}},
	} {
		said := append([]any{
			peer("key-b", endpoint(1), "10.0.1.0/24"),
			&evidence.Count{Device: "wg0", PublicKey: "key-b", Endpoint: endpoint(1), Readings: 4},
			peer("key-c", endpoint(2)), &evidence.Count{Device: "wg0",
				PublicKey: "key-c", Endpoint: endpoint(1), Readings: 4},
		}, test.said...)
		g := resolved(abc().say("probe/a", said...))
		a, b, c := g.Nodes[0], g.Nodes[1], g.Nodes[2]
		same(t, test.name, *g.Edge(a, b, 4).StaleSent, test.want)
		same(t, test.name+", what is stale itself", *g.Edge(a, c, 4).StaleSent, graph.Moved{})
		same(t, test.name+", what b sends", *g.Edge(b, a, 4).StaleSent, graph.Moved{})
	}
}

// The kernel's answer for an endpoint is that without the device's mark, and
// with it where it was not asked without.
func TestEndpointRoute(t *testing.T) {
	to := func(node int, mark uint32, link string) *evidence.Route {
		return &evidence.Route{For: endpoint(node).Addr(), Mark: mark, Link: link}
	}
	for _, test := range []struct {
		name string
		said []any
		want string // link
	}{
		{"not asked", nil, ""},
		{"asked", []any{to(1, 0, "eth0")}, "eth0"},
		{"of another", []any{to(2, 0, "eth0")}, ""},
		{"with a mark only", []any{to(1, 7, "eth1")}, "eth1"},
		{"both", []any{to(1, 7, "eth1"), to(1, 0, "eth0")}, "eth0"},
		{"the last counts", []any{to(1, 0, "eth0"), to(1, 0, "eth1"), to(0, 0, "lo"), to(1, 0, "eth2")}, "eth2"},
		{"with a mark the first counts", []any{to(1, 7, "eth0"), to(1, 8, "eth1"), to(0, 7, "lo"), to(1, 9, "eth2")},
			"eth0"},
	} {
		said := append([]any{&evidence.Count{Device: "wg0", PublicKey: "key-b", Endpoint: endpoint(1), Readings: 4}},
			test.said...)
		e := edge(abc().say("probe/a", said...), "a", "b")
		link := ""
		if e.EndpointRoute != nil {
			link = e.EndpointRoute.Link
		}
		same(t, test.name, link, test.want)
	}
}

func TestAnswersOfTheKernel(t *testing.T) {
	f := abc().say("probe/a",
		&evidence.Route{For: addr("10.0.2.2"), Link: "wg0", Table: 254},
		&evidence.Route{For: addr("10.0.1.2"), Link: "eth0"},
		&evidence.Route{For: addr("fd00::2"), Link: "wg0", Table: 254},
		&evidence.Route{For: addr("10.0.1.2"), Link: "wg0", Table: 254},
		&evidence.Route{For: addr("10.0.9.9"), Link: "wg0", Mark: 1},
		&evidence.Routes{Route: evidence.Route{Link: "tun0"}, To: []netip.Addr{addr("10.0.0.9"), addr("10.0.0.8")}})
	n := graph.New(f).Node("a")
	var to []string
	for _, answer := range n.Answers {
		to = append(to, answer.To.String()+" "+answer.Route.Link)
		if answer.Route.For.IsValid() {
			t.Errorf("%s: its route is for %s", answer.To, answer.Route.For)
		}
	}
	same(t, "answers", to, []string{"10.0.0.8 tun0", "10.0.0.9 tun0", "10.0.1.2 wg0", "10.0.2.2 wg0", "fd00::2 wg0"})
	same(t, "to a pod", n.RouteTo(addr("10.0.1.2")), &evidence.Route{Link: "wg0", Table: 254})
	if n.RouteTo(addr("10.0.1.2")) != n.RouteTo(addr("fd00::2")) {
		t.Error("equal answers are kept twice")
	}
	for _, unknown := range []netip.Addr{addr("10.0.1.1"), addr("10.0.9.9"), addr("fe80::1"), {}} {
		if r := n.RouteTo(unknown); r != nil {
			t.Errorf("%s: %v", unknown, r)
		}
	}
	if len(n.Table) > 0 || !reflect.DeepEqual(edge(f, "a", "c").Route, n.RouteTo(addr("10.0.2.2"))) {
		t.Errorf("table %v, route of the edge %v", n.Table, edge(f, "a", "c").Route)
	}
}
