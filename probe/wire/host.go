package wire

import "net/netip"

// host is what distinguishes the frames of this host from those of others that
// its links hear as well.
type host struct {
	addresses map[netip.Addr]bool
	ethers    map[[6]byte]bool
}

func newHost(addresses []netip.Addr, ethers [][6]byte) host {
	h := host{addresses: make(map[netip.Addr]bool), ethers: make(map[[6]byte]bool)}
	for _, a := range addresses {
		h.addresses[a.Unmap().WithZone("")] = true
	}
	for _, e := range ethers {
		h.ethers[e] = true
	}
	return h
}

// carries reports whether this host sent a frame with a packet between pods, or
// is who it is for. Two clusters may use the same pod ranges on one network, so
// that the pods' addresses alone do not show whose packet it is:
//
//   - in an encapsulation, the outermost IP address must be one of this host's:
//     the source of what leaves, the target of what arrives. So the packets of a
//     virtual machine of another cluster that this host bridges or routes do not
//     count, nor does what a multicast group hears of it.
//   - bare, the Ethernet source of what leaves must be an address of one of this
//     host's links, as it is of everything that its IP stack sends or forwards.
//     A frame from a virtual machine or a macvlan in another namespace has one
//     of its own.
//   - what arrives must be addressed to the link it arrives on or to another
//     link of this host, as a bridge's frames are at its ports. What a link in
//     promiscuous mode hears of others, broadcasts and multicasts do not count.
//
// On one end of a pipe, which could lead to a pod of this node, what goes to this
// node's own pods or comes from them does not count either, see Pipe.
//
// A node that forwards the pods' packets of others, in clear, counts. It need not
// be the node of either pod.
//
// What it does not see: packets of pods that are bridged onto the network with
// Ethernet addresses of their own, which look like a virtual machine's, and those
// whose addresses a program on the link rewrites. The run's own pods are found
// there by their mark, which needs no address.
func (h *host) carries(f *Frame, d *dissection) bool {
	if f.transmitted() {
		if d.pods.bare {
			return f.Header == RawIP || len(f.Data) >= 12 && h.ethers[[6]byte(f.Data[6:])]
		}
		return h.addresses[d.source]
	}
	addressed := f.ToLink || f.Header == Ethernet && len(f.Data) >= 6 && h.ethers[[6]byte(f.Data)]
	return addressed && (d.pods.bare || h.addresses[d.target])
}
