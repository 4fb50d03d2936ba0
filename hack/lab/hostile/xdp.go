package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Redirect leads UDP between pods past packet sockets by generic XDP programs, until the context ends. A pod is the first
// veth that appears while this runs. Outward, the program is on the pod's link and redirects to the card; else it is on
// the card and redirects to the pod's link.
//
//	pod ── veth ─XDP→ eth0 ── clear ── eth0 ─XDP→ veth ── pod
//	          └ cni0 ── flannel-wg (all else)
type Redirect struct {
	Card    string
	Outward bool
}

// Run waits for the pod and redirects.
func (r Redirect) Run(ctx context.Context, out io.Writer) error {
	card, err := netlink.LinkByName(r.Card)
	if err != nil {
		return fmt.Errorf("finding %s: %w", r.Card, err)
	}
	fmt.Fprintln(out, "waiting for a pod")
	pod, err := nextPod(ctx)
	if err != nil || pod == nil {
		return err
	}
	on, to := card, pod
	if r.Outward {
		on, to = pod, card
	}
	program, err := loadRedirection(to.Attrs().Index)
	if err != nil {
		return err
	}
	defer unix.Close(program)
	if err := netlink.LinkSetXdpFdWithFlags(on, program, genericXDP); err != nil {
		return fmt.Errorf("attaching the program to %s: %w", on.Attrs().Name, err)
	}
	fmt.Fprintln(out, "redirecting", on.Attrs().Name, "to", to.Attrs().Name)
	<-ctx.Done()
	if err := netlink.LinkSetXdpFdWithFlags(on, -1, genericXDP); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("detaching the program from %s: %w", on.Attrs().Name, err)
	}
	return nil
}

// nextPod is the next veth that comes up and was not there before; nil when the context ended.
func nextPod(ctx context.Context) (netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing the links: %w", err)
	}
	old := map[int]bool{}
	for _, link := range links {
		old[link.Attrs().Index] = true
	}
	updates := make(chan netlink.LinkUpdate)
	if err := netlink.LinkSubscribe(updates, ctx.Done()); err != nil {
		return nil, fmt.Errorf("watching the links: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case update, ok := <-updates:
			if !ok {
				return nil, errors.New("watching the links: the kernel reports no more")
			}
			attrs := update.Link.Attrs()
			if update.Link.Type() == "veth" && !old[attrs.Index] && attrs.Flags&net.FlagUp != 0 {
				return update.Link, nil
			}
		}
	}
}

const (
	loadProgram = 5 // BPF_PROG_LOAD, linux/bpf.h
	kindXDP     = 6 // BPF_PROG_TYPE_XDP
	genericXDP  = 2 // XDP_FLAGS_SKB_MODE
)

// redirection is a BPF program: UDP from 10.42.0.0/24 to 10.42.1.0/24 leaves by the link of the given index, to everybody's
// address; all else goes on.
func redirection(to int) (program []byte) {
	const (
		loadWord, loadHalf, loadByte = 0x61, 0x69, 0x71
		storeWord, storeHalf         = 0x62, 0x6a
		move, copyRegister, add      = 0xb7, 0xbf, 0x07
		and, ifGreater, ifNot        = 0x57, 0x2d, 0x55
		call, exit                   = 0x85, 0x95
		redirect, pass               = 23, 2
		destination, packet          = 0x02, 0x25 // registers: at r2; from r2 to r5
	)
	network := func(third int32) int32 { return 10 | 42<<8 | third<<16 } // as a little-endian word
	for _, in := range []struct {
		code, registers byte // source << 4 | destination
		offset          int16
		value           int32
	}{
		{loadWord, 0x12, 0, 0}, // r2 = data
		{loadWord, 0x13, 4, 0}, // r3 = its end
		{copyRegister, 0x24, 0, 0},
		{add, 0x04, 0, 42},
		{ifGreater, 0x34, 16, 0},
		{loadHalf, packet, 12, 0},
		{ifNot, 0x05, 14, 8}, // ETH_P_IP in network byte order
		{loadByte, packet, 23, 0},
		{ifNot, 0x05, 12, unix.IPPROTO_UDP},
		{loadWord, packet, 26, 0},
		{and, 0x05, 0, 0xffffff},
		{ifNot, 0x05, 9, network(0)},
		{loadWord, packet, 30, 0},
		{and, 0x05, 0, 0xffffff},
		{ifNot, 0x05, 6, network(1)},
		{storeWord, destination, 0, -1},
		{storeHalf, destination, 4, 0xffff},
		{move, 0x01, 0, int32(to)},
		{move, 0x02, 0, 0},
		{call, 0x00, 0, redirect},
		{exit, 0x00, 0, 0},
		{move, 0x00, 0, pass},
		{exit, 0x00, 0, 0},
	} {
		program = append(program, in.code, in.registers)
		program = binary.LittleEndian.AppendUint16(program, uint16(in.offset))
		program = binary.LittleEndian.AppendUint32(program, uint32(in.value))
	}
	return program
}

// programAttributes is what bpf(BPF_PROG_LOAD) takes, linux/bpf.h.
type programAttributes struct {
	kind, instructions   uint32
	program, license     uint64
	logLevel, logSize    uint32
	log                  uint64
	kernelVersion, flags uint32
	rest                 [64]byte
}

func loadRedirection(to int) (int, error) {
	program, license, log := redirection(to), []byte("GPL\x00"), make([]byte, 64<<10)
	var pinned runtime.Pinner
	defer pinned.Unpin()
	attributes := programAttributes{
		kind: kindXDP, instructions: uint32(len(program) / 8),
		program: address(&pinned, program), license: address(&pinned, license),
		logLevel: 1, logSize: uint32(len(log)), log: address(&pinned, log),
	}
	fd, _, number := unix.Syscall(unix.SYS_BPF, loadProgram,
		uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	if number != 0 {
		return -1, fmt.Errorf("loading a program: %w: %s", number, bytes.TrimRight(log, "\x00"))
	}
	return int(fd), nil
}

// address is where the kernel finds data, which stays there until it is unpinned.
func address(pinned *runtime.Pinner, data []byte) uint64 {
	pinned.Pin(&data[0])
	return uint64(uintptr(unsafe.Pointer(&data[0])))
}
