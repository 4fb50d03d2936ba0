package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// minFrame is the shortest Ethernet frame without its checksum, IEEE 802.3.
const minFrame = 60

// A frame that the link has no room for is tried again after firstPause, then
// after twice as long, up to lastPause.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 640 * time.Millisecond
)

// looper sends looped controls through a packet socket of its own, since a
// socket never sees what it sent itself (skb_loop_sk).
type looper struct {
	fd       atomic.Int64
	run      wire.Run
	node     uint32
	sequence atomic.Uint32
}

func newLooper(run wire.Run, node int) (*looper, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket for looped frames: %w", err)
	}
	l := &looper{run: run, node: uint32(max(0, node))}
	l.fd.Store(int64(fd))
	return l, nil
}

// next returns the sequence of the next control; never that of a self-test.
func (l *looper) next() uint16 { return uint16(l.sequence.Add(1)-1)%0xffff + 1 }

// send sends one frame from the link to itself. A switch that hears it has
// nowhere to forward it to: its source is its destination.
func (l *looper) send(t *tap, sequence uint16) error {
	if t.socket.hardware != unix.ARPHRD_ETHER || t.socket.length != 6 {
		return ErrNoLoop
	}
	if t.link.Backup {
		return ErrBackup
	}
	if !l.carrier(t.link.Name) {
		return ErrNoCarrier
	}
	own := t.socket.address[:6]
	frame := append(append(make([]byte, 0, minFrame+wire.MarkedSize), own...), own...)
	frame = binary.BigEndian.AppendUint16(frame, wire.EtherTypeMarked)
	frame = wire.Marked{
		Kind: wire.KindControl, Transport: wire.TransportFrame,
		Source: l.node, Target: l.node, Size: wire.MarkedSize, Sequence: sequence,
	}.Append(frame, l.run.Mark, l.run.Key)
	to := &unix.SockaddrLinklayer{Ifindex: t.link.Index, Protocol: networkOrder(wire.EtherTypeMarked), Halen: 6}
	copy(to.Addr[:], own)
	err := unix.Sendto(int(l.fd.Load()), frame, 0, to)
	for pause := firstPause; errors.Is(err, unix.ENOBUFS) && pause <= lastPause; pause *= 2 {
		// The queue is full, or the carrier went and the kernel has yet to report it.
		time.Sleep(pause)
		if !l.carrier(t.link.Name) {
			return ErrNoCarrier
		}
		err = unix.Sendto(int(l.fd.Load()), frame, 0, to)
	}
	if err != nil {
		return fmt.Errorf("sending a looped frame on %s: %w", t.link.Name, err)
	}
	return nil
}

// carrier reports whether anything can leave through a link at present. It asks
// by name, as the kernel wants it, and takes a link it cannot ask for as live.
func (l *looper) carrier(name string) bool {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return true
	}
	if unix.IoctlIfreq(int(l.fd.Load()), unix.SIOCGIFFLAGS, request) != nil {
		return true
	}
	return request.Uint16()&unix.IFF_RUNNING != 0
}

// close makes every later send fail.
func (l *looper) close() { _ = unix.Close(int(l.fd.Swap(-1))) }
