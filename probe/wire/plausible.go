package wire

import (
	"encoding/binary"
	"math"
)

// Where the source address stands in an IP header.
const (
	sourceAt4 = 12
	sourceAt6 = 8
)

// maxTrailer is the most that is allowed to stand behind a packet whose header
// has no checksum to prove it: an Ethernet frame's padding and check sequence,
// an encapsulation's tag.
const maxTrailer = 64

// header4 reports whether an IPv4 header may stand at b[at:], which has room for
// its addresses. Its checksum decides; where that is left to a card (0), the
// packet must be as long as what is left of the frame.
func header4(b []byte, at int) bool {
	if at < 0 || b[at]>>4 != 4 || b[at]&15 < 5 {
		return false
	}
	header, total := int(b[at]&15)*4, int(binary.BigEndian.Uint16(b[at+2:]))
	// A total length of 0 is a segmentation offload of 64 KiB or more.
	if total < header && total != 0 || b[at+8] == 0 {
		return false
	}
	left := len(b) - at
	if left >= header && checksum(b[at:at+header]) == 0xffff {
		return true
	}
	unset := binary.BigEndian.Uint16(b[at+10:]) == 0
	return unset && total <= left && left-total <= maxTrailer ||
		left < header && total >= left // cut amid its options
}

// checksum is the sum of RFC 1071 over b of even length, 0xffff for a header
// that is whole.
func checksum(b []byte) uint32 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}

// header6 reports whether an IPv6 header may stand at b[at:], which has room for
// its addresses. It has no checksum, so what stands behind it must be able to
// follow as well.
func header6(b []byte, at int) bool {
	if at < 0 || b[at]>>4 != 6 || b[at+7] == 0 {
		return false
	}
	payload := int(binary.BigEndian.Uint16(b[at+4:]))
	if payload == 0 { // a jumbogram, or a segmentation offload of 64 KiB or more
		payload = math.MaxInt32
	}
	return follows(b[at+6], b[at+40:], payload)
}

// follows reports whether the headers from b on, of which the first is of a
// protocol, may be those of an IPv6 payload. What was cut off is believed.
func follows(protocol uint8, b []byte, payload int) bool {
	fragment := false // the first: its payload is not all of the packet's
	for range maxLayers {
		size := 8
		switch protocol {
		case protoHopByHop, protoRouting, protoOptions, protoMobility, protoHIP, protoShim6:
			if len(b) >= 2 {
				size = 8 + 8*int(b[1])
			}
		case protoFragment:
			if len(b) >= 4 && (b[1] != 0 || b[3]&6 != 0) { // reserved
				return false
			}
			if len(b) >= 4 && binary.BigEndian.Uint16(b[2:])&0xfff8 != 0 {
				return size <= payload && known(b[0])
			}
			fragment = true
		default:
			return begins(protocol, b, payload, fragment)
		}
		if size > payload || len(b) > 0 && !known(b[0]) {
			return false
		}
		if len(b) < size {
			return true
		}
		protocol, b, payload = b[0], b[size:], payload-size
	}
	return true
}

// protocols are those that may stand in a pod's IPv6 packet, as a set.
var protocols = func() (set [4]uint64) {
	for _, p := range []uint8{
		protoHopByHop, protoTCP, protoUDP, protoDCCP, protoIPv4, protoIPv6, protoRouting, protoFragment, protoGRE,
		protoESP, protoAH, protoICMPv6, protoNone, protoOptions, protoOSPF, protoPIM, protoVRRP, protoSCTP,
		protoMobility, protoUDPLite, protoMPLS, protoHIP, protoShim6, protoL2TP, protoEthernet,
	} {
		set[p/64] |= 1 << (p % 64)
	}
	return set
}()

func known(protocol uint8) bool {
	return protocols[protocol/64]&(1<<(protocol%64)) != 0
}

// begins reports whether b may be the beginning of what has so many bytes by a
// transport, or if it is a fragment of more.
func begins(protocol uint8, b []byte, payload int, fragment bool) bool {
	switch {
	case !known(protocol):
		return false
	case protocol == protoTCP:
		header := 20
		if len(b) > 12 {
			header = int(b[12]>>4) * 4
		}
		return header >= 20 && header <= payload
	case protocol == protoUDP:
		size := payload
		if len(b) >= 6 && binary.BigEndian.Uint16(b[4:]) != 0 { // 0: a jumbogram
			size = int(binary.BigEndian.Uint16(b[4:]))
		}
		return size >= 8 && (size == payload || payload > 0xffff || fragment && size > payload)
	case protocol == protoICMPv6:
		return payload >= 4
	case protocol == protoIPv4:
		return payload >= 20 && (len(b) == 0 || b[0]>>4 == 4)
	case protocol == protoIPv6:
		return payload >= 20 && (len(b) == 0 || b[0]>>4 == 6)
	}
	return true
}
