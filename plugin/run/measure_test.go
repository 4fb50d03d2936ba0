package run

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/perf"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// measuringAgent answers requests for measurements as an agent does, with the rate
// of its role.
func measuringAgent(rates map[string]float64, measured *atomic.Int32) func(context.Context, string, string, io.Reader, io.Writer) error {
	return func(_ context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		out := evidence.NewWriter(stdout)
		return evidence.ReadRequests(stdin, func(r *evidence.Request) error {
			ready := evidence.Ready{Request: r.ID}
			switch {
			case r.Start != nil:
				return out.Write(evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: role, Node: node}})
			case r.End != nil:
				return out.Bye()
			case r.Serve != nil:
				ready.Ports = map[string]uint16{"tcp4": 4001, "udp4": 4002}
			case r.Load != nil:
				out.Write(evidence.Message{Load: &evidence.Load{}})
			case r.Measure != nil:
				measured.Add(1)
				m := evidence.Measured{Kind: r.Measure.Kind, Addr: r.Measure.Addr, Rate: rates[role], Median: 5}
				switch want := map[string]string{RolePod: "10.42.", RoleProbe: "192.0.2."}[role]; {
				case r.Measure.TCP != 4001 || r.Measure.UDP != 4002:
					m = evidence.Measured{Error: "the wrong port"}
				case !strings.HasPrefix(r.Measure.Addr.String(), want):
					m = evidence.Measured{Error: "the wrong address"}
				}
				out.Write(evidence.Message{Measured: &m})
			}
			return out.Write(evidence.Message{Ready: &ready})
		})
	}
}

func TestMeasure(t *testing.T) {
	w := newWorld(t, "a", "b")
	var measured atomic.Int32
	w.agent = measuringAgent(map[string]float64{RolePod: 5e8, RoleProbe: 1e9}, &measured)
	before := runtime.NumGoroutine()
	o, err := w.observe(context.Background(), RoleProbe, RolePod)
	if err != nil {
		t.Fatal(err)
	}
	plan := perf.Plan{Runs: 2, Duration: time.Second, Streams: 4, MaxBytes: 1 << 20}
	r, err := o.Measure(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if r.ExitCode != 0 || r.Ratio != 0.5 || r.Nodes[0].Name != "a" || len(r.Directions) != 2 || r.Family != 4 {
		t.Errorf("%+v", r)
	}
	if int(measured.Load()) != plan.Samples() {
		t.Errorf("%d measurements, want %d", measured.Load(), plan.Samples())
	}
	if err := o.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)
}

// An agent of an earlier image knows no request to measure.
func TestMeasureWithAnOldImage(t *testing.T) {
	w := newWorld(t, "a", "b")
	before := runtime.NumGoroutine()
	o, err := w.observe(context.Background(), RoleProbe, RolePod)
	if err != nil {
		t.Fatal(err)
	}
	r, err := o.Measure(context.Background(), perf.Plan{Runs: 1, Duration: time.Second, Streams: 1})
	if err != nil || r.ExitCode != 3 || !strings.Contains(r.Directions[0].Tests[0].Tunnel.Error, "older than the plugin") {
		t.Errorf("%v, %+v", err, r)
	}
	if err := o.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)
}

func TestMeasureIsInterrupted(t *testing.T) {
	w := newWorld(t, "a", "b")
	ctx, cancel := context.WithCancelCause(context.Background())
	interrupted := errors.New("interrupted")
	var measured atomic.Int32
	w.agent = measuringAgent(map[string]float64{RolePod: 1, RoleProbe: 1}, &measured)
	before := runtime.NumGoroutine()
	o, err := w.observe(ctx, RoleProbe, RolePod)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Millisecond, func() { cancel(interrupted) })
	if _, err := o.Measure(ctx, perf.Plan{Runs: 20, Duration: time.Second, Streams: 4}); !errors.Is(err, interrupted) {
		t.Errorf("%v", err)
	}
	if err := o.Close(ctx); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)
}
