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
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Watch listens for changes of links, of the addresses and routes that a link's
// role is decided from, and of rules. The kernel queues them until they are read.
// The zero Watch hears nothing.
type Watch struct {
	open       bool
	socket     int
	buffer     []byte
	pods       []netip.Prefix
	state      *state
	events     []evidence.LinkEvent
	count      int // of all events, those that were dropped included
	incomplete string
	paths      paths
}

// watched is what a watch knows of a link in addition to its state. Role is then the
// gravest that the link had since the watch began.
type watched struct {
	captured bool // it was there when the watch began, and was outside or WireGuard
	added    int  // its event, counted from 1; 0 if it was there before
}

// maxLinkEvents bounds the changes that are reported.
const maxLinkEvents = 256

// watchBuffer is how many bytes of notifications the kernel may queue.
const watchBuffer = 8 << 20

// groups are what a watch listens for.
var groups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
	unix.RTNLGRP_TC, unix.RTNLGRP_NEXTHOP,
}

// Watch begins to listen. What is on the host is passed later, to Known.
func (r Reader) Watch(pods []netip.Prefix) (*Watch, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	// Without the privilege to force it, what is allowed has to do.
	if unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer) != nil {
		_ = unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUF, watchBuffer)
	}
	address := unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	for _, group := range groups {
		address.Groups |= 1 << (group - 1)
	}
	if err := unix.Bind(socket, &address); err != nil {
		unix.Close(socket)
		return nil, fmt.Errorf("listening for changes of links: %w", err)
	}
	nothing := &state{links: map[int]*link{}, addresses: map[int][]netip.Prefix{}, routes: map[int][]netip.Prefix{}}
	return &Watch{open: true, socket: socket, buffer: make([]byte, 64<<10), pods: pods, state: nothing}, nil
}

// Known takes what was read after the watch began: changes are changes of that.
func (w *Watch) Known(links Links) {
	if !w.open || links.state == nil {
		return
	}
	w.state = links.state
	for _, l := range w.state.links {
		l.watched.captured = l.Role != evidence.RoleInside && l.Up
	}
}

// Stays reports whether a link came while the watch listened, and is known to
// lead to a container of this host.
func (w *Watch) Stays(index int) bool {
	if w.state == nil || w.incomplete != "" {
		return false
	}
	l := w.state.links[index]
	return l != nil && l.watched.added > 0 && l.Role == evidence.RoleInside
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

// Close ends the watch and returns the changes of links, and whether these are all.
func (w *Watch) Close() ([]evidence.LinkEvent, evidence.Inventory) {
	w.Drain()
	if w.open {
		w.open = false
		unix.Close(w.socket)
	}
	return w.events, evidence.Inventory{
		What: evidence.InventoryLinks, Count: w.count, Complete: w.incomplete == "", Text: w.incomplete,
	}
}

// notice takes one notification.
func (w *Watch) notice(kind uint16, message []byte) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if l, ok := parseLink(message); ok {
			w.link(l, kind == unix.RTM_DELLINK)
		}
	case unix.RTM_NEWADDR:
		index, prefix := parseAddress(message)
		if own := w.state.addresses[index]; prefix.IsValid() && len(own) < addressesPerLink {
			w.state.addresses[index] = append(own, prefix)
			w.decideAll(index)
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		entry, ok := parseEntry(message)
		if !ok {
			return
		}
		removed := kind == unix.RTM_DELROUTE
		w.paths.entry(entry, removed, w.state)
		if !removed && entry.ofNetwork() {
			addRoute(w.state.routes, entry)
			for _, hop := range entry.hops {
				w.decideAll(hop.link)
			}
		}
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		w.paths.rule(message, kind == unix.RTM_DELRULE)
	case rtmNewNexthop, rtmDelNexthop:
		w.paths.object(message, kind == rtmDelNexthop)
	case unix.RTM_DELTFILTER, unix.RTM_DELQDISC:
		w.filter(message, kind == unix.RTM_DELTFILTER)
	}
}

// sizeofTcMessage is that of struct tcmsg in linux/rtnetlink.h: family, link,
// handle, parent, info.
const sizeofTcMessage = 20

// withoutFilters are queueing disciplines that a link gets by itself, and in which
// there are no filters.
var withoutFilters = []string{"noqueue", "noop", "mq", "pfifo", "pfifo_fast", "bfifo", "fq", "tbf"}

// filter takes that a filter of traffic control was removed, or a discipline with
// all of its filters. One that stays is read at the end; one that is gone with its
// link, as a pod's, leaves no packet another way.
func (w *Watch) filter(message []byte, single bool) {
	if len(message) < sizeofTcMessage {
		return
	}
	l := w.state.links[int(native.Uint32(message[4:]))]
	kind := kernel.Parse(message, sizeofTcMessage).Text(tcaKind)
	if l == nil || l.watched.added > 0 || !single && slices.Contains(withoutFilters, kind) {
		return
	}
	what := "discipline"
	if single {
		what = "filter"
	}
	w.paths.noteText(evidence.InventoryTC, fmt.Sprintf("the %s %s at %s was removed", what, kind, l.Name))
}

const tcaKind = 1 // TCA_KIND of linux/rtnetlink.h

// link takes a change of a link.
func (w *Watch) link(l *link, removed bool) {
	before := w.state.links[l.Index]
	event := evidence.LinkEvent{Link: l.Name, Index: l.Index}
	switch {
	case removed && before == nil: // it was gone before all links were read
	case removed:
		event.What = "removed"
		event.Role = before.Role
		event.TXPackets = l.stats.TXPackets
		event.RXPackets = l.stats.RXPackets
		w.add(event)
		delete(w.state.links, l.Index)
		delete(w.state.addresses, l.Index)
		delete(w.state.routes, l.Index)
		w.separated(l.Index)
	case before == nil:
		w.state.links[l.Index] = l
		event.What = "added"
		w.add(event)
		l.watched.added = len(w.events)
		w.decide(l)
	default:
		l.Role = before.Role
		l.socket = before.socket
		l.watched = before.watched
		w.state.links[l.Index] = l
		w.changed(before, l)
		w.decide(l)
	}
}

// separated takes that an end of a pair left: the ends of a pair are destroyed
// together, so one that stays leads to another namespace from now on, whatever its
// last notification says.
func (w *Watch) separated(index int) {
	for _, l := range w.state.links {
		if l.otherEnd() == index {
			l.PeerNS = true
			l.parent = 0
		}
	}
}

// changed notes how a link differs from what it was before.
func (w *Watch) changed(before, l *link) {
	event := evidence.LinkEvent{Link: l.Name, Index: l.Index, Role: l.Role}
	if before.Up != l.Up {
		event.What = "down"
		if l.Up {
			event.What = "up"
		}
		w.add(event)
	}
	if before.program() != l.program() {
		event.What = "xdp"
		w.add(event)
	}
}

// program returns the number of the XDP program on a link, 0 if there is none.
func (l *link) program() uint32 {
	if l.XDP == nil {
		return 0
	}
	return l.XDP.ID
}

func (w *Watch) add(event evidence.LinkEvent) {
	if w.count++; len(w.events) >= maxLinkEvents {
		w.forget()
	}
	if len(w.events) >= maxLinkEvents {
		w.incomplete = fmt.Sprintf("more than %d changes of links", maxLinkEvents)
		return
	}
	w.events = append(w.events, event)
}

// forget makes room: what became of links that stayed inside need not be reported.
func (w *Watch) forget() {
	kept := w.events[:0]
	moved := map[int]int{} // place of an event, counted from 1
	for i, e := range w.events {
		if e.Role == evidence.RoleInside && e.What != "xdp" && (e.What != "added" || w.state.links[e.Index] == nil) {
			continue
		}
		kept = append(kept, e)
		moved[i+1] = len(kept)
	}
	w.events = kept
	for _, l := range w.state.links {
		l.watched.added = moved[l.watched.added]
	}
}

// decideAll decides on a link whose routes or addresses changed, and on its ports.
func (w *Watch) decideAll(index int) {
	if w.state.links[index] == nil {
		return
	}
	for _, l := range w.state.links {
		if l.Index == index || l.master == index {
			w.decide(l)
		}
	}
}

// decide decides the role of a link that was not captured from what is known
// now. The gravest that it ever had counts.
func (w *Watch) decide(l *link) {
	if l.watched.captured || l.Role == evidence.RoleOutside {
		return
	}
	// The kernel names another namespace if the other end is in one. The last
	// notification of the other end can be from before the two were joined.
	f := w.state.facts(l, false)
	role, _ := decide(f, w.pods)
	if role == evidence.RoleOutside && w.ofContainer(l, f) {
		role = evidence.RoleInside
	}
	switch {
	case l.watched.added > 0 && l.watched.added <= len(w.events):
		w.events[l.watched.added-1].Role = role
	case role == evidence.RoleOutside && l.Role == evidence.RoleInside:
		w.add(evidence.LinkEvent{Link: l.Name, Index: l.Index, What: "role", Role: role})
	}
	l.Role = role
}

// ofContainer reports whether a new pair leads to a container behind a bridge
// that leads nowhere else, as that of Docker: the bridge was there before,
// nothing but pairs are its ports, and all routes out of it are to its own
// networks. Its old ports are captured; this one does not lead out either.
func (w *Watch) ofContainer(l *link, f facts) bool {
	bridge := w.state.links[l.master]
	if l.watched.added == 0 || bridge == nil || bridge.watched.added > 0 || bridge.Kind != "bridge" || w.state.unread {
		return false
	}
	if !slices.Contains(paired, f.Kind) || !f.PeerNS || len(global(f.Addresses)) > 0 || len(global(f.Routes)) > 0 {
		return false
	}
	own := w.state.addresses[bridge.Index]
	if len(global(own)) == 0 || slices.ContainsFunc(f.Master.Ports, uplink) {
		return false
	}
	return !slices.ContainsFunc(global(w.state.routes[bridge.Index]), func(to netip.Prefix) bool {
		return !slices.ContainsFunc(own, func(network netip.Prefix) bool { return network.Masked() == to })
	})
}
