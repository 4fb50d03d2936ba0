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
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
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
	r := newRun(Options{
		Cluster: w.client, Objects: manifests.Run{ID: "test22", Image: "probe:test"}, Timeout: 20 * time.Second,
		Progress: &quiet{}, Log: slog.New(slog.DiscardHandler),
	})
	for _, phase := range []func(context.Context) error{r.survey, r.place} {
		if err := phase(ctx); err != nil {
			t.Fatal(err)
		}
	}
	agents := r.agents
	agents.senders = make(chan struct{}, 1)
	defer agents.close()
	read := func(place) evidence.Request { return evidence.Request{Read: &evidence.ReadRequest{}} }
	sent := make(chan error, 1)
	go func() { sent <- agents.send(ctx, agents.probes[0], read) }()
	for len(agents.senders) == 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	other := make(chan error, 1)
	go func() { other <- agents.send(ctx, agents.probes[1], read) }()
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
	agents.probes[0].session.Abort(context.Canceled)
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
	end := netip.MustParseAddrPort("192.0.2.2:51999") // which it translates
	for name, messages := range map[string][]evidence.Message{
		"single":  {{Peer: &evidence.Peer{Device: "wg0", PublicKey: "B", Endpoint: end}}},
		"columns": {{Peers: &evidence.Peers{Device: "wg0", Keys: []string{"B"}, Endpoints: []netip.AddrPort{end}}}},
		"unequal": {{Peers: &evidence.Peers{Device: "wg0", Keys: []string{"B", "C"}, Endpoints: []netip.AddrPort{end}}}},
	} {
		recorded := recording.New()
		record := newRecord("test", recorded)
		under := &nodes{}
		under.pairs, _ = graph.NewPairs("all", "", 2)
		for i, node := range []string{"a", "b"} {
			under.list = append(under.list, evidence.Node{Name: node, Index: i})
			record.add(evidence.Message{Node: &under.list[i]})
		}
		var agents []*agent
		for i, key := range []string{"A", "B"} {
			a := &agent{place: place{"probe", &under.list[i]}, recording: recorded, stream: "early/" + key}
			a.deliver(&evidence.Message{Seq: 1, Device: &evidence.Device{Name: "wg0", PublicKey: key, Port: 51820}})
			agents = append(agents, a)
		}
		for i := range messages {
			messages[i].Seq = uint32(i + 2)
			agents[0].deliver(&messages[i])
		}
		probes := map[string]said{}
		for _, a := range agents {
			stream := evidence.StreamName("probe", a.node.Name)
			probes[stream] = a.name(stream)
		}
		k := newKnown(recorded, &evidence.Run{Families: []int{4}}, probes)
		if !slices.Equal(k.keys, []string{"A", "B"}) || !slices.Equal(k.ports, []uint16{51820, 51999}) {
			t.Errorf("%s: keys %q, ports %d", name, k.keys, k.ports)
		}
		targets := (&controls{k, under}).targets(0)
		if !slices.Equal(targets, []evidence.ControlTarget{{Index: 1, Endpoint: end}}) {
			t.Errorf("%s: controls for %v", name, targets)
		}
	}
}
