//go:build linux

package agent

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// within calls do in a network namespace, on a thread that ends with it.
func (k *keeper) within(do func() error) {
	k.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", k.pid))
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		k.t.Skip("needs XDP: ", err)
	}
}

// Registers and operations of BPF, see linux/bpf.h.
const (
	bpfLoad32, bpfLoad16, bpfLoad8   = 0x61, 0x69, 0x71
	bpfMove, bpfMoveNumber, bpfAdd   = 0xbf, 0xb7, 0x07
	bpfAfter, bpfUnequal             = 0x2d, 0x55
	bpfStore32, bpfStore16           = 0x62, 0x6a
	bpfCall, bpfExit                 = 0x85, 0x95
	bpfRedirect, bpfPass, bpfProgXDP = 23, 2, 6
)

// redirecting is an XDP program that sends IPv4 canaries over UDP with the mark
// of the tests out of another link, to the broadcast address.
func redirecting(to int) (program []byte) {
	in := func(code, registers byte, offset int16, value int32) {
		program = append(program, code, registers)
		program = binary.LittleEndian.AppendUint16(program, uint16(offset))
		program = binary.LittleEndian.AppendUint32(program, uint32(value))
	}
	in(bpfLoad32, 0x12, 0, 0) // r2 = data
	in(bpfLoad32, 0x13, 4, 0) // r3 = end
	in(bpfMove, 0x24, 0, 0)
	in(bpfAdd, 0x04, 0, 90)
	in(bpfAfter, 0x34, 12, 0) // shorter than 90 bytes: pass
	in(bpfLoad16, 0x25, 12, 0)
	in(bpfUnequal, 0x05, 10, 8) // not IPv4
	in(bpfLoad8, 0x25, 23, 0)
	in(bpfUnequal, 0x05, 8, 17) // not UDP
	in(bpfLoad8, 0x25, 42, 0)
	in(bpfUnequal, 0x05, 6, 0xa5) // not marked
	in(bpfStore32, 0x02, 0, -1)
	in(bpfStore16, 0x02, 4, 0xffff)
	in(bpfMoveNumber, 0x01, 0, int32(to))
	in(bpfMoveNumber, 0x02, 0, 0)
	in(bpfCall, 0x00, 0, bpfRedirect)
	in(bpfExit, 0x00, 0, 0)
	in(bpfMoveNumber, 0x00, 0, bpfPass)
	in(bpfExit, 0x00, 0, 0)
	return program
}

// redirectXDP attaches a generic XDP program that redirects to another link.
func redirectXDP(on, to string) error {
	from, err := netlink.LinkByName(on)
	if err != nil {
		return err
	}
	target, err := netlink.LinkByName(to)
	if err != nil {
		return err
	}
	program, license := redirecting(target.Attrs().Index), []byte("GPL\x00")
	var pinned runtime.Pinner
	pinned.Pin(&program[0])
	pinned.Pin(&license[0])
	defer pinned.Unpin()
	request := struct {
		kind, count    uint32
		insns, license uint64
		rest           [96]byte
	}{kind: bpfProgXDP, count: uint32(len(program) / 8), insns: uint64(uintptr(unsafe.Pointer(&program[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0])))}
	const load, generic = 5, 2
	fd, _, number := unix.Syscall(unix.SYS_BPF, load, uintptr(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	if number != 0 {
		return number
	}
	defer unix.Close(int(fd))
	return netlink.LinkSetXdpFdWithFlags(from, int(fd), generic)
}

// outsideCounts are how many bytes eth0 sent between the readings that enclose
// the canaries, and how many were captured leaving it.
func outsideCounts(c *client) (sent, captured uint64) {
	for _, m := range c.messages {
		switch {
		case m.LinkCount != nil && m.LinkCount.Link == "eth0":
			sent = m.LinkCount.TXBytes[evidence.ReadingDrained] - m.LinkCount.TXBytes[evidence.ReadingReady]
		case m.Capture != nil && m.Capture.Link == "eth0":
			captured = m.Capture.TXBytes
		}
	}
	return sent, captured
}

// The UDP canaries of pod 0 leave node 0 by XDP, from veth0 to eth0: no capture
// sees them, eth0's own counters do, and the program is reported.
//
//	pod 0 ── veth0 (XDP) ╌╌╌╌╌> eth0 ── eth0 of node 1
func TestXDPIsNoticed(t *testing.T) {
	l := newLab(t)
	l.nodes[0].within(func() error { return redirectXDP("veth0", "eth0") })
	l.verify()
	for i, probe := range l.probes {
		sent, captured := outsideCounts(probe)
		t.Logf("node %d: eth0 sent %d bytes, %d were captured", i, sent, captured)
		if passed := sent > captured; passed != (i == 0) {
			t.Errorf("node %d: eth0 sent %d bytes, %d were captured", i, sent, captured)
		}
		programs := 0
		for _, m := range probe.messages {
			if m.Link != nil && m.Link.XDP != nil {
				programs++
			}
			if m.Inventory != nil && m.Inventory.What == evidence.InventoryLinks && !m.Inventory.Complete {
				t.Errorf("%+v", m.Inventory)
			}
		}
		if want := 1 - i; programs != want {
			t.Errorf("node %d: %d programs, want %d", i, programs, want)
		}
	}
}
