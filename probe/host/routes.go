//go:build linux

package host

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
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
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err == nil {
		defer handle.Close()
		err = handle.SetSocketTimeout(kernel.AnswerTime)
	}
	if err != nil {
		return nil, []evidence.Problem{kernel.Problem("route", "", err)}
	}
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
	answer.Gateway = address(route.Gw).Unmap()
	answer.Table = route.Table
	answer.Type = kernel.TypeName(route.Type)
	answer.MTU = route.MTU
	// Which entry matched is a question of its own, answered since Linux 4.13.
	options.FIBMatch = true
	if matched, err := handle.RouteGetWithOptions(question.For.AsSlice(), &options); err == nil && len(matched) > 0 {
		answer.Destination = destinationOf(matched[0])
		answer.Table = matched[0].Table
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
	switch {
	case route.Dst != nil:
		bits, _ := route.Dst.Mask.Size()
		return netip.PrefixFrom(address(route.Dst.IP).Unmap(), bits).Masked()
	case route.Family == netlink.FAMILY_V6:
		return kernel.Everything(6)
	}
	return kernel.Everything(4)
}
