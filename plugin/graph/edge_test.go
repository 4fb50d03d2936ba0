package graph_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Of an edge of which nothing was read every field is empty, and those that are
// counted with are there all the same.
func TestEdgeOfWhichNothingWasRead(t *testing.T) {
	f := (&fake{}).say("plugin", &evidence.Run{Families: []int{4, 6}}, &evidence.Node{Index: 0, Name: "a"},
		&evidence.Node{Index: 1, Name: "b"})
	g := graph.New(f)
	g.Resolve(func(*graph.Node, int) graph.Carrier { return graph.Carrier{} })
	for e := range g.Edges() {
		want := map[string]any{
			"From": e.From, "To": e.To, "Family": e.Family,
			"Sender": &graph.Canaries{}, "Receiver": &graph.Canaries{},
			"FromCarrier": &graph.Carrier{}, "ToCarrier": &graph.Carrier{},
			"Out": &graph.Flow{Shape: &graph.Shape{}}, "In": &graph.Flow{Shape: &graph.Shape{}},
			"StaleSent": &graph.Moved{}, "Into": &graph.Seen{}, "OutOf": &graph.Seen{},
		}
		fields := reflect.ValueOf(e).Elem()
		for i := range fields.NumField() {
			field := fields.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			expected := want[field.Name]
			if expected == nil {
				expected = reflect.Zero(field.Type).Interface()
			}
			same(t, field.Name, fields.Field(i).Interface(), expected)
		}
	}
}

// whole is a recording in which every field of a's edge to b is read, each with
// figures of its own.
//
//	a: pod 10.0.0.2, wg0 — eth0 192.0.2.0 ══ 192.0.2.1 eth0 — wg0, pod 10.0.1.2: b
func whole() *fake {
	canary := func(peer int, first uint32, row evidence.CanaryRow) *evidence.Canary {
		return &evidence.Canary{Peer: peer, Family: 4, First: first, Rows: []evidence.CanaryRow{row}}
	}
	tunnel := func(local, remote int, link string, bytes uint64) *evidence.Tunnel {
		return &evidence.Tunnel{Local: endpoint(local), Remote: endpoint(remote), Links: []string{link},
			TX: evidence.Flow{Bytes: bytes}, RX: evidence.Flow{Bytes: bytes + 1}}
	}
	count := func(key string, at int, age int64) *evidence.Count {
		return &evidence.Count{Device: "wg0", PublicKey: key, Endpoint: endpoint(at), Age: age, Readings: 4}
	}
	old := count("key-old", 1, 0)
	old.TX = [4]uint64{1, 2, 32, 64}
	return abc().
		say("pod/a", canary(1, 21, evidence.CanaryRow{Transport: "icmp", Sent: 22, RTT: 23}),
			&evidence.Sighting{Target: 1, Family: 4, Count: 24}).
		say("pod/b", canary(0, 31, evidence.CanaryRow{Transport: "icmp", Sent: 32, RTT: 33})).
		say("probe/a",
			peer("key-b", endpoint(1), "10.0.1.0/24"), peer("key-c",
				endpoint(2), "10.0.1.128/25"), peer("key-old", endpoint(1)),
			count("key-b", 1, 41), old, tunnel(0, 1, "eth0", 42),
			&evidence.Route{For: podIP(1, 4), Link: "wg0"}, &evidence.Route{For: endpoint(1).Addr(), Link: "eth0"},
			tunnelled("wg0", "tx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 43}),
			tunnelled("wg0", "rx", 4, evidence.Seen{Source: 1, Target: 0, UDP: 44}),
			tunnelled("eth0", "tx", 4, evidence.Seen{Source: 0, Target: 1, Control: 1}),
			&evidence.Control{Peer: 1, Sent: 1, Error: "once"}).
		say("probe/b",
			peer("key-a", endpoint(0), "10.0.0.0/24"), count("key-a", 0, 51), tunnel(1, 0, "eth1", 52),
			&evidence.Route{For: podIP(0, 4), Link: "tun0"},
			tunnelled("wg0", "tx", 4, evidence.Seen{Source: 1, Target: 0, UDP: 53}),
			tunnelled("wg0", "rx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 54}),
			tunnelled("eth0", "rx", 4, evidence.Seen{Source: 0, Target: 1, Control: 1}))
}

// Each field is from the end that it speaks of.
func TestEdgeFieldByField(t *testing.T) {
	g := resolved(whole())
	a, b := g.Nodes[0], g.Nodes[1]
	e := g.Edge(a, b, 4)
	same(t, "ends", []*graph.Node{e.From, e.To}, []*graph.Node{a, b})
	same(t, "family", e.Family, 4)
	same(t, "graph", e.Graph() == g, true)
	same(t, "Sender", e.Sender.Sent, uint64(22))
	same(t, "Receiver", e.Receiver.Sent, uint64(32))
	same(t, "Fastest", e.Fastest, uint32(23))
	same(t, "FirstArrived", e.FirstArrived, uint32(31))
	same(t, "FromCarrier", e.FromCarrier.Device.PublicKey, "key-a")
	same(t, "ToCarrier", e.ToCarrier.Device.PublicKey, "key-b")
	same(t, "Peer", e.Peer.PublicKey, "key-b")
	same(t, "Sent", e.Sent.Age, int64(41))
	same(t, "Received", e.Received.Age, int64(51))
	same(t, "StaleSent", *e.StaleSent, graph.Moved{Least: 30, Most: 63})
	same(t, "Holder", e.Holder.PublicKey, "key-b")
	same(t, "Held", e.Held, prefix("10.0.1.0/24"))
	same(t, "Rival", e.Rival.PublicKey, "key-c")
	same(t, "Out", e.Out.Bytes, uint64(42))
	same(t, "In", e.In.Bytes, uint64(53))
	same(t, "OutLinks", e.OutLinks, []string{"eth0"})
	same(t, "InLinks", e.InLinks, []string{"eth1"})
	same(t, "Into", e.Into.UDP, uint32(43))
	same(t, "OutOf", e.OutOf.UDP, uint32(54))
	same(t, "Leaks", e.Leaks[0].Count, uint64(24))
	same(t, "Route", e.Route.Link, "wg0")
	same(t, "EndpointRoute", e.EndpointRoute.Link, "eth0")
	same(t, "controls", []any{e.ControlSent, e.ControlLeft, e.ControlArrived, e.ControlError},
		[]any{true, true, true, "once"})
}

// The other direction is the edge as the other end sees it, and its other
// direction the edge.
func TestBack(t *testing.T) {
	g := resolved(whole())
	e := g.Edge(g.Nodes[0], g.Nodes[1], 4)
	back := e.Back()
	same(t, "it is the edge of its own ends", back, g.Edge(e.To, e.From, 4))
	same(t, "canaries", []*graph.Canaries{back.Sender, back.Receiver}, []*graph.Canaries{e.Receiver, e.Sender})
	same(t, "counters", []*graph.Count{back.Sent, back.Received}, []*graph.Count{e.Received, e.Sent})
	same(t, "carriers", []*graph.Carrier{back.FromCarrier, back.ToCarrier},
		[]*graph.Carrier{e.ToCarrier, e.FromCarrier})
	same(t, "what is its own", []any{
		back.Fastest, back.FirstArrived, back.Peer.PublicKey, back.Held.String(), back.Out.Bytes, back.In.Bytes,
		back.Into.UDP, back.OutOf.UDP, back.Route.Link, len(back.Leaks), back.ControlSent,
	}, []any{
		uint32(33), uint32(21), "key-a", "10.0.0.0/24", uint64(52),
		uint64(43), uint32(53), uint32(44), "tun0", 0, false,
	})
	same(t, "and back", back.Back(), e)
	six := resolved(ground([]int{4, 6}, "a", "b"))
	same(t, "of one family", six.Edge(six.Nodes[0], six.Nodes[1], 6).Back().Family, 6)
}

func TestEdgesInOrder(t *testing.T) {
	list := func(g *graph.Graph) (all []string) {
		for e := range g.Edges() {
			all = append(all, fmt.Sprintf("%s%s%d", e.From.Name, e.To.Name, e.Family))
		}
		return all
	}
	asking := func(pairs string, families ...int) *graph.Graph {
		return resolved(ground(families, "a", "b", "c").say("plugin", &evidence.Run{Families: families, Pairs: pairs}))
	}
	same(t, "all", list(asking("all", 4)), []string{"ab4", "ac4", "ba4", "bc4", "ca4", "cb4"})
	same(t, "of old recordings", list(asking("", 4)), []string{"ab4", "ac4", "ba4", "bc4", "ca4", "cb4"})
	same(t, "ring", list(asking("ring", 4)), []string{"ab4", "bc4", "ca4"})
	same(t, "both families", list(asking("ring", 6, 4)), []string{"ab4", "ab6", "bc4", "bc6", "ca4", "ca6"})
	same(t, "no family", list(asking("all")), []string(nil))
	same(t, "one node", list(resolved(ground([]int{4}, "a"))), []string(nil))
	same(t, "no node", list(resolved(&fake{})), []string(nil))
	one := list(asking("1", 4)) // which, the run's id says
	same(t, "one each", len(one), 3)

	g, count := asking("all", 4), 0
	for range g.Edges() {
		if count++; count == 3 {
			break
		}
	}
	same(t, "it ends where it is asked to", count, 3)
	var from []string
	for e := range g.EdgesFrom(g.Nodes[1]) {
		from = append(from, e.To.Name)
	}
	same(t, "of one sender", from, []string{"a", "c"})
}

// Places are of the run, whatever the nodes' indexes are.
func TestIndexesNeedNotBePlaces(t *testing.T) {
	f := (&fake{}).say("plugin", &evidence.Run{Families: []int{4}})
	for index, name := range map[int]string{3: "a", 40: "b", 500: "c"} {
		f.say("plugin", &evidence.Node{Index: index, Name: name},
			&evidence.Pod{Role: "pod", Node: name, IPs: []netip.Addr{podIP(index%7, 4)}})
	}
	f.say("pod/a", &evidence.Canary{Peer: 500, Family: 4, Rows: []evidence.CanaryRow{{Transport: "tcp", Sent: 1}}}).
		say("probe/c", tunnelled("wg0", "rx", 4, evidence.Seen{Source: 3, Target: 500, TCP: 2})).
		say("probe/a", &evidence.Control{Peer: 500, Sent: 1}, &evidence.Sighting{Source: 3, Target: 500,
			Family: 4, Count: 3})
	e := edge(f, "a", "c")
	same(t, "of the edge", []any{e.Sender.TCP.Sent, e.OutOf.TCP, e.ControlSent, len(e.Leaks)},
		[]any{uint64(1), uint32(2), true, 1})
	other := edge(f, "a", "b")
	same(t, "of another", []any{other.Sender.TCP.Sent, other.OutOf.TCP, other.ControlSent, len(other.Leaks)},
		[]any{uint64(0), uint32(0), false, 0})
}

func TestParallelCallsForEachOnce(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		called := make([]int, n)
		graph.Parallel(n, func(i int) { called[i]++ })
		for i, times := range called {
			if times != 1 {
				t.Errorf("of %d: %d times for %d", n, times, i)
			}
		}
	}
}
