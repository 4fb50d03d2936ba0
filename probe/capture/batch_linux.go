package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

const (
	batchFrames = 32
	controlRoom = 128
	// vnetSize is the length of struct virtio_net_hdr, linux/virtio_net.h.
	vnetSize = 10
	// vnetUDP is VIRTIO_NET_HDR_GSO_UDP_L4.
	vnetUDP = 5
)

// batch is what one call of recvmmsg(2) fills. The frames' memory is mapped,
// not allocated: of each 256 KiB only the pages that a frame really filled are
// ever backed by memory.
type batch struct {
	memory   []byte
	headers  [batchFrames]unix.Mmsghdr
	vectors  [batchFrames]unix.Iovec
	names    [batchFrames]unix.RawSockaddrLinklayer
	controls [batchFrames][controlRoom]byte
}

func newBatch() (*batch, error) {
	memory, err := unix.Mmap(-1, 0, batchFrames*maxFrame, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("memory for frames: %w", err)
	}
	b := &batch{memory: memory}
	for i := range b.headers {
		b.vectors[i].Base = &memory[i*maxFrame]
		b.vectors[i].SetLen(maxFrame)
		h := &b.headers[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = &b.controls[i][0]
	}
	return b, nil
}

func (b *batch) close() error { return unix.Munmap(b.memory) }

// receive fills the batch with what is queued and returns how many frames it
// holds. Without any it returns EAGAIN.
func (b *batch) receive(fd int) (int, error) {
	for i := range b.headers {
		h := &b.headers[i].Hdr
		h.Namelen = unix.SizeofSockaddrLinklayer
		h.SetControllen(controlRoom)
		h.Flags = 0
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[0])),
			batchFrames, unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
		switch {
		case errno == 0:
			return int(n), nil
		case !errors.Is(errno, unix.EINTR):
			return 0, errno
		}
	}
}

// frame describes the i-th frame. Its data is valid until the next receive.
func (b *batch) frame(i int, s *socket) wire.Frame {
	h := &b.headers[i]
	// With MSG_TRUNC the length is the frame's own, however much was copied.
	data := b.memory[i*maxFrame:][:min(int(h.Len), maxFrame)]
	f := wire.Frame{Length: int(h.Len), Direction: evidence.DirectionRX}
	if b.names[i].Pkttype == unix.PACKET_OUTGOING {
		f.Direction = evidence.DirectionTX
	}
	if !ethernet(b.names[i].Hatype) {
		f.Header = wire.RawIP
	}
	if s.vnet && len(data) >= vnetSize {
		if data[1]&0x7f == vnetUDP {
			f.Segment = int(binary.NativeEndian.Uint16(data[4:]))
		}
		data, f.Length = data[vnetSize:], f.Length-vnetSize
	}
	f.Data = data
	b.auxiliary(i, &f)
	return f
}

// auxiliary reads PACKET_AUXDATA: the VLAN tag that the kernel took off and the
// length the frame had.
func (b *batch) auxiliary(i int, f *wire.Frame) {
	control := b.controls[i][:min(int(b.headers[i].Hdr.Controllen), controlRoom)]
	for len(control) >= unix.SizeofCmsghdr {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return
		}
		if header.Level == unix.SOL_PACKET && header.Type == unix.PACKET_AUXDATA && len(data) >= 20 {
			status, length := binary.NativeEndian.Uint32(data), binary.NativeEndian.Uint32(data[4:])
			f.Length = max(f.Length, int(length))
			if status&unix.TP_STATUS_VLAN_VALID != 0 {
				f.Tagged, f.VLAN = true, binary.NativeEndian.Uint16(data[16:])&0x0fff
			}
		}
		control = rest
	}
}

// ethernet says whether frames of an ARPHRD type begin with an Ethernet header.
func ethernet(hardware uint16) bool {
	return hardware == unix.ARPHRD_ETHER || hardware == unix.ARPHRD_LOOPBACK
}

func nativeUint16(b []byte) uint16 { return binary.NativeEndian.Uint16(b) }
