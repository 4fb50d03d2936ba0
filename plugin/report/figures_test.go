package report

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

// Figures of one direction are those that the checks say in words.
func TestFigures(t *testing.T) {
	j := judged(t, "host-healthy-wireguard")
	e := j.Graph.Edge(j.Graph.Nodes[0], j.Graph.Nodes[1], 4)
	got := figuresOf(e)
	got.HandshakeAge = 0
	want := figures{
		PacketsSent: got.PacketsSent, PacketsAnswered: 12, PacketsReceived: got.PacketsReceived, LargestPacket: 1420,
		InTunnelSent: 20, InTunnelReceived: 20, DataMessagesSent: 58, DataMessagesReceived: 58,
		CapturedBytesSent: 21768, CapturedBytesRecv: 21768, CounterBytesSent: 21768, CounterBytesRecv: 21768,
		directions: 1,
	}
	if got != want || got.PacketsSent < got.PacketsAnswered {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFiguresOfALeak(t *testing.T) {
	j := judged(t, "host-stale-flannel-route")
	if f := figuresOf(j.Graph.Edge(j.Graph.Nodes[0], j.Graph.Nodes[1], 4)); f.PlaintextFrames != 114 || f.DataMessagesSent != 0 {
		t.Errorf("%+v", f)
	}
	if sum := totalOf(j.Graph); sum.PlaintextFrames != 114+112 || sum.FramesCaptured == 0 {
		t.Errorf("%+v", sum)
	}
}

// The figures of a run are the sums of its directions, the largest packet the
// least of them, and do not depend on who sums first.
func TestTotalOf(t *testing.T) {
	j := check.Judge(mesh.New(9))
	want := figures{}
	for e := range j.Graph.Edges() {
		one := figuresOf(e)
		want.add(&one)
	}
	for range 20 {
		if got := totalOf(j.Graph); got.figures != want {
			t.Fatalf("%+v, want %+v", got.figures, want)
		}
	}
}

func TestAddFigures(t *testing.T) {
	sum := figures{}
	for _, f := range []figures{
		{LargestPacket: 1420, HandshakeAge: 3, PacketsSent: 1, directions: 1}, {LargestPacket: 1300, HandshakeAge: 9, PacketsSent: 2, directions: 1},
		{LargestPacket: 1400, HandshakeAge: 1, PacketsSent: 3, directions: 1},
	} {
		sum.add(&f)
	}
	if sum.LargestPacket != 1300 || sum.HandshakeAge != 9 || sum.PacketsSent != 6 {
		t.Errorf("%+v", sum)
	}
	sum.add(&figures{directions: 1})
	if sum.LargestPacket != 0 {
		t.Errorf("nothing was answered there, and yet %d bytes", sum.LargestPacket)
	}
}
