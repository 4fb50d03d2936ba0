package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// MarkedSize is the length of a marked header and so the smallest canary.
const MarkedSize = 48

// What a marked header announces.
const (
	KindCanary  = 1 // from a test pod to another
	KindAnswer  = 2 // the other pod's authenticated answer
	KindControl = 3 // cleartext on purpose, from a probe
	// The first packets of a pod that was made while every link is watched,
	// and their answers. Their tag is made with evidence.FirstKey.
	KindFirst       = 4
	KindFirstAnswer = 5
	// KindTry is a canary made for one rule or statement; its sequence is its
	// number in the run. It is not answered.
	KindTry = 6
	// Packets of a class, see evidence.Class, and their answers.
	KindClass       = 7
	KindClassAnswer = 8
	// KindPort is a probe's datagram to a UDP port of another node, which counts it
	// and does not answer. No tunnel need be there.
	KindPort = 9
)

// How a marked header travels.
const (
	TransportUDP   = 1
	TransportTCP   = 2
	TransportICMP  = 3
	TransportFrame = 4 // a bare link-layer frame, controls only
)

// Marked is the header that every canary, answer and control begins with, and
// that fills the rest of its payload again and again, so that each fragment
// and each TCP segment of it can be recognised by itself.
//
//	0       16   17     18        19  20     24     28   30       32  48
//	| mark  |kind|family|transport|class|source|target|size|sequence|tag|
//
// Class is 0 but for packets of a class, see evidence.Class. Source and target are node indexes; for an answer they are
// those of the canary it answers, swapped. The tag is the first 16 bytes of HMAC-SHA256 of what precedes it under the
// run's key, or its FirstKey: nobody outside the run can make one.
type Marked struct {
	Kind, Family, Transport, Class uint8
	Source, Target                 uint32
	Size, Sequence                 uint16
}

// Append appends the header to b.
func (m Marked) Append(b []byte, mark [MarkSize]byte, key []byte) []byte {
	start := len(b)
	b = append(b, mark[:]...)
	b = append(b, m.Kind, m.Family, m.Transport, m.Class)
	b = binary.BigEndian.AppendUint32(b, m.Source)
	b = binary.BigEndian.AppendUint32(b, m.Target)
	b = binary.BigEndian.AppendUint16(b, m.Size)
	b = binary.BigEndian.AppendUint16(b, m.Sequence)
	return append(b, tag(b[start:], key)...)
}

// Payload returns size bytes filled with the header, which names that size.
func (m Marked) Payload(size int, mark [MarkSize]byte, key []byte) ([]byte, error) {
	if size < MarkedSize || size > 0xffff {
		return nil, fmt.Errorf("a marked payload has %d to %d bytes, not %d", MarkedSize, 0xffff, size)
	}
	m.Size = uint16(size)
	header := m.Append(nil, mark, key)
	payload := make([]byte, size)
	for n := 0; n < size; n += copy(payload[n:], header) {
	}
	return payload, nil
}

// ParseMarked reads the header at the start of b. It returns false if b is too
// short, bears another mark, or if key is given and the tag is not genuine.
func ParseMarked(b []byte, mark [MarkSize]byte, key []byte) (Marked, bool) {
	if len(b) < MarkedSize || [MarkSize]byte(b) != mark {
		return Marked{}, false
	}
	if key != nil && (b[16] == KindFirst || b[16] == KindFirstAnswer) {
		key = evidence.FirstKey(key)
	}
	if key != nil && !hmac.Equal(tag(b[:32], key), b[32:MarkedSize]) {
		return Marked{}, false
	}
	return Marked{
		Kind: b[16], Family: b[17], Transport: b[18], Class: b[19],
		Source: binary.BigEndian.Uint32(b[20:]), Target: binary.BigEndian.Uint32(b[24:]),
		Size: binary.BigEndian.Uint16(b[28:]), Sequence: binary.BigEndian.Uint16(b[30:]),
	}, true
}

func tag(header, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(header)
	return h.Sum(nil)[:16]
}
