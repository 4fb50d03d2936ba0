package capture

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

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
		Run:     wire.Run{Mark: [wire.MarkSize]byte(testMark), Key: testKey},
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

func leaksIn(messages []evidence.Message) (out []evidence.Sighting) {
	for _, m := range messages {
		if m.Sighting != nil {
			out = append(out, *m.Sighting)
		}
	}
	return out
}

// TestQuiet: an idle link proves itself by its own frame, which is not a control,
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
	// What is queued is read within a block's retire time. The kernel's own wait
	// for other processors comes on top; it took 0.3 s with ten runnable threads a core.
	if took := time.Since(begun); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
	if !c.Started || !c.Alive || c.ControlTX != 1 || c.ControlRX != 0 || c.Drops != 0 || c.Truncated != 0 ||
		c.Error != "" {
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
// on the other, and is neither a leak nor a tunnel.
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
		if leaks := leaksIn(messages); len(leaks) != 0 {
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

// TestDeaf: a receive buffer too small for the load is reported, as drops.
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

// TestNoCarrier: a link without a carrier stands by, and reports why it loops nothing.
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
