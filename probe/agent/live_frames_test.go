//go:build linux

package agent

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/device"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// fakeLive has one frame at each time, and one left at its end.
type fakeLive struct {
	config  capture.Config
	request evidence.LiveRequest
	waited  time.Duration
	stopped int
}

func (f *fakeLive) start(config capture.Config, request evidence.LiveRequest) (Live, error) {
	f.config, f.request = config, request
	return f, nil
}

func (f *fakeLive) Take(_ context.Context, wait time.Duration) ([]evidence.Frame, []evidence.FrameCount) {
	f.waited = wait
	return []evidence.Frame{{Link: "eth0", Data: []byte{1}}}, []evidence.FrameCount{{Link: "eth0", Seen: 9, Picked: 1}}
}

func (f *fakeLive) Stop(ctx context.Context) ([]evidence.Frame, []evidence.FrameCount) {
	f.stopped++
	return f.Take(ctx, 0)
}

func TestLiveSession(t *testing.T) {
	h, l := &fakeHost{}, &fakeLive{}
	options := Options{Host: h, Filters: h, Devices: &fakeDevices{}, Live: l.start}
	end := netip.MustParsePrefix("10.42.1.0/24")
	messages, err := talk(t, options, start("probe"),
		evidence.Request{ID: 2, Frames: &evidence.FramesRequest{}},
		evidence.Request{ID: 3, Live: &evidence.LiveRequest{Ports: []uint16{51821}, Ends: []netip.Prefix{end}}},
		evidence.Request{ID: 4, Live: &evidence.LiveRequest{}},
		evidence.Request{ID: 5, Frames: &evidence.FramesRequest{Wait: 1 << 30}},
		evidence.Request{ID: 6, Stop: &evidence.StopRequest{}},
		evidence.Request{ID: 7, End: &evidence.EndRequest{}})
	if err != nil {
		t.Error(err)
	}
	want := "hello problem ready ready problem ready frame frameCount ready frame frameCount ready bye"
	if got := kinds(messages); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if l.waited != 0 || l.stopped != 1 || l.config.Request.Ports[0] != 51821 || l.request.Ends[0] != end {
		t.Errorf("%+v", l)
	}
	if problem := messages[1].Problem; !strings.Contains(problem.Text, "no live capture") {
		t.Errorf("%+v", problem)
	}
}

// A session that is abandoned ends its live capture.
func TestLiveIsAbandoned(t *testing.T) {
	h, l := &fakeHost{}, &fakeLive{}
	options := Options{Host: h, Filters: h, Devices: &fakeDevices{}, Live: l.start}
	if _, err := talk(t, options, start("probe"), evidence.Request{ID: 2, Live: &evidence.LiveRequest{}}); err == nil {
		t.Error("the input ended, and the agent did not notice")
	}
	if l.stopped != 1 {
		t.Errorf("the live capture was stopped %d times", l.stopped)
	}
}

// Of a peer that has the pods in question, the endpoint counts too.
func TestLiveEndpoints(t *testing.T) {
	devices, _ := (&fakeDevices{}).Read([]device.Target{{Name: "wg0"}})
	devices.Peers[0].AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")}
	for prefix, want := range map[string]int{"10.42.1.0/24": 2, "10.42.2.0/24": 1} {
		if got := withEndpoints([]netip.Prefix{netip.MustParsePrefix(prefix)}, devices); len(got) != want {
			t.Errorf("%s: %v, want %d", prefix, got, want)
		}
	}
}
