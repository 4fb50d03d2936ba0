//go:build linux

package canary

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Tries arrive at ports of their own and at the usual ones, with the source port
// and over the transport that they are made with; what cannot be sent or heard
// is reported.
//
//	pod 0 ── lo 127.0.0.1, ::1 ── pod 1
func TestTries(t *testing.T) {
	loopback(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	four, six := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	all := []evidence.Try{
		{ID: 1, Target: 1, Family: 4, Addr: four, Transport: "udp", Port: 5432},
		{ID: 2, Target: 1, Family: 4, Addr: four, Transport: "tcp", Port: 5432, Source: 1234, DSCP: 46},
		{ID: 3, Target: 1, Family: 4, Addr: four, Transport: "udp", Source: 53},
		{ID: 4, Target: 1, Family: 6, Addr: six, Transport: "tcp", DSCP: 8},
		{ID: 5, Target: 1, Family: 6, Addr: six, Transport: "udp", Port: 53},
		{ID: 6, Target: 2, Family: 4, Addr: four, Transport: "tcp", Port: 1},        // nobody listens
		{ID: 7, Target: 2, Family: 4, Addr: four, Transport: "udp"},                 // nor is a listener known
		{ID: 8, Node: 1, Target: 0, Family: 4, Addr: four, Transport: "udp"},        // another pod's to send
		{ID: 70000, Target: 1, Family: 4, Addr: four, Transport: "udp", Port: 5432}, // no number of a header
	}
	a, b := NewPod(identity(0)), NewPod(identity(1))
	ports, problems := b.Listen(ctx, evidence.ListenRequest{Families: []int{4, 6}, Tries: all})
	if len(ports) != 4 || len(problems) > 0 {
		t.Fatal(ports, problems)
	}
	targets := []evidence.Target{{Index: 1, Addr: four, UDP: ports["udp4"], TCP: ports["tcp4"]},
		{Index: 1, Addr: six, UDP: ports["udp6"], TCP: ports["tcp6"]}}
	for _, try := range all[:7] { // on goroutines their sockets would be made in the first namespace
		if err := a.sendTry(ctx, try, targets); err != nil {
			a.tries.failed(try.ID, "sending", err)
		}
	}
	a.sendTries(ctx, evidence.SendRequest{Tries: all[7:], Targets: targets})
	time.Sleep(100 * time.Millisecond)
	sent, received := tried(a.Stop()), tried(b.Stop())
	for id, want := range map[int]uint32{1: 3, 2: 1, 3: 3, 4: 1, 5: 3} {
		if sent[id].Sent != want || received[id].Received != want || sent[id].Error+received[id].Error != "" {
			t.Errorf("%d: sent %+v, received %+v, want %d", id, sent[id], received[id], want)
		}
	}
	if sent[6].Error != "sending: connection refused" || sent[7].Error != "sending: "+errNoListener.Error() {
		t.Errorf("%+v, %+v", sent[6], sent[7])
	}
	if len(sent) != 7 || len(received) != 5 {
		t.Errorf("%d and %d messages", len(sent), len(received))
	}
}

// A port that is taken is reported with its try.
func TestTryWithoutPort(t *testing.T) {
	loopback(t)
	a, b := NewPod(identity(0)), NewPod(identity(1))
	defer a.Stop()
	try := []evidence.Try{{ID: 1, Target: 0, Family: 4, Port: 25}, {ID: 2, Target: 1, Family: 4, Port: 25}}
	a.Listen(t.Context(), evidence.ListenRequest{Tries: try})
	b.Listen(t.Context(), evidence.ListenRequest{Tries: try})
	if got := tried(b.Stop()); len(got) != 1 || got[2].Error != "listening: address already in use" {
		t.Errorf("%+v", got)
	}
}

func tried(messages []evidence.Message) map[int]evidence.Tried {
	all := map[int]evidence.Tried{}
	for _, m := range messages {
		if m.Tried != nil {
			all[m.Tried.ID] = *m.Tried
		}
	}
	return all
}
