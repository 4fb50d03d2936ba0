package routing

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The kernel's own tables and the priorities of its own rules
// (linux/rtnetlink.h, net/ipv4/fib_rules.c fib_default_rules_init). IPv6 has no
// rule for the default table.
const (
	TableDefault = 253
	TableMain    = 254
	TableLocal   = 255
)

// table is one routing table by destination.
type table struct {
	at       map[netip.Prefix][]*evidence.Route // in the kernel's order of choice
	prefixes []netip.Prefix                     // sorted
	lengths  []int                              // of the prefixes, longest first
}

// newTables builds an index of entries of one family.
func newTables(entries []*evidence.Route, family int) map[int]*table {
	tables := map[int]*table{}
	for _, e := range entries {
		if !e.Destination.IsValid() || e.For.IsValid() || e.Destination.Addr().Is4() != (family == 4) {
			continue
		}
		t := tables[e.Table]
		if t == nil {
			t = &table{at: map[netip.Prefix][]*evidence.Route{}}
			tables[e.Table] = t
		}
		to := e.Destination.Masked()
		t.at[to] = append(t.at[to], e)
	}
	for _, t := range tables {
		t.sort()
	}
	return tables
}

// sort puts entries of one destination in the order in which the kernel tries
// them: those of a TOS first, those for fewer sources, then by metric
// (fib_insert_alias, fib_find_alias; fib6_lookup_1 of net/ipv6/ip6_fib.c).
func (t *table) sort() {
	for to, entries := range t.at {
		slices.SortStableFunc(entries, func(a, b *evidence.Route) int {
			return cmp.Or(-cmp.Compare(a.TOS, b.TOS), -cmp.Compare(a.From.Bits(), b.From.Bits()),
				cmp.Compare(a.Metric, b.Metric))
		})
		t.prefixes = append(t.prefixes, to)
		if !slices.Contains(t.lengths, to.Bits()) {
			t.lengths = append(t.lengths, to.Bits())
		}
	}
	slices.SortFunc(t.prefixes, netip.Prefix.Compare)
	slices.Sort(t.lengths)
	slices.Reverse(t.lengths)
}

// covering returns the destinations that cover a prefix, longest first.
func (t *table) covering(p netip.Prefix) (found []netip.Prefix) {
	for _, bits := range t.lengths {
		if bits > p.Bits() {
			continue
		}
		if to, err := p.Addr().Prefix(bits); err == nil && t.at[to] != nil {
			found = append(found, to)
		}
	}
	return found
}

// below returns the destinations inside of a prefix and smaller than it.
func (t *table) below(p netip.Prefix) []netip.Prefix {
	from, _ := slices.BinarySearchFunc(t.prefixes, p.Addr(), func(q netip.Prefix,
		a netip.Addr) int {
		return q.Addr().Compare(a)
	})
	to := from
	for to < len(t.prefixes) && p.Contains(t.prefixes[to].Addr()) {
		to++
	}
	return t.prefixes[from:to]
}

// split divides a part at the destinations inside of it: on each piece the same
// entries apply to every address. It returns nil if no entry applies to any of
// it, and false if there would be more pieces than are allowed.
func (t *table) split(p Part, limit int) (pieces []Part, whole bool) {
	if t == nil {
		return nil, true
	}
	rest := p
	inner := t.below(p.Masked())
	if len(inner) > limit {
		return nil, false
	}
	for _, to := range slices.Backward(inner) { // what is inside of another comes first
		if to.Bits() <= p.Bits() {
			continue
		}
		piece, found := rest.inside(to)
		if !found {
			continue
		}
		pieces = append(pieces, piece)
		outside, some := rest.outside(to)
		if !some {
			return pieces, true
		}
		rest = outside
	}
	if len(pieces) == 0 && len(t.covering(p.Masked())) == 0 {
		return nil, true
	}
	return append(pieces, rest), true
}
