package wire

import (
	"sync"
	"sync/atomic"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// SelfTest is the sequence of the looped control with which a capture tries
// itself. It is not counted among the controls.
const SelfTest = 0

// LinkStats are the counters of one link.
type LinkStats struct {
	stats   *Stats
	id      int
	name    string
	capture evidence.Capture
	classes [classCount]uint64
	leaks   leaks
	seen    seenPairs
	tries   tries
	ends    classes // of packets of classes, where they may be in clear
	clear   leaks   // of packets of classes, where they are in clear on the wire
	parts   dissection
	recent  [2]recent // arriving and leaving
	pipe    bool      // see Pipe
	outer   bool      // see Outer

	controlTX, controlRX atomic.Uint32

	leaving sync.Mutex
	left    map[uint32]bool // nodes for which a control was seen leaving
}

// Add counts one frame. It keeps nothing of it but counts and, of the first of
// each kind of leak, its headers.
func (l *LinkStats) Add(frame Frame) {
	s := l.stats.settings
	l.capture.Frames++
	l.capture.Bytes += uint64(frame.length())
	if frame.transmitted() {
		l.capture.TXFrames++
		l.capture.TXBytes += uint64(frame.length())
	}
	if frame.truncated() {
		l.capture.Truncated++
	}
	dissect(&l.parts, &frame, &s.wireguard, s.pods)
	found := s.match.search(frame.Data)
	class := l.parts.class
	switch {
	case found.control():
		class = ClassControl
		l.control(&frame, &found)
	case found.classed():
		l.class(&frame, &found)
	case l.inside() && found.genuine && found.header.Kind == KindTry:
		l.tries.add(&frame, &found.header)
	case l.inside():
		if found.genuine {
			l.seen.frame(&frame, &found, s.match)
		}
	case found.leaks():
		if !quotedControl(&frame, &l.parts, &found, s) {
			l.leaks.add(l.name, &frame, &l.parts, &found, s.match)
		}
	case l.parts.pods.found:
		if s.leaksPods(&frame, &l.parts, l.pipe) {
			l.leaks.addPods(l.name, &frame, &l.parts)
		}
	}
	l.classes[class]++
	if l.parts.wireguard && class != ClassControl && (l.outer || !l.inside()) {
		l.stats.tunnels.add(l.id, &l.parts, &frame, s, &l.recent)
	}
}

// class counts a packet of a class. A link that leaves the host shows it in clear,
// which is for the judge to call by design or a leak.
func (l *LinkStats) class(f *Frame, found *match) {
	switch {
	case found.quoted(&l.parts):
	case l.inside():
		l.ends.frame(f, found, l.stats.settings.match)
	default:
		l.clear.add(l.name, f, &l.parts, found, l.stats.settings.match)
	}
}

// Pipe marks the link as one end of a pipe, which may lead to a local pod
// though that is not proven: what this node's own pods send arrives on it, and
// what is for them leaves by it. No such packet of other pods is a leak there.
// It must be called before the first Add.
func (l *LinkStats) Pipe() { l.pipe = true }

// Outer marks the link as a tunnel into which another WireGuard device of this
// host sends: its messages are nowhere else to be seen, and are counted there. It
// must be called before the first Add.
func (l *LinkStats) Outer() { l.outer = true }

// inside reports whether a pod's packet may be seen in clear on the link: it is
// encrypted behind it, or it comes by again on a link that leaves the host.
func (l *LinkStats) inside() bool {
	return l.capture.Role == evidence.RoleWireGuard || l.capture.Role == evidence.RoleInside
}

func (l *LinkStats) control(f *Frame, found *match) {
	if found.header.Transport != TransportFrame {
		l.seen.control(f, &found.header)
	}
	switch {
	case found.header.Transport == TransportFrame && found.header.Sequence == SelfTest:
	case f.transmitted():
		l.controlTX.Add(1)
		l.note(&found.header)
	default:
		l.controlRX.Add(1)
	}
}

// note remembers for whom a control left. There are few of them: what the
// memory takes is bounded like that of pairs.
func (l *LinkStats) note(h *Marked) {
	if h.Transport == TransportFrame {
		return
	}
	l.leaving.Lock()
	defer l.leaving.Unlock()
	if l.left == nil {
		l.left = make(map[uint32]bool)
	}
	if len(l.left) < maxPairs {
		l.left[h.Target] = true
	}
}

// ControlLeft reports whether a genuine control for the node with an index was
// seen leaving so far. It may be called while the link is being fed.
func (l *LinkStats) ControlLeft(node int) bool {
	l.leaving.Lock()
	defer l.leaving.Unlock()
	return l.left[uint32(node)]
}

// Controls returns how many genuine controls were seen leaving and arriving so
// far, self-tests excluded. It may be called while the link is being fed.
func (l *LinkStats) Controls() (tx, rx uint32) { return l.controlTX.Load(), l.controlRX.Load() }

// sums returns what was counted of all frames.
func (l *LinkStats) sums() *evidence.Capture {
	sum := l.capture
	sum.ControlTX, sum.ControlRX = l.Controls()
	sum.Classes = make(map[string]uint64)
	for class, count := range l.classes {
		if count > 0 {
			sum.Classes[Class(class).String()] = count
		}
	}
	return &sum
}

// Socket is what only the reader of a link's socket knows of the capture.
type Socket struct {
	Started bool
	Alive   bool
	Drops   uint64
	Error   string
}

// Close adds what the socket's reader counted. No frame may be added any more.
func (l *LinkStats) Close(socket Socket) {
	l.capture.Started = socket.Started
	l.capture.Alive = socket.Alive
	l.capture.Drops = socket.Drops
	l.capture.Error = socket.Error
}
