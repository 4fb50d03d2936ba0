package wire

import "github.com/kubectl-wg/kubectl-wg/probe/evidence"

// Header is what a frame of a link begins with.
type Header uint8

// The link headers. Zero is Ethernet.
const (
	Ethernet Header = iota
	// RawIP: the frame begins at the IP header, as on WireGuard, tun and other
	// ARPHRD_NONE links.
	RawIP
)

// Frame is one frame as a packet socket hands it out.
type Frame struct {
	Data   []byte // what was copied; not kept after the call it is given to
	Length int    // original length in bytes; 0 stands for len(Data)
	Header Header
	// Tagged: the kernel took a VLAN tag off and reported it out of band
	// (PACKET_AUXDATA); VLAN is then its id, 0 to 4095.
	Tagged bool
	VLAN   uint16
	// Segment is gso_size of a super-packet: the UDP payload is a row of
	// datagrams of this many bytes, the last one shorter. 0 = not known or none;
	// SegmentKnown: it would be known, so that 0 is none.
	Segment      int
	SegmentKnown bool
	Direction    string // evidence.DirectionTX or DirectionRX
	Time         int64  // when the kernel saw it, nanoseconds since 1970
	// ToLink: an arriving frame is addressed to the very link that it arrived on
	// (PACKET_HOST).
	ToLink bool
}

// truncated reports whether part of the frame was not copied, so that a mark in it
// could have been missed.
func (f *Frame) truncated() bool { return f.Length > len(f.Data) }

func (f *Frame) length() int { return max(f.Length, len(f.Data)) }

func (f *Frame) transmitted() bool { return f.Direction == evidence.DirectionTX }
