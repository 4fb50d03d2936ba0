//go:build linux

package filter

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// The routing tables lead a pod's packet to the link of an overlay; which host that
// sends it to is in two more tables: the neighbours, from an address to a hardware
// address, and the link's own forwarding database, from that to a host.

// Of linux/neighbour.h: struct ndmsg, its attributes and states.
const (
	sizeofNeighbour = 12 // family, padding, link, state, flags, type
	ndaDestination  = 1
	ndaEther        = 2
	ndaNexthop      = 13
	nudUnusable     = 0x21 // NUD_INCOMPLETE, NUD_FAILED
)

// maxRemotes bounds what is reported of where overlays send.
const maxRemotes = 64

// overlayKinds have a forwarding database of hosts.
var overlayKinds = []string{"vxlan", "geneve"}

// etherAt is a hardware address on a link.
type etherAt struct {
	link  int
	ether string
}

// forwarding reads to which hosts overlays send what is for pods, but for the
// hosts that are asked for anyway.
func (r Reader) forwarding(links []evidence.Link) (found result, err error) {
	overlays := map[int]string{}
	for _, l := range links {
		if slices.Contains(overlayKinds, l.Kind) {
			overlays[l.Index] = l.Name
		}
	}
	if len(overlays) == 0 {
		return found, nil
	}
	var known [3][]neighbour
	families := []byte{unix.AF_INET, unix.AF_INET6, unix.AF_BRIDGE}
	for i, family := range families {
		err = errors.Join(err, listNeighbours(family, func(m neighbour) { known[i] = append(known[i], m) }))
	}
	found.diversions = r.remotes(overlays, slices.Concat(known[0], known[1]), known[2])
	found.count = len(found.diversions)
	found.limit(maxRemotes, "entries of overlays for other hosts")
	if r.watch != nil && r.watch.closed {
		for i, family := range families {
			known[i] = append(known[i], r.watch.fdb.entries(family)...)
		}
		found.between = r.remotes(overlays, slices.Concat(known[0], known[1]), known[2])
		found.lacking = cmp.Or(found.lacking, r.watch.fdb.lacking)
	}
	return found, err
}

// remotes are the hosts that overlays, by their index, send to what is for pods.
func (r Reader) remotes(overlays map[int]string, neighbours, fdb []neighbour) (list []evidence.Diversion) {
	behind := map[etherAt][]netip.Prefix{}
	for _, m := range neighbours {
		if overlays[m.link] == "" || m.state&nudUnusable != 0 || !m.addr.IsValid() {
			continue
		}
		at, one := etherAt{m.link, m.ether}, netip.PrefixFrom(m.addr, m.addr.BitLen())
		if slices.ContainsFunc(r.pods, one.Overlaps) && len(behind[at]) < maxAlternatives &&
			!slices.Contains(behind[at], one) {
			behind[at] = append(behind[at], one)
		}
	}
	const nobody = "00:00:00:00:00:00" // what no other entry is for
	for _, m := range fdb {
		name, to := overlays[m.link], behind[etherAt{m.link, m.ether}]
		leads := m.addr.IsValid() && !slices.Contains(r.ends, m.addr) || m.object
		if name != "" && leads && (len(to) > 0 || m.ether == nobody) {
			list = append(list, remote(name, to, m))
		}
	}
	return list
}

func remote(link string, to []netip.Prefix, m neighbour) evidence.Diversion {
	d := evidence.Diversion{By: "fdb", Effect: evidence.EffectTunnel, Link: link, Selector: evidence.Selector{To: to}}
	target := "a nexthop object"
	if m.addr.IsValid() {
		d.To = m.addr.String()
		target = d.To
	}
	d.Rule = shown(d.Selector, fmt.Sprintf("lladdr %s dst %s", m.ether, target))
	return d
}

// neighbour is an entry of a neighbour table or of a forwarding database.
type neighbour struct {
	link   int
	state  uint16
	addr   netip.Addr
	ether  string
	object bool // it leads to a nexthop object
}

func listNeighbours(family byte, visit func(neighbour)) error {
	request := make([]byte, sizeofNeighbour)
	request[0] = family
	all, err := kernel.Retry(func() (all []neighbour, err error) {
		err = kernel.List(unix.NETLINK_ROUTE, unix.RTM_GETNEIGH, request, func(message []byte) {
			if m, ok := parseNeighbour(message, family); ok {
				all = append(all, m)
			}
		})
		return all, err
	})
	for _, m := range all {
		visit(m)
	}
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EAFNOSUPPORT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing neighbours: %w", err)
	}
	return nil
}

func parseNeighbour(message []byte, family byte) (m neighbour, ok bool) {
	if len(message) < sizeofNeighbour || message[0] != family {
		return m, false
	}
	a := kernel.Parse(message, sizeofNeighbour)
	m.link = int(native.Uint32(message[4:]))
	m.state = native.Uint16(message[8:])
	m.addr, _ = netip.AddrFromSlice(a.Get(ndaDestination))
	m.ether = net.HardwareAddr(a.Get(ndaEther)).String()
	m.object = a.Get(ndaNexthop) != nil
	return m, true
}
