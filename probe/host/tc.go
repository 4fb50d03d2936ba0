//go:build linux

package host

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds on what of traffic control is read.
const (
	maxFilteredLinks = 512
	maxFilters       = 1024
)

// Of linux/rtnetlink.h, linux/pkt_sched.h and linux/pkt_cls.h.
const (
	sizeofTcMessage = 20 // struct tcmsg: family and padding, link, handle, parent, info
	tcaKind         = 1
	tcaOptions      = 2
	clsactIngress   = 0xfffffff2
	clsactEgress    = 0xfffffff3
	ingressQdisc    = 0xffff0000
)

// qdisc is a queueing discipline that can hold filters.
type qdisc struct {
	link   int
	handle uint32
	kind   string
}

// withoutFilters are kinds of queueing disciplines that hold no filters.
var withoutFilters = map[string]bool{"noqueue": true, "mq": true, "pfifo": true, "pfifo_fast": true, "bfifo": true, "fq": true}

// trafficControl reads the filters of traffic control that mark, copy or
// divert, and BPF programs there, of all links.
func (r Reader) trafficControl(links []evidence.Link) ([]evidence.Diversion, evidence.Inventory, []evidence.Problem) {
	inventory := evidence.Inventory{What: evidence.InventoryTC, Complete: true}
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Index] = link.Name
	}
	found, err := dump(func() ([]evidence.Diversion, error) { return readFilters(names, &inventory) })
	var problems []evidence.Problem
	if err != nil {
		problems = append(problems, problem("diversion", "tc", err))
		inventory.Complete, inventory.Text = false, err.Error()
	}
	var attached []evidence.Diversion
	err = nil
	if release := r.System().Kernel; hasTCX(release) {
		attached, err = attachedPrograms(links)
	}
	if err != nil {
		// A container's seccomp profile refuses bpf() to all but the most privileged.
		// What such a program sends still crosses the packet sockets of other links.
		inventory.Text = strings.TrimSpace(inventory.Text + " programs attached by tcx or netkit could not be read: " + err.Error())
	}
	found = append(found, attached...)
	if len(found) > maxFilters {
		inventory.Complete, inventory.Text = false, fmt.Sprintf("%d filters, more than the %d that are reported", len(found), maxFilters)
		found = found[:maxFilters]
	}
	return found, inventory, problems
}

func readFilters(names map[int]string, inventory *evidence.Inventory) ([]evidence.Diversion, error) {
	kernel, err := converse(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer kernel.close()
	inventory.Count, inventory.Complete = 0, true
	var disciplines []qdisc
	err = kernel.list(unix.RTM_GETQDISC, make([]byte, sizeofTcMessage), func(message []byte) bool {
		if q, ok := parseQdisc(message); ok {
			disciplines = append(disciplines, q)
		}
		return true
	})
	if errors.Is(err, syscall.EOPNOTSUPP) {
		inventory.Text = "this kernel has no traffic control"
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing queueing disciplines: %w", err)
	}
	var found []evidence.Diversion
	filtered := map[int]bool{}
	for _, q := range disciplines {
		filtered[q.link] = true
		if len(filtered) > maxFilteredLinks {
			inventory.Complete, inventory.Text = false, fmt.Sprintf("more than %d links can have filters", maxFilteredLinks)
			break
		}
		parents, err := q.parents(kernel)
		if err != nil {
			return nil, fmt.Errorf("listing the classes of %s: %w", names[q.link], err)
		}
		for _, parent := range parents {
			err := kernel.list(unix.RTM_GETTFILTER, tcRequest(q.link, parent), func(message []byte) bool {
				inventory.Count++
				found = append(found, parseFilter(q.own(message, parent), names)...)
				return true
			})
			if errors.Is(err, syscall.EOPNOTSUPP) {
				return found, nil // this kernel has no filters
			}
			if err != nil && !errors.Is(err, syscall.ENODEV) && !errors.Is(err, syscall.EINVAL) {
				return nil, fmt.Errorf("listing the filters of %s: %w", names[q.link], err)
			}
		}
	}
	return found, nil
}

// parents are where filters of a discipline are attached: to itself or to one of
// its classes.
func (q qdisc) parents(kernel *conversation) ([]uint32, error) {
	switch q.kind {
	case "clsact":
		return []uint32{clsactIngress, clsactEgress}, nil
	case "ingress":
		return []uint32{ingressQdisc}, nil
	}
	parents := []uint32{q.handle}
	if !withFilteredClasses[q.kind] {
		return parents, nil
	}
	err := kernel.list(unix.RTM_GETTCLASS, tcRequest(q.link, 0), func(message []byte) bool {
		if len(message) < sizeofTcMessage {
			return true
		}
		if class := native.Uint32(message[8:]); class>>16 == q.handle>>16 && len(parents) < maxFilters {
			parents = append(parents, class)
		}
		return true
	})
	if errors.Is(err, syscall.ENODEV) {
		err = nil // the link is gone
	}
	return parents, err
}

// withFilteredClasses are kinds of disciplines whose classes hold filters of
// their own (tcf_block of their Qdisc_class_ops).
var withFilteredClasses = map[string]bool{"htb": true, "hfsc": true, "cbq": true, "atm": true}

// own makes a filter of a block that several links share one of the discipline
// that it was asked for by: the kernel names the block in place of the link.
func (q qdisc) own(message []byte, parent uint32) []byte {
	const block = 0xffffffff // TCM_IFINDEX_MAGIC_BLOCK
	if len(message) < sizeofTcMessage || native.Uint32(message[4:]) != block {
		return message
	}
	message = slices.Clone(message)
	native.PutUint32(message[4:], uint32(q.link))
	native.PutUint32(message[12:], parent)
	return message
}

func tcRequest(link int, parent uint32) []byte {
	request := make([]byte, sizeofTcMessage)
	native.PutUint32(request[4:], uint32(link))
	native.PutUint32(request[12:], parent)
	return request
}

// parseQdisc reads one message of RTM_GETQDISC's answer; not ok if it can hold
// no filters.
func parseQdisc(message []byte) (q qdisc, ok bool) {
	if len(message) < sizeofTcMessage {
		return q, false
	}
	q.link, q.handle = int(native.Uint32(message[4:])), native.Uint32(message[8:])
	for _, a := range attributes(message, sizeofTcMessage) {
		if a.kind == tcaKind {
			q.kind = a.text()
		}
	}
	return q, q.handle != 0 && !withoutFilters[q.kind]
}

// actionLists are the attributes in which kinds of filters keep their actions.
var actionLists = map[string]uint16{
	"bpf": 1, "flower": 3, "u32": 7, "matchall": 2, "basic": 3, "fw": 4, "route": 6, "flow": 9, "cgroup": 1,
}

// Attributes of the classifier and of the action bpf.
const (
	clsBPFName, clsBPFFlags, clsBPFID = 7, 8, 11
	actBPFName, actBPFID              = 6, 9
	clsBPFDirect                      = 1 // TCA_BPF_FLAG_ACT_DIRECT: the program itself decides
)

// parseFilter reads one message of RTM_GETTFILTER's answer: what it does that
// bears on a packet's way.
func parseFilter(message []byte, names map[int]string) (found []evidence.Diversion) {
	if len(message) < sizeofTcMessage {
		return nil
	}
	link := names[int(native.Uint32(message[4:]))]
	at := evidence.Diversion{By: "tc", Link: link, Hook: "egress"}
	parent := native.Uint32(message[12:])
	if parent == clsactIngress || parent>>16 == ingressQdisc>>16 && parent != clsactEgress {
		at.Hook = "ingress"
	}
	var kind string
	var options []attribute
	for _, a := range attributes(message, sizeofTcMessage) {
		switch a.kind {
		case tcaKind:
			kind = a.text()
		case tcaOptions:
			options = attributes(a.value, 0)
		}
	}
	c := condition{}
	if kind != "matchall" && kind != "bpf" {
		c.other("a filter of kind %s", kind)
	}
	at.Selector = filterSelector(c, link, at.Hook)
	e := nftExpression{data: options}
	if id := (attribute{value: e.bytes(clsBPFID)}).u32(); kind == "bpf" && len(options) > 0 {
		d := at
		d.Effect, d.Program, d.ID = evidence.EffectBPF, e.text(clsBPFName), id
		d.Rule = "bpf " + d.Program
		found = append(found, d)
	}
	actions, known := actionLists[kind]
	if !known {
		d := at
		d.Effect, d.Rule = evidence.EffectBPF, "a filter of kind "+kind+", which is not known"
		found = append(found, d)
	}
	for _, action := range attributes(e.bytes(actions), 0) {
		found = append(found, parseAction(action.value, at, names)...)
	}
	return found
}

func filterSelector(c condition, link, hook string) evidence.Selector {
	if hook == "ingress" {
		c.in([]string{link}, false)
	} else {
		c.out([]string{link}, false)
	}
	return c.selector()
}

// parseAction reads one action of a filter.
func parseAction(action []byte, at evidence.Diversion, names map[int]string) []evidence.Diversion {
	list := nftExpression{data: attributes(action, 0)}
	kind, options := list.text(tcaKind), nftExpression{data: attributes(list.bytes(tcaOptions), 0)}
	d := at
	d.Rule = "action " + kind
	switch kind {
	case "mirred":
		d.Effect, d.To = mirred(options.bytes(2), names)
		d.Rule += " to " + d.To
	case "bpf":
		d.Effect, d.Program, d.ID = evidence.EffectBPF, options.text(actBPFName), (attribute{value: options.bytes(actBPFID)}).u32()
	case "skbedit":
		return skbedit(options, d)
	case "connmark", "ctinfo", "ct":
		d.Effect, d.Unknown, d.Mask = evidence.EffectMark, true, 0xffffffff
	case "pedit", "nat", "mpls", "vlan": // what the packet is made decides where it goes
		d.Effect = evidence.EffectDNAT
	case "tunnel_key":
		d.Effect = evidence.EffectForward
	case "ife": // takes the mark from what arrives
		d.Effect, d.Unknown, d.Mask = evidence.EffectMark, true, 0xffffffff
	case "gact", "police", "csum", "sample", "simple", "skbmod", "gate", "":
		return nil
	default:
		d.Effect = evidence.EffectBPF
	}
	return []evidence.Diversion{d}
}

// skbedit sets a packet's mark, priority or queue; attributes 5 and 8 are the
// mark and its mask.
func skbedit(options nftExpression, d evidence.Diversion) []evidence.Diversion {
	mark, mask := options.bytes(5), options.bytes(8)
	if len(mark) < 4 {
		return nil
	}
	d.Effect, d.Mask = evidence.EffectMark, 0xffffffff
	if len(mask) >= 4 {
		d.Mask = native.Uint32(mask)
	}
	d.Mark = native.Uint32(mark) & d.Mask
	return []evidence.Diversion{d}
}

// mirred reads struct tc_mirred: five numbers that all actions have, what is
// done, the link.
func mirred(parms []byte, names map[int]string) (effect, to string) {
	const common, size, redirects = 20, 28, 1
	if len(parms) < size {
		return evidence.EffectForward, ""
	}
	index := int(native.Uint32(parms[common+4:]))
	to = names[index]
	if to == "" {
		to = fmt.Sprintf("link %d", index)
	}
	if native.Uint32(parms[common:])%2 == redirects { // 1 and 3 redirect, 2 and 4 mirror
		return evidence.EffectForward, to
	}
	return evidence.EffectCopy, to
}

// attachment is where a program is attached beside queueing disciplines, since
// Linux 6.6: tcx on any link, netkit on its own kind.
type attachment struct {
	kind uint32 // enum bpf_attach_type
	hook string
}

var attachments = []attachment{{46, "ingress"}, {47, "egress"}, {54, "egress"}, {55, "ingress"}}

// hasTCX reports whether a kernel of that release can have such programs, so
// that an older one is not said to hide them.
func hasTCX(release string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return true
	}
	return major > 6 || major == 6 && minor >= 6
}

// attachedPrograms asks for the programs of each link. Their names need more
// privileges than a probe has.
func attachedPrograms(links []evidence.Link) (found []evidence.Diversion, err error) {
	for _, link := range links[:min(len(links), maxFilteredLinks)] {
		for _, place := range attachments {
			if place.kind > 50 && link.Kind != "netkit" {
				continue
			}
			ids, err := queryPrograms(link.Index, place.kind)
			switch {
			case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENOENT):
				continue // an older kernel, or a link that is gone
			case err != nil:
				return found, err
			}
			for _, id := range ids {
				found = append(found, evidence.Diversion{
					By: "tc", Effect: evidence.EffectBPF, Link: link.Name, Hook: place.hook, ID: id,
					Selector: filterSelector(condition{}, link.Name, place.hook), Rule: fmt.Sprintf("tcx or netkit program %d", id),
				})
			}
		}
	}
	return found, nil
}

// queryPrograms is BPF_PROG_QUERY.
func queryPrograms(link int, kind uint32) ([]uint32, error) {
	const query, room = 16, 64
	ids := make([]uint32, room)
	var pinned runtime.Pinner // the kernel is told its address as a number
	pinned.Pin(&ids[0])
	defer pinned.Unpin()
	request := struct {
		target, kind, query, attached uint32
		ids                           uint64
		count, padding                uint32
		rest                          [4]uint64
	}{target: uint32(link), kind: kind, ids: uint64(uintptr(unsafe.Pointer(&ids[0]))), count: room}
	_, _, number := unix.Syscall(unix.SYS_BPF, query, uintptr(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	if number != 0 {
		return nil, number
	}
	return ids[:min(request.count, room)], nil
}
