package wire

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Picker picks frames for a live capture by what they are, and says how much of
// each may be shown. What is a WireGuard message and what a leak is decided as
// LinkStats does. Its links may be fed by one goroutine each at the same time.
type Picker struct {
	settings *settings
	request  evidence.LiveRequest
	without  []uint16
}

// NewPicker returns a picker for a request. Its subject needs the ports, the
// ranges and this host's own addresses; the test pods do not matter.
func NewPicker(subject Subject, request evidence.LiveRequest) (*Picker, error) {
	s, err := newSettings(subject)
	if err != nil {
		return nil, err
	}
	return &Picker{settings: s, request: request, without: request.Without}, nil
}

// LinkPicker picks frames of one link.
type LinkPicker struct {
	*Picker
	name  string
	wire  bool // it leaves the host
	pipe  bool // see LinkStats.Pipe
	parts dissection
}

// Link returns a picker for one link. Pipe says that it is one end of a pipe,
// see LinkStats.Pipe.
func (p *Picker) Link(name string, role evidence.LinkRole, pipe bool) *LinkPicker {
	outside := role != evidence.RoleWireGuard && role != evidence.RoleInside
	return &LinkPicker{Picker: p, name: name, wire: outside, pipe: pipe}
}

// Pick returns what is to be shown of a frame, and whether it is wanted at all.
// Nothing of f is kept.
func (l *LinkPicker) Pick(f Frame) (evidence.Frame, bool) {
	d := &l.parts
	dissect(d, &f, &l.settings.wireguard, l.settings.pods)
	leak := l.wire && l.settings.leaksPods(&f, d, l.pipe)
	if !l.wanted(&f, leak) {
		return evidence.Frame{}, false
	}
	picked := evidence.Frame{
		Link: l.name, Time: f.Time, Direction: f.Direction, Length: f.length(),
		RawIP: f.Header == RawIP, WireGuard: d.class == ClassWireGuard,
	}
	if leak {
		picked.Leak = &evidence.FrameLeak{Source: d.pods.source, Target: d.pods.target}
	}
	picked.Data = withTag(f.Data[:l.shown(&f)], &f)
	if f.Tagged && f.Header == Ethernet {
		picked.Length += tagSize
	}
	snap := l.request.Snap
	if snap <= 0 || snap > evidence.MaxFrameData {
		snap = evidence.MaxFrameData
	}
	picked.Data = picked.Data[:min(len(picked.Data), snap)]
	return picked, true
}

// wanted reports whether the request wants a frame, which was dissected.
func (l *LinkPicker) wanted(f *Frame, leak bool) bool {
	d := &l.parts
	if len(l.request.Ends) > 0 && !l.between(f) {
		return false
	}
	switch {
	case l.request.Pick == evidence.PickLeaks:
		return leak
	case l.request.Pick == evidence.PickWireGuard && l.wire:
		return d.wireguard
	}
	own := d.class == ClassTCP && (slices.Contains(l.without, d.sourcePort) || slices.Contains(l.without, d.targetPort))
	return !own
}

// between reports whether one of the request's ends sends the frame or gets it.
func (l *LinkPicker) between(f *Frame) bool {
	d := &l.parts
	addresses := []netip.Addr{d.source, d.target}
	if d.pods.found {
		source, target := d.pods.addresses(f.Data)
		addresses = append(addresses, source, target)
	}
	return slices.ContainsFunc(l.request.Ends, func(end netip.Prefix) bool {
		return slices.ContainsFunc(addresses, end.Contains)
	})
}

// arpSize is the length of an ARP message for IPv4 over Ethernet, RFC 826.
const arpSize = 28

// shown returns how many bytes of a frame may be shown: of a WireGuard message
// all, of other packets the headers, unless their payload was asked for.
func (l *LinkPicker) shown(f *Frame) int {
	end := headersEnd(f, &l.parts)
	switch l.parts.class {
	case ClassWireGuard:
		end = len(f.Data)
	case ClassARP:
		end += arpSize
	}
	if l.request.Payload {
		end = len(f.Data)
	}
	return min(end, len(f.Data))
}

// tagSize is the length of a VLAN tag in a frame, IEEE 802.1Q.
const tagSize = 4

// withTag returns a copy of how a frame begins, with the VLAN tag that the kernel
// took off.
func withTag(begin []byte, f *Frame) []byte {
	const addresses = 12
	if !f.Tagged || f.Header != Ethernet || len(begin) < addresses {
		return slices.Clone(begin)
	}
	tagged := append(make([]byte, 0, len(begin)+tagSize), begin[:addresses]...)
	tagged = binary.BigEndian.AppendUint16(tagged, etherVLAN)
	tagged = binary.BigEndian.AppendUint16(tagged, f.VLAN)
	return append(tagged, begin[addresses:]...)
}
