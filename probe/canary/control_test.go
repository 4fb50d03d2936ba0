//go:build linux

package canary

import (
	"context"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// fakeTap is a capture on three links: of eth0 it saw the controls for those
// nodes that are left, and of eth1 the looped frame with that number.
type fakeTap struct {
	left   map[int]bool
	asked  map[int]int // how often it was asked for a node
	seenAt int
	loops  map[string]int
	delay  time.Duration
}

func newFakeTap(left ...int) *fakeTap {
	tap := &fakeTap{left: map[int]bool{}, asked: map[int]int{}, seenAt: 1, loops: map[string]int{}}
	for _, node := range left {
		tap.left[node] = true
	}
	return tap
}

func (f *fakeTap) Delay() time.Duration { return f.delay }

func (*fakeTap) Links() []string { return []string{"eth0", "eth1", "eth2"} }

func (f *fakeTap) Caught(link string) bool {
	return link == "eth0" && len(f.left) > 0 || link == "eth1" && f.loops[link] >= f.seenAt
}

func (f *fakeTap) Left(node int) bool {
	f.asked[node]++
	return f.left[node]
}

func (f *fakeTap) Loop(link string) error {
	f.loops[link]++
	if link == "eth2" {
		return os.ErrInvalid
	}
	return nil
}

// listener is where controls go.
func listener(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// arrivals counts controls of a node by their target, and their source ports.
func arrivals(t *testing.T, conn *net.UDPConn, from int) (targets map[uint32]int, ports map[uint16]bool) {
	t.Helper()
	targets, ports = map[uint32]int{}, map[uint16]bool{}
	buffer := make([]byte, 200)
	for {
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, source, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return targets, ports
		}
		m, ok := identity(from).genuine(buffer[:n])
		if !ok || m.Kind != wire.KindControl || m.Source != uint32(from) {
			t.Errorf("%+v is not a control of node %d", m, from)
		}
		targets[m.Target]++
		ports[source.Port()] = true
	}
}

func TestControls(t *testing.T) {
	catcher, to := listener(t)
	tap := newFakeTap(7, 8)
	request := evidence.ControlRequest{Targets: []evidence.ControlTarget{{Index: 7, Endpoint: to},
		{Index: 8, Endpoint: to}}}
	messages := Controls(t.Context(), identity(3), request, nil, tap)
	if len(messages) != 4 {
		t.Fatal(messages)
	}
	for i, node := range []int{7, 8} {
		if c := messages[i].Control; c.Peer != node || c.Sent != controlPorts || c.Target != to || c.Error != "" {
			t.Errorf("%+v", c)
		}
	}
	if c := messages[2].Control; c.Link != "eth1" || c.Peer != -1 || c.Sent != 1 {
		t.Errorf("%+v", c)
	}
	if c := messages[3].Control; c.Link != "eth2" || c.Sent != 0 || c.Error == "" || tap.loops["eth2"] != 1 {
		t.Errorf("%+v, tried %d times", c, tap.loops["eth2"])
	}
	targets, ports := arrivals(t, catcher, 3)
	if targets[7] != controlPorts || targets[8] != controlPorts || len(ports) != controlPorts {
		t.Errorf("%v from %d ports", targets, len(ports))
	}
}

// Only what was not seen leaving is sent again, and not indefinitely.
func TestControlsRepeat(t *testing.T) {
	catcher, to := listener(t)
	tap := newFakeTap(7)
	tap.seenAt = 2
	request := evidence.ControlRequest{Targets: []evidence.ControlTarget{{Index: 7, Endpoint: to},
		{Index: 8, Endpoint: to}}}
	messages := Controls(t.Context(), identity(3), request, nil, tap)
	targets, _ := arrivals(t, catcher, 3)
	if targets[7] != controlPorts || targets[8] != controlRounds*controlPorts {
		t.Errorf("%v", targets)
	}
	if c := messages[1].Control; c.Peer != 8 || c.Sent != controlRounds*controlPorts {
		t.Errorf("%+v", c)
	}
	if c := messages[2].Control; c.Link != "eth1" || c.Sent != 2 {
		t.Errorf("%+v", c)
	}
}

// What cannot be sent is not waited for.
func TestControlsRefused(t *testing.T) {
	nowhere := netip.MustParseAddrPort("127.0.0.1:0")
	begun := time.Now()
	request := evidence.ControlRequest{Targets: []evidence.ControlTarget{{Index: 7, Endpoint: nowhere}}}
	messages := Controls(t.Context(), identity(3), request, nil, noLinks{})
	if c := messages[0].Control; c.Sent != 0 || c.Error == "" {
		t.Errorf("%+v", c)
	}
	if took := time.Since(begun); took > settle {
		t.Errorf("it took %s", took)
	}
}

// A ring that hands its frames over late is waited for: nothing is sent again
// meanwhile.
func TestControlsOfALateCapture(t *testing.T) {
	_, to := listener(t)
	tap := &lateTap{fakeTap: newFakeTap(7), after: time.Now().Add(300 * time.Millisecond)}
	tap.delay = 500 * time.Millisecond
	messages := Controls(t.Context(), identity(3), evidence.ControlRequest{Targets: []evidence.ControlTarget{
		{Index: 7, Endpoint: to}}}, nil, tap)
	if c := messages[0].Control; c.Sent != controlPorts {
		t.Errorf("%d controls, want one from each of %d ports, once", c.Sent, controlPorts)
	}
}

// lateTap shows no control before a time.
type lateTap struct {
	*fakeTap
	after time.Time
}

func (l *lateTap) Left(node int) bool { return time.Now().After(l.after) && l.fakeTap.Left(node) }

// noLinks is a capture of nothing.
type noLinks struct{}

func (noLinks) Links() []string    { return nil }
func (noLinks) Caught(string) bool { return false }
func (noLinks) Left(int) bool      { return false }
func (noLinks) Loop(string) error  { return os.ErrInvalid }

func (noLinks) Delay() time.Duration { return 0 }

func TestControlsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, to := listener(t)
	tap := newFakeTap()
	Controls(ctx, identity(3), evidence.ControlRequest{Targets: []evidence.ControlTarget{{Index: 7,
		Endpoint: to}}}, nil, tap)
	if tap.asked[7] > 1 {
		t.Errorf("it went on looking %d times", tap.asked[7])
	}
}
