package graph

import (
	"net/netip"
	"slices"
)

// allowed finds the peers of one device by their allowed IPs.
type allowed struct {
	peers  map[netip.Prefix][]*Peer // in the order of Node.Peers
	sorted []netip.Prefix
	bits   [129]bool // prefix lengths that occur
}

func newAllowed(n *Node, device string) *allowed {
	a := &allowed{peers: map[netip.Prefix][]*Peer{}}
	for _, p := range n.Peers {
		if p.Device != device || !p.Configured {
			continue
		}
		for _, prefix := range p.AllowedIPs {
			prefix = prefix.Masked()
			if !prefix.IsValid() {
				continue
			}
			a.peers[prefix] = append(a.peers[prefix], p)
			a.bits[prefix.Bits()] = true
		}
	}
	for prefix := range a.peers {
		a.sorted = append(a.sorted, prefix)
	}
	slices.SortFunc(a.sorted, netip.Prefix.Compare)
	return a
}

// holder returns the peer whose allowed IPs match an address longest, as the
// kernel chooses it; nil if none does.
func (a *allowed) holder(ip netip.Addr) *Peer {
	if !ip.IsValid() {
		return nil
	}
	for bits := ip.BitLen(); bits >= 0; bits-- {
		if !a.bits[bits] {
			continue
		}
		prefix, _ := ip.Prefix(bits)
		if peers := a.peers[prefix]; len(peers) > 0 {
			return peers[0]
		}
	}
	return nil
}

// longest is the longest of a peer's allowed IPs that match an address, the zero
// Prefix if none does or there is no peer.
func (p *Peer) longest(ip netip.Addr) (longest netip.Prefix) {
	if p == nil {
		return longest
	}
	for _, prefix := range p.AllowedIPs {
		if prefix.Contains(ip) && (!longest.IsValid() || prefix.Bits() > longest.Bits()) {
			longest = prefix
		}
	}
	return longest
}

// noKey is the public key of nobody, all zero: no handshake with it succeeds. A
// network may move addresses to a peer of that key to take them away from another
// without a gap, and then remove it.
const noKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// rival returns the first other peer that has a part of some pod ranges, no less
// specific than what the holder has there; nil if none has. A single address of a
// range is none of a rival where nodes borrow such from each other.
func (a *allowed) rival(ranges []netip.Prefix, holder *Peer, borrows bool) (first *Peer) {
	for _, podRange := range ranges {
		podRange = podRange.Masked()
		a.overlapping(podRange, func(prefix netip.Prefix) {
			if borrows && prefix.IsSingleIP() && !podRange.IsSingleIP() {
				return
			}
			for _, p := range a.peers[prefix] {
				if p != holder && p.PublicKey != noKey && (first == nil || p.rank < first.rank) &&
					!holder.outdoes(prefix, podRange) {
					first = p
				}
			}
		})
	}
	return first
}

// outdoes reports whether the kernel prefers what a peer has of a range to a prefix
// that overlaps the range.
func (p *Peer) outdoes(prefix, podRange netip.Prefix) bool {
	if p == nil {
		return false
	}
	part := podRange
	if prefix.Bits() > part.Bits() {
		part = prefix
	}
	return slices.ContainsFunc(p.AllowedIPs, func(own netip.Prefix) bool {
		return own.Bits() > prefix.Bits() && own.Bits() <= part.Bits() && own.Contains(part.Addr())
	})
}

// overlapping calls do with every allowed prefix that overlaps a range, which is
// none for a range that is not valid.
func (a *allowed) overlapping(podRange netip.Prefix, do func(netip.Prefix)) {
	for bits := range podRange.Bits() {
		if a.bits[bits] {
			wider, _ := podRange.Addr().Prefix(bits)
			do(wider)
		}
	}
	first, _ := slices.BinarySearchFunc(a.sorted, podRange, netip.Prefix.Compare)
	for _, prefix := range a.sorted[first:] {
		if !podRange.Contains(prefix.Addr()) {
			break
		}
		do(prefix)
	}
}

// Part is the first of a peer's allowed IPs that overlaps one of some pod ranges,
// where the holder has nothing more specific; the zero Prefix if none does.
func (p *PeerConfig) Part(ranges []netip.Prefix, holder *Peer) netip.Prefix {
	for _, prefix := range p.AllowedIPs {
		for _, podRange := range ranges {
			if prefix.Overlaps(podRange) && !holder.outdoes(prefix, podRange) {
				return prefix
			}
		}
	}
	return netip.Prefix{}
}
