//go:build linux

package host

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Hop is the next hop on the way to an endpoint.
type Hop struct {
	Address netip.Addr
	Link    string
}

// sizeofNeighbourMessage is that of struct ndmsg of linux/neighbour.h: family and
// padding, link, state, flags, type.
const sizeofNeighbourMessage = 12

// maxNeighbours bounds those that are reported.
const maxNeighbours = 64

// unresolved are the states of a neighbour that does not answer (NUD_*).
var unresolved = map[uint16]string{unix.NUD_INCOMPLETE: "incomplete", unix.NUD_FAILED: "failed"}

// Neighbours returns those of the next hops whose link-layer address the kernel
// asked for (ARP, or neighbour discovery) and did not get.
func (r Reader) Neighbours(hops []Hop, links []evidence.Link) ([]evidence.Neighbour, []evidence.Problem) {
	wanted := make(map[Hop]bool, len(hops))
	for _, hop := range hops {
		wanted[hop] = true
	}
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Index] = link.Name
	}
	found, err := kernel.Retry(func() (found []evidence.Neighbour, err error) {
		err = kernel.List(unix.NETLINK_ROUTE, unix.RTM_GETNEIGH, make([]byte, sizeofNeighbourMessage),
			func(message []byte) {
				n, link := parseNeighbour(message)
				n.Link = names[link]
				if n.State != "" && wanted[Hop{n.Address, n.Link}] && len(found) < maxNeighbours {
					found = append(found, n)
				}
			})
		return found, err
	})
	if err != nil {
		return found, []evidence.Problem{kernel.Problem("route", "neighbours", err)}
	}
	return found, nil
}

// parseNeighbour reads one message of RTM_GETNEIGH's answer. One that answers
// has no state.
func parseNeighbour(message []byte) (n evidence.Neighbour, link int) {
	if len(message) < sizeofNeighbourMessage {
		return n, 0
	}
	n.State = unresolved[native.Uint16(message[8:])]
	n.Address = address(kernel.Parse(message, sizeofNeighbourMessage).Get(unix.NDA_DST))
	return n, int(native.Uint32(message[4:]))
}
