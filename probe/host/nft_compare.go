//go:build linux

package host

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

func (m *nftMachine) compare(e nftExpression) {
	r, data := m.registers[e.number(unix.NFTA_CMP_SREG)], e.value(unix.NFTA_CMP_DATA)
	op := e.number(unix.NFTA_CMP_OP)
	if op != unix.NFT_CMP_EQ && op != unix.NFT_CMP_NEQ {
		m.order(r, op, data)
		return
	}
	m.equal(r, data, op == unix.NFT_CMP_NEQ)
}

// order reads <, <=, > and >=, which are understood of ports and addresses.
func (m *nftMachine) order(r register, op uint32, data []byte) {
	if r.mask == nil && (r.field == fieldSource || r.field == fieldTarget) && len(data) == r.size {
		low, high := make([]byte, r.size), bytes.Repeat([]byte{0xff}, r.size)
		switch op {
		case unix.NFT_CMP_LTE:
			m.networks(r, [][2][]byte{{low, data}}, false)
			return
		case unix.NFT_CMP_GTE:
			m.networks(r, [][2][]byte{{data, high}}, false)
			return
		}
	}
	if len(data) != 2 || r.mask != nil || r.field != fieldSourcePort && r.field != fieldTargetPort {
		m.condition.other("a comparison by order")
		return
	}
	n := int(binary.BigEndian.Uint16(data))
	first, last := 0, 65535
	switch op {
	case unix.NFT_CMP_LT:
		last = n - 1
	case unix.NFT_CMP_LTE:
		last = n
	case unix.NFT_CMP_GT:
		first = n + 1
	case unix.NFT_CMP_GTE:
		first = n
	}
	if first > last {
		m.condition.never = true
		return
	}
	m.portsOf(r.field, []span{{uint16(first), uint16(last)}}, false)
}

func (m *nftMachine) portsOf(f field, spans []span, negated bool) {
	if f == fieldSourcePort {
		m.condition.sources(spans, negated)
	} else {
		m.condition.targets(spans, negated)
	}
}

// equal reads == and !=.
func (m *nftMachine) equal(r register, data []byte, negated bool) {
	c := &m.condition
	plain := r.mask == nil
	switch {
	case r.field == fieldMark && len(data) >= 4 && (plain || bytes.Equal(r.xor, make([]byte, len(r.xor)))):
		mask := uint32(0xffffffff)
		if !plain {
			mask = native.Uint32(r.mask)
		}
		c.mark(native.Uint32(data), mask, negated)
	case r.field == fieldSource || r.field == fieldTarget:
		m.network(r, data, negated)
	case r.field == fieldTOS && !plain && len(data) == 1 && r.mask[0] == 0xfc:
		c.dscp([]uint8{data[0] >> 2}, negated)
	case r.field == fieldTraffic && !plain && len(data) == 2 && r.mask[0] == 0x0f && r.mask[1] == 0xc0:
		c.dscp([]uint8{uint8(binary.BigEndian.Uint16(data) >> 6)}, negated)
	case !plain:
		c.other("a part of a field")
	default:
		m.single(r, data, negated)
	}
}

// network reads the comparison of an address, or of its first bits.
func (m *nftMachine) network(r register, data []byte, negated bool) {
	prefix, ok := networkOf(r, data)
	switch {
	case !ok:
		m.condition.other("a part of an address")
	case r.field == fieldSource:
		m.condition.from([]netip.Prefix{prefix}, negated)
	default:
		m.condition.to([]netip.Prefix{prefix}, negated)
	}
	if ok && !negated {
		m.condition.of(r.family)
	}
}

// networkOf is the prefix that a comparison means. nft loads fewer bytes for
// prefixes of whole bytes.
func networkOf(r register, data []byte) (netip.Prefix, bool) {
	length := map[int]int{4: 4, 6: 16}[r.family]
	if len(data) < r.size || r.size > length || length == 0 {
		return netip.Prefix{}, false
	}
	bits := 8 * r.size
	if r.mask != nil {
		ones, ok := maskBits(r.mask[:r.size])
		if !ok {
			return netip.Prefix{}, false
		}
		bits = ones
	}
	full := make([]byte, length)
	copy(full, data[:r.size])
	addr, _ := netip.AddrFromSlice(full)
	return netip.PrefixFrom(addr, bits).Masked(), true
}

// single reads the comparison of a whole field but an address.
func (m *nftMachine) single(r register, data []byte, negated bool) {
	c := &m.condition
	switch {
	case (r.field == fieldSourcePort || r.field == fieldTargetPort) && len(data) == 2:
		port := binary.BigEndian.Uint16(data)
		m.portsOf(r.field, []span{{port, port}}, negated)
	case r.field == fieldProtocol && len(data) == 1:
		c.protocols([]uint8{data[0]}, negated)
	case r.field == fieldInName:
		c.in([]string{nameOf(data)}, negated)
	case r.field == fieldOutName:
		c.out([]string{nameOf(data)}, negated)
	case r.field == fieldInIndex && len(data) >= 4:
		c.in([]string{m.link(native.Uint32(data))}, negated)
	case r.field == fieldOutIndex && len(data) >= 4:
		c.out([]string{m.link(native.Uint32(data))}, negated)
	case (r.field == fieldSourceType || r.field == fieldTargetType) && len(data) >= 4 && native.Uint32(data) < 16:
		of := map[field]string{fieldSourceType: "saddr", fieldTargetType: "daddr"}[r.field]
		c.other("%s", typeCondition(of, 1<<native.Uint32(data), negated))
	case (r.field == fieldFamily || r.field == fieldEtherType) && !negated && familyNamed(r.field, data) != 0:
		c.of(familyNamed(r.field, data))
	default:
		c.other("a condition that is not read")
	}
}

// familyNamed returns 4 or 6 for an NFPROTO or an Ethernet type, 0 for any other.
func familyNamed(f field, data []byte) int {
	switch {
	case f == fieldFamily && len(data) == 1:
		return map[uint8]int{unix.NFPROTO_IPV4: 4, unix.NFPROTO_IPV6: 6}[data[0]]
	case f == fieldEtherType && len(data) == 2:
		return map[uint16]int{unix.ETH_P_IP: 4, unix.ETH_P_IPV6: 6}[binary.BigEndian.Uint16(data)]
	}
	return 0
}

// nameOf reads a link's name; one that does not end is the beginning of a name.
func nameOf(data []byte) string {
	name, _, ended := bytes.Cut(data, []byte{0})
	if !ended {
		return string(name) + "*"
	}
	return string(name)
}

func (m *nftMachine) between(e nftExpression) {
	r := m.registers[e.number(unix.NFTA_RANGE_SREG)]
	negated := e.number(unix.NFTA_RANGE_OP) == unix.NFT_RANGE_NEQ
	first, last := e.value(unix.NFTA_RANGE_FROM_DATA), e.value(unix.NFTA_RANGE_TO_DATA)
	m.any(r, [][2][]byte{{first, last}}, negated)
}

// any reads that a field is in one of some ranges of values.
func (m *nftMachine) any(r register, values [][2][]byte, negated bool) {
	c := &m.condition
	if r.mask != nil || len(values) > maxElements {
		c.other("a part of a field in a set of %d", len(values))
		return
	}
	switch r.field {
	case fieldSourcePort, fieldTargetPort:
		var spans []span
		for _, v := range values {
			if len(v[0]) != 2 || len(v[1]) != 2 {
				c.other("a set of something else")
				return
			}
			spans = append(spans, span{binary.BigEndian.Uint16(v[0]), binary.BigEndian.Uint16(v[1])})
		}
		m.portsOf(r.field, spans, negated)
	case fieldSource, fieldTarget:
		m.networks(r, values, negated)
	default:
		m.names(r, values, negated)
	}
}

func (m *nftMachine) networks(r register, values [][2][]byte, negated bool) {
	list := []netip.Prefix{}
	for _, v := range values {
		first, ok := netip.AddrFromSlice(v[0])
		last, alsoOk := netip.AddrFromSlice(v[1])
		if !ok || !alsoOk || len(v[0]) != r.size {
			m.condition.other("addresses in a set of something else")
			return
		}
		list = append(list, prefixesBetween(first, last)...)
		if len(list) > maxAlternatives {
			m.condition.other("addresses in a set of %d ranges", len(values))
			return
		}
	}
	if r.field == fieldSource {
		m.condition.from(list, negated)
	} else {
		m.condition.to(list, negated)
	}
	if !negated {
		m.condition.of(r.family)
	}
}

// names reads fields whose values have no order: each range is one value.
func (m *nftMachine) names(r register, values [][2][]byte, negated bool) {
	var numbers []uint8
	var names []string
	for _, v := range values {
		switch {
		case !bytes.Equal(v[0], v[1]):
			m.condition.other("a range of something else")
			return
		case r.field == fieldProtocol && len(v[0]) == 1:
			numbers = append(numbers, v[0][0])
		case (r.field == fieldInName || r.field == fieldOutName) && len(v[0]) == 16:
			names = append(names, nameOf(append(bytes.Clone(v[0]), 0)))
		case (r.field == fieldInIndex || r.field == fieldOutIndex) && len(v[0]) == 4:
			names = append(names, m.link(native.Uint32(v[0])))
		default:
			m.condition.other("a set of something else")
			return
		}
	}
	switch r.field {
	case fieldProtocol:
		m.condition.protocols(numbers, negated)
	case fieldInName, fieldInIndex:
		m.condition.in(names, negated)
	case fieldOutName, fieldOutIndex:
		m.condition.out(names, negated)
	default:
		m.condition.other("a set")
	}
}
