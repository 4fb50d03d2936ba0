//go:build linux

// Package canary sends marked traffic between test pods over UDP, TCP and
// ICMP and answers it, and sends a probe's controls. It counts only what bears
// the run's mark and a genuine tag, and reports counts. It must not judge them.
package canary

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Identity is who speaks in which run.
type Identity struct {
	Index int // of the node
	wire.Run
}

// NewIdentity checks what a session was opened with.
func NewIdentity(start evidence.StartRequest) (Identity, error) {
	run, err := wire.NewRun(start.Mark, start.Key)
	if err == nil && start.Index < 0 {
		err = errors.New("a session needs the index of its node")
	}
	if err != nil {
		return Identity{}, err
	}
	return Identity{Index: start.Index, Run: run}, nil
}

// genuine reads a whole marked payload: right mark and tag, of the size it names,
// and filled with its header to the end.
func (id Identity) genuine(b []byte) (wire.Marked, bool) {
	m, ok := wire.ParseMarked(b, id.Mark, id.Key)
	if !ok || int(m.Size) != len(b) {
		return m, false
	}
	header := b[:wire.MarkedSize]
	for rest := b[wire.MarkedSize:]; len(rest) > 0; rest = rest[min(len(rest), wire.MarkedSize):] {
		if n := min(len(rest), wire.MarkedSize); !bytes.Equal(rest[:n], header[:n]) {
			return m, false
		}
	}
	return m, true
}

// answer returns the answer to a canary or first packet, as long as that.
func (id Identity) answer(m wire.Marked) ([]byte, error) {
	key := id.Key
	if m.Kind == wire.KindFirst {
		m.Kind = wire.KindFirstAnswer
		key = id.First().Key
	} else {
		m.Kind = wire.KindAnswer
	}
	m.Source, m.Target = m.Target, m.Source
	return m.Payload(int(m.Size), id.Mark, key)
}

// Pod is a test pod's side: it listens, sends and counts both.
type Pod struct {
	id       Identity
	counters counters
	tries    tries

	mu        sync.Mutex
	sequence  uint16 // of the next attempt, over all Sends
	listeners []func() error
	pace      *pace // while it listens
	serving   sync.WaitGroup
}

// NewPod returns a pod that does nothing yet.
func NewPod(id Identity) *Pod { return &Pod{id: id} }

// Stop ends the listeners and returns what was counted: a Canary for each peer
// and family that was sent to or came, and a problem if the pod was kept from
// running (evidence.ProblemStarved).
func (p *Pod) Stop() []evidence.Message {
	p.mu.Lock()
	for _, stop := range p.listeners {
		_ = stop() // closing twice does not matter
	}
	pace := p.pace
	p.listeners = nil
	p.pace = nil
	p.mu.Unlock()
	p.serving.Wait()
	messages := append(p.counters.messages(), p.tries.messages()...)
	if pace != nil {
		messages = append(messages, pace.end()...)
	}
	return messages
}

// familyOf returns 4 or 6.
func familyOf(addr netip.Addr) uint8 {
	if addr.Unmap().Is4() {
		return 4
	}
	return 6
}

// reason is an error without the addresses and ports that a net.Error repeats.
func reason(err error) string {
	var number syscall.Errno
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	}
	return err.Error()
}
