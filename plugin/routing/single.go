package routing

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Single returns the entry that answers for every packet to every address of a
// range, nil if that is not seen at once. It is Ways for the many nodes whose
// rules distinguish no packets.
func (p *Plan) Single(to netip.Prefix) *evidence.Route {
	if !p.single {
		return nil
	}
	for i := range p.rules {
		t := p.tables[p.rules[i].Table]
		if len(t.below(to)) > 0 && !t.only(to) {
			return nil
		}
		for _, bits := range t.lengths {
			if bits > to.Bits() {
				continue
			}
			at, err := to.Addr().Prefix(bits)
			if err != nil {
				return nil
			}
			entries := t.at[at]
			switch {
			case len(entries) == 0:
				continue
			case len(entries) > 1 || narrows(entries[0]) || refuses(entries[0]) || !p.plainly(entries[0]):
				return nil
			}
			return entries[0]
		}
	}
	return nil
}

// only reports whether the range itself is the only destination in it.
func (t *table) only(to netip.Prefix) bool {
	inner := t.below(to)
	return len(inner) == 1 && inner[0] == to
}

// treatsAllAlike reports whether the rules treat all packets alike: each looks them
// up in a table, and its answer counts.
func (p *Plan) treatsAllAlike() bool {
	for i := range p.rules {
		r := &p.rules[i]
		plainly := r.base == yes && !r.Not && !r.To.IsValid() && maskOf(r.Rule) == 0 && r.SuppressLength == nil &&
			r.SuppressGroup == nil
		if !plainly || r.Action != "" && r.Action != "lookup" || r.Table == 0 || p.tables[r.Table] == nil {
			return false
		}
	}
	return !p.tooMany
}
