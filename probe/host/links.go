//go:build linux

package host

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Links is one reading of all links, their addresses and the control sockets
// that name them.
type Links struct {
	Links     []evidence.Link
	Addresses []evidence.Address
	Sockets   []evidence.Socket
	Stats     []LinkStats
}

// addressesPerLink bounds what one link may list: kube-ipvs0 has thousands.
const addressesPerLink = 64

// Links reads all links and decides their role; pods are this node's pod ranges.
func (r Reader) Links(pods []netip.Prefix) (Links, []evidence.Problem) {
	var result Links
	var problems []evidence.Problem
	handle, err := openRoute()
	if err != nil {
		return result, []evidence.Problem{problem("link", "", err)}
	}
	defer handle.Close()
	links, err := dump(handle.LinkList)
	if err != nil {
		return result, []evidence.Problem{problem("link", "", err)}
	}
	addresses, err := dump(func() ([]netlink.Addr, error) { return handle.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		problems = append(problems, problem("address", "", err))
	}
	routes, routesErr := routesByLink()
	if routesErr != nil {
		problems = append(problems, problem("route", "", routesErr))
	}
	if result.Sockets, err = r.Sockets(); err != nil {
		problems = append(problems, problem("socket", "", err))
	}
	known := index(links)
	for _, address := range addresses {
		if prefix, ok := prefixOf(address.IPNet); ok {
			known.addresses[address.LinkIndex] = append(known.addresses[address.LinkIndex], prefix)
		}
	}
	for _, link := range links {
		attrs := link.Attrs()
		f := known.facts(link, result.Sockets)
		f.Routes = routes[attrs.Index]
		described := known.describe(link)
		described.Role, described.Why = decide(f, pods)
		if described.Role == evidence.RoleInside && routesErr != nil && f.PeerNS {
			described.Role, described.Why = evidence.RoleOutside, "its routes could not be read"
		}
		result.Links = append(result.Links, described)
		if stats, ok := statsOf(attrs); ok && counts(described) {
			result.Stats = append(result.Stats, stats)
		}
		own := known.addresses[attrs.Index]
		for _, prefix := range own[:min(len(own), addressesPerLink)] {
			result.Addresses = append(result.Addresses, evidence.Address{Link: attrs.Name, Prefix: prefix})
		}
	}
	offloads(result.Links)
	return result, problems
}

// index holds all links by number, to find masters, parents and ports.
func index(links []netlink.Link) known {
	k := known{links: make(map[int]netlink.Link), ports: make(map[int][]string), addresses: make(map[int][]netip.Prefix)}
	for _, link := range links {
		k.links[link.Attrs().Index] = link
		if master := link.Attrs().MasterIndex; master != 0 {
			k.ports[master] = append(k.ports[master], kind(link))
		}
	}
	return k
}

type known struct {
	links     map[int]netlink.Link
	ports     map[int][]string // kinds, by master
	addresses map[int][]netip.Prefix
}

func (k known) facts(link netlink.Link, sockets []evidence.Socket) facts {
	attrs := link.Attrs()
	f := facts{
		Kind: kind(link), Up: attrs.Flags&net.FlagUp != 0, Loopback: attrs.Flags&net.FlagLoopback != 0,
		PeerNS: attrs.NetNsID >= 0, HostPeer: k.hostPeer(attrs.Index), Addresses: k.addresses[attrs.Index],
	}
	for _, socket := range sockets {
		f.Socket = f.Socket || socket.Device == attrs.Name
	}
	if attrs.MasterIndex != 0 {
		f.Master = &masterFacts{Addresses: k.addresses[attrs.MasterIndex], Ports: k.ports[attrs.MasterIndex]}
	}
	return f
}

// hostPeer reports whether a link and the one that it is paired with name each
// other, both in this network namespace.
func (k known) hostPeer(index int) bool {
	peer := k.pairedWith(index)
	return peer != 0 && k.pairedWith(peer) == index
}

// pairedWith is the index of a pair's other end, 0 if it is not in this namespace.
func (k known) pairedWith(index int) int {
	link := k.links[index]
	if link == nil || !slices.Contains(paired, kind(link)) || link.Attrs().NetNsID >= 0 {
		return 0
	}
	return link.Attrs().ParentIndex
}

func (k known) describe(link netlink.Link) evidence.Link {
	attrs := link.Attrs()
	l := evidence.Link{
		Index: attrs.Index, Name: attrs.Name, Kind: kind(link), Type: attrs.EncapType, MTU: attrs.MTU,
		Up: attrs.Flags&net.FlagUp != 0, PeerNS: attrs.NetNsID >= 0, Master: k.name(attrs.MasterIndex), Group: int(attrs.Group),
	}
	if attrs.EncapType == "ether" && len(attrs.HardwareAddr) == 6 {
		l.Ether = attrs.HardwareAddr.String()
	}
	if attrs.NetNsID < 0 && attrs.ParentIndex != attrs.Index {
		l.Parent = k.name(attrs.ParentIndex)
	}
	if vxlan, ok := link.(*netlink.Vxlan); ok && l.Parent == "" {
		l.Parent = k.name(vxlan.VtepDevIndex)
	}
	if domain, ok := link.(*netlink.Vrf); ok {
		l.Table = int(domain.Table)
	}
	if attrs.Xdp != nil && attrs.Xdp.Attached {
		l.XDP = &evidence.XDP{Mode: xdpMode(attrs.Xdp.AttachMode), ID: attrs.Xdp.ProgId}
	}
	if port, ok := attrs.Slave.(*netlink.BondSlave); ok {
		l.Backup = port.State == netlink.BondStateBackup
	}
	l.NoCarrier = l.Up && attrs.RawFlags&unix.IFF_LOWER_UP == 0
	if s := attrs.Statistics; s != nil {
		l.RXErrors, l.TXErrors, l.RXDropped, l.TXDropped = s.RxErrors, s.TxErrors, s.RxDropped, s.TxDropped
	}
	return l
}

// xdpMode names XDP_ATTACHED_* of linux/if_link.h.
func xdpMode(mode uint32) string {
	if name := map[uint32]string{1: "native", 2: "generic", 3: "offload", 4: "multi"}[mode]; name != "" {
		return name
	}
	return fmt.Sprintf("mode %d", mode)
}

func (k known) name(index int) string {
	if link := k.links[index]; index != 0 && link != nil {
		return link.Attrs().Name
	}
	return ""
}

// kind is IFLA_INFO_KIND. The library reports "device" where there is none;
// a tun or tap is told from hardware by its kind as well.
func kind(link netlink.Link) string {
	switch kind := link.Type(); kind {
	case "device":
		return ""
	case "tuntap":
		return "tun"
	default:
		return kind
	}
}

// routesByLink collects the destinations of unicast routes in all tables by
// the link they lead out of, each hop of a multipath route counted.
func routesByLink() (map[int][]netip.Prefix, error) {
	return dump(func() (map[int][]netip.Prefix, error) {
		byLink := make(map[int][]netip.Prefix)
		err := eachEntry(func(entry fibEntry) {
			if entry.kind != unix.RTN_UNICAST || entry.destination.IsSingleIP() {
				return // only a network's route tells an uplink
			}
			for _, hop := range entry.hops {
				if len(byLink[hop.link]) < maxPerLink {
					byLink[hop.link] = append(byLink[hop.link], entry.destination)
				}
			}
		})
		return byLink, err
	})
}
