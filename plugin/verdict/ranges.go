package verdict

import (
	"cmp"
	"net/netip"
	"slices"
)

// ranges finds lists of allowed IPs by the addresses in them. All peers of all
// nodes have their lists from the same few, one for each node in a healthy run.
type ranges struct {
	lists  *numbers[string, []netip.Prefix]
	of     map[netip.Prefix][]uint32 // lists that have the prefix
	sorted []netip.Prefix
	widths [129]bool // bits that occur
}

func newRanges(lists *numbers[string, []netip.Prefix]) *ranges {
	r := &ranges{lists: lists, of: map[netip.Prefix][]uint32{}}
	for i, list := range lists.values {
		for _, p := range list {
			p = p.Masked()
			if !p.IsValid() {
				continue
			}
			if r.of[p] == nil {
				r.sorted = append(r.sorted, p)
			}
			r.of[p] = append(r.of[p], uint32(i+1))
			r.widths[p.Bits()] = true
		}
	}
	slices.SortFunc(r.sorted, comparePrefixes)
	return r
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// bearing returns the lists with a prefix that holds the node's pod or overlaps
// a pod range of the node.
func (r *ranges) bearing(n *Node, family int) []uint32 {
	var lists []uint32
	around := func(p netip.Prefix) { // what holds p
		for bits := range p.Bits() + 1 {
			if r.widths[bits] {
				wider, _ := p.Addr().Prefix(bits)
				lists = append(lists, r.of[wider]...)
			}
		}
	}
	if ip := n.PodIP(family); ip.IsValid() {
		around(netip.PrefixFrom(ip, ip.BitLen()))
	}
	for _, podRange := range n.PodCIDRs {
		podRange = podRange.Masked()
		if !podRange.IsValid() {
			continue
		}
		around(podRange)
		first, _ := slices.BinarySearchFunc(r.sorted, podRange, comparePrefixes)
		for _, p := range r.sorted[first:] {
			if !podRange.Contains(p.Addr()) {
				break
			}
			lists = append(lists, r.of[p]...)
		}
	}
	slices.Sort(lists)
	return slices.Compact(lists)
}

// holders are the peers of one device by their lists of allowed IPs.
type holders struct {
	first []int32 // by list, the last peer with it, from 1
	next  []int32 // by peer, the next one with the same list, from 1
}

func newHolders(n *Node, device, lists int) holders {
	h := holders{first: make([]int32, lists+1), next: make([]int32, len(n.far))}
	for i := range n.far {
		if f := &n.far[i]; int(f.device) == device && f.flags&isPeer != 0 && f.allowed != 0 {
			h.next[i], h.first[f.allowed] = h.first[f.allowed], int32(i)+1
		}
	}
	return h
}

// holder returns the peer whose allowed IPs match the pod's address longest,
// as the kernel chooses it, -1 if none does, and the others that have a part of
// the node's pod ranges at least as specific.
func (c *Case) holder(h *holders, to *target) (best int32, rivals []int32) {
	best = -1
	bits := -1
	for _, list := range to.bearing {
		for at := h.first[list]; at != 0; at = h.next[at-1] {
			for _, p := range c.prefixes.value(list) {
				if p.Contains(to.ip) && (p.Bits() > bits || p.Bits() == bits && at-1 < best) {
					best, bits = at-1, p.Bits()
				}
			}
		}
	}
	for _, list := range to.bearing {
		for at := h.first[list]; at != 0; at = h.next[at-1] {
			if at-1 != best && c.takesPart(list, to.Node, bits) {
				rivals = append(rivals, at-1)
			}
		}
	}
	slices.Sort(rivals)
	return best, rivals
}

// takesPart says whether a list has a part of the node's pods, not less
// specific than bits.
func (c *Case) takesPart(list uint32, to *Node, bits int) bool {
	_, found := overlap(c.prefixes.value(list), to, bits)
	return found
}

func overlap(list []netip.Prefix, to *Node, bits int) (netip.Prefix, bool) {
	for _, allowed := range list {
		for _, podRange := range to.PodCIDRs {
			if allowed.Overlaps(podRange) && allowed.Bits() >= bits {
				return allowed, true
			}
		}
	}
	return netip.Prefix{}, false
}
