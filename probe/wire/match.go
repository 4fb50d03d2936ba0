package wire

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// match is what was found in a frame.
type match struct {
	at int // offset of the mark, -1 if there is none
	// header is what stands behind the mark; genuine: its tag is.
	header  Marked
	genuine bool
	flow    flow
	flowing bool // a flow was found
}

// control reports whether the frame is a control of this run and nothing else.
func (m *match) control() bool {
	return m.genuine && m.header.Kind == KindControl
}

// leaks reports whether there is pod traffic in clear.
func (m *match) leaks() bool { return (m.at >= 0 || m.flowing) && !m.control() }

// maxMarks bounds how many marks of one frame are examined for a genuine
// header. A canary of 64 KiB repeats its header 1365 times, the first or second
// of them being whole; only a forger makes more that are not.
const maxMarks = 2048

// matcher searches frames for the run's mark and for pod-to-pod flows.
type matcher struct {
	mark  [MarkSize]byte
	rare  int // which byte of the mark to search by
	key   []byte
	flows *flows
	nodes []int // sorted indexes of the nodes that have a test pod
}

func newMatcher(s Subject) *matcher {
	m := &matcher{mark: s.Mark, key: bytes.Clone(s.Key), flows: newFlows(s.Pods)}
	// The largest byte: in what is not random, large ones are rarer than small.
	for i, b := range m.mark {
		if b > m.mark[m.rare] {
			m.rare = i
		}
	}
	for _, pod := range s.Pods {
		m.nodes = append(m.nodes, pod.Index)
	}
	slices.Sort(m.nodes)
	m.nodes = slices.Compact(m.nodes)
	return m
}

// search looks through the whole frame. It trusts no layer: where the frame is
// shaped like WireGuard, and where it is shaped like nothing, a mark is a mark.
func (m *matcher) search(b []byte) match {
	found := match{at: -1}
	found.flow, found.flowing = m.flows.find(b)
	for at, n := 0, 0; n < maxMarks; n++ {
		next := m.next(b[at:])
		if next < 0 {
			break
		}
		at += next
		header, genuine := m.header(b, at)
		if genuine && (!found.genuine || header.Kind != KindControl) {
			found.at = at
			found.header = header
			found.genuine = true
		} else if found.at < 0 {
			found.at = at
			found.header, _ = ParseMarked(b[at:], m.mark, nil)
		}
		// A control does not clear what else may stand in its frame.
		if found.genuine && found.header.Kind != KindControl {
			break
		}
		at += MarkSize
	}
	if found.control() && found.flowing {
		return match{at: -1, flow: found.flow, flowing: true} // no control carries a pod's packet
	}
	return found
}

// header reads the marked header at an offset of a frame, and reports whether it is
// genuine. An answer of a DNS server, which repeats the question, becomes what an
// agent would answer.
func (m *matcher) header(frame []byte, at int) (Marked, bool) {
	h, genuine := ParseMarked(frame[at:], m.mark, m.key)
	if genuine && h.Kind == KindClass && h.Class == evidence.ClassDNS.Number() && answersQuestion(frame[:at]) {
		h.Kind = KindClassAnswer
		h.Source, h.Target = h.Target, h.Source
	}
	return h, genuine
}

// next returns the offset of the first mark in b, -1 if there is none. It does
// what bytes.Index does, at a third of its time in random bytes: that one tries
// two bytes before it calls for more of the processor's search.
func (m *matcher) next(b []byte) int {
	last := len(b) - MarkSize // the last offset that has room
	for at := 0; at <= last; at++ {
		next := bytes.IndexByte(b[at+m.rare:last+m.rare+1], m.mark[m.rare])
		if next < 0 {
			break
		}
		if at += next; [MarkSize]byte(b[at:]) == m.mark {
			return at
		}
	}
	return -1
}

// pair returns whose traffic a match is, -1 for what is not known. Of a
// header that is not genuine only what names test pods is believed. An ICMP
// echo comes back with the header that it went with, where the addresses show
// which of the two pods it is from; and an ICMP error quotes a packet that went
// the other way.
func (m *matcher) pair(found *match, d *dissection) (source, target, family int) {
	h := &found.header
	if found.at >= 0 && (found.genuine || m.plausible(h)) {
		swapped := found.flow.source == int(h.Target) && found.flow.target == int(h.Source)
		echoed := h.Transport == TransportICMP && found.flowing && swapped
		if echoed || found.quoted(d) {
			return int(h.Target), int(h.Source), int(h.Family)
		}
		return int(h.Source), int(h.Target), int(h.Family)
	}
	if found.flowing {
		return found.flow.source, found.flow.target, found.flow.family
	}
	return -1, -1, 0
}

func (m *matcher) plausible(h *Marked) bool {
	_, source := slices.BinarySearch(m.nodes, int(h.Source))
	_, target := slices.BinarySearch(m.nodes, int(h.Target))
	return source && target && h.Source != h.Target && (h.Family == 4 || h.Family == 6) &&
		h.Kind >= KindCanary && h.Kind <= KindTry
}

// quoted reports whether the mark stands in a packet that an ICMP error quotes: a
// pod that has ended answers "port unreachable" to what still comes for it.
func (m *match) quoted(d *dissection) bool {
	return m.header.Transport != TransportICMP && d.depth > 0 && d.stack[d.depth-1].layer == layerICMP
}

// quotedControl reports whether the mark in a frame is that of a control of this
// run as a router's ICMP error quotes it, cut before its tag (RFC 1812 has them
// quote as much as fits, RFC 792 asks for 8 bytes only). Only where it
// stands proves it: at the beginning of a UDP payload between two addresses
// that no pods have, quoted to one that no pod has either, and all that is left
// of its header is a control's. Anywhere else such a header is a leak.
func quotedControl(f *Frame, d *dissection, found *match, s *settings) bool {
	at, b := d.headers, f.Data
	if found.flowing || found.at < 0 || len(b)-found.at >= MarkedSize || len(b)-found.at <= MarkSize {
		return false
	}
	if d.depth < 2 || d.stack[d.depth-1].layer != layerICMP {
		return false
	}
	protocol := uint8(protoICMP)
	if d.stack[d.depth-2].layer == layerIPv6 {
		protocol = protoICMPv6
	}
	if d.pods.found || s.ofPods(d.source) || s.ofPods(d.target) || !icmpError(protocol, b[at-icmpHeader:]) {
		return false
	}
	source, target, payload, ok := quotedUDP(b, at)
	h := b[found.at+MarkSize:]
	return ok && payload == found.at && !s.ofPods(source) && !s.ofPods(target) &&
		h[0] == KindControl && (len(h) < 2 || h[1] == 4 || h[1] == 6) && (len(h) < 3 || h[2] == TransportUDP)
}

const (
	icmpHeader = 8
	udpHeader  = 8
)

// quotedUDP reads the headers of a UDP datagram at b[at:], and returns where its
// payload begins.
func quotedUDP(b []byte, at int) (source, target netip.Addr, payload int, ok bool) {
	quote := b[min(at, len(b)):]
	switch {
	case len(quote) >= 20 && quote[0]>>4 == 4 && quote[0]&15 >= 5 && quote[9] == protoUDP:
		source = netip.AddrFrom4([4]byte(quote[12:]))
		target = netip.AddrFrom4([4]byte(quote[16:]))
		payload = at + int(quote[0]&15)*4 + udpHeader
	case len(quote) >= 40 && quote[0]>>4 == 6 && quote[6] == protoUDP:
		source = netip.AddrFrom16([16]byte(quote[8:]))
		target = netip.AddrFrom16([16]byte(quote[24:]))
		payload = at + 40 + udpHeader
	}
	return source, target, payload, payload > 0
}

// first reports whether the frame is of the first packets of a new pod.
func (m *match) first() bool {
	return m.at >= 0 && (m.header.Kind == KindFirst || m.header.Kind == KindFirstAnswer)
}
