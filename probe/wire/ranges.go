package wire

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// noNode is the node of an address that is in no pod range.
const noNode = -1

// podRanges finds the node whose pod range has an address. Of ranges that lie
// in each other the narrowest counts, of equal ones the first. nil has none.
type podRanges struct {
	v4 spans4
	v6 []span
}

// span is a row of addresses of one node's pods.
type span struct {
	first, last netip.Addr
	node        int
}

// spans4 are the spans of IPv4, sorted, as numbers: this lookup is made for
// each frame.
type spans4 struct {
	first, last []uint32
	node        []int
}

func newPodRanges(ranges []evidence.PodRange) *podRanges {
	var prefixes [2][]nodePrefix // by family
	for _, r := range ranges {
		for _, prefix := range r.Prefixes {
			if !prefix.IsValid() || r.Index < 0 {
				continue
			}
			prefix = prefix.Masked()
			family := 0
			if prefix.Addr().Is6() {
				family = 1
			}
			prefixes[family] = append(prefixes[family], nodePrefix{prefix, r.Index})
		}
	}
	if len(prefixes[0])+len(prefixes[1]) == 0 {
		return nil
	}
	p := &podRanges{v6: flatten(prefixes[1])}
	for _, s := range flatten(prefixes[0]) {
		p.v4.first = append(p.v4.first, number4(s.first))
		p.v4.last = append(p.v4.last, number4(s.last))
		p.v4.node = append(p.v4.node, s.node)
	}
	return p
}

func number4(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

type nodePrefix struct {
	netip.Prefix
	node int
}

// last returns the last address of the prefix.
func (p nodePrefix) last() netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// flatten turns prefixes of one family, which lie in each other or apart, into
// spans that do not overlap.
func flatten(prefixes []nodePrefix) []span {
	slices.SortStableFunc(prefixes, func(a, b nodePrefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	prefixes = slices.CompactFunc(prefixes, func(a, b nodePrefix) bool { return a.Prefix == b.Prefix })
	f := flattening{}
	for _, p := range prefixes {
		for len(f.open) > 0 && !f.top().Contains(p.Addr()) {
			f.close()
		}
		if len(f.open) > 0 && f.next.Less(p.Addr()) {
			f.spans = append(f.spans, span{f.next, p.Addr().Prev(), f.top().node})
		}
		f.open = append(f.open, p)
		f.next = p.Addr()
	}
	for len(f.open) > 0 {
		f.close()
	}
	return f.spans
}

type flattening struct {
	open  []nodePrefix // each lies in the one before
	next  netip.Addr   // the first address that no span has yet; invalid behind the last of all
	spans []span
}

func (f *flattening) top() nodePrefix { return f.open[len(f.open)-1] }

// close ends the innermost prefix.
func (f *flattening) close() {
	top := f.top()
	f.open = f.open[:len(f.open)-1]
	last := top.last()
	if f.next.IsValid() && !last.Less(f.next) {
		f.spans = append(f.spans, span{f.next, last, top.node})
		f.next = last.Next()
	}
}

// node returns the node whose pods have the address, noNode if none has.
func (s *spans4) node4(a uint32) int {
	low, high := 0, len(s.first)
	if high == 0 || a < s.first[0] || a > s.last[high-1] {
		return noNode
	}
	for high-low > 1 {
		middle := int(uint(low+high) >> 1)
		if s.first[middle] <= a {
			low = middle
		} else {
			high = middle
		}
	}
	if a > s.last[low] {
		return noNode
	}
	return s.node[low]
}

func (p *podRanges) node6(a netip.Addr) int {
	if len(p.v6) == 0 || a.Less(p.v6[0].first) || p.v6[len(p.v6)-1].last.Less(a) {
		return noNode
	}
	at, found := slices.BinarySearchFunc(p.v6, a, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	if !found {
		at--
	}
	if p.v6[at].last.Less(a) {
		return noNode
	}
	return p.v6[at].node
}

// of returns the node whose pods have the address, noNode if none has.
func (p *podRanges) of(a netip.Addr) int {
	switch {
	case p == nil || !a.IsValid():
		return noNode
	case a.Is4():
		return p.v4.node4(number4(a))
	}
	return p.node6(a)
}

// between4 returns the nodes of the addresses of an IPv4 header, and whether
// they are two.
func (p *podRanges) between4(header []byte) (source, target int, two bool) {
	source = p.v4.node4(binary.BigEndian.Uint32(header[12:]))
	if source == noNode {
		return noNode, noNode, false
	}
	target = p.v4.node4(binary.BigEndian.Uint32(header[16:]))
	return source, target, target != noNode && target != source
}

// between6 is between4 for an IPv6 header.
func (p *podRanges) between6(header []byte) (source, target int, two bool) {
	if len(p.v6) == 0 {
		return noNode, noNode, false
	}
	source = p.node6(netip.AddrFrom16([16]byte(header[8:])))
	if source == noNode {
		return noNode, noNode, false
	}
	target = p.node6(netip.AddrFrom16([16]byte(header[24:])))
	return source, target, target != noNode && target != source
}
