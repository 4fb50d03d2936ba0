package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// socket is a packet socket that sees the frames of one link.
type socket struct {
	fd       int
	file     *os.File // of fd, so that Go's own poller waits for it
	wake     syscall.RawConn
	hardware uint16 // ARPHRD of the link
	address  [8]byte
	length   int // of address
	ring     *ring
	queued   atomic.Uint64 // frames that the kernel put into the ring
	dropped  atomic.Uint64 // frames that it had no room for
}

// openSocket makes a packet socket for one link, with a filter. It is made with
// protocol 0, so that no frame is queued before the bind: one made with
// ETH_P_ALL collects the frames of all links until then (packet(7)).
func openSocket(link int, shape shape, filter []bpf.Instruction) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	s := &socket{fd: fd, file: os.NewFile(uintptr(fd), "packet socket")}
	if s.wake, err = s.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for a packet socket: %w", err), s.close())
	}
	if err := s.prepare(link, shape, filter); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *socket) prepare(link int, shape shape, filter []bpf.Instruction) error {
	if err := s.filter(filter); err != nil {
		return err
	}
	vnet := segmentsKnown() && unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1) == nil
	var err error
	if s.ring, err = newRing(s.fd, shape, vnet); err != nil {
		return err
	}
	address := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link}
	if err := unix.Bind(s.fd, address); err != nil {
		return fmt.Errorf("binding to link %d: %w", link, err)
	}
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return fmt.Errorf("reading the link's address: %w", err)
	}
	if own, ok := name.(*unix.SockaddrLinklayer); ok {
		s.hardware = own.Hatype
		s.address = own.Addr
		s.length = int(own.Halen)
	}
	return nil
}

// filter has the kernel decide by a program how much of each frame it copies.
func (s *socket) filter(by []bpf.Instruction) error {
	raw, err := bpf.Assemble(by)
	if err != nil {
		return fmt.Errorf("assembling the filter: %w", err)
	}
	program := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		program[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	err = unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	if err != nil {
		return fmt.Errorf("attaching the filter: %w", err)
	}
	return nil
}

// count adds up PACKET_STATISTICS, which starts again with each reading. Its
// packets include the dropped ones. It is safe for concurrent use.
func (s *socket) count() error {
	stats, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return fmt.Errorf("reading what was dropped: %w", err)
	}
	s.dropped.Add(uint64(stats.Drops))
	s.queued.Add(uint64(stats.Packets - stats.Drops))
	return nil
}

// unread is how many frames are in the ring, by the last count.
func (s *socket) unread() uint64 {
	queued := s.queued.Load()
	return queued - min(queued, s.ring.frames)
}

// lost is what was not and will not be read, by the last count. A frozen queue
// (tp_freeze_q_cnt) in itself loses nothing; what it had no room for is among
// the dropped.
func (s *socket) lost() uint64 { return s.dropped.Load() + s.unread() }

// wait blocks until a block is handed over or the socket has an error, or until
// the deadline, which is then the error that it returns.
func (s *socket) wait() error {
	woken := false
	err := s.wake.Read(func(uintptr) bool {
		done := woken || s.ring.ready()
		woken = true
		return done
	})
	if err != nil {
		return fmt.Errorf("waiting for frames: %w", err)
	}
	return s.pending()
}

// pending returns the error that the kernel noted on the socket, once.
func (s *socket) pending() error {
	number, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && number != 0 {
		err = unix.Errno(number)
	}
	return err
}

// segmentsKnown reports whether this kernel reports the segment size of a UDP
// super-packet, VIRTIO_NET_HDR_GSO_UDP_L4. Older ones than 6.2 throw such
// frames away instead if they are asked (linux/virtio_net.h), which must not be
// found out by losing one.
func segmentsKnown() bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 6 || major == 6 && minor >= 2
}

func (s *socket) close() error {
	var unmapped error
	if s.ring != nil {
		unmapped = s.ring.close()
	}
	return errors.Join(unmapped, s.file.Close())
}

// networkOrder gives a protocol number the byte order that the kernel wants it
// in.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)})
}
