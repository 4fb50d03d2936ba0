//go:build linux

package filter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Bounds on what of traffic control is read.
const (
	maxFilterPlaces = 4096 // queueing disciplines and classes that can hold filters
	maxFilters      = 1024
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

// trafficControl reads the filters of traffic control that mark, copy or
// divert, and BPF programs there, of all links.
func (r Reader) trafficControl(links []evidence.Link) (result, error) {
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Index] = link.Name
	}
	found, err := kernel.Retry(func() (result, error) { return readFilters(names) })
	if hasTCX(kernel.Release()) {
		attached, err := attachedPrograms(links)
		if err != nil {
			// A container's seccomp profile refuses bpf() to all but the most privileged.
			// What such a program sends still crosses the packet sockets of other links.
			found.note = "programs attached by tcx or netkit could not be read: " + err.Error()
		}
		found.diversions = append(found.diversions, attached...)
	}
	found.limit(maxFilters, "filters")
	if r.watch != nil && r.watch.closed {
		found.between = r.watch.tc.filtersOf(names)
		found.lacking = cmp.Or(found.lacking, r.watch.tc.lacking)
	}
	return found, err
}

func readFilters(names map[int]string) (found result, err error) {
	found.lacking, err = eachFilter(func(message []byte) {
		found.count++
		found.diversions = append(found.diversions, parseFilter(message, names)...)
	})
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return result{note: "this kernel has no traffic control"}, nil
	}
	if err != nil {
		return result{}, err
	}
	return found, nil
}

// eachFilter calls visit with every message of RTM_GETTFILTER's answers, for the
// queueing disciplines of all links and for their classes; lacking reports why not
// for all. It fails with EOPNOTSUPP where the kernel has no traffic control.
func eachFilter(visit func(message []byte)) (lacking string, err error) {
	conn, err := kernel.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	disciplines, err := listQdiscs(conn)
	if err != nil {
		return "", fmt.Errorf("listing queueing disciplines: %w", err)
	}
	places := 0
	for _, q := range disciplines {
		parents, err := q.parents(conn)
		if err != nil {
			return "", fmt.Errorf("listing the classes of link %d: %w", q.link, err)
		}
		if places += len(parents); places > maxFilterPlaces {
			return fmt.Sprintf("more than %d queueing disciplines and classes can have filters", maxFilterPlaces), nil
		}
		for _, parent := range parents {
			err := conn.Dump(unix.RTM_GETTFILTER, tcRequest(q.link, parent), func(message []byte) {
				visit(q.own(message, parent))
			})
			if errors.Is(err, syscall.EOPNOTSUPP) {
				return "", nil // this kernel has no filters
			}
			if err != nil && !errors.Is(err, syscall.ENODEV) && !errors.Is(err, syscall.EINVAL) {
				return "", fmt.Errorf("listing the filters of link %d: %w", q.link, err)
			}
		}
	}
	return "", nil
}

// qdisc is a queueing discipline that can hold filters.
type qdisc struct {
	link   int
	handle uint32
	kind   string
}

// withoutFilters are kinds of queueing disciplines that hold no filters.
var withoutFilters = []string{"noqueue", "mq", "pfifo", "pfifo_fast", "bfifo", "fq"}

// withFilteredClasses are kinds of disciplines whose classes hold filters of
// their own (tcf_block of their Qdisc_class_ops).
var withFilteredClasses = []string{"htb", "hfsc", "cbq", "atm"}

// listQdiscs lists the disciplines that can hold filters.
func listQdiscs(conn *kernel.Conn) (disciplines []qdisc, err error) {
	err = conn.Dump(unix.RTM_GETQDISC, make([]byte, sizeofTcMessage), func(message []byte) {
		if q, ok := parseQdisc(message); ok {
			disciplines = append(disciplines, q)
		}
	})
	return disciplines, err
}

// parseQdisc reads one message of RTM_GETQDISC's answer; not ok if it can hold
// no filters.
func parseQdisc(message []byte) (q qdisc, ok bool) {
	if len(message) < sizeofTcMessage {
		return q, false
	}
	q.link = int(native.Uint32(message[4:]))
	q.handle = native.Uint32(message[8:])
	q.kind = kernel.Parse(message, sizeofTcMessage).Text(tcaKind)
	return q, q.handle != 0 && !slices.Contains(withoutFilters, q.kind)
}

// parents are where filters of a discipline are attached: to itself or to one of
// its classes.
func (q qdisc) parents(conn *kernel.Conn) ([]uint32, error) {
	switch q.kind {
	case "clsact":
		return []uint32{clsactIngress, clsactEgress}, nil
	case "ingress":
		return []uint32{ingressQdisc}, nil
	}
	parents := []uint32{q.handle}
	if !slices.Contains(withFilteredClasses, q.kind) {
		return parents, nil
	}
	err := conn.Dump(unix.RTM_GETTCLASS, tcRequest(q.link, 0), func(message []byte) {
		if len(message) < sizeofTcMessage {
			return
		}
		if class := native.Uint32(message[8:]); class>>16 == q.handle>>16 {
			parents = append(parents, class)
		}
	})
	if errors.Is(err, syscall.ENODEV) {
		err = nil // the link is gone
	}
	return parents, err
}

// own makes a filter of a block that several links share one of the discipline
// that it was asked for by: the kernel names the block in place of the link.
func (q qdisc) own(message []byte, parent uint32) []byte {
	const block = 0xffffffff // TCM_IFINDEX_MAGIC_BLOCK
	if len(message) < sizeofTcMessage || native.Uint32(message[4:]) != block {
		return message
	}
	return append(tcRequest(q.link, parent), message[sizeofTcMessage:]...)
}

func tcRequest(link int, parent uint32) []byte {
	request := make([]byte, sizeofTcMessage)
	native.PutUint32(request[4:], uint32(link))
	native.PutUint32(request[12:], parent)
	return request
}

// actionLists are the attributes in which kinds of filters keep their actions.
var actionLists = map[string]uint16{
	"bpf": 1, "flower": 3, "u32": 7, "matchall": 2, "basic": 3, "fw": 4, "route": 6, "flow": 9, "cgroup": 1,
}

// Attributes of the classifier and of the action bpf.
const (
	clsBPFName, clsBPFID = 7, 11
	actBPFName, actBPFID = 6, 9
)

// parseFilter reads one message of RTM_GETTFILTER's answer: what it does that
// bears on a packet's way.
func parseFilter(message []byte, names map[int]string) (found []evidence.Diversion) {
	if len(message) < sizeofTcMessage {
		return nil
	}
	a := kernel.Parse(message, sizeofTcMessage)
	kind := a.Text(tcaKind)
	options := a.Nested(tcaOptions)
	at := attached(names[int(native.Uint32(message[4:]))], hookOf(native.Uint32(message[12:])), kind)
	if kind == "bpf" && len(options) > 0 {
		d := at
		d.Effect = evidence.EffectBPF
		d.Program = options.Text(clsBPFName)
		d.ID = options.U32(clsBPFID)
		d.Rule = "bpf " + d.Program
		found = append(found, d)
	}
	list, known := actionLists[kind]
	if !known {
		d := at
		d.Effect = evidence.EffectBPF
		d.Rule = "a filter of kind " + kind + ", which is not known"
		found = append(found, d)
	}
	for _, action := range options.Nested(list) {
		if d := parseAction(kernel.Parse(action.Value, 0), at, names); d.Effect != "" {
			found = append(found, d)
		}
	}
	return found
}

func hookOf(parent uint32) string {
	if parent == clsactIngress || parent>>16 == ingressQdisc>>16 && parent != clsactEgress {
		return "ingress"
	}
	return "egress"
}

// attached is a diversion by a filter of some kind at a hook of a link, without
// its effect.
func attached(link, hook, kind string) evidence.Diversion {
	var c condition
	if kind != "matchall" && kind != "bpf" {
		c.other("a filter of kind %s", kind)
	}
	end := fieldOut
	if hook == "ingress" {
		end = fieldIn
	}
	c.links(end, []string{link}, false)
	return evidence.Diversion{By: "tc", Link: link, Hook: hook, Selector: c.selector()}
}

// parseAction reads one action of a filter; what gives a packet no other way has
// no effect.
func parseAction(action kernel.Attributes, d evidence.Diversion, names map[int]string) evidence.Diversion {
	kind := action.Text(tcaKind)
	options := action.Nested(tcaOptions)
	d.Rule = "action " + kind
	switch kind {
	case "mirred":
		d.Effect, d.To = mirred(options.Get(2), names)
		d.Rule += " to " + d.To
	case "bpf":
		d.Effect = evidence.EffectBPF
		d.Program = options.Text(actBPFName)
		d.ID = options.U32(actBPFID)
	case "skbedit":
		skbedit(&d, options)
	case "ct":
		d.Effect = evidence.EffectMark
		d.Unknown = true
		d.Mask = 0xffffffff
		if translatesTarget(options) {
			d = evidence.Diversion{By: d.By, Effect: evidence.EffectDNAT, Hook: d.Hook, Link: d.Link,
				Selector: d.Selector, Rule: d.Rule}
		}
	case "connmark", "ctinfo", "ife": // ife takes the mark from what arrives
		d.Effect = evidence.EffectMark
		d.Unknown = true
		d.Mask = 0xffffffff
	case "pedit", "nat", "mpls", "vlan", "skbmod": // what the packet is made decides where it goes
		d.Effect = evidence.EffectDNAT
	case "tunnel_key":
		d.Effect = evidence.EffectForward
	case "gact", "police", "csum", "sample", "simple", "gate", "":
	default:
		d.Effect = evidence.EffectBPF
	}
	return d
}

// translatesTarget reports whether the action ct gives packets another target: by what it
// does itself, or by what the connection began with.
func translatesTarget(options kernel.Attributes) bool {
	const action, nat, ofSource, ofTarget = 3, 1 << 3, 1 << 4, 1 << 5 // TCA_CT_ACTION, TCA_CT_ACT_NAT…
	flags := kernel.Attribute{Value: options.Get(action)}.U16()
	return flags&nat != 0 && (flags&ofTarget != 0 || flags&ofSource == 0)
}

// skbedit sets a packet's mark, priority or queue; attributes 5 and 8 are the
// mark and its mask.
func skbedit(d *evidence.Diversion, options kernel.Attributes) {
	if len(options.Get(5)) < 4 {
		return
	}
	d.Effect = evidence.EffectMark
	d.Mask = 0xffffffff
	if len(options.Get(8)) >= 4 {
		d.Mask = options.U32(8)
	}
	d.Mark = options.U32(5) & d.Mask
}

// mirred reads struct tc_mirred: five numbers that all actions have, what is
// done, the link. What is sent to the way into a link comes in again by it, so that
// other rules are for it: where it goes from there is not known.
func mirred(parms []byte, names map[int]string) (effect, to string) {
	const common, size, redirects, intoIngress = 20, 28, 1, 3
	if len(parms) < size {
		return evidence.EffectForward, ""
	}
	index := int(native.Uint32(parms[common+4:]))
	to = names[index]
	if to == "" {
		to = fmt.Sprintf("link %d", index)
	}
	what := native.Uint32(parms[common:])
	if what >= intoIngress {
		to = "the ingress of " + to
	}
	if what%2 == redirects { // 1 and 3 redirect, 2 and 4 mirror
		return evidence.EffectForward, to
	}
	return evidence.EffectCopy, to
}
