//go:build linux

package filter

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// notRead is the condition that a comparison is which is not understood.
const notRead = "a condition that is not read"

// compare reads ==, !=, <, <=, > and >=.
func (r *reading) compare(e expression) {
	from := r.registers[e.Big(unix.NFTA_CMP_SREG)]
	data := dataOf(e.Attributes, unix.NFTA_CMP_DATA)
	last := bytes.Repeat([]byte{0xff}, len(data))
	first := make([]byte, len(data))
	switch e.Big(unix.NFTA_CMP_OP) {
	case unix.NFT_CMP_EQ:
		r.equal(from, data, false)
		return
	case unix.NFT_CMP_NEQ:
		r.equal(from, data, true)
		return
	case unix.NFT_CMP_LT:
		r.condition.never = r.condition.never || bytes.Equal(data, first)
		last = step(data, -1)
	case unix.NFT_CMP_LTE:
		last = data
	case unix.NFT_CMP_GT:
		r.condition.never = r.condition.never || bytes.Equal(data, last)
		first = step(data, 1)
	case unix.NFT_CMP_GTE:
		first = data
	}
	r.among(from, []span{{first, last}}, false)
}

// equal reads the comparison with one value.
func (r *reading) equal(from register, data []byte, negated bool) {
	c := &r.condition
	masked := from.mask != nil
	flipped := masked && !bytes.Equal(from.xor, make([]byte, len(from.xor)))
	version := familyOf(from.field, data)
	switch {
	case from.field == fieldMark && len(data) >= 4 && !flipped:
		mask := uint32(0xffffffff)
		if masked {
			mask = native.Uint32(from.mask)
		}
		c.mark(native.Uint32(data), mask, negated)
	case from.field == fieldSource || from.field == fieldTarget:
		r.network(from, data, negated)
	case from.field == fieldTOS && masked && len(data) == 1 && from.mask[0] == 0xfc:
		c.dscp([]uint8{data[0] >> 2}, negated)
	case from.field == fieldTraffic && masked && len(data) == 2 && from.mask[0] == 0x0f && from.mask[1] == 0xc0:
		c.dscp([]uint8{uint8(binary.BigEndian.Uint16(data) >> 6)}, negated)
	case masked:
		c.other("a part of a field")
	case version != 0 && !negated:
		c.of(version)
	case from.field == fieldSourceType && len(data) >= 4 && native.Uint32(data) < 16:
		c.other("%s", typeCondition("saddr", 1<<native.Uint32(data), negated))
	case from.field == fieldTargetType && len(data) >= 4 && native.Uint32(data) < 16:
		c.other("%s", typeCondition("daddr", 1<<native.Uint32(data), negated))
	default:
		r.among(from, []span{{data, data}}, negated)
	}
}

// familyOf returns 4 or 6 for an NFPROTO or an Ethernet type, 0 for any other.
func familyOf(f field, data []byte) int {
	switch {
	case f == fieldFamily && len(data) == 1:
		return chainName{family: data[0]}.version()
	case f == fieldEtherType && len(data) == 2 && binary.BigEndian.Uint16(data) == unix.ETH_P_IP:
		return 4
	case f == fieldEtherType && len(data) == 2 && binary.BigEndian.Uint16(data) == unix.ETH_P_IPV6:
		return 6
	}
	return 0
}

// network reads the comparison of an address, or of its first bits: nft loads
// fewer bytes for prefixes of whole bytes.
func (r *reading) network(from register, data []byte, negated bool) {
	address := make([]byte, 4)
	if from.family == 6 {
		address = make([]byte, 16)
	}
	bits, whole := 8*from.size, true
	if len(data) < from.size || from.size > len(address) {
		whole = false
	} else if from.mask != nil {
		bits, whole = maskBits(from.mask[:from.size])
	}
	if !whole {
		r.condition.other("a part of an address")
		return
	}
	copy(address, data[:from.size])
	addr, _ := netip.AddrFromSlice(address)
	r.condition.addresses(from.field, []netip.Prefix{netip.PrefixFrom(addr, bits).Masked()}, negated)
	if !negated {
		r.condition.of(from.family)
	}
}

// among reads that a field is in one of some spans of values.
func (r *reading) among(from register, values []span, negated bool) {
	if from.mask != nil || len(values) > maxElements {
		r.condition.other("a part of a field in a set of %d", len(values))
		return
	}
	switch from.field {
	case fieldSourcePort, fieldTargetPort:
		r.portsAmong(from, values, negated)
	case fieldSource, fieldTarget:
		r.addressesAmong(from, values, negated)
	default:
		r.namesAmong(from, values, negated)
	}
}

func (r *reading) portsAmong(from register, values []span, negated bool) {
	var ports []evidence.Ports
	for _, v := range values {
		if len(v[0]) != 2 || len(v[1]) != 2 {
			r.condition.other(notRead)
			return
		}
		ports = append(ports, evidence.Ports{From: binary.BigEndian.Uint16(v[0]), To: binary.BigEndian.Uint16(v[1])})
	}
	r.condition.ports(from.field, ports, negated)
}

func (r *reading) addressesAmong(from register, values []span, negated bool) {
	list := []netip.Prefix{}
	for _, v := range values {
		first, ok := netip.AddrFromSlice(v[0])
		last, alsoOk := netip.AddrFromSlice(v[1])
		if !ok || !alsoOk || len(v[0]) != from.size {
			r.condition.other(notRead)
			return
		}
		list = append(list, prefixesBetween(first, last)...)
		if len(list) > maxAlternatives {
			r.condition.other("addresses in a set of %d ranges", len(values))
			return
		}
	}
	r.condition.addresses(from.field, list, negated)
	if !negated {
		r.condition.of(from.family)
	}
}

// namesAmong reads fields whose values have no order: each span is one value.
func (r *reading) namesAmong(from register, values []span, negated bool) {
	var numbers []uint8
	var names []string
	for _, v := range values {
		switch {
		case !bytes.Equal(v[0], v[1]):
			r.condition.other(notRead)
			return
		case from.field == fieldProtocol && len(v[0]) == 1:
			numbers = append(numbers, v[0][0])
		case from.field == fieldIn || from.field == fieldOut:
			names = append(names, nameOf(v[0]))
		case (from.field == fieldInIndex || from.field == fieldOutIndex) && len(v[0]) == 4:
			names = append(names, r.link(native.Uint32(v[0])))
		default:
			r.condition.other(notRead)
			return
		}
	}
	switch from.field {
	case fieldProtocol:
		r.condition.protocols(numbers, negated)
	case fieldIn, fieldInIndex:
		r.condition.links(fieldIn, names, negated)
	case fieldOut, fieldOutIndex:
		r.condition.links(fieldOut, names, negated)
	default:
		r.condition.other(notRead)
	}
}
