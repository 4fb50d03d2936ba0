package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// podLeaks sums the packets from one node's pods to another's that were
// seen in clear, whosever they are. Ports do not make two of them different:
// however many connections pods have, their leaks stay few.
type podLeaks struct {
	all  []*evidence.Sighting
	byID map[podKey]*evidence.Sighting
}

// podKey is what makes two of them equal.
type podKey struct {
	direction                string
	source, target, family   int
	protocol                 uint8
	stack                    [maxLayers]stacked
	outerSource, outerTarget netip.Addr
}

func (s *leaks) addPods(link string, f *Frame, d *dissection) {
	p, known := &d.pods, &s.pods
	key := podKey{
		direction: f.Direction, source: p.source, target: p.target, family: p.family, protocol: p.protocol,
		stack: d.stack, outerSource: d.source, outerTarget: d.target,
	}
	if p.bare { // the outermost addresses are the pods' own, of which there are many
		key.outerSource = netip.Addr{}
		key.outerTarget = netip.Addr{}
	}
	one := known.byID[key]
	switch {
	case one != nil:
	case len(known.all) == maxLeaks:
		one = known.all[maxLeaks-1]
	default:
		one = p.leak(f, d)
		one.Link = link
		if known.byID == nil {
			known.byID = make(map[podKey]*evidence.Sighting)
		}
		known.byID[key] = one
		known.all = append(known.all, one)
	}
	one.Count++
}

// leak describes the first packet of its kind.
func (p *podHeader) leak(f *Frame, d *dissection) *evidence.Sighting {
	one := &evidence.Sighting{
		Direction: f.Direction, Source: p.source, Target: p.target, Family: p.family, Protocol: p.protocol,
		By: evidence.LeakedByRange, Layers: d.text(), OuterSource: d.source, OuterTarget: d.target,
	}
	one.InnerSource, one.InnerTarget = p.addresses(f.Data)
	if p.hasPorts(f) {
		one.SourcePort = binary.BigEndian.Uint16(f.Data[p.transport:])
		one.TargetPort = binary.BigEndian.Uint16(f.Data[p.transport+2:])
	}
	one.Sample = bytes.Clone(f.Data[:min(headersEnd(f, d), maxSample)])
	return one
}

// addresses returns those of the pods, from the frame in which they were found.
func (p *podHeader) addresses(frame []byte) (source, target netip.Addr) {
	header := frame[p.at:]
	if p.family == 4 {
		return netip.AddrFrom4([4]byte(header[12:])), netip.AddrFrom4([4]byte(header[16:]))
	}
	return netip.AddrFrom16([16]byte(header[8:])), netip.AddrFrom16([16]byte(header[24:]))
}

// hasPorts reports whether the ports of the pods' packet were captured.
func (p *podHeader) hasPorts(f *Frame) bool {
	return p.transport > 0 && ported(p.protocol) && len(f.Data) >= p.transport+4
}

// headersEnd returns where the headers end that could be read of a frame: the
// ports of a pods' packet included, but nothing of anyone's payload.
func headersEnd(f *Frame, d *dissection) int {
	end := max(d.headers, d.pods.transport)
	if d.pods.hasPorts(f) {
		end = max(end, d.pods.transport+4)
	}
	return min(end, len(f.Data))
}

// ported reports whether headers of a protocol begin with two ports.
func ported(protocol uint8) bool {
	switch protocol {
	case protoTCP, protoUDP, protoDCCP, protoSCTP, protoUDPLite:
		return true
	}
	return false
}
