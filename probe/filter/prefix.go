//go:build linux

package filter

import (
	"bytes"
	"net/netip"
)

// prefixesBetween returns the prefixes that cover exactly the addresses from
// first to last; of more than maxAlternatives the first ones.
func prefixesBetween(first, last netip.Addr) (list []netip.Prefix) {
	for first.IsValid() && first.BitLen() == last.BitLen() && !last.Less(first) && len(list) <= maxAlternatives {
		bits := first.BitLen()
		for bits > 0 {
			wider := netip.PrefixFrom(first, bits-1)
			if wider.Masked().Addr() != first || last.Less(lastOf(wider)) {
				break
			}
			bits--
		}
		prefix := netip.PrefixFrom(first, bits)
		list = append(list, prefix)
		first = lastOf(prefix).Next()
	}
	return list
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	octets := p.Addr().AsSlice()
	for i := range octets {
		if free := 8*(i+1) - p.Bits(); free > 0 {
			octets[i] |= 0xff >> max(8-free, 0)
		}
	}
	addr, _ := netip.AddrFromSlice(octets)
	return addr
}

// maskBits returns the length of a netmask, or false if it has holes.
func maskBits(mask []byte) (int, bool) {
	bits := 0
	for bits < 8*len(mask) && mask[bits/8]&(0x80>>(bits%8)) != 0 {
		bits++
	}
	want := make([]byte, len(mask))
	for i := range bits {
		want[i/8] |= 0x80 >> (i % 8)
	}
	return bits, bytes.Equal(mask, want)
}
