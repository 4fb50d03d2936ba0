package capture

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// tap reads one link's socket until stop is called or the socket dies.
type tap struct {
	link   evidence.Link
	stats  *wire.LinkStats  // nil in a live capture
	add    func(wire.Frame) // is given each frame, by run
	socket *socket          // nil if it could not be opened

	first   chan struct{} // closed at the first frame
	seen    sync.Once     // closes first
	done    chan struct{} // closed when nothing reads any more
	started atomic.Bool
	alive   atomic.Bool // it was still reading when stop was called
	hurry   atomic.Bool // do not read what is still queued

	mu  sync.Mutex
	err error
}

// outside reports whether the link's frames leave the host.
func (t *tap) outside() bool {
	return t.link.Role != evidence.RoleWireGuard && t.link.Role != evidence.RoleInside
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

// run reads until stop is called or the socket dies, then what is queued up
// to that moment.
func (t *tap) run() {
	defer close(t.done)
	for {
		err := t.socket.wait()
		stop := errors.Is(err, os.ErrDeadlineExceeded)
		if err == nil {
			err = t.read()
		}
		if err != nil && !stop {
			t.fail(fmt.Errorf("capturing on %s: %w", t.link.Name, err))
		}
		if err != nil {
			t.drain()
			return
		}
	}
}

// stop makes run end. It must be called once the taps are open, and only by
// one goroutine.
func (t *tap) stop() {
	if t.socket == nil {
		return
	}
	if err := t.socket.file.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.fail(fmt.Errorf("ending the capture on %s: %w", t.link.Name, err))
	}
}

// drain closes the socket to new frames and reads those that are queued. Some
// stand in a block that is not full, which the kernel hands over when its time
// has come; its own count shows whether there are any.
func (t *tap) drain() {
	err := t.socket.filter(whole(0))
	for err == nil {
		if err = t.read(); err == nil {
			err = t.socket.count()
		}
		switch {
		case err != nil:
		case t.socket.unread() == 0:
			t.alive.Store(t.failed() == nil)
			return
		case t.hurry.Load():
			err = errors.New("no time to read what was queued")
		default:
			if err = t.socket.file.SetReadDeadline(time.Now().Add(t.socket.ring.retire)); err == nil {
				err = t.socket.wait()
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil
			}
		}
	}
	t.fail(fmt.Errorf("ending the capture on %s: %w", t.link.Name, err))
}

// read counts the frames of all blocks that were handed over.
func (t *tap) read() error {
	for !t.hurry.Load() {
		more, err := t.socket.ring.read(t.add)
		if err != nil || !more {
			return err
		}
		if t.socket.ring.frames > 0 {
			t.seen.Do(func() { close(t.first) })
		}
	}
	return nil
}

// close closes the socket and returns what it counted. run must have returned.
func (t *tap) close() wire.Socket {
	socket := wire.Socket{Started: t.started.Load(), Alive: t.alive.Load()}
	if t.socket != nil {
		socket.Drops = t.socket.lost()
		if err := t.socket.close(); err != nil {
			t.fail(fmt.Errorf("closing the capture on %s: %w", t.link.Name, err))
		}
	}
	if err := t.failed(); err != nil {
		socket.Error = err.Error()
	}
	return socket
}

// problem reports why a link's capture is not whole.
func problem(link string, err error) *evidence.Problem {
	p := &evidence.Problem{Class: evidence.ProblemInternal, What: "capture", On: link, Text: err.Error()}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		p.Class = evidence.ProblemPermission
		p.Hint = "the probe needs the capability NET_RAW"
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENETDOWN):
		p.Class = evidence.ProblemMissing
		p.Hint = "the link went down or away during the run"
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ENOPROTOOPT):
		p.Class = evidence.ProblemUnsupported
	}
	return p
}
