package wire

import (
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A capture counts every frame with its original length, those that left apart,
// and those of which a part was not copied.
func TestCaptureCounts(t *testing.T) {
	stats := newStats(t, testSubject())
	link := stats.Link("eth0", evidence.RoleOutside)
	arp := build(t, eth(layers.EthernetTypeARP), raw(make([]byte, 46)))
	for _, f := range []struct {
		direction string
		length    int // 0 where the socket does not say
	}{
		{evidence.DirectionTX, 0}, {evidence.DirectionRX, 0}, {evidence.DirectionTX, len(arp)},
		{evidence.DirectionTX, len(arp) + 1},
		{evidence.DirectionRX, 9000}, {evidence.DirectionRX, 0},
	} {
		link.Add(Frame{Data: arp, Direction: f.direction, Length: f.length})
	}
	link.Close(Socket{Started: true, Alive: true, Drops: 7, Error: "none"})
	got := pick(t, stats.Messages(), captureOf)[0]
	size := uint64(len(arp))
	if got.Frames != 6 || got.Bytes != 5*size+9001 || got.TXFrames != 3 || got.TXBytes != 3*size+1 ||
		got.Truncated != 2 {
		t.Errorf("%+v", got)
	}
	if got.Classes["arp"] != 6 || len(got.Classes) != 1 {
		t.Errorf("classes %v", got.Classes)
	}
	if !got.Started || !got.Alive || got.Drops != 7 || got.Error != "none" {
		t.Errorf("%+v", got)
	}
	if got.Link != "eth0" || got.Role != evidence.RoleOutside {
		t.Errorf("%+v", got)
	}
}

// Only datagrams on a port of WireGuard, on links that leave the host, belong to
// a tunnel; a control is none of its messages.
func TestWhatBelongsToATunnel(t *testing.T) {
	message := tx(underlay(t, data(1, 2, 96)))
	malformed := tx(underlay(t, []byte("something else")))
	for _, row := range []struct {
		name    string
		role    evidence.LinkRole
		frame   Frame
		tunnels int
	}{
		{"a message", evidence.RoleOutside, message, 1},
		{"something else on its port", evidence.RoleOutside, malformed, 1},
		{"a control on its port", evidence.RoleOutside, tx(underlay(t, control(t, TransportUDP, 3))), 0},
		{"another port", evidence.RoleOutside, tx(inUDP(t, data(1, 2, 96))), 0},
		{"TCP", evidence.RoleOutside,
			tx(build(t, eth(layers.EthernetTypeIPv4), ip4("192.0.2.10", "192.0.2.11", layers.IPProtocolTCP),
				&layers.TCP{SrcPort: wgPort, DstPort: wgPort, DataOffset: 5}, raw(data(1, 2, 96)))), 0},
		{"a message inside another tunnel", evidence.RoleWireGuard, message, 0},
		{"a message on an overlay", evidence.RoleInside, message, 0},
	} {
		stats := newStats(t, testSubject())
		stats.Link("eth0", row.role).Add(row.frame)
		if tunnels := pick(t, stats.Messages(), tunnelOf); len(tunnels) != row.tunnels {
			t.Errorf("%s: %+v", row.name, tunnels)
		}
	}
}

// Where another WireGuard device of the host sends into a tunnel its messages are
// counted there, and no control is one of them.
func TestInnerTunnel(t *testing.T) {
	stats := newStats(t, testSubject())
	link := stats.Link("wg0", evidence.RoleWireGuard)
	link.Outer()
	link.Add(tx(underlay(t, data(1, 2, 96))))
	link.Add(tx(underlay(t, control(t, TransportUDP, 3))))
	tunnels := pick(t, stats.Messages(), tunnelOf)
	if len(tunnels) != 1 || tunnels[0].TX.Data != 1 || tunnels[0].TX.Malformed != 0 || tunnels[0].Links[0] != "wg0" {
		t.Errorf("%+v", tunnels)
	}
}

// Controls are counted by direction. The looped frame with which a capture tries
// itself is none of them, and one that is looped leaves for nobody.
func TestControls(t *testing.T) {
	datagram := func(target uint32) []byte {
		b, err := Marked{Kind: KindControl, Family: 4, Transport: TransportUDP, Source: 5, Target: target,
			Sequence: SelfTest}.
			Payload(MarkedSize, testMark, testKey)
		if err != nil {
			t.Fatal(err)
		}
		return underlay(t, b)
	}
	looped := func(sequence uint16) []byte {
		b, err := Marked{Kind: KindControl, Family: 4, Transport: TransportFrame, Source: 5, Target: 9,
			Sequence: sequence}.
			Payload(MarkedSize, testMark, testKey)
		if err != nil {
			t.Fatal(err)
		}
		return build(t, eth(EtherTypeMarked), raw(b))
	}
	for _, row := range []struct {
		name     string
		frame    Frame
		sent     uint32
		received uint32
		controls uint32
		left     []int // of nodes 3, 5 and 9
	}{
		{"sent", tx(datagram(3)), 1, 0, 1, []int{3}},
		{"received", rx(datagram(3)), 0, 1, 1, nil},
		{"the self-test", tx(looped(SelfTest)), 0, 0, 0, nil},
		{"the self-test, arriving", rx(looped(SelfTest)), 0, 0, 0, nil},
		{"a looped frame", tx(looped(1)), 1, 0, 0, nil},
		{"a looped frame, arriving", rx(looped(1)), 0, 1, 0, nil},
	} {
		stats := newStats(t, testSubject())
		link := stats.Link("eth0", evidence.RoleOutside)
		link.Add(row.frame)
		if sent, received := link.Controls(); sent != row.sent || received != row.received {
			t.Errorf("%s: %d sent, %d received", row.name, sent, received)
		}
		for _, node := range []int{3, 5, 9} {
			if got, want := link.ControlLeft(node), len(row.left) == 1 && row.left[0] == node; got != want {
				t.Errorf("%s: left for node %d: %v", row.name, node, got)
			}
		}
		controls := uint32(0)
		for _, w := range pick(t, stats.Messages(), seenOf) {
			for _, seen := range w.Seen {
				controls += seen.Control
			}
		}
		if controls != row.controls {
			t.Errorf("%s: %d seen", row.name, controls)
		}
	}
}
