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
	protoDCCP     = 33
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoNone     = 59
	protoOptions  = 60
	protoOSPF     = 89
	protoPIM      = 103
	protoVRRP     = 112
	protoL2TP     = 115
	protoSCTP     = 132
	protoMobility = 135
	protoUDPLite  = 136
	protoMPLS     = 137
	protoHIP      = 139
	protoShim6    = 140
	protoEthernet = 143
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
	own := w.pods != nil && w.between(b, 4, b[9])
	w.take(header)
	outer := w.outermost(netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])))
	if binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		w.d.push(layerFragment)
		w.d.settle(ClassFragment)
		return
	}
	w.cut = w.cut || b[6]&0x20 != 0
	w.transport(own, b[9])
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
	own := w.pods != nil && w.between(b, 6, b[6])
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
				if own {
					w.d.pods.protocol = e[0]
				}
				w.d.push(layerFragment)
				w.d.settle(ClassFragment)
				return
			}
			next = e[0]
			w.cut = w.cut || e[3]&1 != 0
		default:
			w.transport(own, next)
			w.protocol(next, outer)
			return
		}
	}
}

// between notes an IP header from one node's pods to another's, the outermost
// of a frame, and reports whether this is it.
func (w *walker) between(b []byte, family int, protocol uint8) bool {
	if w.d.pods.found {
		return false
	}
	var source, target int
	var two bool
	if family == 4 {
		source, target, two = w.pods.between4(b)
	} else {
		source, target, two = w.pods.between6(b)
	}
	if two {
		w.d.pods = podHeader{
			found: true, bare: w.outer, source: source, target: target, family: family, at: w.at, protocol: protocol,
		}
	}
	return two
}

// transport notes that the transport header of the pods' packet begins here.
func (w *walker) transport(own bool, protocol uint8) {
	if own {
		w.d.pods.protocol = protocol
		w.d.pods.transport = w.at
	}
}

// quoted looks at the packet that an ICMP error quotes (RFC 792, RFC 4443). It
// names no layer of the quote: the frame is an ICMP error, whatever it is about.
// outer: the error itself is in no encapsulation, so it is for the
// pod that sent the packet, or for its node.
func (w *walker) quoted(protocol uint8, b []byte, outer bool) {
	if w.pods == nil || w.d.pods.found || !icmpError(protocol, b) {
		return
	}
	quote := w.rest()
	switch {
	case len(quote) >= 20 && quote[0]>>4 == 4 && quote[0]&15 >= 5:
		if w.between(quote, 4, quote[9]) && binary.BigEndian.Uint16(quote[6:])&0x1fff == 0 {
			w.d.pods.transport = w.at + int(quote[0]&15)*4
		}
	case len(quote) >= 40 && quote[0]>>4 == 6:
		if w.between(quote, 6, quote[6]) {
			w.d.pods.transport = w.at + 40
		}
	}
	w.d.pods.bare = w.d.pods.found && outer
}

// icmpError reports whether a message of ICMP or ICMPv6 is about a packet that
// it quotes.
func icmpError(protocol uint8, b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if protocol == protoICMPv6 {
		return b[0] >= 1 && b[0] <= 4
	}
	switch b[0] {
	case 3, 4, 5, 11, 12: // unreachable, quench, redirect, time exceeded, parameter problem
		return true
	}
	return false
}

// outermost notes the addresses of the first IP header and reports whether this
// was it.
func (w *walker) outermost(source, target netip.Addr) bool {
	if !w.outer {
		return false
	}
	w.outer = false
	w.d.source = source
	w.d.target = target
	return true
}

func (w *walker) protocol(number uint8, outer bool) {
	switch number {
	case protoUDP:
		w.udp(outer)
	case protoTCP:
		w.tcp(outer)
	case protoICMP, protoICMPv6:
		w.d.push(layerICMP)
		w.d.settle(ClassICMP)
		w.quoted(number, w.take(8), outer)
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

func (w *walker) tcp(outer bool) {
	w.d.push(layerTCP)
	w.d.settle(ClassTCP)
	b := w.rest()
	if outer && len(b) >= 4 {
		w.d.sourcePort = binary.BigEndian.Uint16(b)
		w.d.targetPort = binary.BigEndian.Uint16(b[2:])
	}
	if len(b) < 20 || w.take(max(20, int(b[12]>>4)*4)) == nil {
		w.take(min(20, len(b)))
	}
}
