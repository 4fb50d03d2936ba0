package run

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// An agent that does not listen keeps the turn for a moment only.
func TestADeafAgentKeepsNoOtherFromItsTurn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	w := newWorld(t, "a", "b")
	w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		if role == "probe" && node == "a" {
			stdin = &deaf{Reader: stdin, until: ctx.Done()}
		}
		return honest(ctx, role, node, stdin, stdout)
	}
	v := newVerification(Options{
		Cluster: w.client, Objects: manifests.Run{ID: "test22", Image: "probe:test"}, Timeout: 20 * time.Second,
		Progress: &quiet{}, Log: slog.New(slog.DiscardHandler),
	})
	v.senders = make(chan struct{}, 1)
	for _, phase := range []func(context.Context) error{v.survey, v.place} {
		if err := phase(ctx); err != nil {
			t.Fatal(err)
		}
	}
	defer v.hangUp()
	read := func(*agent) evidence.Request { return evidence.Request{Read: &evidence.ReadRequest{}} }
	sent := make(chan error, 1)
	go func() { sent <- v.send(ctx, v.probes[0], read) }()
	for len(v.senders) == 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	other := make(chan error, 1)
	go func() { other <- v.send(ctx, v.probes[1], read) }()
	select {
	case err := <-other:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * sendTime):
		t.Error("the other one still waits for its turn")
	}
	select {
	case err := <-sent:
		t.Errorf("the deaf one was sent to: %v", err)
	default:
	}
	v.probes[0].session.Abort(context.Canceled)
	<-sent
}

// deaf reads one request and no other.
type deaf struct {
	io.Reader
	heard bool
	until <-chan struct{}
}

func (d *deaf) Read(p []byte) (int, error) {
	if d.heard {
		<-d.until
		return 0, io.EOF
	}
	d.heard = true
	return d.Reader.Read(p)
}

// A run knows of peers in columns what it knows of single ones; of columns of
// unequal length, which only a hostile probe sends, as far as they go.
func TestKnownPeers(t *testing.T) {
	end := netip.MustParseAddrPort("192.0.2.2:51820")
	for name, messages := range map[string][]evidence.Message{
		"single":  {{Peer: &evidence.Peer{Device: "wg0", PublicKey: "B", Endpoint: end}}},
		"columns": {{Peers: &evidence.Peers{Device: "wg0", Keys: []string{"B"}, Endpoints: []netip.AddrPort{end}}}},
		"unequal": {{Peers: &evidence.Peers{Device: "wg0", Keys: []string{"B", "C"}, Endpoints: []netip.AddrPort{end}}}},
	} {
		v := newVerification(Options{Log: slog.New(slog.DiscardHandler)})
		for i, node := range []string{"a", "b"} {
			v.account.add(evidence.Message{Node: &evidence.Node{Name: node, Index: i}})
			v.nodes = append(v.nodes, evidence.Node{Name: node, Index: i})
		}
		for i, key := range []string{"A", "B"} {
			a := &agent{role: "probe", node: &v.nodes[i], recording: v.recording, stream: "early/" + key}
			a.deliver(&evidence.Message{Seq: 1, Device: &evidence.Device{Name: "wg0", PublicKey: key, Port: 51820}})
			v.probes = append(v.probes, a)
		}
		for i := range messages {
			messages[i].Seq = uint32(i + 2)
			v.probes[0].deliver(&messages[i])
		}
		k := v.newKnown()
		if !slices.Equal(k.keys, []string{"A", "B"}) || !slices.Equal(k.ports, []uint16{51820}) {
			t.Errorf("%s: keys %q, ports %d", name, k.keys, k.ports)
		}
		asked, _ := graph.NewPairs("all", "", 2)
		targets := (&controls{k, v.nodes, asked}).targets(0)
		if !slices.Equal(targets, []evidence.ControlTarget{{Index: 1, Endpoint: end}}) {
			t.Errorf("%s: controls for %v", name, targets)
		}
	}
}
