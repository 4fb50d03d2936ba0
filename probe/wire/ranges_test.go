package wire

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// slowly is what podRanges must find: the narrowest range that has the address,
// of equal ones the first.
func slowly(ranges []evidence.PodRange, a netip.Addr) int {
	node, bits := noNode, -1
	for _, r := range ranges {
		for _, p := range r.Prefixes {
			if r.Index >= 0 && p.IsValid() && p.Contains(a) && p.Bits() > bits {
				node, bits = r.Index, p.Bits()
			}
		}
	}
	return node
}

func TestRanges(t *testing.T) {
	whole := []evidence.PodRange{{Index: 3, Prefixes: prefixes("0.0.0.0/0", "::/0")},
		{Index: 4, Prefixes: prefixes("255.255.255.255/32", "0.0.0.0/32")}}
	for _, text := range []string{"0.0.0.0", "0.0.0.1", "255.255.255.254", "255.255.255.255", "::",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		a := netip.MustParseAddr(text)
		if got, want := newPodRanges(whole).of(a), slowly(whole, a); got != want {
			t.Errorf("%s is of node %d, want %d", a, got, want)
		}
	}
	random := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		var ranges []evidence.PodRange
		for node := range random.IntN(30) {
			v4 := netip.AddrFrom4([4]byte{10, byte(random.IntN(3)), byte(random.IntN(4)), byte(random.Uint32())})
			v6 := netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(random.IntN(4)), 15: byte(random.Uint32())})
			ranges = append(ranges, evidence.PodRange{Index: node, Prefixes: []netip.Prefix{
				netip.PrefixFrom(v4, 12+random.IntN(21)), netip.PrefixFrom(v6, 60+random.IntN(69))}})
		}
		found := newPodRanges(ranges)
		for range 200 {
			v4 := netip.AddrFrom4([4]byte{byte(9 + random.IntN(3)), byte(random.IntN(4)), byte(random.IntN(5)),
				byte(random.Uint32())})
			v6 := netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(random.IntN(5)), 15: byte(random.Uint32())})
			for _, a := range []netip.Addr{v4, v6} {
				if got, want := found.of(a), slowly(ranges, a); got != want {
					t.Fatalf("%s is of node %d, want %d in %v", a, got, want, ranges)
				}
			}
		}
	}
}

// FuzzRanges: of any ranges, an address is of the node that a plain search finds.
func FuzzRanges(f *testing.F) {
	f.Add([]byte{10, 42, 0, 0, 24, 10, 42, 1, 0, 24, 10, 42, 0, 7, 32, 0, 0, 0, 0, 0}, uint32(0x0a2a0007))
	f.Add([]byte{255, 255, 255, 255, 32, 255, 0, 0, 0, 8}, uint32(0xffffffff))
	f.Fuzz(func(t *testing.T, b []byte, address uint32) {
		var ranges []evidence.PodRange
		for i := 0; i+5 <= len(b) && i < 500; i += 5 {
			four := [4]byte(b[i:])
			sixteen := [16]byte{0: 0xfd, 12: four[0], 13: four[1], 14: four[2], 15: four[3]}
			bits := int(b[i+4]) % 33
			ranges = append(ranges, evidence.PodRange{Index: i / 5, Prefixes: []netip.Prefix{
				netip.PrefixFrom(netip.AddrFrom4(four), bits), netip.PrefixFrom(netip.AddrFrom16(sixteen), 96+bits)}})
		}
		found := newPodRanges(ranges)
		four := binary.BigEndian.AppendUint32(nil, address)
		for _, a := range []netip.Addr{
			netip.AddrFrom4([4]byte(four)), netip.AddrFrom16([16]byte{0: 0xfd, 12: four[0], 13: four[1], 14: four[2],
				15: four[3]}),
		} {
			if got, want := found.of(a), slowly(ranges, a); got != want {
				t.Errorf("%s is of node %d, want %d in %v", a, got, want, ranges)
			}
		}
	})
}
