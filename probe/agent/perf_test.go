//go:build linux

package agent

import (
	"io"
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// talking is an agent in this process that is asked one request after the other.
type talking struct {
	t     *testing.T
	stdin *io.PipeWriter
	heard *evidence.Decoder
	ended chan error
	last  uint32
}

func newTalking(t *testing.T, role string) *talking {
	t.Helper()
	requests, stdin := io.Pipe()
	messages, stdout := io.Pipe()
	a := &talking{t: t, stdin: stdin, heard: evidence.NewDecoder(messages, 1<<20), ended: make(chan error, 1), last: 1}
	go func() { a.ended <- Run(t.Context(), requests, stdout, Options{}) }()
	a.send(start(role))
	return a
}

func (a *talking) send(r evidence.Request) {
	a.t.Helper()
	line, err := evidence.EncodeRequest(&r)
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.stdin.Write(line); err != nil {
		a.t.Fatal(err)
	}
}

// ask makes a request and returns what is said until the agent is ready.
func (a *talking) ask(r evidence.Request) (said []*evidence.Message, ready evidence.Ready) {
	a.t.Helper()
	a.last++
	r.ID = a.last
	a.send(r)
	for {
		m, err := a.heard.Next()
		if err != nil {
			a.t.Fatal(err)
		}
		if m.Ready != nil && m.Ready.Request == a.last {
			return said, *m.Ready
		}
		said = append(said, m)
	}
}

func (a *talking) end() {
	a.t.Helper()
	go io.Copy(io.Discard, endless{a.heard})
	a.stdin.Close()
	<-a.ended
}

// endless reads what else an agent says.
type endless struct{ decoder *evidence.Decoder }

func (e endless) Read([]byte) (int, error) {
	_, err := e.decoder.Next()
	return 0, err
}

// A pod measures with another one, on the loopback of the test's machine.
func TestMeasurements(t *testing.T) {
	server, client := newTalking(t, "pod"), newTalking(t, "pod")
	defer server.end()
	defer client.end()
	_, ready := server.ask(evidence.Request{Serve: &evidence.ServeRequest{Families: []int{4}}})
	if ready.Ports["tcp4"] == 0 || ready.Ports["udp4"] == 0 {
		t.Fatalf("ports %v", ready.Ports)
	}
	for _, kind := range []evidence.MeasureKind{evidence.MeasureTCP, evidence.MeasureUDP, evidence.MeasureLatency} {
		said, _ := client.ask(evidence.Request{Measure: &evidence.MeasureRequest{
			Kind: kind, Addr: netip.MustParseAddr("127.0.0.1"), TCP: ready.Ports["tcp4"], UDP: ready.Ports["udp4"],
			Duration: 200, MaxBytes: 64 << 20, Count: 5,
		}})
		var measured *evidence.Measured
		for _, m := range said {
			if m.Measured != nil {
				measured = m.Measured
			}
		}
		if measured == nil || measured.Error != "" || measured.Kind != kind || measured.Rate+measured.Median <= 0 {
			t.Errorf("%s: %+v", kind, measured)
		}
	}
	if said, _ := server.ask(evidence.Request{Load: &evidence.LoadRequest{Links: []string{"lo"}}}); len(said) != 1 ||
		said[0].Load == nil || len(said[0].Load.Links) != 1 {
		t.Errorf("%+v", said)
	}
	if said, _ := server.ask(evidence.Request{Serve: &evidence.ServeRequest{Families: []int{4}}}); len(said) != 1 || said[0].Problem == nil {
		t.Errorf("serving twice: %+v", said)
	}
}
