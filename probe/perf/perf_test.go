//go:build linux

package perf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Both ends are on the loopback of the test's machine:
//
//	Measure ── 127.0.0.1 / ::1 ── Server

var key = []byte("the key of this run, as it is..")

func serve(t *testing.T, families ...int) (*Server, map[string]uint16) {
	t.Helper()
	server := NewServer(key)
	t.Cleanup(server.Close)
	ports, problems := server.Listen(context.Background(), families)
	if len(problems) > 0 && !slices.Contains(families, 6) {
		t.Fatalf("%+v", problems)
	}
	if len(problems) > 0 {
		t.Skipf("needs this family on loopback: %+v", problems)
	}
	return server, ports
}

func to(family int, ports map[string]uint16, r evidence.MeasureRequest) evidence.MeasureRequest {
	r.Addr = netip.MustParseAddr(map[int]string{4: "127.0.0.1", 6: "::1"}[family])
	r.TCP, r.UDP = ports[fmt.Sprintf("tcp%d", family)], ports[fmt.Sprintf("udp%d", family)]
	return r
}

func TestTCP(t *testing.T) {
	for _, family := range []int{4, 6} {
		_, ports := serve(t, family)
		for _, streams := range []int{1, 4} {
			m := Measure(context.Background(), key, to(family, ports, evidence.MeasureRequest{
				Kind: evidence.MeasureTCP, Streams: streams, Duration: 400, WarmUp: 100,
			}))
			if m.Error != "" || m.Rate < 1e6 || m.Streams != streams || m.MSS == 0 || m.MTU == 0 {
				t.Errorf("IPv%d, %d streams: %+v", family, streams, m)
			}
			if m.Sender == nil || m.Receiver == nil || m.Sender.CPUs == 0 {
				t.Errorf("the processors were not read: %+v, %+v", m.Sender, m.Receiver)
			}
			const least = 0.2 // seconds: what counts is 0.3 s, less where a processor is late
			if most := float64(m.Bytes) * 8 / least; m.Rate > most {
				t.Errorf("a rate of %.0f, and %d bytes were sent", m.Rate, m.Bytes)
			}
		}
	}
}

func TestUDP(t *testing.T) {
	_, ports := serve(t, 4)
	m := Measure(context.Background(), key, to(4, ports, evidence.MeasureRequest{
		Kind: evidence.MeasureUDP, Duration: 400, WarmUp: 100, Rate: 20e6,
	}))
	if m.Error != "" || m.Rate < 15e6 || m.Rate > 25e6 || m.Received < m.Sent*9/10 || m.MTU == 0 {
		t.Errorf("%+v", m)
	}
}

func TestLatency(t *testing.T) {
	_, ports := serve(t, 4)
	m := Measure(context.Background(), key, to(4, ports, evidence.MeasureRequest{Kind: evidence.MeasureLatency, Count: 20}))
	if m.Error != "" || m.Received != 20 || m.Sent != 20 || m.Least <= 0 || m.Median < m.Least || m.P99 < m.Median {
		t.Errorf("%+v", m)
	}
}

// A bound of bytes ends a measurement before its time.
func TestMaxBytes(t *testing.T) {
	_, ports := serve(t, 4)
	for kind, most := range map[evidence.MeasureKind]int64{
		evidence.MeasureTCP: 1<<20 + 2*readSize, evidence.MeasureUDP: 1<<20 + batch<<16,
	} {
		start := time.Now()
		m := Measure(context.Background(), key, to(4, ports, evidence.MeasureRequest{
			Kind: kind, Streams: 2, Duration: 20000, MaxBytes: 1 << 20,
		}))
		if m.Error != "" || m.Bytes > most || time.Since(start) > 10*time.Second {
			t.Errorf("%s: %+v after %s", kind, m, time.Since(start))
		}
	}
}

func TestFailures(t *testing.T) {
	server, ports := serve(t, 4)
	tcp := evidence.MeasureRequest{Kind: evidence.MeasureTCP, Duration: 100}
	for name, test := range map[string]struct {
		key  []byte
		r    evidence.MeasureRequest
		want string
	}{
		"another run":  {[]byte("another"), to(4, ports, evidence.MeasureRequest{Kind: evidence.MeasureLatency}), "answer"},
		"no address":   {key, tcp, "no address"},
		"no kind":      {key, to(4, ports, evidence.MeasureRequest{Kind: "tea"}), "unknown measurement"},
		"wrong port":   {key, to(4, map[string]uint16{"tcp4": 1}, tcp), "connection refused"},
		"no UDP there": {key, to(4, map[string]uint16{"tcp4": ports["tcp4"], "udp4": 1}, evidence.MeasureRequest{Kind: evidence.MeasureLatency}), "connection refused"},
	} {
		m := Measure(context.Background(), test.key, test.r)
		if !strings.Contains(m.Error, test.want) {
			t.Errorf("%s: %q, want %q", name, m.Error, test.want)
		}
	}
	server.Close()
	if m := Measure(context.Background(), key, to(4, ports, tcp)); !strings.Contains(m.Error, "refused") {
		t.Errorf("a closed server: %+v", m)
	}
}

// A server has no answer for datagrams of nobody's measurement.
func TestNoAnswer(t *testing.T) {
	_, ports := serve(t, 4)
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", ports["udp4"]))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	packet := make([]byte, roundTripSize)
	packet[datagramHeader-1] = returned
	conn.Write(packet)
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Read(packet); err == nil {
		t.Errorf("%d bytes came back", n)
	}
}

// Closing ends what is being measured.
func TestCloseEndsMeasurements(t *testing.T) {
	server, ports := serve(t, 4)
	time.AfterFunc(200*time.Millisecond, server.Close)
	start := time.Now()
	m := Measure(context.Background(), key, to(4, ports, evidence.MeasureRequest{Kind: evidence.MeasureTCP, Duration: 15000}))
	if m.Error == "" || time.Since(start) > 5*time.Second {
		t.Errorf("%+v after %s", m, time.Since(start))
	}
}

func TestHello(t *testing.T) {
	var wire bytes.Buffer
	want := hello{Kind: evidence.MeasureTCP, Stream: 3, WarmUp: 5}
	if err := writeHello(&wire, key, want); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(wire.Bytes())
	if got, err := readHello(&wire, key); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range whole {
		forged := bytes.Clone(whole)
		forged[i] ^= 1
		_, err := readHello(bytes.NewReader(forged), key)
		if !errors.Is(err, errForeign) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("byte %d forged: %v", i, err)
		}
	}
}

func TestProcessors(t *testing.T) {
	before := parseStat([]byte("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0 0 0\ncpu1 50 0 50 400 0 0 0 0 0 0\nintr 5\n"))
	after := parseStat([]byte("cpu  150 0 120 900 0 0 20 10 0 0\ncpu0 50 0 50 500 0 0 0 0 0 0\ncpu1 100 0 70 400 0 0 20 10 0 0\n"))
	after.at = before.at.Add(time.Second)
	after.own = 500 * time.Millisecond
	want := evidence.Busy{CPUs: 2, User: 0.25, System: 0.1, Interrupts: 0.1, Stolen: 0.05, Idle: 0.5, Busiest: 1, Own: 0.5}
	if got := after.since(before); got == nil || *got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := parseStat(nil).since(parseStat(nil)); got != nil {
		t.Errorf("nothing was read: %+v", got)
	}
	if got := parseThrottled([]byte("usage_usec 5\nnr_periods 4\nnr_throttled 3\n")); got != 3 {
		t.Errorf("throttled %d times, want 3", got)
	}
}

func TestLoad(t *testing.T) {
	var l evidence.Load
	addPairedLines(&l, "Ip: Forwarding ReasmReqds ReasmFails FragFails FragCreates\nIp: 1 5 1 2 7\nUdp: FragCreates\nUdp: 9\n")
	addNamedLines(&l, "Ip6ReasmReqds  10\nIp6FragCreates \t 3\nUdp6InErrors 4\nbroken\n")
	want := evidence.Load{FragmentsMade: 10, FragmentFails: 2, FragmentsTaken: 15, ReassemblyFail: 1}
	if l.FragmentsMade != want.FragmentsMade || l.FragmentFails != want.FragmentFails ||
		l.FragmentsTaken != want.FragmentsTaken || l.ReassemblyFail != want.ReassemblyFail {
		t.Errorf("%+v, want %+v", l, want)
	}
	if got := droppedOf("0000 0010 0\n0000 00000001 0\nx\n"); got != 17 {
		t.Errorf("%d dropped, want 17", got)
	}
	if got := ReadLoad(evidence.LoadRequest{Links: []string{"lo", "none"}}); len(got.Links) != 1 || got.Links[0].MTU == 0 {
		t.Errorf("%+v", got)
	}
}
