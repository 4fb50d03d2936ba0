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
		switch b[at] >> 4 {
		case 4:
			w.hidden(b, at, 4)
		case 6:
			w.hidden(b, at, 6)
		}
		if w.d.pods.found {
			return
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

// hidden notes a packet at an offset, if one of pods stands there: between two
// nodes' ranges, by a header that proves itself, and to the end of what carries
// it, as a quote or a sample of a packet does not reach.
func (w *walker) hidden(b []byte, at, family int) {
	var source, target, total, transport int
	var protocol uint8
	two := false
	if family == 4 {
		source, target, two = w.pods.between4(b[at:])
		two = two && header4(b, at)
		total, protocol, transport = int(binary.BigEndian.Uint16(b[at+2:])), b[at+9], at+int(b[at]&15)*4
		if binary.BigEndian.Uint16(b[at+6:])&0x1fff != 0 {
			transport = 0
		}
	} else if len(b)-at >= 40 {
		source, target, two = w.pods.between6(b[at:])
		two = two && header6(b, at)
		total, protocol, transport = 40+int(binary.BigEndian.Uint16(b[at+4:])), b[at+6], at+40
	}
	if !two || !w.reaches(total, len(b)-at) {
		return
	}
	w.d.nameCarrier()
	if w.d.stack[w.d.depth-1].layer != layerUnknown {
		w.d.push(layerUnknown)
	}
	w.d.push(map[int]layer{4: layerIPv4, 6: layerIPv6}[family])
	w.d.pods = podHeader{
		found: true, bare: w.outer, source: source, target: target, family: family, at: at, protocol: protocol, transport: transport,
	}
}

// reaches reports whether a packet of a length goes to the end of what is left,
// or beyond what was cut off.
func (w *walker) reaches(total, left int) bool {
	if total > left {
		return w.cut
	}
	return left-total <= maxTrailer
}
