//go:build linux

package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Question is a destination to ask the kernel's route for, with the firewall
// mark the packet would carry, 0 for none.
type Question struct {
	For  netip.Addr
	Mark uint32
}

// Answers asks the kernel for the route of each destination (RTM_GETROUTE,
// like `ip route get`). An answer that is an error is an answer.
func (r Reader) Answers(questions []Question) ([]evidence.Route, []evidence.Problem) {
	handle, err := openRoute()
	if err != nil {
		return nil, []evidence.Problem{problem("route", "", err)}
	}
	defer handle.Close()
	names := make(map[int]string)
	answers := make([]evidence.Route, 0, len(questions))
	for _, question := range questions {
		answers = append(answers, ask(handle, question, names))
	}
	return answers, nil
}

func ask(handle *netlink.Handle, question Question, names map[int]string) evidence.Route {
	answer := evidence.Route{For: question.For, Mark: question.Mark}
	options := netlink.RouteGetOptions{Mark: question.Mark}
	got, err := handle.RouteGetWithOptions(question.For.AsSlice(), &options)
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		answer.Error = number.Error()
		return answer
	case err != nil:
		answer.Error = err.Error()
		return answer
	case len(got) == 0:
		answer.Error = "no answer"
		return answer
	}
	route := got[0]
	answer.Link = linkName(handle, route.LinkIndex, names)
	answer.Gateway, answer.Source = addrOf(route.Gw), addrOf(route.Src)
	answer.Table, answer.Type, answer.MTU = route.Table, typeName(route.Type), route.MTU
	// Which entry matched is a question of its own, answered since Linux 4.13.
	options.FIBMatch = true
	if matched, err := handle.RouteGetWithOptions(question.For.AsSlice(), &options); err == nil && len(matched) > 0 {
		answer.Destination, answer.Table = destinationOf(matched[0]), matched[0].Table
	}
	return answer
}

// linkName finds a name and remembers it.
func linkName(handle *netlink.Handle, index int, names map[int]string) string {
	name, ok := names[index]
	if !ok && index != 0 {
		if link, err := handle.LinkByIndex(index); err == nil {
			name = link.Attrs().Name
		}
		names[index] = name
	}
	return name
}

// destinationOf returns a route's destination; a default route has none and is /0.
func destinationOf(route netlink.Route) netip.Prefix {
	if prefix, ok := prefixOf(route.Dst); ok {
		return prefix.Masked()
	}
	if route.Family == netlink.FAMILY_V6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func prefixOf(network *net.IPNet) (netip.Prefix, bool) {
	if network == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(network.IP)
	ones, bits := network.Mask.Size()
	if bits == 32 {
		addr = addr.Unmap()
	}
	prefix := netip.PrefixFrom(addr, ones)
	return prefix, ok && bits != 0 && prefix.IsValid()
}

func addrOf(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// typeNames are rtm_type of linux/rtnetlink.h.
var typeNames = map[int]string{
	unix.RTN_UNICAST: "unicast", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast",
	unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw", unix.RTN_NAT: "nat",
}

func typeName(number int) string {
	if name, ok := typeNames[number]; ok {
		return name
	}
	return fmt.Sprintf("type %d", number)
}
