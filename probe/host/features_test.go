//go:build linux

package host

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// loadProgram loads a BPF program of a type that returns a number.
func loadProgram(t *testing.T, kind uint32, result int32) int {
	t.Helper()
	var code []byte
	add := func(op, registers byte, value int32) {
		code = append(code, op, registers, 0, 0)
		code = binary.LittleEndian.AppendUint32(code, uint32(value))
	}
	add(0xb7, 0, result) // r0 = result
	add(0x95, 0, 0)      // exit
	license := []byte("GPL\x00")
	var pinned runtime.Pinner
	pinned.Pin(&code[0])
	pinned.Pin(&license[0])
	defer pinned.Unpin()
	request := struct {
		kind, count    uint32
		insns, license uint64
		level, size    uint32
		log            uint64
		version, flags uint32
		name           [16]byte
		rest           [64]byte
	}{kind: kind, count: uint32(len(code) / 8), insns: uint64(uintptr(unsafe.Pointer(&code[0]))),
		license: uint64(uintptr(unsafe.Pointer(&license[0])))}
	copy(request.name[:], "test_prog")
	const load = 5
	fd, _, number := unix.Syscall(unix.SYS_BPF, load, uintptr(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	if number != 0 {
		t.Skipf("needs to load a BPF program: %v", number)
	}
	t.Cleanup(func() { unix.Close(int(fd)) })
	return int(fd)
}

func TestXDP(t *testing.T) {
	enter(t)
	run(t, "ip link add eth0 type veth peer name eth1")
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	const pass, generic = 2, 2
	if err := netlink.LinkSetXdpFdWithFlags(link, loadProgram(t, unix.BPF_PROG_TYPE_XDP, pass), generic); err != nil {
		t.Skip("needs generic XDP: ", err)
	}
	links, _ := Reader{}.Links(nil)
	for _, l := range links.Links {
		switch has := l.XDP != nil; {
		case has != (l.Name == "eth0"):
			t.Errorf("%s: %+v", l.Name, l.XDP)
		case has && (l.XDP.Mode != "generic" || l.XDP.ID == 0):
			t.Errorf("%+v", l.XDP)
		}
	}
}

func TestActiveFeatures(t *testing.T) {
	names := make([]byte, 3*sizeofEthtoolName)
	for i, name := range []string{"tx-checksum-ipv4", "hw-tc-offload", "esp-hw-offload"} {
		copy(names[i*sizeofEthtoolName:], name)
	}
	blocks := make([]byte, 16)
	native.PutUint32(blocks[8:], 0b011)
	if on := activeFeatures(names, blocks); fmt.Sprint(on) != "[hw-tc-offload]" {
		t.Error(on)
	}
	if on := activeFeatures(names, nil); on != nil {
		t.Error(on)
	}
}
