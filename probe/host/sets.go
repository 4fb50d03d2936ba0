//go:build linux

package host

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// lookup reads a condition on the destination port by set, or a decision by
// verdict map, of which only the entries of the wanted ports matter.
func (r *readRule) lookup(elements []nftables.SetElement, e *expr.Lookup, wanted []uint16) {
	var spans []span
	slices.SortFunc(elements, func(a, b nftables.SetElement) int { return bytes.Compare(a.Key, b.Key) })
	intervals := slices.ContainsFunc(elements, func(e nftables.SetElement) bool { return e.IntervalEnd })
	for i, element := range elements {
		if len(element.Key) != 2 || element.IntervalEnd {
			continue
		}
		s := span{port(element.Key), port(element.Key)}
		switch {
		case intervals && i+1 < len(elements) && len(elements[i+1].Key) == 2:
			s.to = port(elements[i+1].Key) - 1
		case intervals:
			s.to = 65535
		}
		if e.IsDestRegSet {
			if !slices.ContainsFunc(wanted, func(p uint16) bool { return s.from <= p && p <= s.to }) {
				continue
			}
			if verdict, ok := mapped(element.Val); ok {
				defer r.verdict(verdict) // after the ports in the text
			}
		}
		spans = append(spans, s)
	}
	r.restrict(e.Invert, spans...)
}

// mapped reads a verdict map's value, which the library leaves as it is: the
// attributes NFTA_VERDICT_CODE and, for a jump, NFTA_VERDICT_CHAIN.
func mapped(value []byte) (*expr.Verdict, bool) {
	if len(value) < 8 {
		return nil, false
	}
	verdict := &expr.Verdict{Kind: expr.VerdictKind(int32(binary.BigEndian.Uint32(value[4:])))}
	if rest := value[8:]; len(rest) > 4 {
		verdict.Chain = string(bytes.TrimRight(rest[4:], "\x00"))
	}
	return verdict, true
}
