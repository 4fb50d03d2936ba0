package wire

import "encoding/binary"

// UDP ports of encapsulations, as the Linux kernel and IANA have them. Other
// ports are looked at as well, with stricter plausibility.
const (
	portVXLAN      = 4789
	portVXLANLinux = 8472
	portGeneve     = 6081
)

func (w *walker) udp(outer bool) {
	b := w.take(8)
	w.d.push(layerUDP)
	if b == nil {
		w.d.settle(ClassUDP)
		return
	}
	source := binary.BigEndian.Uint16(b)
	target := binary.BigEndian.Uint16(b[2:])
	size := int(binary.BigEndian.Uint16(b[4:])) - 8
	payload := w.rest()
	if size >= 0 && size < len(payload) {
		payload = payload[:size]
		w.end = w.at + size
	} else if size < 0 { // 0: a jumbo or an offload; less than 8: nonsense
		size = len(payload)
	}
	if outer {
		w.d.sourcePort = source
		w.d.targetPort = target
	}
	if w.wireguard.has(source) || w.wireguard.has(target) {
		formed := messageKind(payload, size) != 0
		if w.segment > 0 && w.segment < size {
			formed = messageKind(payload[:min(w.segment, len(payload))], w.segment) != 0
		}
		if outer {
			w.d.wireguard = true
			w.d.payload = payload
			w.d.size = size
			w.d.settle(ClassMalformed)
		}
		if formed {
			if outer {
				w.d.class = ClassWireGuard
			}
			w.name(w.listening(source, target))
			w.d.push(layerWireGuard)
			return
		}
	}
	w.encapsulated(source, target)
}

// listening picks the port that a datagram is named by: the WireGuard one.
func (w *walker) listening(source, target uint16) uint16 {
	if w.wireguard.has(target) {
		return target
	}
	return source
}

// name gives the UDP layer on top of the stack its port.
func (w *walker) name(port uint16) { w.d.stack[w.d.depth-1].port = port }

// encapsulated reads what a UDP datagram carries, if that is known.
func (w *walker) encapsulated(source, target uint16) {
	b := w.rest()
	switch {
	case vxlan(b, target == portVXLAN || target == portVXLANLinux):
		w.name(target)
		w.take(8)
		w.d.push(layerVXLAN)
		w.d.settle(ClassVXLAN)
		w.ethernet(false)
	case geneve(b):
		w.name(target)
		kind := binary.BigEndian.Uint16(b[2:])
		w.take(8 + 4*int(b[0]&0x3f))
		w.d.push(layerGeneve)
		w.d.settle(ClassGeneve)
		w.ethertype(kind)
	case wholeIP(b):
		w.name(target)
		w.d.settle(ClassFOU)
		w.nibble()
	default:
		w.d.settle(ClassUDP)
	}
}

// vxlan reports whether b is a VXLAN header (RFC 7348: flag I, the rest reserved)
// with an Ethernet frame behind it. On its own ports extensions that use the
// reserved bits are let through.
func vxlan(b []byte, ownPort bool) bool {
	if len(b) < 8+14 || b[0]&0x08 == 0 {
		return false
	}
	if !ownPort && (b[0] != 0x08 || b[1]|b[2]|b[3]|b[7] != 0) {
		return false
	}
	return ownPort || bridged(b[8:])
}

// geneve reports whether b is a Geneve header (RFC 8926) with something known
// behind it.
func geneve(b []byte) bool {
	if len(b) < 8 || b[0]>>6 != 0 || b[1]&0x3f != 0 || b[7] != 0 {
		return false
	}
	header := 8 + 4*int(b[0]&0x3f)
	if header > len(b) {
		return false
	}
	switch binary.BigEndian.Uint16(b[2:]) {
	case etherBridged:
		return bridged(b[header:])
	case etherIPv4, etherIPv6:
		return wholeIP(b[header:])
	}
	return false
}

// bridged reports whether b looks like an Ethernet frame of a network that
// carries pods.
func bridged(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	switch binary.BigEndian.Uint16(b[12:]) {
	case etherIPv4:
		return len(b) >= 34 && b[14]>>4 == 4
	case etherIPv6:
		return len(b) >= 54 && b[14]>>4 == 6
	case etherARP, etherVLAN, etherQinQ:
		return true
	}
	return false
}

// wholeIP reports whether b is one IP packet from its first to its last byte.
func wholeIP(b []byte) bool {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4 && b[0]&15 >= 5:
		return int(binary.BigEndian.Uint16(b[2:])) == len(b)
	case len(b) >= 40 && b[0]>>4 == 6:
		return 40+int(binary.BigEndian.Uint16(b[4:])) == len(b)
	}
	return false
}

// gre reads RFC 2784 and 2890 headers.
func (w *walker) gre() {
	w.d.push(layerGRE)
	w.d.settle(ClassGRE)
	b := w.take(4)
	if b == nil || b[1]&7 != 0 { // version 1 is PPTP
		return
	}
	for _, option := range []byte{0x80, 0x20, 0x10} { // checksum, key, sequence
		if b[0]&option != 0 && w.take(4) == nil {
			return
		}
	}
	w.ethertype(binary.BigEndian.Uint16(b[2:]))
}
