package status

import (
	"slices"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A peer that answers no more is a warning after some seconds and a failure when the
// protocol leaves no other explanation; it is heard again with the first byte.
func TestSilence(t *testing.T) {
	r, answers := recorded(t, "vm-healthy-wireguard")
	m := NewMonitor(r)
	next(t, m, answers)
	elapsed := time.Duration(0)
	step := func(seconds int, sent, received uint64) []string {
		elapsed += time.Duration(seconds) * time.Second
		answers = moved(answers, time.Duration(seconds)*time.Second, func(p *evidence.Peer) {
			p.TX += sent
			p.RX += received
		})
		return codes(next(t, m, answers))
	}
	for _, s := range []struct {
		seconds        int
		sent, received uint64
		want           []string
	}{
		{2, 100, 100, nil},
		{2, 0, 0, nil}, // idle
		{60, 0, 0, nil},
		{2, 64, 0, nil},                      // an answer, or a keepalive
		{2, 256, 0, []string{"WG0501 warn"}}, // seen at the first reading
		{2, 0, 0, []string{"WG0501 warn"}},
		{11, 148, 0, []string{"WG0501 fail"}},
		{2, 0, 32, nil},
		{25, 32, 0, nil}, // keepalives are not answered
		{25, 32, 0, nil},
		{25, 32, 0, nil},
		{20, 148, 0, []string{"WG0501 fail"}}, // but a handshake is
	} {
		if got := step(s.seconds, s.sent, s.received); !slices.Equal(got, s.want) {
			t.Errorf("after %s: %q, want %q", elapsed, got, s.want)
		}
	}
}

// That a warning became a failure is not the end of it.
func TestChangesOfStatus(t *testing.T) {
	warned := &Cluster{Problems: []Problem{{Code: "WG0501", Status: verdict.Warn, Text: "for 2s"}}}
	failed := &Cluster{Problems: []Problem{{Code: "WG0501", Status: verdict.Fail, Text: "for 16s"}}}
	if got := failed.Changes(warned); !slices.Equal(got, []string{"FAIL    WG0501  for 16s"}) {
		t.Errorf("%q", got)
	}
	later := &Cluster{Problems: []Problem{{Code: "WG0501", Status: verdict.Fail, Text: "for 18s"}}}
	if got := later.Changes(failed); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestRates(t *testing.T) {
	at := time.Unix(1000, 0)
	var tr *track
	tr = tr.next(&evidence.Peer{RX: 100, TX: 50}, at)
	if tr.rate != nil {
		t.Error("a rate of one reading")
	}
	tr = tr.next(&evidence.Peer{RX: 300, TX: 50}, at.Add(2*time.Second))
	if *tr.rate != (Rate{RX: 100}) {
		t.Errorf("%+v", tr.rate)
	}
	tr = tr.next(&evidence.Peer{RX: 10, TX: 60}, at.Add(4*time.Second)) // made again
	if tr.rate != nil || tr.heard || tr.silent() != 0 {
		t.Errorf("%+v", tr)
	}
}

// Handshakes: none where something was sent, one that is too old for a keepalive, and
// an old one that is only idle.
func TestHandshakes(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*evidence.Peer)
		want   []string
	}{
		"never":      {func(p *evidence.Peer) { p.Handshake, p.Age, p.RX = 0, 0, 0 }, []string{"WG0606 fail"}},
		"never used": {func(p *evidence.Peer) { p.Handshake, p.Age, p.RX, p.TX = 0, 0, 0, 0 }, nil},
		"idle":       {func(p *evidence.Peer) { p.Keepalive, p.Age = 0, int64(time.Hour) }, nil},
		"expired":    {func(p *evidence.Peer) { p.Keepalive, p.Age = 25, int64(206*time.Second) }, []string{"WG0606 fail"}},
		"renewing":   {func(p *evidence.Peer) { p.Keepalive, p.Age = 25, int64(204*time.Second) }, nil},
		"stale peer": {func(p *evidence.Peer) { p.AllowedIPs, p.Keepalive, p.Age = nil, 25, int64(time.Hour) }, []string{"WG0304 fail"}},
	} {
		r, answers := recorded(t, "vm-healthy-wireguard")
		c := next(t, NewMonitor(r), moved(answers, 0, test.change))
		if got := codes(c); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
