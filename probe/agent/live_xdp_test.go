//go:build linux

package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// redirection is a BPF program: UDP canaries of the run leave by the link of
// the given index, to everybody's address; all else goes on.
//
//	r2 = data, r3 = end; less than 90 bytes: pass
//	IPv4, UDP, first byte of the mark, kind 1 (a request), or else: pass
//	destination = ff:ff:ff:ff:ff:ff; redirect
func redirection(to int) (program []byte) {
	const (
		loadWord, loadHalf, loadByte = 0x61, 0x69, 0x71
		storeWord, storeHalf         = 0x62, 0x6a
		move, copyRegister, add      = 0xb7, 0xbf, 0x07
		ifGreater, ifNot             = 0x2d, 0x55
		call, exit                   = 0x85, 0x95
		redirect, pass               = 23, 2
	)
	for _, in := range []struct {
		code, registers byte // source << 4 | destination
		offset          int16
		value           int32
	}{
		{loadWord, 0x12, 0, 0},
		{loadWord, 0x13, 4, 0},
		{copyRegister, 0x24, 0, 0},
		{add, 0x04, 0, 90},
		{ifGreater, 0x34, 14, 0},
		{loadHalf, 0x25, 12, 0},
		{ifNot, 0x05, 12, 8}, // ETH_P_IP in network byte order
		{loadByte, 0x25, 23, 0},
		{ifNot, 0x05, 10, unix.IPPROTO_UDP},
		{loadByte, 0x25, 42, 0},
		{ifNot, 0x05, 8, int32(liveMark[0])},
		{loadByte, 0x25, 58, 0},
		{ifNot, 0x05, 6, 1},
		{storeWord, 0x02, 0, -1},
		{storeHalf, 0x02, 4, 0xffff},
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

const (
	loadProgram = 5 // BPF_PROG_LOAD
	kindXDP     = 6 // BPF_PROG_TYPE_XDP
	genericXDP  = 2 // XDP_FLAGS_SKB_MODE
)

// attachXDP attaches the program to the first link; what it redirects leaves by
// the second.
func attachXDP(args []string) error {
	on, err := netlink.LinkByName(args[0])
	if err != nil {
		return err
	}
	to, err := netlink.LinkByName(args[1])
	if err != nil {
		return err
	}
	program := redirection(to.Attrs().Index)
	license := []byte("GPL\x00")
	log := make([]byte, 64<<10)
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
		return fmt.Errorf("loading the program: %w: %s", number, bytes.TrimRight(log, "\x00"))
	}
	return netlink.LinkSetXdpFdWithFlags(on, int(fd), genericXDP)
}

// address is where the kernel finds data, which stays there until it is unpinned.
func address(pinned *runtime.Pinner, data []byte) uint64 {
	pinned.Pin(&data[0])
	return uint64(uintptr(unsafe.Pointer(&data[0])))
}
