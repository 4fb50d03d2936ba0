package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// scripted answers each request with a piece of text.
type scripted func(stdin io.Reader, stdout io.Writer)

func (s scripted) Exec(
	ctx context.Context, _, _ string, _ []string, stdin io.Reader, stdout, stderr io.Writer,
) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s(stdin, stdout)
	}()
	select {
	case <-done:
		io.WriteString(stderr, "last words\n")
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func writes(text string) scripted {
	return func(_ io.Reader, stdout io.Writer) { io.WriteString(stdout, text) }
}

func TestSessionBreaks(t *testing.T) {
	for name, test := range map[string]struct {
		agent scripted
		want  string
	}{
		"ends":      {writes(""), "(the agent's stderr: last words)"},
		"nonsense":  {writes("Segmentation fault\n"), "damaged evidence"},
		"long line": {writes(strings.Repeat("x", 20000)), "longer than"},
		"other schema": {
			writes(`{"seq":1,"hello":{"schema":"wg.evidence/v2","role":"probe"}}` + "\n"),
			"update this side",
		},
		"bye": {writes(`{"seq":1,"bye":{"messages":1}}` + "\n"), "too early"},
		"flood": {
			writes(strings.Repeat(`{"seq":1,"ready":{"request":9,"what":"x"}}`+"\n", 100)),
			"answers without a request",
		},
		"silent": {func(in io.Reader, _ io.Writer) { io.Copy(io.Discard, in) }, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &Placement{client: &Client{exec: test.agent, log: slog.New(slog.DiscardHandler)}}
			var delivered atomic.Int32
			s := p.Session(t.Context(), "pod", func(*evidence.Message) bool { delivered.Add(1); return true })
			ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, errors.New("no answer in time"))
			defer cancel()
			ask := func() error {
				if err := s.Send(ctx, evidence.Request{Read: &evidence.ReadRequest{}}); err != nil {
					return err
				}
				_, err := s.Answer(ctx)
				return err
			}
			err := ask()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v", err)
			}
			if ask() == nil {
				t.Error("a broken session answered")
			}
			s.Close()
		})
	}
}

// What is not kept does not count, so a session can go on; what is kept is bounded.
func TestSessionLimit(t *testing.T) {
	line := `{"seq":1,"device":{"name":"` + strings.Repeat("x", 8000) + `","index":1,"publicKey":"","port":1,"peers":0}}` + "\n"
	answer := strings.Repeat(line, maxStream*2/3/len(line))
	agent := scripted(func(in io.Reader, out io.Writer) {
		evidence.ReadRequests(in, func(r *evidence.Request) error {
			_, err := fmt.Fprintf(out, `%s{"seq":2,"ready":{"request":%d,"what":"x"}}`+"\n", answer, r.ID)
			return err
		})
	})
	for _, keeps := range []bool{false, true} {
		p := &Placement{client: &Client{exec: agent, log: slog.New(slog.DiscardHandler)}}
		s := p.Session(t.Context(), "pod", func(*evidence.Message) bool { return keeps })
		var err error
		for range 2 {
			if err == nil {
				s.Send(t.Context(), evidence.Request{Devices: &evidence.DevicesRequest{}})
				_, err = s.Answer(t.Context())
			}
		}
		s.Close()
		if lasts := err == nil; lasts == keeps {
			t.Errorf("messages are kept: %t; %v", keeps, err)
		}
	}
}
