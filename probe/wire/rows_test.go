package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A row of data messages is known where the kernel does not report it: each
// piece begins with the type and index of the first, has a counter near its one,
// and is long enough. Anything else is one datagram.
func TestRows(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	many := func(n, size int) (b []byte) {
		for i := range n {
			b = append(b, data(7, uint64(i), size)...)
		}
		return b
	}
	handshake := initiation(9)
	for at := 37; at < sizeInitiation; at += 37 { // as regular as a handshake can be
		copy(handshake[at:], handshake[:8])
		binary.LittleEndian.PutUint64(handshake[at+8:], binary.LittleEndian.Uint64(handshake[8:])+uint64(at))
	}
	inside := data(7, 1, 200)
	copy(inside[100:], inside[:8]) // the ciphertext has the same bytes by chance
	three := join(data(7, 1, 96), data(7, 2, 96), data(8, 3, 96))
	for _, row := range []struct {
		name  string
		b     []byte
		size  int // 0 for all of b
		parts int
	}{
		{"two", join(data(7, 1, 96), data(7, 2, 96)), 0, 2},
		{"a shorter last one", join(data(7, 1, 96), data(7, 2, 32)), 0, 2},
		{"a last one that is too short", join(data(7, 1, 96), data(7, 2, 96), data(7, 3, 40)[:31]), 0, 1},
		{"in another order", join(data(7, 2, 96), data(7, 1, 96)), 0, 2},
		{"the same twice", join(data(7, 1, 96), data(7, 1, 96)), 0, 1},
		{"counters as far apart as they may be", join(data(7, 1, 96), data(7, 1+1<<16, 96)), 0, 2},
		{"the same, backwards", join(data(7, 1+1<<16, 96), data(7, 1, 96)), 0, 2},
		{"counters further apart", join(data(7, 1, 96), data(7, 2+1<<16, 96)), 0, 1},
		{"further apart, backwards", join(data(7, 2+1<<16, 96), data(7, 1, 96)), 0, 1},
		{"of two sessions", join(data(7, 1, 96), data(8, 2, 96)), 0, 1},
		{"a third of another session", three, 0, 1},
		{"the same, of which its header was captured", three[:192+16], len(three), 1},
		{"the same, of which less was captured", three[:192+15], len(three), 3},
		{"a second of which less than its header was captured", join(data(7, 1, 96), data(7, 2, 96))[:96+15], 192, 1},
		{"as many as the kernel sends at once", many(128, 32), 0, 128},
		{"the same bytes in the ciphertext", inside, 0, 1},
		{"shorter than two", data(7, 1, 63), 0, 1},
		{"a handshake", handshake, 0, 1},
	} {
		size := row.size
		if size == 0 {
			size = len(row.b)
		}
		step := stride(row.b, size)
		if parts := (size + step - 1) / step; parts != row.parts {
			t.Errorf("%s: %d datagrams of %d bytes, want %d", row.name, parts, step, row.parts)
		}
	}
	if tooMany := many(129, 32); stride(tooMany, len(tooMany)) == 32 {
		t.Error("the kernel sends no more than 128 datagrams at once")
	}
}

// Where the kernel reports the pieces, they are what it says, well-formed or not.
// Of what was not captured one piece at least counts as malformed.
func TestPiecesThatAreTold(t *testing.T) {
	good := func(n uint64) []byte { return data(7, n, 96) }
	bad := bytes.Repeat([]byte{9}, 96)
	for _, row := range []struct {
		name     string
		b        []byte
		captured int
		data     uint64
		least    uint64 // malformed
	}{
		{"good ones", slices.Concat(good(1), good(2), good(3)), 288, 3, 0},
		{"a bad one between good ones", slices.Concat(good(1), bad, good(3)), 288, 2, 1},
		{"a bad one first", slices.Concat(bad, good(2), good(3)), 288, 2, 1},
		{"cut behind a header", slices.Concat(good(1), good(2), good(3)), 192 + 16, 3, 0},
		{"cut in a header", slices.Concat(good(1), good(2), good(3)), 192 + 15, 2, 1},
		{"cut far before the end", slices.Concat(good(1), good(2), good(3), good(4), good(5)), 96 + 20, 2, 1},
	} {
		frame := tx(underlay(t, row.b))
		frame.Length = len(frame.Data)
		frame.Data = frame.Data[: 42+row.captured : 42+row.captured]
		frame.Segment, frame.SegmentKnown = 96, true
		stats := newStats(t, testSubject())
		stats.Link("eth0", evidence.RoleOutside).Add(frame)
		flow := pick(t, stats.Messages(), tunnelOf)[0].TX
		if flow.Data != row.data || flow.Malformed < row.least || row.least == 0 && flow.Malformed > 0 {
			t.Errorf("%s: %d data, %d malformed", row.name, flow.Data, flow.Malformed)
		}
	}
}
