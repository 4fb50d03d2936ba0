//go:build linux

package canary

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// freePort is a UDP port of loopback that nobody has at present.
func freePort(t *testing.T) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// Two probes on one host: 0 sends to the port that 1 has bound.
//
//	0 ── 127.0.0.1, MTU 65536 ──> 1
func TestPorts(t *testing.T) {
	run := wire.Run{Key: make([]byte, wire.KeySize)}
	sender, receiver := NewPorts(Identity{0, run}), NewPorts(Identity{1, run})
	stranger := NewPorts(Identity{0, wire.Run{Key: append(make([]byte, wire.KeySize-1), 1)}})
	port := evidence.Port{Family: 4, Port: freePort(t)}
	uses := receiver.Listen(t.Context(), []evidence.Port{port})
	if len(uses) != 1 || !uses[0].Bound || uses[0].Taken {
		t.Fatalf("a free port: %+v", uses)
	}
	if again := NewPorts(Identity{1, run}).Listen(t.Context(), []evidence.Port{port}); again[0].Bound || !again[0].Taken {
		t.Errorf("a port that is taken: %+v", again[0])
	}
	target := evidence.PortTarget{Index: 1, Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port.Port)}
	request := evidence.PortSendRequest{Targets: []evidence.PortTarget{target}, Sizes: []int{1400, 100, 1280}, Attempts: 2}
	stranger.Send(t.Context(), request)
	sent := sender.Send(t.Context(), request)[0].PortSent
	if sent.Peer != 1 || sent.Port != port || sent.Sent != 6 || sent.Largest != 1400 || sent.Error != "" {
		t.Errorf("sent %+v", sent)
	}
	time.Sleep(50 * time.Millisecond)
	seen := receiver.Stop()
	if len(seen) != 1 {
		t.Fatalf("seen %+v, want what one probe sent", seen)
	}
	if got := seen[0].PortSeen; got.Peer != 0 || got.Count != 6 || got.Largest != 1400 || got.Port != port {
		t.Errorf("seen %+v, want six datagrams, none of the stranger's", got)
	}
}

// What does not fit the link is left out, and is not an error.
func TestPortsSizes(t *testing.T) {
	sender := NewPorts(Identity{0, wire.Run{Key: make([]byte, wire.KeySize)}})
	request := evidence.PortSendRequest{
		Targets: []evidence.PortTarget{
			{Index: 1, Addr: netip.MustParseAddrPort("127.0.0.1:9")}, {Index: -1, Addr: netip.MustParseAddrPort("127.0.0.1:9")},
		},
		Sizes: []int{20, 576, 70000}, Attempts: 1,
	}
	messages := sender.Send(t.Context(), request)
	if got := messages[0].PortSent; got.Sent != 1 || got.Largest != 576 || got.Error != "" {
		t.Errorf("sent %+v, want one datagram of 576 bytes", got)
	}
	if got := messages[1].PortSent; got.Sent != 0 {
		t.Errorf("sent %+v to no node", got)
	}
}

// No more ports are bound than a run has, and none of a family that does not exist.
func TestPortsListenIsBounded(t *testing.T) {
	ports := NewPorts(Identity{0, wire.Run{Key: make([]byte, wire.KeySize)}})
	defer ports.Stop()
	uses := ports.Listen(t.Context(), slices.Repeat([]evidence.Port{{Family: 5}}, 2*maxPorts))
	if len(uses) != maxPorts || uses[0].Bound || uses[0].Error == "" {
		t.Errorf("%d uses, first %+v", len(uses), uses[0])
	}
}
