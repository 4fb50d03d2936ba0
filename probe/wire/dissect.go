package wire

import "encoding/binary"

// Ethertypes, IEEE 802 numbers.
const (
	etherIPv4    = 0x0800
	etherARP     = 0x0806
	etherVLAN    = 0x8100
	etherBridged = 0x6558 // transparent Ethernet bridging, inside GRE and Geneve
	etherIPv6    = 0x86dd
	etherMPLS    = 0x8847
	etherPPPoE   = 0x8864
	etherMarked  = 0x88b5 // local experimental: looped controls
	etherQinQ    = 0x88a8
	etherQinQOld = 0x9100
)

// EtherTypeMarked is the ethertype of a looped control, the first of IEEE
// 802's two local experimental ones.
const EtherTypeMarked = etherMarked

// ports is a set of UDP ports.
type ports [1 << 16 / 64]uint64

func (p *ports) add(port uint16)      { p[port/64] |= 1 << (port % 64) }
func (p *ports) has(port uint16) bool { return p[port/64]&(1<<(port%64)) != 0 }

// walker reads headers from a frame, outermost first. Every step checks its
// bounds and leaves what it does not understand alone: decoding finds packets
// of other pods, and only names what is found of the run's own.
type walker struct {
	d         *dissection
	data      []byte // the whole frame
	at, end   int    // the part that is still to be read
	wireguard *ports
	pods      *podRanges // nil if no range is watched
	segment   int        // gso_size
	cut       bool       // it is not the whole packet: truncated, the first fragment, a super-packet
	outer     bool       // no IP header was read yet
}

// dissect reads a frame's headers into d.
func dissect(d *dissection, f *Frame, wireguard *ports, pods *podRanges) {
	*d = dissection{}
	w := walker{d: d, data: f.Data, end: len(f.Data), wireguard: wireguard, pods: pods, segment: f.Segment, outer: true}
	w.cut = f.truncated() || f.Segment > 0
	if f.Header == RawIP {
		w.nibble()
	} else {
		w.ethernet(f.Tagged)
	}
	w.behind()
	d.settle(ClassOther)
	d.headers = w.at
}

// take returns the next n bytes, or nil if there are fewer.
func (w *walker) take(n int) []byte {
	if n > w.end-w.at {
		return nil
	}
	w.at += n
	return w.data[w.at-n : w.at]
}

func (w *walker) rest() []byte { return w.data[w.at:w.end] }

func (w *walker) ethernet(tagged bool) {
	b := w.take(14)
	if b == nil || !w.d.push(layerEthernet) {
		return
	}
	if tagged {
		w.d.push(layerVLAN)
	}
	w.ethertype(binary.BigEndian.Uint16(b[12:]))
}

func (w *walker) ethertype(kind uint16) {
	for kind == etherVLAN || kind == etherQinQ || kind == etherQinQOld {
		b := w.take(4)
		if b == nil || !w.d.push(layerVLAN) {
			return
		}
		kind = binary.BigEndian.Uint16(b[2:])
	}
	switch kind {
	case etherIPv4:
		w.ipv4()
	case etherIPv6:
		w.ipv6()
	case etherARP:
		w.d.push(layerARP)
		w.d.settle(ClassARP)
	case etherMPLS:
		w.mpls()
	case etherPPPoE:
		w.pppoe()
	case etherBridged:
		w.ethernet(false)
	case etherMarked:
		w.d.push(layerMarked)
	default:
		w.d.push(layerUnknown)
	}
}

// nibble reads an IP header whose version only the header itself names.
func (w *walker) nibble() {
	if b := w.rest(); len(b) > 0 && b[0]>>4 == 4 {
		w.ipv4()
	} else if len(b) > 0 && b[0]>>4 == 6 {
		w.ipv6()
	} else {
		w.d.push(layerUnknown)
	}
}

func (w *walker) mpls() {
	w.d.push(layerMPLS)
	for {
		b := w.take(4)
		if b == nil {
			return
		}
		if b[2]&1 != 0 { // bottom of the stack
			w.nibble()
			return
		}
	}
}

func (w *walker) pppoe() {
	b := w.take(8)
	if b == nil || !w.d.push(layerPPPoE) {
		return
	}
	switch binary.BigEndian.Uint16(b[6:]) { // PPP protocol numbers
	case 0x0021:
		w.ipv4()
	case 0x0057:
		w.ipv6()
	}
}
