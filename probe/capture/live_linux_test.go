package capture

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// startLive begins a live capture within the namespace.
func (n *namespace) startLive(t *testing.T, config Config, request evidence.LiveRequest) *Live {
	t.Helper()
	var l *Live
	var err error
	n.do(func() { l, err = StartLive(config, request) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop(t.Context()) })
	return l
}

// data is a WireGuard data message, type 4, of 96 bytes.
func data(counter byte) []byte {
	message := make([]byte, 96)
	message[0] = 4
	message[8] = counter
	return message
}

// namespace a                         namespace b
// 192.0.2.10:51820  eth0 ──── eth0  192.0.2.11:51820
//
//	tcpdump, live capture
func TestLive(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	link := a.link(t, "eth0", evidence.RoleOutside)
	count := a.tcpdump(t)
	live := a.startLive(t, Config{Links: []evidence.Link{link}, Devices: []evidence.Device{{Port: 51820}}, Run: config().Run},
		evidence.LiveRequest{Pick: evidence.PickWireGuard})
	out, in := a.dial(t, "192.0.2.10:51820", "192.0.2.11:51820"), b.dial(t, "192.0.2.11:51820", "192.0.2.10:51820")
	const each = 200
	before := time.Now().UnixNano()
	for i := range each {
		out.Write(data(byte(i)))
		in.Write(data(byte(i)))
		if i%10 == 0 { // so that no queue is full
			time.Sleep(time.Millisecond)
		}
	}
	a.dial(t, "192.0.2.10:9", "192.0.2.11:9").Write([]byte("neither WireGuard nor its port"))
	frames, counts := live.Take(t.Context(), 300*time.Millisecond)
	rest, _ := live.Stop(t.Context())
	frames = append(frames, rest...)
	if dumped := count(); len(frames) != dumped || dumped != 2*each {
		t.Errorf("%d frames, tcpdump has %d, sent were %d", len(frames), dumped, 2*each)
	}
	sent := 0
	for i, frame := range frames {
		if frame.Direction == evidence.DirectionTX {
			sent++
		}
		if !frame.WireGuard || frame.Length != 14+20+8+96 || len(frame.Data) != frame.Length ||
			frame.Time < before-int64(time.Second) || i > 0 && frame.Time < frames[i-1].Time {
			t.Fatalf("frame %d: %+v", i, frame)
		}
	}
	if sent != each {
		t.Errorf("%d frames were leaving, want %d", sent, each)
	}
	if len(counts) != 1 || counts[0].Picked < 1 || counts[0].Seen <= counts[0].Picked || counts[0].Drops != 0 {
		t.Errorf("%+v", counts)
	}
}

// tcpdump counts the datagrams on port 51820 at the same time, by a program that
// shares no code with this package. It returns what counts them once tcpdump has
// printed the test's last datagram, which is one to port 9.
func (n *namespace) tcpdump(t *testing.T) func() int {
	t.Helper()
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("needs tcpdump")
	}
	ctx, cancel := context.WithCancel(t.Context())
	// A slot of its ring is as large as the longest frame that it would keep: by its
	// default a busy machine fills the ring's few slots and loses frames.
	command := exec.CommandContext(ctx, "tcpdump", "-i", "eth0", "-l", "-n", "--immediate-mode", "-s", "128",
		"udp port 51820 or udp port 9")
	listens, last := await("listening"), await("192.0.2.11.9:")
	command.Stdout, command.Stderr = last, listens
	var err error
	n.do(func() { err = command.Start() })
	if err != nil {
		t.Fatal(err)
	}
	<-listens.seen
	return func() int {
		select {
		case <-last.seen:
		case <-time.After(30 * time.Second):
			t.Error("tcpdump did not print the last datagram within 30 s")
		}
		cancel()
		command.Wait()
		return strings.Count(last.text.String(), "\n") - 1
	}
}

// awaited keeps what a program prints, and closes seen once that has a text in it.
type awaited struct {
	text bytes.Buffer
	what string
	seen chan struct{}
}

func await(what string) *awaited { return &awaited{what: what, seen: make(chan struct{})} }

func (a *awaited) Write(p []byte) (int, error) {
	before := strings.Contains(a.text.String(), a.what)
	a.text.Write(p)
	if !before && strings.Contains(a.text.String(), a.what) {
		close(a.seen)
	}
	return len(p), nil
}

// What there is no room for is counted, and nothing else is lost.
func TestLiveIsBounded(t *testing.T) {
	noLeftovers(t)
	a, _ := pair(t)
	link := a.link(t, "eth0", evidence.RoleOutside)
	live := a.startLive(t, Config{Links: []evidence.Link{link}, Devices: []evidence.Device{{Port: 51820}}, Run: config().Run},
		evidence.LiveRequest{Pick: evidence.PickWireGuard})
	out := a.dial(t, "192.0.2.10:51820", "192.0.2.11:51820")
	for i := range maxQueued + 500 {
		out.Write(data(byte(i)))
		if i%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(300 * time.Millisecond)
	frames, counts := live.Stop(t.Context())
	got := counts[0]
	if len(frames) != maxQueued || got.Picked != got.Full+maxQueued || got.Full == 0 {
		t.Errorf("%d frames, %+v", len(frames), got)
	}
}

func TestLiveLinks(t *testing.T) {
	links := []evidence.Link{
		{Index: 2, Name: "eth0", Up: true, Role: evidence.RoleOutside},
		{Index: 3, Name: "eth1", Role: evidence.RoleOutside},
		{Index: 4, Name: "wg0", Up: true, Role: evidence.RoleWireGuard},
		{Index: 5, Name: "cni0", Up: true, Role: evidence.RoleInside},
	}
	for _, row := range []struct{ names, want string }{
		{"", "[eth0]"}, {"cni0 wg0", "[wg0 cni0]"}, {"eth7", "[eth7]"},
	} {
		var got []string
		for _, link := range liveLinks(links, strings.Fields(row.names)) {
			got = append(got, link.Name)
		}
		if fmt.Sprint(got) != row.want {
			t.Errorf("%q: %v, want %s", row.names, got, row.want)
		}
	}
}

// A link that does not exist is an error of that link alone.
func TestLiveWithoutLink(t *testing.T) {
	live, err := StartLive(Config{Run: config().Run}, evidence.LiveRequest{Links: []string{"eth7"}, Pick: evidence.PickAll})
	if err != nil {
		t.Fatal(err)
	}
	_, counts := live.Take(t.Context(), 0)
	if len(counts) != 1 || counts[0].Error == "" {
		t.Errorf("%+v", counts)
	}
	live.Stop(t.Context())
}
