package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func (w *world) observe(ctx context.Context, roles ...string) (*Observation, error) {
	return Observe(ctx, w.observing(roles...))
}

func (w *world) observing(roles ...string) Options {
	return Options{
		Cluster: w.client, Objects: manifests.Run{ID: "test22", Image: "probe:test"}, Timeout: 20 * time.Second,
		Roles: roles, Progress: &quiet{}, Log: slog.New(slog.DiscardHandler), Version: "test",
	}
}

func TestObserve(t *testing.T) {
	w := newWorld(t, "a", "b")
	before := runtime.NumGoroutine()
	observation, err := w.observe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if w.sessions != 2 || len(observation.Agents(RoleProbe)) != 2 || len(observation.Agents(RolePod)) != 0 {
		t.Errorf("%d sessions, want one probe on each node and nothing else", w.sessions)
	}
	if err := observation.Read(context.Background()); err != nil {
		t.Error(err)
	}
	var heard atomic.Int32
	var mu sync.Mutex
	var asked []string
	observation.Ask(context.Background(), "stopping", RoleProbe, func(a Agent) evidence.Request {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, a.Node.Name)
		return evidence.Request{Stop: &evidence.StopRequest{}}
	}, func(_ Agent, m *evidence.Message) bool {
		heard.Add(1)
		return false
	})
	if slices.Sort(asked); !slices.Equal(asked, []string{"a", "b"}) || heard.Load() != 2 {
		t.Errorf("asked %q and heard %d answers", asked, heard.Load())
	}
	recorded := graph.New(observation.Evidence())
	if len(recorded.Nodes) != 2 {
		t.Errorf("%d nodes were recorded, want 2", len(recorded.Nodes))
	}
	if err := observation.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)
}

// The kernels are asked for the addresses that stand for the pods of the others.
func TestObserveSamples(t *testing.T) {
	w := newWorld(t, "a", "b")
	var mu sync.Mutex
	asked := map[string][]netip.Addr{}
	w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		return honest(ctx, role, node, overhear(stdin, func(r *evidence.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.Read != nil {
				asked[node] = append(asked[node], r.Read.Destinations...)
			}
		}), stdout)
	}
	o := w.observing(RoleProbe)
	o.Samples = func(n *evidence.Node) []netip.Addr { return []netip.Addr{n.PodCIDRs[0].Addr()} }
	observation, err := Observe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := observation.Read(t.Context()); err != nil {
		t.Error(err)
	}
	if err := observation.Close(t.Context()); err != nil {
		t.Error(err)
	}
	// Of a network that is not known the way to the other node itself is asked for too.
	want := map[string]string{"a": "[10.42.1.0 192.0.2.2]", "b": "[10.42.0.0 192.0.2.1]"}
	for node, want := range want {
		if got := fmt.Sprint(asked[node]); got != want {
			t.Errorf("%s was asked for %s, want %s", node, got, want)
		}
	}
}

// Nodes keep their indexes when the API server is asked again, whatever it knows by
// then.
func TestObserveSurvey(t *testing.T) {
	w := newWorld(t, "b", "c")
	observation, err := w.observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nodes := corev1.SchemeGroupVersion.WithResource("nodes")
	is, err := w.api.Tracker().Get(nodes, "", "c")
	if err != nil {
		t.Fatal(err)
	}
	came := is.(*corev1.Node).DeepCopy()
	came.Name = "a"
	if err := errors.Join(w.api.Tracker().Create(nodes, came, ""), w.api.Tracker().Delete(nodes, "", "c")); err != nil {
		t.Fatal(err)
	}
	messages, err := observation.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range messages {
		if m.Node != nil {
			got = append(got, fmt.Sprintf("%s %d %s", m.Node.Name, m.Node.Index, m.Node.Excluded))
		}
	}
	if want := []string{"b 0 ", "c 1 ", "a -1 it came after this began"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := observation.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestObserveLosesAnAgent(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		if node == "b" {
			return io.ErrUnexpectedEOF
		}
		return honest(ctx, role, node, stdin, stdout)
	}
	before := runtime.NumGoroutine()
	observation, err := w.observe(context.Background(), RoleProbe, RolePod)
	if err != nil {
		t.Fatal(err)
	}
	if got := observation.Agents(RolePod); len(got) != 1 || got[0].Node.Name != "a" {
		t.Errorf("there are agents %+v, want one on a", got)
	}
	if observation.Lost(RoleProbe, "b") == nil || observation.Lost(RoleProbe, "a") != nil {
		t.Error("the probe on b was lost, the one on a was not")
	}
	if err := observation.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)
}

// Devices are asked for again and again in the same sessions, which leaves nothing in
// the record and no goroutine.
func TestAskAgainAndAgain(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	before := runtime.NumGoroutine()
	observation, err := w.observe(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := observation.Read(context.Background()); err != nil {
		t.Error(err)
	}
	recorded := observation.Recorded()
	messages := len(recorded.Messages("probe/a"))
	var heard atomic.Int32
	during := 0
	for i := range 300 {
		observation.Ask(context.Background(), "reading the devices", RoleProbe, func(Agent) evidence.Request {
			return evidence.Request{Devices: &evidence.DevicesRequest{}}
		}, func(Agent, *evidence.Message) bool {
			heard.Add(1)
			return false
		})
		switch goroutines := runtime.NumGoroutine(); {
		case i == 10:
			during = goroutines
		case i > 10 && goroutines > during+3: // one that ends
			t.Fatalf("%d goroutines after %d requests, %d before", goroutines, i, during)
		}
	}
	if heard.Load() != 900 || w.sessions != 3 || len(recorded.Messages("probe/a")) != messages || messages == 0 {
		t.Errorf("%d answers in %d sessions, %d messages recorded", heard.Load(), w.sessions, len(recorded.Messages("probe/a")))
	}
	if err := observation.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)
}
