package routing

import "net/netip"

// Narrows reports whether anything but its target decides over a packet's way.
func (p *Plan) Narrows() bool {
	for i := range p.rules {
		if r := &p.rules[i]; r.base == maybe || maskOf(r.Rule) != 0 {
			return true
		}
	}
	for _, t := range p.tables {
		for _, entries := range t.at {
			if narrows(entries[0]) {
				return true
			}
		}
	}
	return len(p.groups) > 0
}

// SampleOf returns a packet of UDP or TCP from one address to another that
// certainly takes a way; false if there is none.
func (p *Plan) SampleOf(way *Way, from, to netip.Addr) (Packet, bool) {
	if !way.To.Has(to) || !within(from, p.host.Pods) {
		return Packet{}, false
	}
	t := p.usual
	for one := way.when; one != nil; one = one.next {
		p.widen(&t, one)
	}
	t.from = []netip.Addr{from}
	t.protocol = []uint8{protocolUDP, protocolTCP}
	t.tidy()
	found := *way
	found.Sample.To = to
	left := maxConditions
	met := p.try(&found, t, Selective, &left)
	return found.Sample, met == yes
}

// FixedSource returns the source port that the packet must have, 0 if it may
// have any.
func (p *Packet) FixedSource() uint16 {
	if p.Source == usualSource {
		return 0
	}
	return p.Source
}

// FixedTarget is the same of its target port.
func (p *Packet) FixedTarget() uint16 {
	if p.Target == usualTarget {
		return 0
	}
	return p.Target
}
