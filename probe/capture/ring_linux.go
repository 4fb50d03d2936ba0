package capture

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Sizes of rings. Their pages are the kernel's and pinned for as long as the
// capture runs, so all links share ringBudget: from 5 MiB for each of two down
// to 1 MiB, which many links together may then exceed the budget with.
const (
	ringBudget = 10 << 20
	minRing    = 4 * maxBlock
	maxRing    = 20 * maxBlock
	// maxBlock bounds how long a frame may be: 64 KiB of a merged super-packet
	// are common, BIG TCP makes more.
	maxBlock = 256 << 10
	// blockRoom is what the kernel adds to a frame that is alone in its block:
	// both headers, the link's address and alignment.
	blockRoom = 256
	// stall is how long the reader may be kept off the processor while the link
	// is nearly idle: the kernel retires a block with a single frame in it when
	// its time is over, so that a ring lasts for blocks times that.
	stall = 2 * time.Second
	// maxRetire is the price: what stands in a block is seen that much later, at
	// the controls and at the end.
	maxRetire = stall / (minRing / maxBlock)
)

// shape is how a ring is divided.
type shape struct {
	block  int // bytes, whole pages
	blocks int
	// retire is after how long the kernel hands over a block that is not full.
	retire time.Duration
}

// shapeOf divides buffer bytes, or where none are asked for a link's share.
func shapeOf(buffer, links int) shape {
	if buffer <= 0 {
		buffer = min(max(ringBudget/max(links, 1), minRing), maxRing)
	}
	page := os.Getpagesize()
	s := shape{block: maxBlock, blocks: buffer / maxBlock}
	if buffer < maxBlock {
		s = shape{block: (buffer + page - 1) / page * page, blocks: 1}
	}
	s.retire = min(stall/time.Duration(s.blocks), maxRetire)
	return s
}

// snap is the most that is copied of one frame.
func (s shape) snap() uint32 { return uint32(s.block - blockRoom) }

// ring is a TPACKET_V3 ring: the kernel fills blocks with frames and hands over
// whole blocks, Documentation/networking/packet_mmap.rst. There has been no
// kernel without it since 3.2.
type ring struct {
	shape
	memory []byte
	next   int    // the block that is handed over next
	vnet   bool   // a virtio_net_hdr stands before each frame
	frames uint64 // read so far
}

// newRing makes and maps the ring of a socket that is not bound yet.
func newRing(fd int, s shape, vnet bool) (*ring, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return nil, fmt.Errorf("asking for a ring of blocks: %w", err)
	}
	request := unix.TpacketReq3{
		Block_size: uint32(s.block), Block_nr: uint32(s.blocks),
		// Frames have any length; the kernel only checks that this adds up.
		Frame_size: uint32(s.block), Frame_nr: uint32(s.blocks),
		Retire_blk_tov: uint32(s.retire.Milliseconds()),
	}
	if err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return nil, fmt.Errorf("making a ring of %d blocks: %w", s.blocks, err)
	}
	memory, err := unix.Mmap(fd, 0, s.block*s.blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping a ring of %d blocks: %w", s.blocks, err)
	}
	return &ring{shape: s, memory: memory, vnet: vnet}, nil
}

func (r *ring) close() error { return unix.Munmap(r.memory) }

var errRing = errors.New("the ring's own numbers make no sense")

// current is the block that is handed over next, and its header.
func (r *ring) current() ([]byte, *unix.TpacketHdrV1) {
	block := r.memory[r.next*r.block:][:r.block]
	return block, (*unix.TpacketHdrV1)(unsafe.Pointer(&block[unsafe.Offsetof(unix.TpacketBlockDesc{}.Hdr)]))
}

// ready reports whether a block was handed over.
func (r *ring) ready() bool {
	_, head := r.current()
	return atomic.LoadUint32(&head.Block_status)&unix.TP_STATUS_USER != 0
}

// read calls add with each frame of the next block, gives the block back and
// reports whether there was one. A frame's data is valid within add only.
func (r *ring) read(add func(wire.Frame)) (bool, error) {
	if !r.ready() {
		return false, nil
	}
	block, head := r.current()
	for at, n := int(head.Offset_to_first_pkt), head.Num_pkts; n > 0; n-- {
		slot, err := slotAt(block, at)
		if err != nil {
			return false, err
		}
		// A slot without this bit holds no frame: the kernel could not make its
		// virtio header, and counted it as dropped (af_packet.c, tpacket_rcv).
		if slot.header.Status&unix.TP_STATUS_USER != 0 {
			frame, err := slot.frame(block[at:], r.vnet)
			if err != nil {
				return false, err
			}
			r.frames++
			add(frame)
		}
		if at += int(slot.header.Next_offset); n > 1 && slot.header.Next_offset == 0 {
			return false, errRing
		}
	}
	atomic.StoreUint32(&head.Block_status, unix.TP_STATUS_KERNEL)
	r.next = (r.next + 1) % r.blocks
	return true, nil
}
