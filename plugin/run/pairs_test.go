package run

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// With --pairs ring each pod sends to the next, and each probe asks for routes
// and sends controls for that pair alone.
func TestVerifyAsksForARing(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	var mu sync.Mutex
	targets := map[string][]string{}
	w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		return honest(ctx, role, node, overhear(stdin, func(r *evidence.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.Send != nil:
				for _, to := range r.Send.Targets {
					targets["send "+node] = append(targets["send "+node], fmt.Sprint(to.Index))
				}
			case r.Control != nil:
				for _, to := range r.Control.Targets {
					targets["control "+node] = append(targets["control "+node], fmt.Sprint(to.Index))
				}
			case r.Read != nil && r.Read.Reading == evidence.ReadingBefore:
				for _, to := range r.Read.Destinations {
					targets["route "+node] = append(targets["route "+node], to.String())
				}
			}
		}), stdout)
	}
	out := w.verify(t.Context(), func(o *Options) { o.Pairs = "ring" })
	if out.err != nil {
		t.Fatal(out.err)
	}
	for i, node := range []string{"a", "b", "c", "d"} {
		next := (i + 1) % 4
		// Of a network that is not known the way to the other node itself is asked for too.
		route := []string{fmt.Sprintf("10.42.%d.2", next), fmt.Sprintf("192.0.2.%d", 1+next)}
		for what, want := range map[string][]string{"send": {fmt.Sprint(next)}, "control": {fmt.Sprint(next)}, "route": route} {
			if got := targets[what+" "+node]; !slices.Equal(got, want) {
				t.Errorf("%s of %s: %v, want %s", what, node, got, want)
			}
		}
	}
	if out.judgement.Graph.Run.Pairs != "ring" || out.judgement.Totals.Pairs != 4 {
		t.Errorf("%q, %d pairs", out.judgement.Graph.Run.Pairs, out.judgement.Totals.Pairs)
	}
}

// overhear passes requests on and shows each.
func overhear(stdin io.Reader, show func(*evidence.Request)) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		writer.CloseWithError(evidence.ReadRequests(stdin, func(r *evidence.Request) error {
			show(r)
			line, err := evidence.EncodeRequest(r)
			if err != nil {
				return err
			}
			_, err = writer.Write(line)
			return err
		}))
	}()
	return reader
}
