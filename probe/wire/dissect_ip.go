package wire

import (
	"encoding/binary"
	"net/netip"
)

// IP protocol numbers.
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoOptions  = 60
	protoMobility = 135
	protoHIP      = 139
	protoShim6    = 140
)

func (w *walker) ipv4() {
	b := w.rest()
	if len(b) < 20 || b[0]>>4 != 4 {
		w.d.push(layerUnknown)
		return
	}
	header := int(b[0]&15) * 4
	if header < 20 || header > len(b) {
		w.d.push(layerUnknown)
		return
	}
	// A total length of 0 is a segmentation offload of 64 KiB or more.
	if total := int(binary.BigEndian.Uint16(b[2:])); total >= header && total < len(b) {
		w.end = w.at + total
	}
	if !w.d.push(layerIPv4) {
		return
	}
	w.take(header)
	outer := w.outermost(netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])))
	if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		w.d.push(layerFragment)
		w.d.settle(ClassFragment)
		return
	}
	w.protocol(b[9], outer)
}

func (w *walker) ipv6() {
	b := w.rest()
	if len(b) < 40 || b[0]>>4 != 6 {
		w.d.push(layerUnknown)
		return
	}
	if payload := int(binary.BigEndian.Uint16(b[4:])); payload > 0 && 40+payload < len(b) {
		w.end = w.at + 40 + payload
	}
	if !w.d.push(layerIPv6) {
		return
	}
	w.take(40)
	outer := w.outermost(netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])))
	next := b[6]
	for range maxLayers {
		switch next {
		case protoHopByHop, protoRouting, protoOptions, protoMobility, protoHIP, protoShim6:
			e := w.rest()
			if len(e) < 8 || w.take(8+8*int(e[1])) == nil {
				return
			}
			next = e[0]
		case protoFragment:
			e := w.take(8)
			if e == nil {
				return
			}
			if binary.BigEndian.Uint16(e[2:])&0xfff8 != 0 {
				w.d.push(layerFragment)
				w.d.settle(ClassFragment)
				return
			}
			next = e[0]
		default:
			w.protocol(next, outer)
			return
		}
	}
}

// outermost notes the addresses of the first IP header and says whether it was
// the first.
func (w *walker) outermost(source, target netip.Addr) bool {
	if !w.outer {
		return false
	}
	w.outer = false
	w.d.source, w.d.target = source, target
	return true
}

func (w *walker) protocol(number uint8, outer bool) {
	switch number {
	case protoUDP:
		w.udp(outer)
	case protoTCP:
		w.tcp()
	case protoICMP, protoICMPv6:
		w.d.push(layerICMP)
		w.d.settle(ClassICMP)
		w.take(8)
	case protoIPv4:
		w.d.settle(ClassIPIP)
		w.ipv4()
	case protoIPv6:
		w.d.settle(ClassIPIP)
		w.ipv6()
	case protoGRE:
		w.gre()
	case protoESP:
		w.d.push(layerESP)
		w.d.settle(ClassESP)
		w.take(8)
	case protoAH:
		b := w.rest()
		if len(b) < 12 || w.take(8+4*int(b[1])) == nil || !w.d.push(layerAH) {
			return
		}
		w.protocol(b[0], false)
	default:
		w.d.push(layerUnknown)
	}
}

func (w *walker) tcp() {
	w.d.push(layerTCP)
	w.d.settle(ClassTCP)
	b := w.rest()
	if len(b) < 20 || w.take(max(20, int(b[12]>>4)*4)) == nil {
		w.take(min(20, len(b)))
	}
}
