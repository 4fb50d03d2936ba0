//go:build linux

package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// fibEntry is one entry of a routing table.
type fibEntry struct {
	family      int // 4 or 6
	destination netip.Prefix
	from        netip.Prefix // of IPv6: only packets from there, invalid for all
	source      netip.Addr   // that local packets get
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
	weight  int
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
	kernel, err := converse(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer kernel.close()
	var objects map[uint32][]fibHop
	for _, family := range families {
		request := make([]byte, sizeofRouteHeader)
		request[0] = family.kernel
		var waiting []fibEntry
		err := kernel.list(unix.RTM_GETROUTE, request, func(message []byte) bool {
			entry, ok := parseEntry(message)
			switch {
			case !ok:
			case entry.nexthop != 0:
				waiting = append(waiting, entry)
			default:
				visit(entry)
			}
			return true
		})
		if err != nil && !(family.number == 6 && (errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EAFNOSUPPORT))) {
			return fmt.Errorf("listing the routes of IPv%d: %w", family.number, err)
		}
		if len(waiting) > 0 && objects == nil {
			if objects, err = kernel.nexthops(); err != nil {
				return fmt.Errorf("listing the nexthop objects: %w", err)
			}
		}
		for _, entry := range waiting {
			entry.hops = objects[entry.nexthop]
			visit(entry)
		}
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
	entry.family, entry.tos = families[at].number, message[3]
	entry.table, entry.kind = int(message[4]), message[7]
	entry.destination = netip.PrefixFrom(unspecified(entry.family), 0)
	var only fibHop
	var object uint32
	for _, a := range attributes(message, sizeofRouteHeader) {
		switch a.kind {
		case unix.RTA_DST:
			entry.destination = rulePrefix(a.value, message[1])
		case unix.RTA_SRC:
			entry.from = rulePrefix(a.value, message[2])
		case unix.RTA_PREFSRC:
			entry.source = address(a.value)
		case unix.RTA_TABLE:
			entry.table = int(a.u32())
		case unix.RTA_PRIORITY:
			entry.metric = a.u32()
		case unix.RTA_METRICS:
			entry.mtu = mtuOf(a.value)
		case unix.RTA_MULTIPATH:
			entry.hops = parseHops(a.value)
		case rtaNexthop:
			object = a.u32()
		default:
			only.read(a)
		}
	}
	switch {
	case len(entry.hops) > 0:
	case only.link == 0 && object != 0:
		// The host has net.ipv4.nexthop_compat_mode off: only the number is told.
		entry.nexthop = object
	default:
		entry.hops = []fibHop{only}
	}
	return entry, entry.destination.IsValid()
}

// read takes an attribute that a route and each of its hops can have.
func (h *fibHop) read(a attribute) {
	switch {
	case a.kind == unix.RTA_OIF:
		h.link = int(a.u32())
	case a.kind == unix.RTA_GATEWAY:
		h.gateway = address(a.value)
	case a.kind == unix.RTA_VIA && len(a.value) > 2:
		h.gateway = address(a.value[2:]) // behind its family
	case a.kind == unix.RTA_ENCAP_TYPE:
		h.encap = encapName(a.u16())
	}
}

// encapNames are LWTUNNEL_ENCAP_* of linux/lwtunnel.h.
var encapNames = map[uint16]string{
	1: "mpls", 2: "ip", 3: "ila", 4: "ip6", 5: "seg6", 6: "bpf", 7: "seg6local", 8: "rpl", 9: "ioam6", 10: "xfrm",
}

func encapName(number uint16) string {
	if name := encapNames[number]; name != "" || number == 0 {
		return name
	}
	return fmt.Sprintf("type %d", number)
}

// parseHops reads a row of struct rtnexthop: length, flags, weight less one,
// link, and attributes.
func parseHops(row []byte) (hops []fibHop) {
	for len(row) >= unix.SizeofRtNexthop {
		length := int(native.Uint16(row))
		if length < unix.SizeofRtNexthop || length > len(row) {
			break
		}
		hop := fibHop{link: int(native.Uint32(row[4:])), weight: int(row[3]) + 1}
		for _, a := range attributes(row[:length], unix.SizeofRtNexthop) {
			hop.read(a)
		}
		hops = append(hops, hop)
		row = row[min((length+3)&^3, len(row)):]
	}
	return hops
}

func mtuOf(metrics []byte) int {
	for _, a := range attributes(metrics, 0) {
		if a.kind == unix.RTAX_MTU {
			return int(a.u32())
		}
	}
	return 0
}

func address(value []byte) netip.Addr {
	addr, _ := netip.AddrFromSlice(value)
	return addr
}

func unspecified(family int) netip.Addr {
	if family == 6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// Of linux/nexthop.h: struct nhmsg and its attributes.
const (
	rtmGetNexthop       = 106
	sizeofNexthopHeader = 8
	nhaID               = 1
	nhaGroup            = 2
	nhaOIF              = 5
	nhaGateway          = 6
	nhaEncapType        = 7
)

// nexthops returns the hops of all nexthop objects by their number.
func (c *conversation) nexthops() (map[uint32][]fibHop, error) {
	single, groups := map[uint32][]fibHop{}, map[uint32][]fibMember{}
	err := c.list(rtmGetNexthop, make([]byte, sizeofNexthopHeader), func(message []byte) bool {
		id, hop, members := parseNexthop(message)
		if len(members) > 0 {
			groups[id] = members
		} else {
			single[id] = []fibHop{hop}
		}
		return true
	})
	for id, members := range groups {
		for _, member := range members {
			for _, hop := range single[member.id] {
				hop.weight = member.weight
				single[id] = append(single[id], hop)
			}
		}
	}
	return single, err
}

// fibMember is a nexthop object in a group of them.
type fibMember struct {
	id     uint32
	weight int
}

// parseNexthop reads one message of RTM_GETNEXTHOP's answer: a hop, or the
// members of a group.
func parseNexthop(message []byte) (id uint32, hop fibHop, members []fibMember) {
	for _, a := range attributes(message, sizeofNexthopHeader) {
		switch a.kind {
		case nhaID:
			id = a.u32()
		case nhaOIF:
			hop.link = int(a.u32())
		case nhaGateway:
			hop.gateway = address(a.value)
		case nhaEncapType:
			hop.encap = encapName(a.u16())
		case nhaGroup: // struct nexthop_grp: id, weight less one, three reserved
			for row := a.value; len(row) >= 8; row = row[8:] {
				members = append(members, fibMember{native.Uint32(row), int(row[4]) + 1})
			}
		}
	}
	return id, hop, members
}
