//go:build linux

package host

import (
	"bytes"
	"slices"

	"golang.org/x/sys/unix"
)

func (m *nftMachine) lookup(e nftExpression) {
	const inverted = 1 // NFT_LOOKUP_F_INV
	r, name := m.registers[e.number(unix.NFTA_LOOKUP_SREG)], e.text(unix.NFTA_LOOKUP_SET)
	set := m.set(name)
	to, mapped := e.has(unix.NFTA_LOOKUP_DREG)
	switch {
	case mapped && to == 0:
		m.decideBy(r, name, set)
	case mapped:
		m.condition.other("in map @%s", name)
		m.registers[to] = register{}
	case !set.whole || slices.ContainsFunc(set.elements, func(e nftElement) bool { return e.end != nil || e.any }):
		m.condition.other("in set @%s", name)
	default:
		m.any(r, set.ranges(), e.number(unix.NFTA_LOOKUP_FLAGS)&inverted != 0)
	}
}

// decideBy follows a verdict map: each of its chains with the condition on the key.
func (m *nftMachine) decideBy(r register, name string, set nftSet) {
	m.ends, m.hidden = true, true
	if !set.whole {
		m.does(unknownMark(0xffffffff, "verdict map @"+name+", which was not read whole"))
		return
	}
	before := m.condition.clone()
	ranges := set.ranges()
	for _, element := range set.elements {
		if !element.decides || element.stop || element.verdict.chain == "" {
			continue
		}
		m.condition = before.clone()
		at := slices.IndexFunc(ranges, func(v [2][]byte) bool { return bytes.Equal(v[0], element.key) })
		if at < 0 || element.end != nil || element.any {
			m.condition.other("by map @%s", name)
		} else {
			m.any(r, ranges[at:at+1], false)
		}
		m.decide(element.verdict, m.condition)
	}
	m.condition = before
}

// ranges are the values of a set, first and last.
func (s nftSet) ranges() (list [][2][]byte) {
	elements := slices.Clone(s.elements)
	slices.SortStableFunc(elements, func(a, b nftElement) int { return bytes.Compare(a.key, b.key) })
	for i, element := range elements {
		switch {
		case element.stop || element.any || len(element.key) == 0:
		case !s.intervals:
			list = append(list, [2][]byte{element.key, element.key})
		case i+1 < len(elements) && len(elements[i+1].key) == len(element.key):
			list = append(list, [2][]byte{element.key, before(elements[i+1].key)})
		default:
			list = append(list, [2][]byte{element.key, bytes.Repeat([]byte{0xff}, len(element.key))})
		}
	}
	return list
}

// before returns the value that is one less.
func before(value []byte) []byte {
	value = bytes.Clone(value)
	for i := len(value) - 1; i >= 0; i-- {
		value[i]--
		if value[i] != 0xff {
			break
		}
	}
	return value
}
