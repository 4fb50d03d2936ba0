//go:build linux

package filter

import (
	"bytes"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Bounds on what of sets is read.
const (
	maxSets     = 512
	maxElements = 1024 // of one set
)

// set is a set or a map of nf_tables with what is in it.
type set struct {
	intervals bool
	changes   bool // packets or time change what is in it
	whole     bool // all elements are there
	err       error
	elements  []element
}

type element struct {
	key, end []byte // end is set in a set of concatenated intervals
	stop     bool   // the key is the first one behind an interval
	any      bool   // for every key that is not in the set
	verdict  verdict
	decides  bool
}

// span is a range of values of a field, first and last.
type span [2][]byte

// set returns a set of a table; it is not whole if it could not be read.
func (n *nft) set(at chainName, name string) set {
	at.chain = name
	known, ok := n.sets[at]
	if !ok && len(n.sets) < maxSets {
		known = n.readSet(at, maxElements)
		n.sets[at] = known
	}
	return known
}

// large returns a set or map of kube-proxy, which can be large. That others change
// meanwhile does not matter.
func (n *nft) large(at chainName, name string) set {
	at.chain = name
	known, _ := kernel.Retry(func() (set, error) {
		s := n.readSet(at, maxMapElements)
		return s, s.err
	})
	return known
}

func (n *nft) readSet(at chainName, most int) (s set) {
	request := []byte{at.family, 0, 0, 0}
	err := n.Dump(nftGetSet, kernel.Append(request, unix.NFTA_SET_TABLE, at.table), func(message []byte) {
		if a := kernel.Parse(message, sizeofHeader); a.Text(unix.NFTA_SET_NAME) == at.chain {
			flags := a.Big(unix.NFTA_SET_FLAGS)
			s.intervals = flags&unix.NFT_SET_INTERVAL != 0
			s.changes = flags&(unix.NFT_SET_TIMEOUT|unix.NFT_SET_EVAL) != 0
		}
	})
	if err != nil {
		return set{err: err}
	}
	request = kernel.Append(request, unix.NFTA_SET_ELEM_LIST_TABLE, at.table)
	request = kernel.Append(request, unix.NFTA_SET_ELEM_LIST_SET, at.chain)
	s.err = n.Dump(nftGetElements, request, func(message []byte) {
		if len(s.elements) <= most {
			s.elements = append(s.elements, parseElements(message)...)
		}
	})
	s.whole = s.err == nil && len(s.elements) <= most && !s.changes
	return s
}

// Of linux/netfilter/nf_tables.h.
const (
	elementIsEnd      = 1 // NFT_SET_ELEM_INTERVAL_END
	elementIsCatchAll = 2 // NFT_SET_ELEM_CATCHALL
	nftaElementEnd    = 10
)

// parseElements reads one message of NFT_MSG_GETSETELEM's answer.
func parseElements(message []byte) (list []element) {
	for _, item := range kernel.Parse(message, sizeofHeader).Nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS) {
		a := kernel.Parse(item.Value, 0)
		flags := a.Big(unix.NFTA_SET_ELEM_FLAGS)
		e := element{
			key: dataOf(a, unix.NFTA_SET_ELEM_KEY), end: dataOf(a, nftaElementEnd),
			stop: flags&elementIsEnd != 0, any: flags&elementIsCatchAll != 0,
		}
		e.verdict, e.decides = verdictOf(a, unix.NFTA_SET_ELEM_DATA)
		list = append(list, e)
	}
	return list
}

// spans are the values of a set in their order.
func (s set) spans() (list []span) {
	for _, e := range s.ranged() {
		if !e.any && len(e.key) > 0 {
			list = append(list, span{e.key, e.end})
		}
	}
	return list
}

// ranged are the elements of a set in the order of their keys, each with the last
// key that it is for.
func (s set) ranged() (list []element) {
	elements := slices.Clone(s.elements)
	slices.SortStableFunc(elements, func(a, b element) int { return bytes.Compare(a.key, b.key) })
	for i, e := range elements {
		switch {
		case e.stop:
			continue
		case e.any || e.end != nil:
		case !s.intervals:
			e.end = e.key
		case i+1 < len(elements) && len(elements[i+1].key) == len(e.key):
			e.end = step(elements[i+1].key, -1)
		default:
			e.end = bytes.Repeat([]byte{0xff}, len(e.key))
		}
		list = append(list, e)
	}
	return list
}

// step returns the value that is one more or one less; behind the last comes the
// first.
func step(value []byte, by int8) []byte {
	value = bytes.Clone(value)
	for i := len(value) - 1; i >= 0; i-- {
		old := value[i]
		value[i] += byte(by)
		if by > 0 && old != 0xff || by < 0 && old != 0 {
			break
		}
	}
	return value
}

// lookup is a condition by a set, or a decision by a verdict map.
func (r *reading) lookup(e expression) {
	const inverted = 1 // NFT_LOOKUP_F_INV
	from := r.registers[e.Big(unix.NFTA_LOOKUP_SREG)]
	name := e.Text(unix.NFTA_LOOKUP_SET)
	var values set
	if r.set != nil {
		values = r.set(name, from.field)
	}
	unordered := func(e element) bool { return e.end != nil || e.any }
	switch to, mapped := e.Has(unix.NFTA_LOOKUP_DREG); {
	case mapped && to == 0:
		r.decideBy(from, name, values)
	case mapped:
		r.condition.other("in map @%s", name)
		r.registers[to] = register{}
	case !values.whole || slices.ContainsFunc(values.elements, unordered):
		r.condition.other("in set @%s", name)
		if from.field == fieldTarget && from.mask == nil && e.Big(unix.NFTA_LOOKUP_FLAGS)&inverted == 0 {
			r.targetSets = append(r.targetSets, name)
		}
	default:
		r.among(from, values.spans(), e.Big(unix.NFTA_LOOKUP_FLAGS)&inverted != 0)
	}
}

// decideBy follows a verdict map: each of its decisions with the condition on
// the key.
func (r *reading) decideBy(from register, name string, values set) {
	r.ends = true
	r.hidden = true
	r.mapped = true
	r.byMap = proxyStep{byMap: name, keyed: from.field == fieldTarget && from.mask == nil, sets: r.targetSets}
	if r.set != nil && !values.whole {
		r.do(unknownMark(0xffffffff, "verdict map @"+name+", which was not read whole"))
		return
	}
	reached := r.condition
	spans := values.spans()
	for _, e := range values.elements {
		if !e.decides || e.stop {
			continue
		}
		r.condition = reached
		at := slices.IndexFunc(spans, func(s span) bool { return bytes.Equal(s[0], e.key) })
		if at < 0 || e.end != nil || e.any {
			r.condition.other("by map @%s", name)
		} else {
			r.among(from, spans[at:at+1], false)
		}
		r.decide(e.verdict, r.condition)
	}
	r.condition = reached
}
