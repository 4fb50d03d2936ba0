//go:build linux

package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Watch listens for changes of links, and of the addresses and routes that a
// link's role is decided from. The kernel queues them until they are read. The
// zero Watch hears nothing.
type Watch struct {
	open       bool
	socket     int
	buffer     []byte
	pods       []netip.Prefix
	links      map[int]*watched
	names      map[string]int
	events     []evidence.LinkEvent
	count      int
	incomplete string

	// Of routes and rules, see Paths.
	bears         *bearing
	paths         map[string]bool
	route1, rule1 string // the first change
}

// watched is a link as the notifications show it.
type watched struct {
	name, kind string
	master     int
	peer       int // of a pair, if it is in this namespace
	facts      facts
	xdp        uint32
	captured   bool // it was there when the watch began, and was outside or WireGuard
	role       evidence.LinkRole
	added      int  // its event, counted from 1; 0 if it was there before
	unread     bool // its routes are not known
}

// maxLinkEvents bounds the changes that are reported.
const maxLinkEvents = 256

// watchBuffer is how many bytes of notifications the kernel may queue.
const watchBuffer = 8 << 20

// Watch begins to listen. What is on the host is told later, by Known.
func (r Reader) Watch(pods []netip.Prefix) (*Watch, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	// Without the privilege to force it, what is allowed has to do.
	if unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer) != nil {
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUF, watchBuffer)
	}
	groups := uint32(0)
	for _, group := range []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE} {
		groups |= 1 << (group - 1)
	}
	if err := unix.Bind(socket, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(socket)
		return nil, fmt.Errorf("listening for changes of links: %w", err)
	}
	return &Watch{open: true, socket: socket, buffer: make([]byte, 64<<10), pods: pods, links: map[int]*watched{}, names: map[string]int{}}, nil
}

// Known says what was read after the watch began: changes are changes of that.
func (w *Watch) Known(links Links) {
	if !w.open {
		return
	}
	for _, link := range links.Links {
		known := &watched{name: link.Name, kind: link.Kind, captured: link.Role != evidence.RoleInside && link.Up, role: link.Role}
		known.facts = facts{Kind: link.Kind, Up: link.Up, Loopback: link.Type == "loopback", PeerNS: link.PeerNS, Socket: link.Role == evidence.RoleWireGuard}
		if link.XDP != nil {
			known.xdp = link.XDP.ID
		}
		w.links[link.Index], w.names[link.Name] = known, link.Index
	}
	for _, link := range links.Links {
		known := w.links[link.Index]
		known.master = w.names[link.Master]
		if slices.Contains(paired, link.Kind) && !link.PeerNS {
			known.peer = w.names[link.Parent]
		}
	}
	for _, address := range links.Addresses {
		if link := w.links[w.names[address.Link]]; link != nil {
			link.facts.Addresses = append(link.facts.Addresses, address.Prefix)
		}
	}
	routes, err := routesByLink()
	for index, link := range w.links {
		link.facts.Routes, link.unread = routes[index], err != nil
	}
}

// Stays reports whether a link came while the watch listened, and is known to
// lead to a container of this host.
func (w *Watch) Stays(index int) bool {
	link := w.links[index]
	return link != nil && link.added > 0 && link.role == evidence.RoleInside && w.incomplete == ""
}

// Drain reads what is queued.
func (w *Watch) Drain() {
	for w.open {
		n, from, err := unix.Recvfrom(w.socket, w.buffer, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			w.incomplete = "there were more changes than could be queued"
			continue
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			w.incomplete = err.Error()
			return
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // not the kernel
		}
		messages, err := syscall.ParseNetlinkMessage(w.buffer[:n])
		if err != nil {
			w.incomplete = "a change could not be read"
		}
		for _, m := range messages {
			w.notice(m.Header.Type, m.Data)
		}
	}
}

// Close ends the watch and returns the changes, and whether these are all.
func (w *Watch) Close() ([]evidence.LinkEvent, evidence.Inventory) {
	w.Drain()
	if w.open {
		w.open = false
		unix.Close(w.socket)
	}
	inventory := evidence.Inventory{What: evidence.InventoryLinks, Count: w.count, Complete: w.incomplete == "", Text: w.incomplete}
	return w.events, inventory
}

func (w *Watch) notice(kind uint16, message []byte) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if change, ok := parseLink(message); ok {
			w.link(change, kind == unix.RTM_DELLINK)
		}
	case unix.RTM_NEWADDR:
		index, prefix := parseAddress(message)
		if link := w.links[index]; link != nil && len(link.facts.Addresses) < addressesPerLink {
			link.facts.Addresses = append(link.facts.Addresses, prefix)
			w.decide(index)
			w.decidePorts(index)
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		entry, ok := parseEntry(message)
		if !ok {
			return
		}
		removed := kind == unix.RTM_DELROUTE
		w.entry(entry, removed)
		if !removed && entry.kind == unix.RTN_UNICAST && !entry.destination.IsSingleIP() {
			w.route(entry)
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		w.rule(message, kind == unix.RTM_DELRULE)
	}
}

func (w *Watch) route(entry fibEntry) {
	for _, hop := range entry.hops {
		if link := w.links[hop.link]; link != nil && len(link.facts.Routes) < maxPerLink {
			link.facts.Routes = append(link.facts.Routes, entry.destination)
			w.decide(hop.link)
			w.decidePorts(hop.link)
		}
	}
}

// decidePorts decides on the ports of a bridge whose routes or addresses changed.
func (w *Watch) decidePorts(bridge int) {
	for index, link := range w.links {
		if link.master == bridge {
			w.decide(index)
		}
	}
}

// linkChange is one notification about a link.
type linkChange struct {
	index                int
	name, kind           string
	master, peer         int
	up, loopback, peerNS bool
	xdp                  uint32
	txPackets, rxPackets uint64
}

// Attributes of linux/if_link.h.
const (
	sizeofLinkMessage = 16 // struct ifinfomsg: family, type, index, flags, change
	iflaXDPID         = 4
	iflaInfoKind      = 1
)

// parseLink reads RTM_NEWLINK and RTM_DELLINK; not ok if it is of a bridge about
// one of its ports.
func parseLink(message []byte) (c linkChange, ok bool) {
	if len(message) < sizeofLinkMessage || message[0] != unix.AF_UNSPEC {
		return c, false
	}
	c.index = int(native.Uint32(message[4:]))
	flags := native.Uint32(message[8:])
	c.up, c.loopback = flags&unix.IFF_UP != 0, flags&unix.IFF_LOOPBACK != 0
	for _, a := range attributes(message, sizeofLinkMessage) {
		switch a.kind {
		case unix.IFLA_IFNAME:
			c.name = a.text()
		case unix.IFLA_MASTER:
			c.master = int(a.u32())
		case unix.IFLA_LINK:
			c.peer = int(a.u32())
		case unix.IFLA_LINK_NETNSID:
			c.peerNS = true
		case unix.IFLA_LINKINFO:
			c.kind = nftExpression{data: attributes(a.value, 0)}.text(iflaInfoKind)
		case unix.IFLA_XDP:
			c.xdp = attribute{value: nftExpression{data: attributes(a.value, 0)}.bytes(iflaXDPID)}.u32()
		case unix.IFLA_STATS64:
			if len(a.value) >= 16 { // received, then sent
				c.rxPackets, c.txPackets = native.Uint64(a.value), native.Uint64(a.value[8:])
			}
		}
	}
	return c, c.name != ""
}

// parseAddress reads RTM_NEWADDR: struct ifaddrmsg of family, prefix length,
// flags, scope, index.
func parseAddress(message []byte) (index int, prefix netip.Prefix) {
	const size = 8
	if len(message) < size {
		return 0, netip.Prefix{}
	}
	for _, a := range attributes(message, size) {
		if a.kind == unix.IFA_LOCAL || a.kind == unix.IFA_ADDRESS && !prefix.IsValid() {
			if addr := address(a.value); addr.IsValid() {
				prefix = netip.PrefixFrom(addr, int(message[1]))
			}
		}
	}
	return int(native.Uint32(message[4:])), prefix
}

// link takes a change of a link.
func (w *Watch) link(c linkChange, removed bool) {
	before := w.links[c.index]
	if removed {
		if before == nil {
			return // it was gone before all links were read
		}
		w.add(c, "removed", before.role)
		delete(w.links, c.index)
		return
	}
	if before == nil {
		before = &watched{}
		w.links[c.index] = before
		w.add(c, "added", "")
		before.added = len(w.events)
	} else {
		if before.facts.Up != c.up {
			w.add(c, map[bool]string{true: "up", false: "down"}[c.up], before.role)
		}
		if before.xdp != c.xdp {
			w.add(c, "xdp", before.role)
		}
	}
	before.name, before.kind, before.master, before.xdp = c.name, c.kind, c.master, c.xdp
	before.peer = c.peer
	if c.peerNS || !slices.Contains(paired, c.kind) {
		before.peer = 0
	}
	before.facts.Kind, before.facts.Up, before.facts.Loopback, before.facts.PeerNS = c.kind, c.up, c.loopback, c.peerNS
	w.decide(c.index)
}

func (w *Watch) add(c linkChange, what string, role evidence.LinkRole) {
	if w.count++; len(w.events) >= maxLinkEvents {
		w.forget()
	}
	if len(w.events) >= maxLinkEvents {
		w.incomplete = fmt.Sprintf("more than %d changes of links", maxLinkEvents)
		return
	}
	event := evidence.LinkEvent{Link: c.name, Index: c.index, What: what, Kind: c.kind, Role: role}
	if what == "removed" {
		event.TXPackets, event.RXPackets = c.txPackets, c.rxPackets
	}
	w.events = append(w.events, event)
}

// forget makes room: what became of links that stayed inside need not be reported.
func (w *Watch) forget() {
	kept := w.events[:0]
	moved := map[int]int{} // place of an event, counted from 1
	for i, e := range w.events {
		if e.Role == evidence.RoleInside && e.What != "xdp" && (e.What != "added" || w.links[e.Index] == nil) {
			continue
		}
		kept = append(kept, e)
		moved[i+1] = len(kept)
	}
	w.events = kept
	for _, link := range w.links {
		if link.added > 0 {
			link.added = moved[link.added]
		}
	}
}

// decide decides the role of a link that was not captured from what is known
// now. The gravest that it ever had counts.
func (w *Watch) decide(index int) {
	link := w.links[index]
	if link.captured || link.role == evidence.RoleOutside {
		return
	}
	f := link.facts
	// The kernel names another namespace if the other end is in one. What it said
	// of the other end itself can be from before the two were joined.
	f.HostPeer = link.peer != 0 && w.links[link.peer] != nil
	if master := w.links[link.master]; link.master != 0 && master != nil {
		f.Master = &masterFacts{Addresses: master.facts.Addresses, Ports: w.ports(link.master)}
	}
	role, _ := decide(f, w.pods)
	if role == evidence.RoleOutside && w.ofContainer(link, f) {
		role = evidence.RoleInside
	}
	switch {
	case link.added > 0 && link.added <= len(w.events):
		w.events[link.added-1].Role = role
	case role == evidence.RoleOutside && link.role == evidence.RoleInside:
		w.add(linkChange{index: index, name: link.name, kind: link.kind}, "role", role)
	}
	link.role = role
}

// ofContainer reports whether a new pair leads to a container behind a bridge
// that leads nowhere else, as that of Docker: the bridge was there before,
// nothing but pairs are its ports, and all routes out of it are to its own
// networks. Its old ports are captured; this one is no other way out.
func (w *Watch) ofContainer(link *watched, f facts) bool {
	bridge := w.links[link.master]
	if link.added == 0 || bridge == nil || bridge.added > 0 || bridge.kind != "bridge" || bridge.unread {
		return false
	}
	if !slices.Contains(paired, f.Kind) || !f.PeerNS || len(global(f.Addresses)) > 0 || len(global(f.Routes)) > 0 {
		return false
	}
	if len(global(bridge.facts.Addresses)) == 0 || slices.ContainsFunc(f.Master.Ports, uplink) {
		return false
	}
	return !slices.ContainsFunc(global(bridge.facts.Routes), func(to netip.Prefix) bool {
		return !slices.ContainsFunc(bridge.facts.Addresses, func(own netip.Prefix) bool { return own.Masked() == to })
	})
}

func (w *Watch) ports(master int) (kinds []string) {
	for _, link := range w.links {
		if link.master == master {
			kinds = append(kinds, link.kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}
