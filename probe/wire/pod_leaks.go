package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// podKey is what makes two packets from one node's pods to another's equal that
// were seen in clear, whosever they are. Ports do not make them different: however
// many connections pods have, their leaks stay few.
type podKey struct {
	direction                string
	source, target, family   int
	protocol                 uint8
	stack                    [maxLayers]stacked
	outerSource, outerTarget netip.Addr
}

// ofPair is the key of all from one node's pods to another's in one direction.
func (k podKey) ofPair() podKey {
	return podKey{direction: k.direction, source: k.source, target: k.target, family: k.family}
}

// addPods counts a packet from one node's pods to another's.
func (s *leaks) addPods(link string, f *Frame, d *dissection) {
	p := &d.pods
	key := podKey{
		direction: f.Direction, source: p.source, target: p.target, family: p.family, protocol: p.protocol,
		stack: d.stack, outerSource: d.source, outerTarget: d.target,
	}
	if p.bare { // the outermost addresses are the pods' own, of which there are many
		key.outerSource = netip.Addr{}
		key.outerTarget = netip.Addr{}
	}
	if one := s.pods.count(key, key.ofPair()); one != nil {
		*one = p.leak(link, f, d)
	}
}

// leak describes the first packet of its kind.
func (p *podHeader) leak(link string, f *Frame, d *dissection) evidence.Sighting {
	one := evidence.Sighting{
		Link: link, Count: 1, Direction: f.Direction, Source: p.source, Target: p.target, Family: p.family, Protocol: p.protocol,
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
