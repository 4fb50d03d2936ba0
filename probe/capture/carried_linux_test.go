package capture

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

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
		for _, leak := range leaksIn(s.Stop(t.Context())) {
			if leak.By == evidence.LeakedByMark && leak.Direction == direction {
				found = true
				if leak.Layers != "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp" || leak.Source != 0 ||
					leak.Target != 1 ||
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
			if f := m.Tunnel.RX; f.Data != 10 || f.Bytes != 960 || f.Indices[0].Repeats != 0 ||
				len(m.Tunnel.Links) != 2 {
				t.Errorf("%+v", m.Tunnel)
			}
		}
	}
	for _, leak := range leaksIn(messages) {
		leaks[leak.Link] = leak.Direction + " " + leak.Layers
	}
	if tunnels != 1 || len(leaks) != 2 || leaks["eth0"] != "rx ethernet ipv4 udp" || leaks["br0"] != leaks["eth0"] {
		t.Errorf("%d tunnels, leaks %v", tunnels, leaks)
	}
}

// TestVLANTag: a tag that the kernel takes off is reported all the same, and what
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
	leaks := leaksIn(s.Stop(t.Context()))
	if len(leaks) != 1 || leaks[0].Layers != "ethernet vlan ipv4 udp" || leaks[0].Direction != evidence.DirectionRX {
		t.Errorf("%+v", leaks)
	}
}

// TestSuperPacket: what the sender leaves to be segmented is one frame on a
// veth. Its receiver indices differ, so that only the kernel's word for the
// segment size can separate the messages.
//
//	a: eth0 ── UDP_SEGMENT ──► b: eth0
func TestSuperPacket(t *testing.T) {
	noLeftovers(t)
	if !segmentsKnown() {
		t.Skip("needs a kernel that reports the segment size of UDP: 6.2 or later")
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
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT,
			96)
	}); e != nil || err != nil {
		t.Skipf("needs a kernel that segments UDP: %v %v", e, err)
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
