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
	header := f.Data[p.at:]
	if p.family == 4 {
		one.InnerSource = netip.AddrFrom4([4]byte(header[12:]))
		one.InnerTarget = netip.AddrFrom4([4]byte(header[16:]))
	} else {
		one.InnerSource = netip.AddrFrom16([16]byte(header[8:]))
		one.InnerTarget = netip.AddrFrom16([16]byte(header[24:]))
	}
	end := d.headers
	if p.transport > 0 {
		end = max(end, p.transport)
		if ported(p.protocol) && len(f.Data) >= p.transport+4 {
			one.SourcePort = binary.BigEndian.Uint16(f.Data[p.transport:])
			one.TargetPort = binary.BigEndian.Uint16(f.Data[p.transport+2:])
			end = max(end, p.transport+4)
		}
	}
	one.Sample = bytes.Clone(f.Data[:min(end, maxSample, len(f.Data))])
	return one
}

// ported reports whether headers of a protocol begin with two ports.
func ported(protocol uint8) bool {
	switch protocol {
	case protoTCP, protoUDP, protoDCCP, protoSCTP, protoUDPLite:
		return true
	}
	return false
}
