//go:build linux

package host

import (
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Links is one reading of all links, their addresses and the control sockets
// that name them.
type Links struct {
	Links     []evidence.Link
	Addresses []evidence.Address
	Sockets   []evidence.Socket
	Stats     []LinkStats
	state     *state
}

// addressesPerLink bounds what one link may list: kube-ipvs0 has thousands.
const addressesPerLink = 64

// Links reads all links and decides their role; pods are this node's pod ranges.
func (r Reader) Links(pods []netip.Prefix) (Links, []evidence.Problem) {
	state, problems := readState()
	result := Links{state: state}
	sockets, err := r.Sockets()
	if err != nil {
		problems = append(problems, kernel.Problem("socket", "", err))
	}
	result.Sockets = sockets
	for _, index := range slices.Sorted(maps.Keys(state.links)) {
		l := state.links[index]
		l.Master = state.name(l.master)
		l.Parent = state.name(l.parent)
		l.socket = slices.ContainsFunc(sockets, func(s evidence.Socket) bool { return s.Device == l.Name })
		f := state.facts(l, true)
		l.Role, l.Why = decide(f, pods)
		if l.Role == evidence.RoleInside && state.unread && f.PeerNS {
			l.Role = evidence.RoleOutside
			l.Why = "its routes could not be read"
		}
		if l.Role == evidence.RoleOutside {
			l.ReversePath = r.reversePath(l.Name)
		}
		if l.Role == evidence.RoleWireGuard || l.Kind == "bridge" {
			l.NoForwarding = r.unforwarded(l.Name)
		}
		result.Links = append(result.Links, l.Link)
		if counts(l.Link) {
			result.Stats = append(result.Stats, l.stats)
		}
		for _, prefix := range f.Addresses[:min(len(f.Addresses), addressesPerLink)] {
			result.Addresses = append(result.Addresses, evidence.Address{Link: l.Name, Prefix: prefix})
		}
	}
	offloads(result.Links)
	return result, problems
}

// readState lists links, addresses and routes.
func readState() (*state, []evidence.Problem) {
	var s state
	var problems []evidence.Problem
	var err error
	if s.links, err = kernel.Retry(listLinks); err != nil {
		problems = append(problems, kernel.Problem("link", "", err))
		clear(s.links) // roles decided from some of them would not hold
	}
	if s.addresses, err = kernel.Retry(listAddresses); err != nil {
		problems = append(problems, kernel.Problem("address", "", err))
	}
	if s.routes, err = kernel.Retry(routesByLink); err != nil {
		problems = append(problems, kernel.Problem("route", "", err))
		s.unread = true
	}
	return &s, problems
}

func listLinks() (map[int]*link, error) {
	links := map[int]*link{}
	err := kernel.List(unix.NETLINK_ROUTE, unix.RTM_GETLINK, make([]byte, sizeofLinkMessage), func(message []byte) {
		if l, ok := parseLink(message); ok {
			links[l.Index] = l
		}
	})
	return links, err
}

func listAddresses() (map[int][]netip.Prefix, error) {
	addresses := map[int][]netip.Prefix{}
	err := kernel.List(unix.NETLINK_ROUTE, unix.RTM_GETADDR, make([]byte, sizeofAddressMessage), func(message []byte) {
		if index, prefix := parseAddress(message); prefix.IsValid() {
			addresses[index] = append(addresses[index], prefix)
		}
	})
	return addresses, err
}

// routesByLink collects the destinations of unicast routes in all tables by
// the link they lead out of, each hop of a multipath route counted.
func routesByLink() (map[int][]netip.Prefix, error) {
	routes := map[int][]netip.Prefix{}
	err := eachEntry(func(entry fibEntry) {
		if entry.ofNetwork() {
			addRoute(routes, entry)
		}
	})
	return routes, err
}

// ofNetwork reports whether an entry leads to a network: only such a one shows an
// uplink.
func (e fibEntry) ofNetwork() bool { return e.kind == unix.RTN_UNICAST && !e.destination.IsSingleIP() }

func addRoute(routes map[int][]netip.Prefix, entry fibEntry) {
	for _, hop := range entry.hops {
		if len(routes[hop.link]) < maxPerLink {
			routes[hop.link] = append(routes[hop.link], entry.destination)
		}
	}
}
