package wire

import "encoding/binary"

// Types and lengths of WireGuard messages, drivers/net/wireguard/messages.h.
const (
	typeInitiation = 1
	typeResponse   = 2
	typeCookie     = 3
	typeData       = 4

	sizeInitiation = 148
	sizeResponse   = 92
	sizeCookie     = 64
	sizeKeepalive  = 32 // header 16 and tag 16: the shortest data message
	sizeDataHeader = 16
)

// message is one WireGuard message as far as it can be read without a key.
type message struct {
	kind     uint8
	size     int    // UDP payload bytes
	sender   uint32 // types 1 and 2
	receiver uint32 // types 2, 3 and 4
	counter  uint64 // type 4
	body     []byte // what was captured of it
}

// messageKind returns the type of the message that a datagram of size bytes
// is, 0 if it is none. It applies the kernel's rules: three reserved bytes are
// zero, types 1 to 3 have one length each (receive.c, prepare_skb_header).
func messageKind(b []byte, size int) uint8 {
	if len(b) < 4 || b[1]|b[2]|b[3] != 0 {
		return 0
	}
	switch {
	case b[0] == typeInitiation && size == sizeInitiation,
		b[0] == typeResponse && size == sizeResponse,
		b[0] == typeCookie && size == sizeCookie,
		b[0] == typeData && size >= sizeKeepalive && len(b) >= sizeDataHeader:
		return b[0]
	}
	return 0
}

// parseMessage reads one message. A handshake message must be captured whole,
// of a data message the header is enough.
func parseMessage(b []byte, size int) (message, bool) {
	m := message{kind: messageKind(b, size), size: size, body: b}
	switch m.kind {
	case typeInitiation:
		if len(b) < sizeInitiation {
			return m, false
		}
		m.sender = binary.LittleEndian.Uint32(b[4:])
	case typeResponse:
		if len(b) < sizeResponse {
			return m, false
		}
		m.sender = binary.LittleEndian.Uint32(b[4:])
		m.receiver = binary.LittleEndian.Uint32(b[8:])
	case typeCookie:
		if len(b) < sizeCookie {
			return m, false
		}
		m.receiver = binary.LittleEndian.Uint32(b[4:])
	case typeData:
		m.receiver = binary.LittleEndian.Uint32(b[4:])
		m.counter = binary.LittleEndian.Uint64(b[8:])
	default:
		return m, false
	}
	return m, true
}
