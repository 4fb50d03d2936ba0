package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// flows finds IPv4 and IPv6 headers from a test pod to one of another node, at
// any offset: the two addresses side by side, behind what a header has there.
// Addresses alone, as in a record of flows, are not a packet. A search costs a few
// passes of the processor's byte search where the pods' addresses have bytes
// in common, as those of one cluster range have, and never depends on the
// number of pairs.
type flows struct {
	v4 family
	v6 family
}

// family is the test pods' addresses of one family.
type family struct {
	size  int                  // bytes of an address: 4 or 16
	nodes map[[16]byte]int     // address, padded with zeros, to node index
	sieve [1 << 16 / 64]uint64 // of hashes of an address's last four bytes
	// column is the byte of an address with the fewest different values, and
	// values are those; more than maxColumn of them are not worth a pass each.
	column int
	values []byte
}

const maxColumn = 3

func newFlows(pods []evidence.PodAddress) *flows {
	f := &flows{
		v4: family{size: 4, nodes: map[[16]byte]int{}},
		v6: family{size: 16, nodes: map[[16]byte]int{}},
	}
	for _, pod := range pods {
		for _, addr := range pod.IPs {
			f.add(addr.Unmap(), pod.Index)
		}
	}
	f.v4.pick()
	f.v6.pick()
	return f
}

// has reports whether an address is a test pod's.
func (f *flows) has(a netip.Addr) bool {
	family := &f.v6
	if a.Is4() {
		family = &f.v4
	}
	var key [16]byte
	copy(key[:], a.AsSlice())
	_, known := family.nodes[key]
	return known
}

func (f *flows) add(addr netip.Addr, node int) {
	switch {
	case addr.Is4():
		a := addr.As4()
		f.v4.add(a[:], node)
	case addr.Is6():
		a := addr.As16()
		f.v6.add(a[:], node)
	}
}

func (f *family) add(addr []byte, node int) {
	var key [16]byte
	copy(key[:], addr)
	f.nodes[key] = node
	h := sieveHash(addr[f.size-4:])
	f.sieve[h/64] |= 1 << (h % 64)
}

// pick chooses the column to search by.
func (f *family) pick() {
	best := 257
	for column := range f.size {
		var seen [4]uint64
		for addr := range f.nodes {
			seen[addr[column]/64] |= 1 << (addr[column] % 64)
		}
		n := 0
		for _, word := range seen {
			n += bits.OnesCount64(word)
		}
		// A zero is the most frequent byte of all: not a good column, if there is
		// another one.
		if seen[0]&1 != 0 {
			n += 64
		}
		if n <= best {
			best = n
			f.column = column
			f.values = nil
			for value := range 256 {
				if seen[value/64]&(1<<(value%64)) != 0 {
					f.values = append(f.values, byte(value))
				}
			}
		}
	}
}

func sieveHash(b []byte) uint32 {
	return binary.BigEndian.Uint32(b) * 0x9e3779b1 >> 16
}

// flow is a pod-to-pod flow found in a frame.
type flow struct {
	source, target int // node indexes
	family         int // 4 or 6
	at             int // offset of the source address
}

// find returns the first flow in b.
func (f *flows) find(b []byte) (flow, bool) {
	found, ok := f.v4.find(b)
	if other, also := f.v6.find(b); also && (!ok || other.at < found.at) {
		return other, true
	}
	return found, ok
}

func (f *family) find(b []byte) (flow, bool) {
	last := len(b) - 2*f.size // the last offset that has room
	if len(f.nodes) < 2 || last < 0 {
		return flow{}, false
	}
	if len(f.values) > maxColumn {
		return f.findEach(b, last)
	}
	var found flow
	ok := false
	for _, value := range f.values {
		for at := f.before(); at <= last; at++ {
			next := bytes.IndexByte(b[at+f.column:last+f.column+1], value)
			if next < 0 {
				break
			}
			at += next
			if len(f.values) == 1 && b[at+f.size+f.column] != value {
				continue // the target's address has that byte too
			}
			if hit, is := f.check(b, at); is {
				found = hit
				ok = true
				last = at - 1
				break
			}
		}
	}
	return found, ok
}

// before is how many bytes of a header stand before its addresses.
func (f *family) before() int {
	if f.size == 4 {
		return sourceAt4
	}
	return sourceAt6
}

// findEach looks at every offset, for addresses that have nothing in common.
func (f *family) findEach(b []byte, last int) (flow, bool) {
	for at := f.before(); at <= last; at++ {
		if hit, ok := f.check(b, at); ok {
			return hit, true
		}
	}
	return flow{}, false
}

// check reports whether a flow stands at b[at:], which has room for one.
func (f *family) check(b []byte, at int) (flow, bool) {
	h := sieveHash(b[at+f.size-4:])
	if f.sieve[h/64]&(1<<(h%64)) == 0 {
		return flow{}, false
	}
	h = sieveHash(b[at+2*f.size-4:])
	if f.sieve[h/64]&(1<<(h%64)) == 0 {
		return flow{}, false
	}
	var source, target [16]byte
	copy(source[:], b[at:at+f.size])
	copy(target[:], b[at+f.size:at+2*f.size])
	from, ok := f.nodes[source]
	if !ok {
		return flow{}, false
	}
	to, ok := f.nodes[target]
	if !ok || from == to {
		return flow{}, false
	}
	if f.size == 4 {
		return flow{source: from, target: to, family: 4, at: at}, header4(b, at-sourceAt4)
	}
	return flow{source: from, target: to, family: 6, at: at}, header6(b, at-sourceAt6)
}
