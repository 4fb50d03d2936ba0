package graph_test

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestCanariesAreSummed(t *testing.T) {
	for _, test := range []struct {
		name    string
		rows    []evidence.CanaryRow
		want    graph.Canaries
		fastest uint32
	}{
		{name: "none"},
		{"UDP of two sizes", []evidence.CanaryRow{
			{Transport: "udp", Size: 64, Sent: 3, Answered: 2, Received: 1, RTT: 90},
			{Transport: "udp", Size: 1392, Sent: 30, Answered: 20, Received: 10, RTT: 40},
		}, graph.Canaries{UDP: graph.CanarySum{Sent: 33, Answered: 22, Received: 11}, Sent: 33, Largest: 1392}, 90},
		{"each transport by itself", []evidence.CanaryRow{
			{Transport: "icmp", Size: 56, Sent: 4, Answered: 3},
			{Transport: "tcp", Size: 333, Sent: 20, Answered: 19, Received: 18, RTT: 7},
			{Transport: "udp", Size: 64, Sent: 100},
			{Transport: "sctp", Size: 999, Sent: 1000},
		}, graph.Canaries{
			UDP: graph.CanarySum{Sent: 100}, TCP: graph.CanarySum{Sent: 20, Answered: 19, Received: 18},
			ICMP: graph.CanarySum{Sent: 4, Answered: 3}, Sent: 1124, Largest: 64,
		}, 7},
		{"a size that was not sent is not the largest", []evidence.CanaryRow{
			{Transport: "udp", Size: 64, Sent: 1}, {Transport: "udp", Size: 1392},
		}, graph.Canaries{UDP: graph.CanarySum{Sent: 1}, Sent: 1, Largest: 64}, 0},
		{"but one that was tried is", []evidence.CanaryRow{
			{Transport: "udp", Size: 1392, Error: "message too long"}, {Transport: "udp", Size: 64, Sent: 1},
		}, graph.Canaries{UDP: graph.CanarySum{Sent: 1}, Sent: 1, Largest: 1392}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := edge(abc().say("pod/a", &evidence.Canary{Peer: 1, Family: 4, Rows: test.rows}), "a", "b")
			for i, row := range test.rows {
				row.RTT = 0
				same(t, "row", e.Sender.Rows[i], row)
			}
			got := *e.Sender
			got.Rows = nil
			same(t, "sums", got, test.want)
			same(t, "fastest", e.Fastest, test.fastest)
		})
	}
}

// An edge has what its sender says of the receiver, and the other way round.
func TestCanariesOfBothEnds(t *testing.T) {
	said := func(peer, family int, sent, first uint32) *evidence.Canary {
		return &evidence.Canary{Peer: peer, Family: family, First: first, Rows: []evidence.CanaryRow{
			{Transport: "icmp", Size: 64, Sent: sent, RTT: 10 * sent},
		}}
	}
	f := ground([]int{4, 6}, "a", "b", "c").
		say("pod/a", said(1, 4, 1, 11), said(1, 6, 2, 12), said(2, 4, 3, 13)).
		say("pod/b", said(0, 4, 4, 14), said(0, 6, 5, 15)).
		say("pod/c", said(9, 4, 7, 0), said(0, 5, 8, 0)) // a node and a family that are not of the run
	g := resolved(f)
	a, b, c := g.Nodes[0], g.Nodes[1], g.Nodes[2]
	for _, test := range []struct {
		from, to         *graph.Node
		family           int
		sender, receiver uint64
		fastest, first   uint32
	}{
		{a, b, 4, 1, 4, 10, 14},
		{b, a, 4, 4, 1, 40, 11},
		{a, b, 6, 2, 5, 20, 15},
		{b, a, 6, 5, 2, 50, 12},
		{a, c, 4, 3, 0, 30, 0},
		{c, a, 4, 0, 3, 0, 13},
		{c, b, 6, 0, 0, 0, 0},
	} {
		e := g.Edge(test.from, test.to, test.family)
		if e.Sender.Sent != test.sender || e.Receiver.Sent != test.receiver || e.Fastest != test.fastest ||
			e.FirstArrived != test.first {
			t.Errorf("%s → %s, family %d: sender %d, receiver %d, fastest %d, first packets %d",
				e.From.Name, e.To.Name, e.Family, e.Sender.Sent, e.Receiver.Sent, e.Fastest, e.FirstArrived)
		}
		sender, receiver := g.Canaries(test.from, test.to, test.family)
		if sender != e.Sender || receiver != e.Receiver {
			t.Errorf("%s → %s, family %d: not the canaries of the edge", e.From.Name, e.To.Name, e.Family)
		}
	}
	sender, receiver := g.Canaries(a, b, 5)
	same(t, "a family that does not exist", sender.Sent+receiver.Sent, uint64(0))
}

// What is equal is kept once; what follows it must not be taken for it.
func TestEqualCanariesAreOne(t *testing.T) {
	rows := func(sent, rtt uint32) []evidence.CanaryRow {
		return []evidence.CanaryRow{{Transport: "icmp", Size: 64, Sent: sent, RTT: rtt}}
	}
	g := resolved(ground([]int{4}, "a", "b", "c", "d").say("pod/a",
		&evidence.Canary{Peer: 1, Family: 4, Rows: rows(1, 70)},
		&evidence.Canary{Peer: 2, Family: 4, Rows: rows(1, 80)},
		&evidence.Canary{Peer: 3, Family: 4, Rows: rows(2, 90)}))
	b, c, d := g.Edge(g.Nodes[0], g.Nodes[1], 4), g.Edge(g.Nodes[0], g.Nodes[2], 4), g.Edge(g.Nodes[0], g.Nodes[3], 4)
	if b.Sender != c.Sender || b.Fastest != 70 || c.Fastest != 80 {
		t.Errorf("equal but for round trips: %v, %v; fastest %d, %d", b.Sender, c.Sender, b.Fastest, c.Fastest)
	}
	if d.Sender.Sent != 2 || d.Fastest != 90 {
		t.Errorf("another: %v, fastest %d", d.Sender, d.Fastest)
	}
}
