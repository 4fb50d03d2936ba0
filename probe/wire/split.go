package wire

import (
	"bytes"
	"encoding/binary"
)

// maxSegments is the most datagrams the kernel puts in one super-packet:
// UDP_MAX_SEGMENTS, include/linux/udp.h.
const maxSegments = 128

// stride returns the length of the pieces that a UDP payload of size bytes is
// to be split into where the kernel does not report it. A row of data messages
// shows itself: the first eight bytes (type and receiver index) return at a
// fixed distance, each with a counter near the first one's.
func stride(b []byte, size int) int {
	if len(b) < 2*sizeKeepalive || messageKind(b, size) != typeData {
		return size
	}
	for from := sizeKeepalive; from < len(b); {
		next := bytes.Index(b[from:], b[:8])
		if next < 0 {
			return size
		}
		if from += next; regular(b, size, from) {
			return from
		}
		from++
	}
	return size
}

// regular reports whether b is a row of data messages of step bytes each.
func regular(b []byte, size, step int) bool {
	if size/step > maxSegments {
		return false
	}
	first := binary.LittleEndian.Uint64(b[8:])
	for at := step; at < size; at += step {
		if size-at < sizeKeepalive {
			return false
		}
		if len(b)-at < sizeDataHeader {
			return at > step // the rest was not captured
		}
		if !bytes.Equal(b[at:at+8], b[:8]) {
			return false
		}
		if away := binary.LittleEndian.Uint64(b[at+8:]) - first; away == 0 || min(away, -away) > 1<<16 {
			return false
		}
	}
	return true
}
