package capture

import (
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Bounds of a packet socket.
const (
	// maxFrame is the most that is copied of one frame: 64 KiB of a merged
	// super-packet are common, BIG TCP makes more.
	maxFrame = 256 << 10
	// defaultBuffer is the receive buffer asked for, bytes: a hundred
	// milliseconds of 1 Gbit/s. The kernel doubles it for its own bookkeeping.
	defaultBuffer = 16 << 20
)

// socket is a packet socket that sees every frame of one link.
type socket struct {
	fd       int
	hardware uint16 // ARPHRD of the link
	address  [8]byte
	length   int  // of address
	vnet     bool // each frame begins with a virtio_net_hdr
	drops    uint64
}

// openSocket makes a packet socket for one link. It is made with protocol 0, so
// that no frame is queued before the bind: one made with ETH_P_ALL collects
// the frames of all links until then (packet(7)).
func openSocket(link, buffer int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("packet socket: %w", err)
	}
	s := &socket{fd: fd}
	if err := s.prepare(link, buffer); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return s, nil
}

func (s *socket) prepare(link, buffer int) error {
	if err := s.filter(maxFrame); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
		return fmt.Errorf("asking for VLAN tags: %w", err)
	}
	if segmentsTold() {
		s.vnet = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1) == nil
	}
	if buffer <= 0 {
		buffer = defaultBuffer
	}
	// The forced size needs CAP_NET_ADMIN; without it net.core.rmem_max holds.
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer); err != nil {
			return fmt.Errorf("sizing the receive buffer: %w", err)
		}
	}
	if err := unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link}); err != nil {
		return fmt.Errorf("binding to link %d: %w", link, err)
	}
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return fmt.Errorf("reading the link's address: %w", err)
	}
	if own, ok := name.(*unix.SockaddrLinklayer); ok {
		s.hardware, s.address, s.length = own.Hatype, own.Addr, int(own.Halen)
	}
	return nil
}

// filter copies the first bytes bytes of every frame; 0 lets no frame in.
func (s *socket) filter(bytes uint32) error {
	raw, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: bytes}})
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

// lost adds up what the kernel could not queue. PACKET_STATISTICS starts anew
// with each reading.
func (s *socket) lost() uint64 {
	stats, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil {
		s.drops += uint64(stats.Drops)
	}
	return s.drops
}

// forgetSegments goes on without virtio headers after the kernel refused to
// make one, and lost a frame over it (af_packet.c, packet_rcv_vnet_hdr).
func (s *socket) forgetSegments() error {
	s.drops++
	s.vnet = false
	return unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 0)
}

// segmentsTold says whether this kernel can tell the segment size of a UDP
// super-packet, VIRTIO_NET_HDR_GSO_UDP_L4. Older ones than 6.2 throw such
// frames away instead if they are asked (linux/virtio_net.h), which must not be
// found out by losing one.
func segmentsTold() bool {
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
	err := unix.Close(s.fd)
	if errors.Is(err, unix.EINTR) {
		return nil // the descriptor is closed all the same
	}
	return err
}

func networkOrder(v uint16) uint16 {
	var b [2]byte
	b[0], b[1] = byte(v>>8), byte(v)
	return nativeUint16(b[:])
}
