//go:build linux

package host

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// link is one link as the kernel lists it and notifies changes of it.
type link struct {
	evidence.Link     // Master, Parent and Role are found from all links
	master        int // index of the bridge or bond that it belongs to
	parent        int // index of its lower link or its other end, 0 if that is in another namespace
	loopback      bool
	socket        bool // a control socket of a userspace WireGuard bears its name
	stats         LinkStats
	watched       watched
}

// Of linux/if_link.h and linux/if_addr.h.
const (
	sizeofLinkMessage    = 16 // struct ifinfomsg: family, type, index, flags, change
	sizeofAddressMessage = 8  // struct ifaddrmsg: family, prefix length, flags, scope, index
	sizeofStats          = 32 // of struct rtnl_link_stats64: packets and bytes, each received and sent
)

// typeNames are the ARPHRD_* of linux/if_arp.h that matter.
var typeNames = map[uint16]string{
	unix.ARPHRD_ETHER: "ether", unix.ARPHRD_LOOPBACK: "loopback", unix.ARPHRD_NONE: "none", unix.ARPHRD_PPP: "ppp",
	unix.ARPHRD_TUNNEL: "ipip", unix.ARPHRD_TUNNEL6: "tunnel6", unix.ARPHRD_SIT: "sit", unix.ARPHRD_IPGRE: "gre",
}

// parseLink reads RTM_NEWLINK and RTM_DELLINK; not ok if it is of a bridge about
// one of its ports.
func parseLink(message []byte) (l *link, ok bool) {
	if len(message) < sizeofLinkMessage || message[0] != unix.AF_UNSPEC {
		return nil, false
	}
	a := kernel.Parse(message, sizeofLinkMessage)
	flags := native.Uint32(message[8:])
	l = &link{loopback: flags&unix.IFF_LOOPBACK != 0, master: int(a.U32(unix.IFLA_MASTER))}
	l.Index = int(native.Uint32(message[4:]))
	l.Name = a.Text(unix.IFLA_IFNAME)
	l.Type = typeName(native.Uint16(message[2:]))
	l.MTU = int(a.U32(unix.IFLA_MTU))
	l.Up = flags&unix.IFF_UP != 0
	l.NoCarrier = l.Up && flags&unix.IFF_LOWER_UP == 0
	l.Group = int(a.U32(unix.IFLA_GROUP))
	l.PeerNS = a.Get(unix.IFLA_LINK_NETNSID) != nil
	if address := net.HardwareAddr(a.Get(unix.IFLA_ADDRESS)); l.Type == "ether" && len(address) == 6 {
		l.Ether = address.String()
	}
	if parent := int(a.U32(unix.IFLA_LINK)); !l.PeerNS && parent != l.Index {
		l.parent = parent
	}
	l.readInfo(a.Nested(unix.IFLA_LINKINFO))
	xdp := a.Nested(unix.IFLA_XDP)
	if mode := xdp.U8(unix.IFLA_XDP_ATTACHED); mode != 0 {
		l.XDP = &evidence.XDP{Mode: xdpMode(mode), ID: xdp.U32(unix.IFLA_XDP_PROG_ID)}
	}
	l.stats = LinkStats{Link: l.Name, Index: l.Index}
	if s := a.Get(unix.IFLA_STATS64); len(s) >= sizeofStats {
		l.stats.RXPackets = native.Uint64(s)
		l.stats.TXPackets = native.Uint64(s[8:])
		l.stats.RXBytes = native.Uint64(s[16:])
		l.stats.TXBytes = native.Uint64(s[24:])
	}
	return l, l.Name != ""
}

// readInfo reads the attributes of a kind of links.
func (l *link) readInfo(info kernel.Attributes) {
	l.Kind = info.Text(unix.IFLA_INFO_KIND)
	if l.Kind == "vxlan" && l.parent == 0 {
		l.parent = int(info.Nested(unix.IFLA_INFO_DATA).U32(unix.IFLA_VXLAN_LINK))
	}
	if l.Kind == "vrf" {
		const table = 1 // IFLA_VRF_TABLE of linux/if_link.h
		l.Table = int(info.Nested(unix.IFLA_INFO_DATA).U32(table))
	}
	if info.Text(unix.IFLA_INFO_SLAVE_KIND) == "bond" {
		const backup = 1 // BOND_STATE_BACKUP of linux/if_bonding.h
		l.Backup = info.Nested(unix.IFLA_INFO_SLAVE_DATA).U8(unix.IFLA_BOND_SLAVE_STATE) == backup
	}
}

func typeName(number uint16) string {
	if name, ok := typeNames[number]; ok {
		return name
	}
	return fmt.Sprintf("type %d", number)
}

// xdpMode names XDP_ATTACHED_* of linux/if_link.h.
func xdpMode(mode uint8) string {
	names := []string{1: "native", 2: "generic", 3: "offload", 4: "multi"}
	if int(mode) < len(names) {
		return names[mode]
	}
	return fmt.Sprintf("mode %d", mode)
}

// parseAddress reads RTM_NEWADDR: the link and the address, as `ip addr` shows
// it. An address with a peer has no network of its own.
func parseAddress(message []byte) (index int, prefix netip.Prefix) {
	if len(message) < sizeofAddressMessage {
		return 0, netip.Prefix{}
	}
	a := kernel.Parse(message, sizeofAddressMessage)
	index = int(native.Uint32(message[4:]))
	addr := address(a.Get(unix.IFA_ADDRESS))
	if local := address(a.Get(unix.IFA_LOCAL)); local.IsValid() && local != addr {
		return index, netip.PrefixFrom(local, local.BitLen())
	}
	return index, netip.PrefixFrom(addr, int(message[1]))
}

func address(value []byte) netip.Addr {
	addr, _ := netip.AddrFromSlice(value)
	return addr
}

// state is what is known of all links: as they were listed, and as
// notifications changed it since.
type state struct {
	links     map[int]*link
	addresses map[int][]netip.Prefix // by link
	routes    map[int][]netip.Prefix // destinations of unicast routes by link
	unread    bool                   // the routes could not be read
}

// name returns the name of a link, empty if it is not here.
func (s *state) name(index int) string {
	if l := s.links[index]; l != nil {
		return l.Name
	}
	return ""
}

// ports returns the kinds of the ports of a bridge or bond.
func (s *state) ports(master int) (kinds []string) {
	for _, l := range s.links {
		if l.master == master {
			kinds = append(kinds, l.Kind)
		}
	}
	return kinds
}

// otherEnd returns the index of a pair's other end, 0 if that is in another
// namespace.
func (l *link) otherEnd() int {
	if l == nil || l.PeerNS || !slices.Contains(paired, l.Kind) {
		return 0
	}
	return l.parent
}

// facts are what the role of a link is decided from. The other end of a pair is
// on this host if both name each other; mutual says that both were listed at the
// same time, so that this can be asked.
func (s *state) facts(l *link, mutual bool) facts {
	other := l.otherEnd()
	f := facts{
		Kind: l.Kind, Up: l.Up, Loopback: l.loopback, PeerNS: l.PeerNS, Socket: l.socket,
		HostPeer:  s.links[other] != nil && (!mutual || s.links[other].otherEnd() == l.Index),
		Addresses: s.addresses[l.Index], Routes: s.routes[l.Index],
	}
	if l.master != 0 {
		f.Master = &masterFacts{Addresses: s.addresses[l.master], Ports: s.ports(l.master)}
	}
	return f
}
