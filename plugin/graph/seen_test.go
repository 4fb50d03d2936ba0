package graph_test

import (
	"fmt"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func tunnelled(link, direction string, family int, seen ...evidence.Seen) *evidence.Witness {
	return &evidence.Witness{Link: link, Direction: direction, Family: family, Seen: seen}
}

// A node speaks of what its own pod sent leaving, and of what is for it arriving.
func TestSeen(t *testing.T) {
	for _, test := range []struct {
		name      string
		on        string // node
		said      *evidence.Witness
		out, back uint32 // marked packets entering the tunnel from a to b, and from b to a leaving it
	}{
		{"sent", "a", tunnelled("wg0", "tx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 7}), 7, 0},
		{"received", "a", tunnelled("wg0", "rx", 4, evidence.Seen{Source: 1, Target: 0, UDP: 7}), 0, 7},
		{"the other way round when sending", "a",
			tunnelled("wg0", "tx", 4, evidence.Seen{Source: 1, Target: 0, UDP: 7}), 0, 0},
		{"the other way round when receiving", "a",
			tunnelled("wg0", "rx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 7}), 0, 0},
		{"of others", "c", tunnelled("wg0", "tx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 7}), 0, 0},
		{"of an unknown node", "a", tunnelled("wg0", "tx", 4, evidence.Seen{Source: 0, Target: 9, UDP: 7}), 0, 0},
		{"on another link", "a", tunnelled("eth0", "tx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 7}), 0, 0},
		{"in another family", "a", tunnelled("wg0", "tx", 6, evidence.Seen{Source: 0, Target: 1, UDP: 7}), 0, 0},
		{"in no direction", "a", tunnelled("wg0", "", 4, evidence.Seen{Source: 0, Target: 1, UDP: 7}), 0, 0},
		{"two of a message", "a", tunnelled("wg0", "tx", 4,
			evidence.Seen{Source: 0, Target: 2, UDP: 9}, evidence.Seen{Source: 0, Target: 1, UDP: 7}), 7, 0},
		{"in columns", "a", &evidence.Witness{Link: "wg0", Direction: "tx", Family: 4, Alike: []evidence.SeenAlike{
			{Sources: evidence.Numbers{0, 1, 2}, Targets: evidence.Numbers{0, 1, 2}, UDP: 7},
		}}, 7, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := resolved(ground([]int{4, 6}, "a", "b", "c").say("probe/"+test.on, test.said))
			a, b := g.Nodes[0], g.Nodes[1]
			same(t, "entered", g.Edge(a, b, 4).Into.UDP, test.out)
			same(t, "left", g.Edge(b, a, 4).OutOf.UDP, test.back)
			same(t, "on the link, sent", a.SeenOn("wg0", b, false, 4).UDP, test.out)
			same(t, "on the link, received", a.SeenOn("wg0", b, true, 4).UDP, test.back)
			same(t, "b itself saw nothing", g.Edge(a, b, 4).OutOf.Total()+g.Edge(b, a, 4).Into.Total(), uint64(0))
		})
	}
}

func TestSeenKeepsEveryCount(t *testing.T) {
	full := evidence.Seen{
		Source: 0, Target: 2, UDP: 1, TCP: 20, ICMP: 300, UDPAnswers: 4, TCPAnswers: 5, ICMPAnswers: 6,
		First: 7, FirstAnswers: 8, Control: 9,
	}
	e := edge(abc().say("probe/a", tunnelled("wg0", "tx", 4, full)), "a", "c")
	want := graph.Seen(full)
	want.Source, want.Target = 0, 0
	same(t, "seen", *e.Into, want)
	same(t, "canaries and answers", e.Into.Total(), uint64(321))
}

func TestMarkedLinks(t *testing.T) {
	n := graph.New(ground([]int{4, 6}, "a", "b", "c").say("probe/b",
		tunnelled("wg0", "tx", 4, evidence.Seen{Source: 1, Target: 0, UDP: 1, TCP: 2},
			evidence.Seen{Source: 1, Target: 2, ICMP: 3}),
		tunnelled("wg0", "rx", 4, evidence.Seen{Source: 0, Target: 1, First: 10}),
		tunnelled("wg0", "rx", 6, evidence.Seen{Source: 2, Target: 1, UDP: 100}),
		tunnelled("eth0", "tx", 4, evidence.Seen{Source: 1, Target: 0, Control: 5}),
		tunnelled("tun0", "tx", 4, evidence.Seen{Source: 0, Target: 2, UDP: 5}), // of others
		tunnelled("cni0", "tx", 4, evidence.Seen{Source: 1, Target: 0, UDP: 1000}))).Node("b")
	same(t, "links", n.MarkedLinks(), []string{"cni0", "eth0", "wg0"})
	for link, want := range map[string]uint64{"wg0": 116, "cni0": 1000, "eth0": 0, "tun0": 0} {
		same(t, link, n.MarkedOn(link), want)
	}
}

// A node that names endless links costs bounded memory, and says no less of others.
func TestPlacesOfMarkedPacketsAreBounded(t *testing.T) {
	f := abc()
	for i := range 1025 {
		f.say("probe/a", tunnelled(fmt.Sprintf("x%04d", i), "tx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 1}))
	}
	f.say("probe/a", tunnelled("x0000", "tx", 4, evidence.Seen{Source: 0, Target: 2, UDP: 1}))
	n := graph.New(f).Node("a")
	same(t, "links", len(n.MarkedLinks()), 1024)
	same(t, "the last that has a place", n.MarkedOn("x1023"), uint64(1))
	same(t, "the first without", n.MarkedOn("x1024"), uint64(0))
	same(t, "one that has a place already", n.MarkedOn("x0000"), uint64(2))
}

func TestControlsSent(t *testing.T) {
	for _, test := range []struct {
		name string
		said []any
		sent bool
		text string
	}{
		{"none", nil, false, ""},
		{"one", []any{&evidence.Control{Peer: 1, Sent: 1}}, true, ""},
		{"to another", []any{&evidence.Control{Peer: 2, Sent: 1, Error: "no route"}}, false, ""},
		{"to an unknown node", []any{&evidence.Control{Peer: 9, Sent: 1}}, false, ""},
		{"refused", []any{&evidence.Control{Peer: 1, Error: "no route"}}, false, "no route"},
		{"one of two", []any{&evidence.Control{Peer: 1, Sent: 1}, &evidence.Control{Peer: 1, Error: "no route"}}, true,
			"no route"},
		{"the first reason counts", []any{&evidence.Control{Peer: 1, Error: "no route"}, &evidence.Control{Peer: 1},
			&evidence.Control{Peer: 1, Error: "denied"}}, false, "no route"},
		{"in columns", []any{&evidence.Controls{Peers: evidence.Numbers{1, 2}, Sent: 1}}, true, ""},
	} {
		e := edge(abc().say("probe/a", test.said...), "a", "b")
		if e.ControlSent != test.sent || e.ControlError != test.text {
			t.Errorf("%s: sent %t, error %q", test.name, e.ControlSent, e.ControlError)
		}
		if back := e.Back(); back.ControlSent || back.ControlError != "" {
			t.Errorf("%s: b sent one too", test.name)
		}
	}
}

// A control is seen where it leaves the host or comes to it, whatever its family.
func TestControlsSeen(t *testing.T) {
	out := evidence.Seen{Source: 0, Target: 1, Control: 1}
	in := evidence.Seen{Source: 1, Target: 0, Control: 1}
	for _, test := range []struct {
		name       string
		said       *evidence.Witness
		left, came bool
	}{
		{"left", tunnelled("eth0", "tx", 4, out), true, false},
		{"left by IPv6", tunnelled("eth0", "tx", 6, out), true, false},
		{"came", tunnelled("eth0", "rx", 4, in), false, true},
		{"came by IPv6", tunnelled("eth0", "rx", 6, in), false, true},
		{"on another outside link", tunnelled("eth1", "tx", 4, out), true, false},
		{"on a link that is down", tunnelled("eth2", "tx", 4, out), false, false},
		{"in the tunnel", tunnelled("wg0", "tx", 4, out), false, false},
		{"of another node", tunnelled("eth0", "tx", 4, evidence.Seen{Source: 0, Target: 2, Control: 1}), false, false},
		{"canaries only", tunnelled("eth0", "tx", 4, evidence.Seen{Source: 0, Target: 1, UDP: 1}), false, false},
	} {
		e := edge(abc().say("probe/a",
			&evidence.Link{Index: 5, Name: "eth1", Role: evidence.RoleOutside, Up: true},
			&evidence.Link{Index: 6, Name: "eth2", Role: evidence.RoleOutside}, test.said), "a", "b")
		back := e.Back()
		if e.ControlLeft != test.left || back.ControlArrived != test.came || e.ControlArrived || back.ControlLeft {
			t.Errorf("%s: left %t, came %t; at the other end left %t, came %t", test.name,
				e.ControlLeft, back.ControlArrived, back.ControlLeft, e.ControlArrived)
		}
	}
}
