//go:build linux

package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// fibEntry is one entry of a routing table.
type fibEntry struct {
	family      int // 4 or 6
	destination netip.Prefix
	from        netip.Prefix // of IPv6: only packets from there, invalid for all
	table       int
	kind        uint8 // RTN_*
	tos         uint8
	metric      uint32
	mtu         int
	nexthop     uint32 // number of a nexthop object whose hops are not in the entry
	hops        []fibHop
}

// fibHop is one of an entry's next hops.
type fibHop struct {
	link    int
	gateway netip.Addr
	encap   string // of a lightweight tunnel, empty if there is none
}

// sizeofRouteHeader is that of struct rtmsg in linux/rtnetlink.h: family,
// dst_len, src_len, tos, table, protocol, scope, type, flags.
const sizeofRouteHeader = 12

// rtaNexthop is RTA_NH_ID of linux/rtnetlink.h.
const rtaNexthop = 30

// eachEntry walks over the entries of all tables of both families, nexthop
// objects resolved.
func eachEntry(visit func(fibEntry)) error {
	conn, err := kernel.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer conn.Close()
	var waiting []fibEntry
	for _, family := range families {
		request := make([]byte, sizeofRouteHeader)
		request[0] = family.kernel
		err := conn.Dump(unix.RTM_GETROUTE, request, func(message []byte) {
			entry, ok := parseEntry(message)
			switch {
			case !ok:
			case entry.nexthop != 0:
				waiting = append(waiting, entry)
			default:
				visit(entry)
			}
		})
		absent := errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EAFNOSUPPORT)
		if err != nil && !(absent && family.number == 6) {
			return fmt.Errorf("listing the routes of IPv%d: %w", family.number, err)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	objects, err := nexthops(conn)
	if err != nil {
		return fmt.Errorf("listing the nexthop objects: %w", err)
	}
	for _, entry := range waiting {
		entry.hops = objects[entry.nexthop]
		visit(entry)
	}
	return nil
}

// parseEntry reads one message of RTM_GETROUTE's answer; it is not ok if that
// is a clone in a cache or of another family.
func parseEntry(message []byte) (entry fibEntry, ok bool) {
	if len(message) < sizeofRouteHeader || native.Uint32(message[8:])&unix.RTM_F_CLONED != 0 {
		return entry, false
	}
	at := slices.IndexFunc(families, func(f addressFamily) bool { return f.kernel == message[0] })
	if at < 0 {
		return entry, false
	}
	entry.family = families[at].number
	entry.tos = message[3]
	entry.table = int(message[4])
	entry.kind = message[7]
	entry.destination = kernel.Everything(entry.family)
	var only fibHop
	var object uint32
	for _, a := range kernel.Parse(message, sizeofRouteHeader) {
		switch a.Kind {
		case unix.RTA_DST:
			entry.destination = prefix(a.Value, message[1])
		case unix.RTA_SRC:
			entry.from = prefix(a.Value, message[2])
		case unix.RTA_TABLE:
			entry.table = int(a.U32())
		case unix.RTA_PRIORITY:
			entry.metric = a.U32()
		case unix.RTA_METRICS:
			entry.mtu = int(kernel.Parse(a.Value, 0).U32(unix.RTAX_MTU))
		case unix.RTA_MULTIPATH:
			entry.hops = parseHops(a.Value)
		case rtaNexthop:
			object = a.U32()
		default:
			only.read(a)
		}
	}
	switch {
	case len(entry.hops) > 0:
	case only.link == 0 && object != 0:
		// The host has net.ipv4.nexthop_compat_mode off: only the number is listed.
		entry.nexthop = object
	default:
		entry.hops = []fibHop{only}
	}
	return entry, entry.destination.IsValid()
}

// read takes an attribute that a route and each of its hops can have.
func (h *fibHop) read(a kernel.Attribute) {
	switch {
	case a.Kind == unix.RTA_OIF:
		h.link = int(a.U32())
	case a.Kind == unix.RTA_GATEWAY:
		h.gateway = address(a.Value)
	case a.Kind == unix.RTA_VIA && len(a.Value) > 2:
		h.gateway = address(a.Value[2:]) // behind its family
	case a.Kind == unix.RTA_ENCAP_TYPE:
		h.encap = encapName(a.U16())
	}
}

// encapNames are LWTUNNEL_ENCAP_* of linux/lwtunnel.h.
var encapNames = []string{"", "mpls", "ip", "ila", "ip6", "seg6", "bpf", "seg6local", "rpl", "ioam6", "xfrm"}

func encapName(number uint16) string {
	if int(number) < len(encapNames) {
		return encapNames[number]
	}
	return fmt.Sprintf("type %d", number)
}

// parseHops reads a row of struct rtnexthop: length, flags, weight, link, and
// attributes.
func parseHops(row []byte) (hops []fibHop) {
	for len(row) >= unix.SizeofRtNexthop {
		length := int(native.Uint16(row))
		if length < unix.SizeofRtNexthop || length > len(row) {
			break
		}
		hop := fibHop{link: int(native.Uint32(row[4:]))}
		for _, a := range kernel.Parse(row[:length], unix.SizeofRtNexthop) {
			hop.read(a)
		}
		hops = append(hops, hop)
		row = row[min((length+3)&^3, len(row)):]
	}
	return hops
}

// Of linux/nexthop.h: struct nhmsg and its attributes.
const (
	rtmNewNexthop       = 104
	rtmDelNexthop       = 105
	rtmGetNexthop       = 106
	sizeofNexthopHeader = 8
	nhaID               = 1
	nhaGroup            = 2
	nhaOIF              = 5
	nhaGateway          = 6
	nhaEncapType        = 7
)

// nexthops returns the hops of all nexthop objects by their number.
func nexthops(conn *kernel.Conn) (map[uint32][]fibHop, error) {
	hops := map[uint32][]fibHop{}
	groups := map[uint32][]uint32{}
	err := conn.Dump(rtmGetNexthop, make([]byte, sizeofNexthopHeader), func(message []byte) {
		id, hop, members := parseNexthop(message)
		if len(members) > 0 {
			groups[id] = members
		} else {
			hops[id] = []fibHop{hop}
		}
	})
	for id, members := range groups {
		for _, member := range members {
			hops[id] = append(hops[id], hops[member]...)
		}
	}
	return hops, err
}

// parseNexthop reads one message of RTM_GETNEXTHOP's answer: a hop, or the
// numbers of the members of a group.
func parseNexthop(message []byte) (id uint32, hop fibHop, members []uint32) {
	a := kernel.Parse(message, sizeofNexthopHeader)
	hop = fibHop{
		link: int(a.U32(nhaOIF)), gateway: address(a.Get(nhaGateway)),
		encap: encapName(kernel.Attribute{Value: a.Get(nhaEncapType)}.U16()),
	}
	// struct nexthop_grp: id, weight, reserved
	for row := a.Get(nhaGroup); len(row) >= 8; row = row[8:] {
		members = append(members, native.Uint32(row))
	}
	return a.U32(nhaID), hop, members
}

// prefix reads an address of which so many bits count; it is not valid if that
// cannot be.
func prefix(value []byte, bits uint8) netip.Prefix {
	prefix, err := address(value).Prefix(int(bits))
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
