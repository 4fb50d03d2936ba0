//go:build linux

package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// maxRoutes bounds the table entries that are reported, maxPerLink those that
// the role of a link is decided from.
const (
	maxRoutes  = 16384
	maxPerLink = 512
)

// Tables returns the entries of all routing tables that bear on the pods: each
// one whose destination overlaps a pod range of the run, defaults among them;
// those out of a WireGuard or overlay link, the more specific ones that lead a
// part of that elsewhere, and those that cover a destination of the request. Of
// the local table only what lies in another node's pod range is reported. own is
// the index of this node.
func (r Reader) Tables(
	links []evidence.Link, request evidence.ReadRequest, own int,
) ([]evidence.Route, []evidence.Inventory, []evidence.Problem) {
	names := make(map[int]string)
	for _, link := range links {
		names[link.Index] = link.Name
	}
	all, err := kernel.Retry(func() (all []fibEntry, err error) {
		err = eachEntry(func(entry fibEntry) { all = append(all, entry) })
		return all, err
	})
	inventory := evidence.Inventory{What: evidence.InventoryRoutes, Count: len(all)}
	var problems []evidence.Problem
	bears := newBearing(links, request, own)
	bears.carry(all)
	var entries []evidence.Route
	for _, entry := range all {
		if bears.on(entry) {
			entries = append(entries, entry.messages(func(index int) string { return names[index] })...)
		}
	}
	switch {
	case err != nil:
		inventory.Text = err.Error()
		problems = append(problems, kernel.Problem("route", "", err))
	case len(entries) > maxRoutes:
		inventory.Text = fmt.Sprintf("%d entries bear on the pods, %d are reported", len(entries), maxRoutes)
	case len(request.Ranges) == 0:
		inventory.Text = "the request names no ranges of pods"
	}
	inventory.Complete = inventory.Text == ""
	return entries[:min(len(entries), maxRoutes)], []evidence.Inventory{inventory}, problems
}

// messages are what is reported of an entry: one for each of its next hops.
func (e fibEntry) messages(name func(index int) string) (list []evidence.Route) {
	hops := e.hops
	if len(hops) == 0 {
		hops = []fibHop{{}}
	}
	for i, hop := range hops {
		route := evidence.Route{
			Destination: e.destination, From: e.from, Link: name(hop.link), Gateway: hop.gateway,
			Table: e.table, Type: kernel.TypeName(int(e.kind)), MTU: e.mtu, Metric: int(e.metric), TOS: e.tos,
			Encap: hop.encap,
		}
		if route.Link == "" && hop.link != 0 {
			route.Link = fmt.Sprintf("link %d", hop.link)
		}
		if len(hops) > 1 {
			route.Hop = i + 1
		}
		list = append(list, route)
	}
	return list
}

// bearing decides which entries are worth reporting.
type bearing struct {
	pods         []netip.Prefix // of this node
	all, others  ranges         // pod ranges of all nodes, and of all but this one
	destinations []netip.Addr   // sorted
	tunnels      map[int]bool   // link indexes
	wireguard    map[string]bool
	ends         []netip.Addr // of the destinations those that no pod has: where overlays send to
	carried      []netip.Prefix
}

func newBearing(links []evidence.Link, request evidence.ReadRequest, own int) *bearing {
	b := &bearing{pods: request.PodRanges, tunnels: map[int]bool{}, wireguard: map[string]bool{}}
	b.destinations = slices.SortedFunc(slices.Values(request.Destinations), netip.Addr.Compare)
	for _, link := range links {
		b.wireguard[link.Name] = link.Role == evidence.RoleWireGuard
		b.tunnels[link.Index] = link.Role == evidence.RoleWireGuard || again[link.Kind] == overlay
	}
	all := slices.Clone(request.PodRanges)
	var others []netip.Prefix
	for _, pods := range request.Ranges {
		all = append(all, pods.Prefixes...)
		if pods.Index != own {
			others = append(others, pods.Prefixes...)
		}
	}
	b.all = newRanges(all)
	b.others = newRanges(others)
	for _, addr := range b.destinations {
		if !b.all.overlap(netip.PrefixFrom(addr, addr.BitLen())) {
			b.ends = append(b.ends, addr)
		}
	}
	return b
}

// toOthers reports whether an entry of a table is for pods of other nodes, or leads
// what an overlay sends to those past WireGuard.
func (b *bearing) toOthers(e *evidence.Route) bool {
	if b.others.overlap(e.Destination) {
		return true
	}
	refuses := e.Type != "unicast"
	return !refuses && !b.wireguard[e.Link] && b.toEnds(e.Destination)
}

// toEnds reports whether a prefix has an address that overlays send to.
func (b *bearing) toEnds(prefix netip.Prefix) bool {
	return slices.ContainsFunc(b.ends, prefix.Contains)
}

// carry notes what the tunnels carry.
func (b *bearing) carry(all []fibEntry) {
	for _, entry := range all {
		if b.tunnelled(entry) && entry.destination.Bits() > 0 && len(b.carried) < maxPerLink {
			b.carried = append(b.carried, entry.destination)
		}
	}
}

func (b *bearing) tunnelled(entry fibEntry) bool {
	return entry.table != unix.RT_TABLE_LOCAL &&
		slices.ContainsFunc(entry.hops, func(hop fibHop) bool { return b.tunnels[hop.link] })
}

func (b *bearing) on(entry fibEntry) bool {
	if entry.table == unix.RT_TABLE_LOCAL {
		return b.others.overlap(entry.destination)
	}
	if b.all.overlap(entry.destination) {
		return true
	}
	switch entry.kind {
	case unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_MULTICAST, unix.RTN_ANYCAST:
		return false
	}
	if len(global([]netip.Prefix{entry.destination})) == 0 {
		return false
	}
	if b.tunnelled(entry) || inside(entry.destination, b.carried) {
		return true
	}
	first, _ := slices.BinarySearchFunc(b.destinations, entry.destination.Addr(), netip.Addr.Compare)
	return first < len(b.destinations) && entry.destination.Contains(b.destinations[first])
}

// ranges are prefixes in the order of their addresses, none inside another.
type ranges []netip.Prefix

func newRanges(prefixes []netip.Prefix) ranges {
	sorted := slices.Clone(prefixes)
	for i := range sorted {
		sorted[i] = sorted[i].Masked()
	}
	sorted = slices.DeleteFunc(sorted, func(p netip.Prefix) bool { return !p.IsValid() })
	slices.SortFunc(sorted, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var list ranges
	for _, p := range sorted {
		if n := len(list); n == 0 || !list[n-1].Overlaps(p) {
			list = append(list, p)
		}
	}
	return list
}

// overlap reports whether some of the prefix is in one of the ranges.
func (r ranges) overlap(prefix netip.Prefix) bool {
	next, _ := slices.BinarySearchFunc(r, prefix.Addr(), func(p netip.Prefix, addr netip.Addr) int {
		return p.Addr().Compare(addr)
	})
	return next < len(r) && r[next].Overlaps(prefix) || next > 0 && r[next-1].Overlaps(prefix)
}
