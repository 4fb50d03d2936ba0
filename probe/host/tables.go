//go:build linux

package host

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxRoutes bounds the table entries that are reported.
const maxRoutes = 512

// Tables returns the entries of all routing tables but the local one that bear
// on the pod network: those out of a WireGuard or overlay link and the more
// specific ones that lead a part of that elsewhere, those within the pod ranges,
// and those that cover one of the destinations. They explain the kernel's
// answers and prove nothing.
func (r Reader) Tables(links []evidence.Link, pods []netip.Prefix, destinations []netip.Addr) ([]evidence.Route, []evidence.Problem) {
	handle, err := openRoute()
	if err != nil {
		return nil, []evidence.Problem{problem("route", "", err)}
	}
	defer handle.Close()
	bears := bearing{pods: pods, destinations: slices.SortedFunc(slices.Values(destinations), netip.Addr.Compare), tunnels: map[int]bool{}}
	names := make(map[int]string)
	for _, link := range links {
		names[link.Index] = link.Name
		bears.tunnels[link.Index] = link.Role == evidence.RoleWireGuard || again[link.Kind] == overlay
	}
	entries, err := dump(func() ([]evidence.Route, error) {
		var entries []evidence.Route
		bears.carried = nil
		if err := eachRoute(handle, func(route netlink.Route) bool {
			if destination := destinationOf(route); bears.tunnelled(route) && destination.Bits() > 0 && len(bears.carried) < maxRoutes {
				bears.carried = append(bears.carried, destination)
			}
			return true
		}); err != nil {
			return nil, err
		}
		err := eachRoute(handle, func(route netlink.Route) bool {
			if !bears.on(route) {
				return true
			}
			for _, hop := range hops(route) {
				entries = append(entries, evidence.Route{
					Destination: destinationOf(route), Link: names[hop], Gateway: addrOf(route.Gw), Source: addrOf(route.Src),
					Table: route.Table, Type: typeName(route.Type), MTU: route.MTU,
				})
			}
			return len(entries) < maxRoutes
		})
		return entries, err
	})
	var problems []evidence.Problem
	if err != nil {
		problems = append(problems, problem("route", "", err))
	}
	if len(entries) >= maxRoutes {
		entries = entries[:maxRoutes]
		problems = append(problems, evidence.Problem{Class: evidence.ProblemUnsupported, What: "route",
			Text: "there are more table entries than are reported; the kernel's answers are complete"})
	}
	return entries, problems
}

// bearing decides which entries are worth telling.
type bearing struct {
	pods         []netip.Prefix
	destinations []netip.Addr // sorted
	tunnels      map[int]bool // link indexes
	carried      []netip.Prefix
}

func (b bearing) tunnelled(route netlink.Route) bool {
	return route.Table != unix.RT_TABLE_LOCAL && slices.ContainsFunc(hops(route), func(link int) bool { return b.tunnels[link] })
}

func (b bearing) on(route netlink.Route) bool {
	switch route.Type {
	case unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_MULTICAST, unix.RTN_ANYCAST:
		return false
	}
	destination := destinationOf(route)
	if route.Table == unix.RT_TABLE_LOCAL || len(global([]netip.Prefix{destination})) == 0 {
		return false
	}
	if b.tunnelled(route) {
		return true
	}
	if inside(destination, b.carried) && !(destination.IsSingleIP() && inside(destination, b.pods)) {
		return true
	}
	if slices.ContainsFunc(b.pods, destination.Overlaps) && destination.Bits() > 0 && !destination.IsSingleIP() {
		return true
	}
	first, _ := slices.BinarySearchFunc(b.destinations, destination.Addr(), netip.Addr.Compare)
	return first < len(b.destinations) && destination.Contains(b.destinations[first])
}
