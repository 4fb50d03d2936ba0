package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// Where the kernel puts things in a block, linux/if_packet.h.
const (
	atStatus, atCount, atFirst = 8, 12, 16
	blockHead                  = 48
)

// laid is a slot as the kernel fills it: 96 bytes on, a frame of these bytes.
func laid(status uint32, length int, frame []byte, last bool) []byte {
	size := (96 + len(frame) + 7) / 8 * 8
	b := make([]byte, size)
	if !last {
		binary.NativeEndian.PutUint32(b, uint32(size))
	}
	binary.NativeEndian.PutUint32(b[12:], uint32(len(frame)))
	binary.NativeEndian.PutUint32(b[16:], uint32(length))
	binary.NativeEndian.PutUint32(b[20:], status)
	binary.NativeEndian.PutUint16(b[24:], 96)
	binary.NativeEndian.PutUint16(b[56:], unix.ARPHRD_ETHER)
	copy(b[96:], frame)
	return b
}

func blockOf(slots ...[]byte) *ring {
	r := &ring{shape: shape{block: 4096, blocks: 1}, memory: make([]byte, 4096)}
	binary.NativeEndian.PutUint32(r.memory[atStatus:], unix.TP_STATUS_USER)
	binary.NativeEndian.PutUint32(r.memory[atCount:], uint32(len(slots)))
	binary.NativeEndian.PutUint32(r.memory[atFirst:], blockHead)
	copy(r.memory[blockHead:], bytes.Join(slots, nil))
	return r
}

// TestSlots: what the kernel reports of a frame is read; a slot whose frame it gave
// up over its virtio header holds what stood there before, and is not a frame.
func TestSlots(t *testing.T) {
	tagged := laid(unix.TP_STATUS_USER|unix.TP_STATUS_VLAN_VALID, 2000, []byte("long"), false)
	binary.NativeEndian.PutUint32(tagged[32:], 0xa007)
	tagged[58] = unix.PACKET_OUTGOING
	segments := laid(unix.TP_STATUS_USER, 5, []byte("segms"), false)
	segments[96-vnetSize+1] = vnetUDP
	binary.NativeEndian.PutUint16(segments[96-vnetSize+4:], 1452)
	bare := laid(unix.TP_STATUS_USER, 3, []byte("raw"), true)
	binary.NativeEndian.PutUint16(bare[56:], unix.ARPHRD_NONE)
	r := blockOf(tagged, laid(unix.TP_STATUS_VLAN_VALID, 7, []byte("refused"), false), segments, bare)
	r.vnet = true
	var got []wire.Frame
	more, err := r.read(func(f wire.Frame) { f.Data = bytes.Clone(f.Data); got = append(got, f) })
	want := []wire.Frame{
		{Data: []byte("long"), Length: 2000, Tagged: true, VLAN: 7, Direction: evidence.DirectionTX},
		{Data: []byte("segms"), Length: 5, Segment: 1452, Direction: evidence.DirectionRX},
		{Data: []byte("raw"), Length: 3, Header: wire.RawIP, Direction: evidence.DirectionRX},
	}
	if err != nil || !more || len(got) != len(want) || r.frames != 3 {
		t.Fatalf("%v %v, %d frames: %+v", more, err, r.frames, got)
	}
	for i := range want {
		g, w := got[i], want[i]
		if !bytes.Equal(g.Data, w.Data) || g.Length != w.Length || g.Tagged != w.Tagged || g.VLAN != w.VLAN ||
			g.Segment != w.Segment || !g.SegmentKnown || g.Header != w.Header || g.Direction != w.Direction {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
	if more, err := r.read(func(wire.Frame) {}); more || err != nil {
		t.Errorf("a block that was given back is read again: %v", err)
	}
}

// FuzzRing: whatever stands in a block, no frame reaches out of it, and reading
// it comes to an end.
func FuzzRing(f *testing.F) {
	whole := blockOf(laid(1, 4, []byte("abcd"), false), laid(1, 4, []byte("efgh"), true)).memory
	f.Add(whole, true)
	for _, at := range []int{atCount, atFirst, blockHead, blockHead + 12, blockHead + 24} {
		broken := bytes.Clone(whole)
		binary.NativeEndian.PutUint32(broken[at:], 0xfffffff8)
		f.Add(broken[:256], false)
	}
	f.Fuzz(func(t *testing.T, b []byte, vnet bool) {
		r := &ring{shape: shape{block: 4096, blocks: 1}, memory: make([]byte, 4096), vnet: vnet}
		copy(r.memory, b)
		frames := 0
		more, err := r.read(func(wire.Frame) { frames++ })
		if err != nil && !errors.Is(err, errRing) || more && err != nil || frames > 4096/8 {
			t.Errorf("%v %v, %d frames", more, err, frames)
		}
	})
}

func TestShapes(t *testing.T) {
	page := os.Getpagesize()
	for _, row := range []struct {
		buffer, links, block, blocks int
		retire                       time.Duration
	}{
		{0, 0, maxBlock, 20, 100 * time.Millisecond}, {0, 2, maxBlock, 20, 100 * time.Millisecond},
		{0, 4, maxBlock, 10, 200 * time.Millisecond}, {0, 100, maxBlock, 4, 500 * time.Millisecond},
		{1, 2, page, 1, 500 * time.Millisecond}, {page + 1, 2, 2 * page, 1, 500 * time.Millisecond},
		{40 * maxBlock, 9, maxBlock, 40, 50 * time.Millisecond},
	} {
		if got, want := shapeOf(row.buffer, row.links), (shape{row.block, row.blocks, row.retire}); got != want {
			t.Errorf("%d bytes, %d links: %+v, want %+v", row.buffer, row.links, got, want)
		}
	}
}

// TestLongFrame: a frame that does not fit into a block is marked as cut.
//
//	a: eth0, MTU 9000 ── 8000 bytes ──► eth0 :b
func TestLongFrame(t *testing.T) {
	noLeftovers(t)
	if os.Getpagesize() > 8000 {
		t.Skip("needs a kernel whose pages are shorter than the frame")
	}
	a, b := quietPair(t)
	a.ip(t, "link set eth0 mtu 9000")
	b.ip(t, "link set eth0 mtu 9000")
	small := config(b.link(t, "eth0", evidence.RoleOutside))
	small.Request.Buffer = 1
	s := b.start(t, small)
	a.transmit(t, a.link(t, "eth0", "").Index, append(bytes.Clone(unheard), make([]byte, 8000)...))
	time.Sleep(300 * time.Millisecond)
	got := captures(s.Stop(t.Context()))["eth0"]
	if got.Truncated != 1 || got.Bytes < 8014 || got.Drops != 0 {
		t.Errorf("%+v", got)
	}
}

// unheard begins a frame that nobody answers.
var unheard = []byte{2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 0x99, 0x99}

// quietPair is a pair on which nothing is sent but by the test.
func quietPair(t *testing.T) (a, b *namespace) {
	t.Helper()
	a, b = pair(t)
	for _, n := range []*namespace{a, b} {
		n.run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
	}
	return a, b
}

// TestLastFrames: what is in a block that is not full when the capture is asked
// to stop is read before it ends. Nothing else counts or is counted as lost.
//
//	a: eth0 ── a few frames ──► eth0 :b
func TestLastFrames(t *testing.T) {
	noLeftovers(t)
	a, _ := quietPair(t)
	for round := range 20 {
		s := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside)))
		for range round {
			a.transmit(t, a.link(t, "eth0", "").Index, append(bytes.Clone(unheard), make([]byte, 50)...))
		}
		got := captures(s.Stop(t.Context()))["eth0"]
		if got.Classes["other"] != uint64(round) || got.Drops != 0 || !got.Alive {
			t.Fatalf("round %d: %+v", round, got)
		}
	}
}
