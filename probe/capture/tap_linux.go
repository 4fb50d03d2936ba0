package capture

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// tap reads one link's socket until it is told to stop or the socket dies.
type tap struct {
	link    evidence.Link
	account *wire.LinkTally
	socket  *socket // nil if it could not be opened

	first   chan struct{} // closed at the first frame
	done    chan struct{} // closed when nothing reads any more
	started atomic.Bool
	alive   atomic.Bool // it was still reading when it was told to stop
	hurry   atomic.Bool // do not read what is still queued

	mu  sync.Mutex
	err error
}

// fail keeps the first error.
func (t *tap) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

func (t *tap) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// run reads until wake rings, then what is queued up to that moment.
func (t *tap) run(wake *wake) {
	defer close(t.done)
	frames, err := newBatch()
	if err != nil {
		t.fail(fmt.Errorf("capturing on %s: %w", t.link.Name, err))
		return
	}
	defer frames.close()
	seen := false
	for {
		stop, err := wake.wait(t.socket.fd)
		if err == nil && stop {
			t.drain(frames)
			return
		}
		if err == nil {
			var n int
			if n, err = t.read(frames); n > 0 && !seen {
				seen = true
				close(t.first)
			}
		}
		if err != nil {
			t.fail(fmt.Errorf("capturing on %s: %w", t.link.Name, err))
			return
		}
	}
}

// drain closes the socket to new frames and reads those that are queued.
func (t *tap) drain(frames *batch) {
	if err := t.socket.filter(0); err != nil {
		t.fail(fmt.Errorf("ending the capture on %s: %w", t.link.Name, err))
		return
	}
	for !t.hurry.Load() {
		n, err := t.read(frames)
		if err != nil {
			t.fail(fmt.Errorf("ending the capture on %s: %w", t.link.Name, err))
			return
		}
		if n == 0 {
			t.alive.Store(true)
			return
		}
	}
	t.fail(fmt.Errorf("ending the capture on %s: no time to read what was queued", t.link.Name))
}

// read counts one batch and returns how many frames it held.
func (t *tap) read(frames *batch) (int, error) {
	n, err := frames.receive(t.socket.fd)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case errors.Is(err, unix.EINVAL) && t.socket.vnet:
		return 1, t.socket.forgetSegments()
	case err != nil:
		return 0, err
	}
	for i := range n {
		t.account.Add(frames.frame(i, t.socket))
	}
	return n, nil
}

// close ends the link's account. run must have returned.
func (t *tap) close() {
	account := wire.Socket{Started: t.started.Load(), Alive: t.alive.Load()}
	if t.socket != nil {
		account.Drops = t.socket.lost()
		if err := t.socket.close(); err != nil {
			t.fail(fmt.Errorf("closing the capture on %s: %w", t.link.Name, err))
		}
	}
	if err := t.failed(); err != nil {
		account.Error = err.Error()
	}
	t.account.Close(account)
}

// problem says why a link's capture is not whole.
func problem(link string, err error) *evidence.Problem {
	p := &evidence.Problem{Class: evidence.ProblemInternal, What: "capture", On: link, Text: err.Error()}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		p.Class, p.Hint = evidence.ProblemPermission, "the probe needs the capability NET_RAW"
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENETDOWN):
		p.Class, p.Hint = evidence.ProblemMissing, "the link went down or away during the run"
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ENOPROTOOPT):
		p.Class = evidence.ProblemUnsupported
	}
	return p
}
