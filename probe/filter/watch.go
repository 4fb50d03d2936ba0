//go:build linux

package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// A statement that comes and goes between two readings is in neither. So the kernel's
// own notifications are kept from before the first reading on, and at the end what
// they named is read like the rest: as if it stood next to what is there then.
// iptables-legacy and IPVS do not notify of their changes.

// Watch keeps what comes and goes of filters and of what overlays send to whom. The
// zero Watch hears nothing.
type Watch struct {
	heard  []heard
	closed bool
	known  map[string]bool // the statements of all readings, see keyOf
	nft    *nftChanges
	tc     changes // messages of RTM_NEWTFILTER, RTM_DELTFILTER and RTM_NEWACTION
	xfrm   changes // of XFRM_MSG_NEWPOLICY and XFRM_MSG_UPDPOLICY
	fdb    changes // of RTM_NEWNEIGH and RTM_DELNEIGH
}

// heard is a group of notifications.
type heard struct {
	inventory string // what they change
	listener  *kernel.Listener
	absent    bool   // the kind was not there
	why       string // why not all are heard
}

// Bounds on what is kept of changes.
const (
	maxChanges  = 1 << 16
	maxKept     = 8 << 20  // bytes, of one kind
	changesRoom = 8 << 20  // bytes that the kernel may queue
	nftRoom     = 32 << 20 // the same of nf_tables: kube-proxy can write all of its rules at once
)

// meanwhile is the condition of what was seen between two readings only.
const meanwhile = "for a part of the run only"

// Listen begins to listen. A kind that is not there has no changes, and is not made
// to be there.
func (r Reader) Listen() *Watch {
	w := &Watch{known: map[string]bool{}}
	w.listen(evidence.InventoryTC, unix.NETLINK_ROUTE, unix.RTNLGRP_TC, changesRoom, w.tc.filters)
	w.listen(evidence.InventoryFDB, unix.NETLINK_ROUTE, unix.RTNLGRP_NEIGH, changesRoom, w.fdb.neighbours)
	if loaded, err := r.loaded(); loaded && err == nil {
		w.nft = newNftChanges()
		w.listen(evidence.InventoryNftables, unix.NETLINK_NETFILTER, unix.NFNLGRP_NFTABLES, nftRoom, w.nft.notice)
	} else {
		w.heard = append(w.heard, heard{inventory: evidence.InventoryNftables, absent: true})
	}
	if r.Root.Speaks(unix.NETLINK_XFRM) {
		w.listen(evidence.InventoryXFRM, unix.NETLINK_XFRM, xfrmGroupPolicy, changesRoom, w.xfrm.policies)
	} else {
		w.heard = append(w.heard, heard{inventory: evidence.InventoryXFRM, absent: true})
	}
	return w
}

func (w *Watch) listen(inventory string, protocol, group, room int, visit func(kind uint16, message []byte)) {
	listener, err := kernel.Listen(protocol, []int{group}, room, visit)
	h := heard{inventory: inventory, listener: listener}
	if err != nil {
		h.why = err.Error()
	}
	w.heard = append(w.heard, h)
}

// Close ends the watch. What it heard is in the next reading.
func (w *Watch) Close() {
	for i := range w.heard {
		h := &w.heard[i]
		if h.listener != nil {
			h.why = h.listener.Close()
			h.listener = nil
		}
	}
	w.closed = true
}

// missed explains why not all changes of a kind were heard, empty if they were. there
// reports whether the kind is there now.
func (w *Watch) missed(inventory string, there bool) string {
	at := slices.IndexFunc(w.heard, func(h heard) bool { return h.inventory == inventory })
	switch {
	case at < 0:
	case w.heard[at].why != "":
		return "not all changes were heard: " + w.heard[at].why
	case w.heard[at].absent && there:
		return "it was loaded meanwhile, and changes were not heard"
	}
	return ""
}

// maxRule is the longest Diversion.Rule in bytes.
const maxRule = 300

// keyOf distinguishes statements. The number of a program changes whenever it is
// loaded again.
func keyOf(d evidence.Diversion) string {
	if d.Program != "" {
		d.ID = 0
	}
	line, _ := json.Marshal(d) // a Diversion has nothing that JSON cannot render
	return string(line)
}

// note keeps statements that a reading found.
func (w *Watch) note(found []evidence.Diversion) {
	if w.known == nil {
		w.known = map[string]bool{}
	}
	for _, d := range found {
		w.known[keyOf(d)] = true
	}
}

// between returns those of some statements that no reading found, as what they are.
func (w *Watch) between(found []evidence.Diversion) (list []evidence.Diversion) {
	w.note(nil)
	for _, d := range found {
		key := keyOf(d)
		if w.known[key] {
			continue
		}
		w.known[key] = true
		d.Selector.Other = append(slices.Clip(d.Selector.Other), meanwhile)
		d.Rule = d.Rule[:min(len(d.Rule), maxRule-len(meanwhile)-3)] + " (" + meanwhile + ")"
		list = append(list, bounded(d))
	}
	return list
}

// changes are the bodies of notifications, each kept once.
type changes struct {
	seen     map[string]bool
	messages [][]byte
	size     int
	lacking  string
}

func (c *changes) keep(message []byte) {
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	switch key := string(message); {
	case c.seen[key]:
	case len(c.seen) >= maxChanges || c.size+len(message) > maxKept:
		c.lacking = fmt.Sprintf("there were more than %d changes", len(c.seen))
	default:
		c.seen[key] = true
		c.size += len(message)
		c.messages = append(c.messages, bytes.Clone(message))
	}
}

// filters takes notifications of traffic control.
func (c *changes) filters(kind uint16, message []byte) {
	switch kind {
	case unix.RTM_NEWTFILTER, unix.RTM_DELTFILTER:
		if len(message) >= sizeofTcMessage {
			c.keep(message)
		}
	case unix.RTM_NEWACTION:
		if name := divertingAction(message); name != "" && c.lacking == "" {
			c.lacking = "an action of kind " + name + " was changed meanwhile"
		}
	}
}

// divertingAction names the first action of a notification about actions by
// themselves that can give packets another way: filters that have it have it by its
// number. Behind struct tcamsg there is a list of actions (TCA_ACT_TAB).
func divertingAction(message []byte) string {
	const header, list = 4, 1
	for _, action := range kernel.Parse(message, header).Nested(list) {
		a := kernel.Parse(action.Value, 0)
		if parseAction(a, evidence.Diversion{}, nil).Effect != "" {
			return a.Text(tcaKind)
		}
	}
	return ""
}

// policies takes notifications of IPsec: those of policies that come.
func (c *changes) policies(kind uint16, message []byte) {
	if kind == xfrmNewPolicy || kind == xfrmUpdatePolicy {
		c.keep(message)
	}
}

// neighbours takes notifications of neighbours that have an address: what is left
// of the message are its links and addresses, so that a change of state is none.
func (c *changes) neighbours(kind uint16, message []byte) {
	if len(message) < sizeofNeighbour || kind != unix.RTM_NEWNEIGH && kind != unix.RTM_DELNEIGH {
		return
	}
	a := kernel.Parse(message, sizeofNeighbour)
	short := bytes.Clone(message[:8]) // family and link
	short = append(short, 0, 0, 0, 0)
	for _, attribute := range []uint16{ndaDestination, ndaEther, ndaNexthop} {
		if value := a.Get(attribute); value != nil {
			short = native.AppendUint16(short, uint16(4+len(value)))
			short = native.AppendUint16(short, attribute)
			short = append(short, value...)
			short = append(short, make([]byte, -len(value)&3)...)
		}
	}
	if a.Get(ndaEther) != nil {
		c.keep(short)
	}
}

// entries are the neighbours of a family that came or went.
func (c *changes) entries(family byte) (list []neighbour) {
	for _, message := range c.messages {
		if m, ok := parseNeighbour(message, family); ok {
			list = append(list, m)
		}
	}
	return list
}

// filtersOf are the statements of filters that came or went, at links that are there
// at the end: what was at a pod's link goes with it.
func (c *changes) filtersOf(names map[int]string) (list []evidence.Diversion) {
	const block = 0xffffffff // TCM_IFINDEX_MAGIC_BLOCK: of a block that several links share
	for _, message := range c.messages {
		link := native.Uint32(message[4:])
		if names[int(int32(link))] == "" && link != block ||
			kernel.Parse(message, sizeofTcMessage).Get(tcaOptions) == nil {
			continue
		}
		found := parseFilter(message, names)
		for i := range found {
			if link == block { // its discipline is not named
				found[i].Link = ""
				found[i].Hook = ""
				found[i].Selector = evidence.Selector{Other: []string{"a block of several links"}}
			}
		}
		list = append(list, found...)
	}
	return list
}

func (c *changes) policiesOf() (list []evidence.Diversion) {
	for _, message := range c.messages {
		if d, ok := parsePolicy(message); ok {
			list = append(list, d)
		}
	}
	return list
}
