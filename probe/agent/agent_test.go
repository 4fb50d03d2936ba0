//go:build linux

package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

func start(role string) evidence.Request {
	return evidence.Request{ID: 1, Start: &evidence.StartRequest{
		Schema: evidence.Schema, Role: role, Node: "node-1", Index: 1,
		Mark: bytes.Repeat([]byte{7}, 16), Key: bytes.Repeat([]byte{9}, 32),
	}}
}

// talk runs an agent on requests that are followed by the end of the input.
func talk(t *testing.T, options Options, requests ...evidence.Request) ([]*evidence.Message, error) {
	t.Helper()
	before := runtime.NumGoroutine()
	var in, out bytes.Buffer
	for _, r := range requests {
		line, err := evidence.EncodeRequest(&r)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(line)
	}
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), reader, &out, options) }()
	writer.Write(in.Bytes())
	var err error
	select {
	case err = <-ended:
	case <-time.After(300 * time.Millisecond):
		writer.Close()
		err = <-ended
	}
	settled(t, before)
	var messages []*evidence.Message
	var unpacker columns.Unpacker
	for decoder := evidence.NewDecoder(&out, 1<<20); ; {
		m, err := decoder.Next()
		if err != nil {
			break
		}
		if err := unpacker.Unpack(m, func(one *evidence.Message) { messages = append(messages, one) }); err != nil {
			t.Error(err)
		}
	}
	return messages, err
}

// An answer reports how long the agent itself took, so that a slow step can be
// attributed to the host or to the connection.
func TestReadyReportsItsTime(t *testing.T) {
	const busy = 30 * time.Millisecond
	h := &fakeHost{busy: busy}
	request := evidence.Request{ID: 2,
		Read: &evidence.ReadRequest{Destinations: []netip.Addr{netip.MustParseAddr("10.42.1.2")}}}
	messages, err := talk(t, Options{Host: h, Filters: h, Devices: &fakeDevices{}}, start("probe"), request,
		evidence.Request{ID: 3, End: &evidence.EndRequest{}})
	if err != nil {
		t.Error(err)
	}
	for _, m := range messages {
		if m.Ready != nil && m.Ready.Request == 2 && (m.Ready.Took < 10 || m.Ready.Took > 5000) {
			t.Errorf("%+v", m.Ready)
		}
	}
}

// settled insists that no goroutine is left behind.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines were left behind:\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
}

func kinds(messages []*evidence.Message) string {
	var list []string
	for _, m := range messages {
		kind, _ := m.Kind()
		list = append(list, string(kind))
	}
	return strings.Join(list, " ")
}

func TestProbeSession(t *testing.T) {
	var log bytes.Buffer
	h, c := &fakeHost{}, &fakeCapture{}
	options := Options{Host: h, Filters: h, Devices: &fakeDevices{}, Capture: c.start, Version: "v0",
		Log: slog.New(slog.NewTextHandler(&log, nil))}
	h.late.Store(false)
	read := func(id uint32, n int) evidence.Request {
		return evidence.Request{ID: id,
			Read: &evidence.ReadRequest{Reading: n, Destinations: []netip.Addr{netip.MustParseAddr("10.42.1.2")}}}
	}
	messages, err := talk(t, options, start("probe"), read(2, 0),
		evidence.Request{ID: 3, Capture: &evidence.CaptureRequest{Ports: []uint16{51821}}},
		read(4, 1), evidence.Request{ID: 5, Control: &evidence.ControlRequest{}}, read(6, 2), evidence.Request{ID: 7,
			Stop: &evidence.StopRequest{}},
		read(8, 3), evidence.Request{ID: 9, Send: &evidence.SendRequest{}}, evidence.Request{ID: 10},
		evidence.Request{ID: 11, End: &evidence.EndRequest{}})
	if err != nil {
		t.Error(err)
	}
	want := "hello " +
		// reading the rules is at fault
		"module link link socket device peer route route inventory problem firewall diversion inventory ready " +
		// and so is reading them again
		"ready ready control ready ready capture tunnel ready count linkCount stackCount neighbour inventory problem " +
		"ready problem ready problem ready bye"
	if got := kinds(messages); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if gap := evidence.Gap(messages); gap != "" {
		t.Error(gap)
	}
	for _, m := range messages {
		// The last reading was taken again and again until it held what was caught.
		if m.Count != nil && (m.Count.TX != [4]uint64{1, 2, 3, 1 + caught} || m.Count.Readings != 4) {
			t.Errorf("%+v", m.Count)
		}
		if m.Problem != nil && strings.Contains(m.Problem.Text, secret) {
			t.Error("the text of a fault came through")
		}
		if m.Route != nil && m.Route.For.String() == "127.0.0.1" && m.Route.Mark != 7 {
			t.Errorf("an endpoint was asked for without its device's mark: %+v", m.Route)
		}
	}
	if !c.looped["eth0"] || c.stopped.Load() != 1 || len(c.config.Links) != 2 ||
		c.config.Peers[0].Endpoint.Port() != 51820 {
		t.Errorf("%+v", c)
	}
	if strings.Contains(log.String(), secret) || strings.Contains(log.String(), "CQkJ") {
		t.Error("a secret is in the log")
	}
}

// A link that begins to lead out of the host during a capture is reported.
func TestNewcomer(t *testing.T) {
	h, c := &fakeHost{}, &fakeCapture{}
	input, requests := io.Pipe()
	answers, output := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), input, output,
			Options{Host: h, Filters: h, Devices: &fakeDevices{}, Capture: c.start})
		output.Close()
	}()
	decoder := evidence.NewDecoder(answers, 1<<20)
	var appeared []string
	for _, r := range []evidence.Request{start("probe"), {ID: 2, Capture: &evidence.CaptureRequest{}},
		{ID: 3, Stop: &evidence.StopRequest{}}} {
		line, _ := evidence.EncodeRequest(&r)
		requests.Write(line)
		for answered := false; !answered; {
			m, err := decoder.Next()
			if err != nil {
				t.Fatal(err)
			}
			if m.Problem != nil {
				appeared = append(appeared, m.Problem.On)
			}
			answered = m.Hello != nil || m.Ready != nil
		}
		if r.Capture != nil {
			h.late.Store(true)
		}
	}
	requests.Close()
	if err := <-ended; !errors.Is(err, ErrAbandoned) || len(appeared) != 1 || appeared[0] != "eth1" {
		t.Error(err, appeared)
	}
}

// When the input ends without an EndRequest, captures end and no Bye is said.
func TestInputEnds(t *testing.T) {
	c := &fakeCapture{}
	messages, err := talk(t,
		Options{Host: &fakeHost{}, Filters: &fakeHost{}, Devices: &fakeDevices{}, Capture: c.start},
		start("probe"), evidence.Request{ID: 2, Capture: &evidence.CaptureRequest{}})
	if !errors.Is(err, ErrAbandoned) || c.stopped.Load() != 1 || kinds(messages) != "hello ready" {
		t.Error(err, c.stopped.Load(), kinds(messages))
	}
}

func TestInputEndsDuringRequest(t *testing.T) {
	hang := make(chan struct{})
	reader, writer := io.Pipe()
	ended := make(chan error)
	go func() {
		ended <- Run(t.Context(), reader, io.Discard,
			Options{Host: &fakeHost{hang: hang}, Filters: &fakeHost{}, Devices: &fakeDevices{}})
	}()
	line, _ := evidence.EncodeRequest(&evidence.Request{ID: 1, Start: start("probe").Start})
	writer.Write(line)
	writer.Write([]byte(`{"id":2,"read":{"reading":0}}` + "\n"))
	writer.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, ErrAbandoned) {
			t.Error(err)
		}
	case <-time.After(grace + 2*time.Second):
		t.Error("a hanging collector keeps the agent alive")
	}
	close(hang)
}

func TestRefusals(t *testing.T) {
	bad := start("probe")
	bad.Start.Key = nil
	foreign := start("pod")
	foreign.Start.Schema = "wg.evidence/v9"
	for name, test := range map[string]struct {
		requests []evidence.Request
		want     string
	}{
		"before start": {[]evidence.Request{{ID: 1, Stop: &evidence.StopRequest{}}}, "problem ready"},
		"without a key": {[]evidence.Request{bad, {ID: 2, Read: &evidence.ReadRequest{}}},
			"hello problem problem ready"},
		"another schema": {[]evidence.Request{foreign}, "hello problem"},
		"twice":          {[]evidence.Request{start("pod"), start("pod")}, "hello problem ready"},
		"a pod reads not": {[]evidence.Request{start("pod"), {ID: 2, Read: &evidence.ReadRequest{}}},
			"hello problem ready"},
		"no such reading": {[]evidence.Request{start("probe"), {ID: 2, Read: &evidence.ReadRequest{Reading: 4}}},
			"hello problem ready"},
		"an unknown request": {[]evidence.Request{start("probe"), {ID: 2}}, "hello problem ready"},
	} {
		messages, _ := talk(t, Options{Host: &fakeHost{}, Filters: &fakeHost{}, Devices: &fakeDevices{}},
			test.requests...)
		if got := kinds(messages); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestUnreadableRequest(t *testing.T) {
	for name, input := range map[string]string{"no JSON": "hello\n", "wrong type": `{"start":7}` + "\n"} {
		err := Run(t.Context(), io.MultiReader(strings.NewReader(input)), io.Discard, Options{})
		if !errors.Is(err, evidence.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPodSession(t *testing.T) {
	messages, err := talk(t, Options{}, start("pod"),
		evidence.Request{ID: 2, Listen: &evidence.ListenRequest{Families: []int{4}}},
		evidence.Request{ID: 3, Send: &evidence.SendRequest{Attempts: 1, Timeout: 100, Sizes: []int{64},
			Targets: []evidence.Target{{Index: 2, Addr: netip.MustParseAddr("127.0.0.1"), UDP: 9, TCP: 9}}}},
		evidence.Request{ID: 4, Stop: &evidence.StopRequest{}}, evidence.Request{ID: 5, End: &evidence.EndRequest{}})
	if want := "hello ready ready canary ready bye"; err != nil || kinds(messages) != want {
		t.Errorf("got %s, %v, want %s", kinds(messages), err, want)
	}
	if ports := messages[1].Ready.Ports; ports["udp4"] == 0 || ports["tcp4"] == 0 {
		t.Error(ports)
	}
}

// The end of the context, a signal in practice, is the end of the session.
func TestContextEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	reader, _ := io.Pipe()
	ended := make(chan error)
	go func() { ended <- Run(ctx, reader, io.Discard, Options{}) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	settled(t, before)
}
