package wire

import "encoding/binary"

// maxShim is how far behind the last header that could be read a packet is
// looked for: so much may stand before it, a header that this package does not
// know, a frame's header, a few tags.
const maxShim = 64

// behind looks for a packet from one node's pods to another's behind what could
// not be read: in an encapsulation that is not known, in an IPsec packet without
// encryption, on a link with a framing of its own. WireGuard's messages and what
// TCP carries are not searched.
func (w *walker) behind() {
	if w.pods == nil || w.d.pods.found || w.d.depth == 0 || !w.unread() {
		return
	}
	b := w.data[:w.end]
	for at := w.at; at <= min(w.at+maxShim, len(b)-20); at++ {
		// The lengths are looked at first: they exclude nearly everything else.
		switch left := len(b) - at; b[at] >> 4 {
		case 4:
			if w.reaches(int(binary.BigEndian.Uint16(b[at+2:])), left) && w.hidden4(b, at) {
				return
			}
		case 6:
			if left >= 40 && w.reaches(40+int(binary.BigEndian.Uint16(b[at+4:])), left) && w.hidden6(b, at) {
				return
			}
		}
	}
}

// unread reports whether the last layer carries what could not be read.
func (w *walker) unread() bool {
	switch w.d.stack[w.d.depth-1].layer {
	case layerUnknown, layerUDP, layerESP, layerGRE, layerPPPoE, layerMPLS, layerVLAN:
		return true
	}
	return false
}

// hidden4 notes a packet of IPv4 at an offset, if one of pods stands there:
// between two nodes' ranges, by a header that proves itself, and to the end of
// what carries it, as a quote or a sample of a packet does not reach.
func (w *walker) hidden4(b []byte, at int) bool {
	source, target, two := w.pods.between4(b[at:])
	if !two || !header4(b, at) {
		return false
	}
	found := podHeader{source: source, target: target, family: 4, protocol: b[at+9], at: at}
	if binary.BigEndian.Uint16(b[at+6:])&0x1fff == 0 {
		found.transport = at + int(b[at]&15)*4
	}
	w.note(found, layerIPv4)
	return true
}

// hidden6 is the same for IPv6.
func (w *walker) hidden6(b []byte, at int) bool {
	source, target, two := w.pods.between6(b[at:])
	if !two || !header6(b, at) {
		return false
	}
	found := podHeader{source: source, target: target, family: 6, protocol: b[at+6], at: at, transport: at + 40}
	w.note(found, layerIPv6)
	return true
}

func (w *walker) note(found podHeader, l layer) {
	w.d.nameCarrier()
	if w.d.stack[w.d.depth-1].layer != layerUnknown {
		w.d.push(layerUnknown)
	}
	w.d.push(l)
	found.found = true
	found.bare = w.outer
	w.d.pods = found
}

// reaches reports whether a packet of a length goes to the end of what is left,
// or beyond what was cut off.
func (w *walker) reaches(total, left int) bool {
	if total > left {
		return w.cut
	}
	return left-total <= maxTrailer
}
