package routing

import (
	"net/netip"
	"slices"
)

// Part is a part of a range of addresses: a prefix without some prefixes
// inside of it.
type Part struct {
	netip.Prefix
	Except []netip.Prefix // none overlaps another
}

// Has reports whether an address is in the part.
func (p *Part) Has(addr netip.Addr) bool { return p.Contains(addr) && !within(addr, p.Except) }

// any returns an address of the part, the wanted one if it is in it; false if
// the part is empty.
func (p *Part) any(wanted netip.Addr) (netip.Addr, bool) {
	if wanted.IsValid() && p.Has(wanted) {
		return wanted, true
	}
	at := p.Masked().Addr()
	if len(p.Except) > 1 {
		slices.SortFunc(p.Except, netip.Prefix.Compare)
	}
	for _, hole := range p.Except {
		if hole.Contains(at) {
			at = last(hole).Next()
		}
	}
	return at, at.IsValid() && p.Contains(at)
}

// last returns the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	host := p.Addr().BitLen() - p.Bits()
	for i := 15; host > 0; i, host = i-1, host-8 {
		b[i] |= byte(1<<min(host, 8) - 1)
	}
	if p.Addr().Is4() {
		return netip.AddrFrom16(b).Unmap()
	}
	return netip.AddrFrom16(b)
}

// inside returns what of the part is in a prefix; false if nothing is.
func (p *Part) inside(prefix netip.Prefix) (Part, bool) {
	switch {
	case !p.Overlaps(prefix):
		return Part{}, false
	case prefix.Bits() <= p.Bits():
		return *p, true
	}
	found := Part{Prefix: prefix.Masked()}
	for _, hole := range p.Except {
		switch {
		case !hole.Overlaps(prefix):
		case hole.Bits() <= prefix.Bits():
			return Part{}, false
		default:
			found.Except = append(found.Except, hole)
		}
	}
	_, some := found.any(netip.Addr{})
	return found, some
}

// outside returns what of the part is not in a prefix; false if nothing is.
func (p *Part) outside(prefix netip.Prefix) (Part, bool) {
	switch {
	case !p.Overlaps(prefix):
		return *p, true
	case prefix.Bits() <= p.Bits():
		return Part{}, false
	}
	found := Part{Prefix: p.Prefix, Except: []netip.Prefix{prefix.Masked()}}
	for _, hole := range p.Except {
		switch {
		case !hole.Overlaps(prefix):
			found.Except = append(found.Except, hole)
		case hole.Bits() <= prefix.Bits():
			return *p, true // it was not in the part before
		}
	}
	_, some := found.any(netip.Addr{})
	return found, some
}

func (p *Part) String() string {
	text := p.Prefix.String()
	if p.IsSingleIP() {
		text = p.Addr().String()
	}
	for i, hole := range p.Except {
		switch i {
		case 0:
			text += " except " + hole.String()
		case 3:
			return text + ", …"
		default:
			text += ", " + hole.String()
		}
	}
	return text
}
