package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxStream is how much one agent may write that is kept, in bytes. A probe among
// 1,000 nodes writes less than a tenth of it.
const maxStream = 64 << 20

// agent is the command of a session.
var agent = []string{"/wg-probe", "agent"}

// Session exchanges messages with one agent: one request at a time, answered by
// messages and a Ready. A session that broke stays broken.
type Session struct {
	input   *io.PipeWriter
	answers chan *evidence.Message // hello, ready and bye
	cancel  context.CancelCauseFunc
	ended   chan struct{} // closed when no goroutine of the session is left
	asked   asked         // the last request

	mu   sync.Mutex
	err  error
	over bool // the agent ended the session as requested
}

// Session opens a session with the agent in a pod of the run. Every message of
// the agent goes to deliver, in order, which reports whether it keeps it. The
// session ends with ctx.
func (p *Placement) Session(ctx context.Context, pod string, deliver func(*evidence.Message) bool) *Session {
	ctx, cancel := context.WithCancelCause(ctx)
	stdin, input := io.Pipe()
	stdout, output := io.Pipe()
	s := &Session{input: input, answers: make(chan *evidence.Message, 16), cancel: cancel, ended: make(chan struct{})}
	executed := make(chan struct{})
	go func() {
		defer close(executed)
		stderr := &tail{}
		err := p.client.exec.Exec(ctx, p.namespaceOf(pod), pod, agent, stdin, output, stderr)
		switch {
		case context.Cause(ctx) != nil:
			err = context.Cause(ctx)
		case err == nil:
			err = io.EOF
		}
		if text := stderr.String(); text != "" {
			err = fmt.Errorf("%w (the agent's stderr: %s)", err, text)
		}
		stdin.CloseWithError(err)
		output.CloseWithError(err)
	}()
	go func() {
		err := s.read(stdout, deliver)
		s.fail(err)
		stdout.CloseWithError(err)
		close(s.answers)
		<-executed
		cancel(nil)
		close(s.ended)
	}()
	return s
}

// namespaceOf is the namespace of one of the run's pods.
func (p *Placement) namespaceOf(pod string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	role := "pod"
	if s := p.slots[jobOf(pod)]; s != nil {
		role = s.placing.Role
	}
	return p.run.NamespaceOf(role)
}

// read delivers messages until the stream ends or is damaged.
func (s *Session) read(stdout io.Reader, deliver func(*evidence.Message) bool) error {
	decoder := evidence.NewDecoder(stdout, maxStream)
	for {
		message, err := decoder.Next()
		if err != nil {
			return err
		}
		if !deliver(message) {
			decoder.Refund()
		}
		if message.Hello == nil && message.Ready == nil && message.Bye == nil {
			continue
		}
		select {
		case s.answers <- message:
		case <-time.After(time.Second): // more answers than requests
			return fmt.Errorf("%w: answers without a request", evidence.ErrDamaged)
		}
	}
}

// asked is what the answer to a request depends on.
type asked struct {
	id         uint32
	start, end bool
	failed     error // from sending it
}

// Send sends a request. Its answer is to be awaited before the next request. If
// ctx ends first, the session is broken.
func (s *Session) Send(ctx context.Context, request evidence.Request) error {
	request.ID = s.asked.id + 1
	s.asked = asked{id: request.ID, start: request.Start != nil, end: request.End != nil}
	line, err := evidence.EncodeRequest(&request)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.Abort(context.Cause(ctx)) })
	defer stop()
	// Writing fails when the agent has ended. Its last messages, or the error from
	// reading them, explain more, so Answer returns that.
	_, s.asked.failed = s.input.Write(line)
	return nil
}

// Answer returns the Ready for the last request. A StartRequest, which is
// answered by Hello, and an EndRequest, which is answered by Bye, have an empty
// one. If ctx ends first, the session is broken.
func (s *Session) Answer(ctx context.Context) (*evidence.Ready, error) {
	stop := context.AfterFunc(ctx, func() { s.Abort(context.Cause(ctx)) })
	defer stop()
	for message := range s.answers {
		switch {
		case s.asked.end && message.Bye != nil:
			s.mu.Lock()
			s.over = true
			s.mu.Unlock()
			return &evidence.Ready{Request: s.asked.id}, nil
		case s.asked.start && message.Hello != nil:
			return &evidence.Ready{Request: s.asked.id}, nil
		case message.Ready != nil && message.Ready.Request == s.asked.id && !s.asked.start && !s.asked.end:
			return message.Ready, nil
		case message.Bye != nil:
			return nil, errors.New("the agent ended the session too early")
		}
	}
	return nil, s.broken(cmp.Or(s.asked.failed, io.EOF))
}

// Abort breaks the session.
func (s *Session) Abort(cause error) {
	s.fail(cause)
	s.cancel(cause)
}

// Close ends the agent's input, which ends the agent, and waits for that for at
// most a second before it closes the connection. If the agent has ended the
// session, Close does not wait. No goroutine of the session is left afterwards.
func (s *Session) Close() {
	s.input.Close()
	s.mu.Lock()
	if s.over {
		s.cancel(nil)
	}
	s.mu.Unlock()
	select {
	case <-s.ended:
	case <-time.After(time.Second):
		s.cancel(errors.New("the agent did not end"))
		<-s.ended
	}
}

func (s *Session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// broken returns the first error of the session, which is the cause of others.
func (s *Session) broken(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		err = s.err
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the agent ended before it answered: %w", err)
	}
	return err
}

// tail keeps the last kilobyte of a stream.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > maxTail {
		t.text = append(t.text[:0], t.text[len(t.text)-maxTail:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Line(strings.ToValidUTF8(string(t.text), "�"))
}
