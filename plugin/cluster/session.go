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

// maxStream is how much one agent may say, in bytes. A probe among a thousand
// nodes says less than a tenth of it.
const maxStream = 64 << 20

// agent is the command of a session.
var agent = []string{"/wg-probe", "agent"}

// Session is a conversation with one agent: one request at a time, answered by
// messages and a Ready. A session that broke once stays broken.
type Session struct {
	input   *io.PipeWriter
	answers chan *evidence.Message // hello, ready and bye
	cancel  context.CancelCauseFunc
	ended   chan struct{} // closed when nothing of the session runs any more
	asked   asked         // the last request

	mu   sync.Mutex
	err  error
	over bool // the agent said goodbye when it was asked to
}

// Session opens a session with the agent in a pod of the run. Every message of
// the agent goes to deliver, in order. The session ends with ctx.
func (p *Placement) Session(ctx context.Context, pod string, deliver func(*evidence.Message)) *Session {
	ctx, cancel := context.WithCancelCause(ctx)
	stdin, input := io.Pipe()
	stdout, output := io.Pipe()
	s := &Session{input: input, answers: make(chan *evidence.Message, 16), cancel: cancel, ended: make(chan struct{})}
	executed := make(chan struct{})
	go func() {
		defer close(executed)
		errors := &tail{}
		err := p.client.exec.Exec(ctx, p.namespaceOf(pod), pod, agent, stdin, output, errors)
		switch {
		case context.Cause(ctx) != nil:
			err = context.Cause(ctx)
		case err == nil:
			err = io.EOF
		}
		if said := errors.String(); said != "" {
			err = fmt.Errorf("%w (the agent said: %s)", err, said)
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

// read delivers messages until the stream ends or makes no sense.
func (s *Session) read(stdout io.Reader, deliver func(*evidence.Message)) error {
	decoder := evidence.NewDecoder(stdout, maxStream)
	for {
		message, err := decoder.Next()
		if err != nil {
			return err
		}
		deliver(message)
		if message.Hello == nil && message.Ready == nil && message.Bye == nil {
			continue
		}
		select {
		case s.answers <- message:
		case <-time.After(time.Second): // more answers than requests
			return fmt.Errorf("%w: answers that nobody asked for", evidence.ErrDamaged)
		}
	}
}

// asked is of a request what its answer depends on.
type asked struct {
	id         uint32
	start, end bool
	failed     error // it could not be sent
}

// Send sends a request, whose answer is to be awaited before the next one. If
// ctx ends first the session is broken.
func (s *Session) Send(ctx context.Context, request evidence.Request) error {
	request.ID = s.asked.id + 1
	s.asked = asked{id: request.ID, start: request.Start != nil, end: request.End != nil}
	line, err := evidence.EncodeRequest(&request)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { s.Abort(context.Cause(ctx)) })
	defer stop()
	// Writing fails when the agent has ended; what it said last, or why it could
	// not be read, tells more.
	_, s.asked.failed = s.input.Write(line)
	return nil
}

// Answer returns the Ready for the last request: for a StartRequest, which is
// answered by Hello, and for an EndRequest, answered by Bye, an empty one. If
// ctx ends first the session is broken.
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
			return nil, errors.New("the agent said goodbye too early")
		}
	}
	return nil, s.broken(cmp.Or(s.asked.failed, io.EOF))
}

// Abort breaks the session.
func (s *Session) Abort(cause error) {
	s.fail(cause)
	s.cancel(cause)
}

// Close lets the agent see the end of its input and waits for its end, a
// little; then the connection is cut. After a goodbye there is nothing to wait
// for. Nothing of the session runs afterwards.
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

// tail keeps the last words of a stream.
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
