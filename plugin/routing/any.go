package routing

import "net/netip"

// Any returns where the entries lead that can answer for an address of a range,
// whichever rules apply to a packet; false if that is not known. It says less
// than Ways, of more rules than can be followed.
func (p *Plan) Any(to netip.Prefix) (ways []Way, all bool) {
	seen := map[int]bool{}
	for i := range p.rules {
		r := &p.rules[i]
		switch r.Action {
		case "nop", "goto", "blackhole", "unreachable", "prohibit":
			continue
		case "", "lookup":
		default:
			return nil, false
		}
		if r.L3MDev || r.Table == 0 {
			return nil, false
		}
		if seen[r.Table] {
			continue
		}
		seen[r.Table] = true
		found, whole := p.anyOf(p.tables[r.Table], Part{Prefix: to.Masked()})
		if !whole || len(ways) > maxSteps {
			return nil, false
		}
		ways = append(ways, found...)
	}
	return ways, !p.tooMany
}

// anyOf is Any of one table: for each piece of a part the entries from the longest
// destination down to the first that is for all packets.
func (p *Plan) anyOf(t *table, part Part) (ways []Way, whole bool) {
	pieces, whole := t.split(part, maxWays)
	for _, piece := range pieces {
		for _, to := range t.covering(piece.Prefix) {
			last := false
			for _, e := range t.at[to] {
				if way := p.leads(e); e.Type != "throw" {
					way.To = piece
					ways = append(ways, way)
				}
				last = last || !narrows(e)
			}
			if last {
				break
			}
		}
	}
	return ways, whole
}
