package capture

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

var (
	testMark = bytes.Repeat([]byte{0xab, 0xcd}, 8)
	testKey  = bytes.Repeat([]byte{7}, 32)
)

func config(links ...evidence.Link) Config {
	return Config{
		Links:   links,
		Devices: []evidence.Device{{Name: "wg0", Port: 51820}},
		Start:   evidence.StartRequest{Mark: testMark, Key: testKey},
		Request: evidence.CaptureRequest{Pods: []evidence.PodAddress{
			{Index: 0, IPs: []netip.Addr{netip.MustParseAddr("10.42.0.7")}},
			{Index: 1, IPs: []netip.Addr{netip.MustParseAddr("10.42.1.9")}},
		}},
	}
}

func marked(t *testing.T, kind uint8, size int) []byte {
	t.Helper()
	b, err := wire.Marked{Kind: kind, Family: 4, Transport: wire.TransportUDP, Source: 0, Target: 1, Sequence: 3}.
		Payload(size, [wire.MarkSize]byte(testMark), testKey)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func send(t *testing.T, c *net.UDPConn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil && !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
}

func captures(messages []evidence.Message) map[string]evidence.Capture {
	out := map[string]evidence.Capture{}
	for _, m := range messages {
		if m.Capture != nil {
			out[m.Capture.Link] = *m.Capture
		}
	}
	return out
}

func sightings(messages []evidence.Message) (out []evidence.Sighting) {
	for _, m := range messages {
		if m.Sighting != nil {
			out = append(out, *m.Sighting)
		}
	}
	return out
}

// TestQuiet: an idle link proves itself by its own frame, which is no control,
// and a looped control is one.
//
//	a: eth0 ─────── b: eth0
func TestQuiet(t *testing.T) {
	noLeftovers(t)
	a, _ := pair(t)
	s := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside)))
	if got := s.Links(); len(got) != 1 || got[0] != "eth0" {
		t.Errorf("links %v", got)
	}
	if err := s.Loop("eth0"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Second)
	for s.ControlsSeen()["eth0"].TX == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	begun := time.Now()
	c := captures(s.Stop(t.Context()))["eth0"]
	if took := time.Since(begun); took > 200*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
	if !c.Started || !c.Alive || c.ControlTX != 1 || c.ControlRX != 0 || c.Drops != 0 || c.Truncated != 0 || c.Error != "" {
		t.Errorf("%+v", c)
	}
	if c.Classes["control"] != 2 {
		t.Errorf("classes %v", c.Classes)
	}
	if err := s.Loop("eth0"); err == nil {
		t.Error("a stopped capture still loops")
	}
}

// TestControlBetweenHosts: a control is seen leaving on one side and arriving
// on the other, and is no leak and no tunnel.
//
//	a: eth0 192.0.2.10 ── control ──► b: eth0 192.0.2.11
func TestControlBetweenHosts(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	left := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside)))
	right := b.start(t, config(b.link(t, "eth0", evidence.RoleOutside)))
	send(t, a.dial(t, "192.0.2.10:0", "192.0.2.11:51820"), marked(t, wire.KindControl, 48))
	time.Sleep(100 * time.Millisecond)
	for name, s := range map[string]*Session{"tx": left, "rx": right} {
		messages := s.Stop(t.Context())
		c := captures(messages)["eth0"]
		if leaks := sightings(messages); len(leaks) != 0 {
			t.Errorf("%s: %+v", name, leaks)
		}
		// The unreachable that comes back quotes the control.
		if name == "tx" && c.ControlTX == 0 || name == "rx" && c.ControlRX != 1 {
			t.Errorf("%s: %+v", name, c)
		}
		for _, m := range messages {
			if m.Tunnel != nil {
				t.Errorf("%s: %+v", name, m.Tunnel)
			}
		}
	}
}

// TestVXLANLeak: what a pod sends through vxlan is found on the lower link,
// with its layers; the ports are seen, the direction is right.
//
//	a: vx 10.42.0.7                 b: vx 10.42.1.9
//	      └ eth0 ── udp 8472 ──────► eth0 ┘
func TestVXLANLeak(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	for i, n := range []*namespace{a, b} {
		n.ip(t, "link add vx type vxlan id 1 dev eth0 dstport 8472 "+
			[]string{"local 192.0.2.10 remote 192.0.2.11", "local 192.0.2.11 remote 192.0.2.10"}[i])
		n.ip(t, "addr add "+[]string{"10.42.0.7/16", "10.42.1.9/16"}[i]+" dev vx")
		n.ip(t, "link set vx up")
	}
	sa := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside), a.link(t, "vx", evidence.RoleInside)))
	sb := b.start(t, config(b.link(t, "eth0", evidence.RoleOutside)))
	b.dial(t, "10.42.1.9:4000", "10.42.0.7:4000") // somebody listens
	c := a.dial(t, "10.42.0.7:4000", "10.42.1.9:4000")
	for range 5 {
		send(t, c, marked(t, wire.KindCanary, 300))
	}
	time.Sleep(200 * time.Millisecond)
	for direction, s := range map[string]*Session{evidence.DirectionTX: sa, evidence.DirectionRX: sb} {
		found := false
		for _, leak := range sightings(s.Stop(t.Context())) {
			if leak.By == evidence.BetrayedByMark && leak.Direction == direction {
				found = true
				if leak.Layers != "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp" || leak.Source != 0 || leak.Target != 1 ||
					leak.Count != 5 || leak.OuterSource.String() != "192.0.2.10" || leak.Link != "eth0" {
					t.Errorf("%+v", leak)
				}
			}
		}
		if !found {
			t.Errorf("%s: the leak was not seen", direction)
		}
	}
}

// TestBridge: ciphertext that enters by a bridge's member is seen on both, and
// counts once; a leak is seen on both.
//
//	a: eth0 192.0.2.10 ──── eth0 ─ br0 192.0.2.11 :b
func TestBridge(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	b.ip(t, "addr flush dev eth0")
	b.ip(t, "link add br0 type bridge forward_delay 0")
	b.ip(t, "link set eth0 master br0")
	b.ip(t, "addr add 192.0.2.11/24 dev br0")
	b.ip(t, "link set br0 up")
	b.dial(t, "192.0.2.11:51820", "192.0.2.10:51820") // somebody listens
	c := a.dial(t, "192.0.2.10:51820", "192.0.2.11:51820")
	send(t, c, make([]byte, 16)) // once through, so that the bridge forwards
	time.Sleep(300 * time.Millisecond)
	s := b.start(t, config(b.link(t, "eth0", evidence.RoleOutside), b.link(t, "br0", evidence.RoleOutside)))
	for n := range 10 {
		message := make([]byte, 96)
		message[0], message[4], message[8] = 4, 9, byte(n)
		send(t, c, message)
	}
	send(t, c, marked(t, wire.KindCanary, 60))
	time.Sleep(200 * time.Millisecond)
	messages := s.Stop(t.Context())
	tunnels, leaks := 0, map[string]string{}
	for _, m := range messages {
		if m.Tunnel != nil {
			tunnels++
			if f := m.Tunnel.RX; f.Data != 10 || f.Bytes != 960 || f.Indices[0].Repeats != 0 || len(m.Tunnel.Links) != 2 {
				t.Errorf("%+v", m.Tunnel)
			}
		}
	}
	for _, leak := range sightings(messages) {
		leaks[leak.Link] = leak.Direction + " " + leak.Layers
	}
	if tunnels != 1 || len(leaks) != 2 || leaks["eth0"] != "rx ethernet ipv4 udp" || leaks["br0"] != leaks["eth0"] {
		t.Errorf("%d tunnels, leaks %v", tunnels, leaks)
	}
}

// TestVLANTag: a tag that the kernel takes off is told all the same, and what
// it tags is read.
//
//	a: eth0 ── 802.1Q frame ──► eth0 :b
func TestVLANTag(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	s := b.start(t, config(b.link(t, "eth0", evidence.RoleOutside)))
	frame := append([]byte{2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 0x81, 0, 0, 7, 8, 0,
		0x45, 0, 0, 76, 0, 0, 0, 0, 9, 17, 0, 0, 192, 0, 2, 10, 192, 0, 2, 11, 0, 9, 0, 9, 0, 56, 0, 0},
		marked(t, wire.KindCanary, 48)...)
	a.transmit(t, a.link(t, "eth0", "").Index, frame)
	time.Sleep(100 * time.Millisecond)
	leaks := sightings(s.Stop(t.Context()))
	if len(leaks) != 1 || leaks[0].Layers != "ethernet vlan ipv4 udp" || leaks[0].Direction != evidence.DirectionRX {
		t.Errorf("%+v", leaks)
	}
}

// TestSuperPacket: what the sender leaves to be segmented is one frame on a
// veth. Its receiver indices differ, so that only the kernel's word for the
// segment size can tell the messages apart.
//
//	a: eth0 ── UDP_SEGMENT ──► b: eth0
func TestSuperPacket(t *testing.T) {
	noLeftovers(t)
	if !segmentsTold() {
		t.Skip("this kernel does not tell the segment size of UDP")
	}
	a, b := pair(t)
	s := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside)))
	b.dial(t, "192.0.2.11:51820", "192.0.2.10:51820") // somebody listens
	c := a.dial(t, "192.0.2.10:51820", "192.0.2.11:51820")
	send(t, c, make([]byte, 16)) // resolves the neighbour
	time.Sleep(100 * time.Millisecond)
	var row []byte
	for n := range 7 {
		message := make([]byte, 96)
		message[0], message[4] = 4, byte(n)
		row = append(row, message...)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 96) }); e != nil || err != nil {
		t.Skipf("no segmentation of UDP: %v %v", e, err)
	}
	send(t, c, row)
	time.Sleep(100 * time.Millisecond)
	messages := s.Stop(t.Context())
	if got := captures(messages)["eth0"]; got.Classes["wireguard"] != 1 {
		t.Errorf("%d frames of WireGuard, not one super-packet", got.Classes["wireguard"])
	}
	for _, m := range messages {
		if m.Tunnel != nil && (m.Tunnel.TX.Data != 7 || len(m.Tunnel.TX.Indices) != 7 || m.Tunnel.TX.Bytes != 7*96) {
			t.Errorf("%+v", m.Tunnel.TX)
		}
	}
}

// TestDeaf: a receive buffer too small for the load is told, as drops.
//
//	a: eth0 ── 20000 datagrams ──► b: eth0
func TestDeaf(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	deaf := config(b.link(t, "eth0", evidence.RoleOutside))
	deaf.Request.Buffer = 1
	s := b.start(t, deaf)
	c := a.dial(t, "192.0.2.10:0", "192.0.2.11:9")
	payload := make([]byte, 1400)
	for range 20000 {
		send(t, c, payload)
	}
	time.Sleep(100 * time.Millisecond)
	got := captures(s.Stop(t.Context()))["eth0"]
	if got.Drops == 0 {
		t.Errorf("nothing was dropped: %+v", got)
	}
	if got.Frames+got.Drops < 20000 {
		t.Errorf("of 20000 frames %d were read and %d dropped", got.Frames, got.Drops)
	}
}

// TestNoCarrier: a link without a carrier stands by, and says why it loops nothing.
//
//	a: eth0 ──── eth0, down :b
func TestNoCarrier(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	b.ip(t, "link set eth0 down")
	s := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside)))
	if err := s.Loop("eth0"); !errors.Is(err, ErrNoCarrier) {
		t.Errorf("looped: %v", err)
	}
	if c := captures(s.Stop(t.Context()))["eth0"]; !c.Started || !c.Alive || c.Error != "" {
		t.Errorf("%+v", c)
	}
}
