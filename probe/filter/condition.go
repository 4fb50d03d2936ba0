//go:build linux

package filter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Bounds on one selector: what is more is named under Other instead, so that a
// message stays below its limit.
const (
	maxAlternatives = 32 // of one condition
	maxOther        = 8
	maxOtherText    = 80
)

// condition is what a packet must be like, while it is being put together. It is
// a value: to narrow a copy leaves the original as it is, so lists are never
// changed in place.
type condition struct {
	evidence.Selector
	never  bool // two conditions contradict each other
	family int  // 4 or 6 if only that, else 0
}

// other adds a condition that is not understood.
func (c *condition) other(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	text = strings.ToValidUTF8(text[:min(len(text), maxOtherText)], "")
	if len(c.Other) < maxOther && !slices.Contains(c.Other, text) {
		c.Other = append(slices.Clip(c.Other), text)
	}
}

// of narrows to one address family.
func (c *condition) of(family int) {
	c.never = c.never || c.family != 0 && c.family != family
	c.family = family
}

// ofHost reports whether it is only for what is sent to an address of the host.
func (c condition) ofHost() bool {
	return slices.Contains(c.Other, typeCondition("daddr", 1<<unix.RTN_LOCAL, false))
}

// typeCondition names a condition on the type of an address as nft does,
// "daddr type local", given a bit for each of RTN_*.
func typeCondition(of string, kinds uint16, negated bool) string {
	var names []string
	for kind := range 16 {
		if kinds&(1<<kind) != 0 {
			names = append(names, kernel.TypeName(kind))
		}
	}
	not := ""
	if negated {
		not = "!= "
	}
	return fmt.Sprintf("%s type %s%s", of, not, strings.Join(names, ", "))
}

// selector returns the finished selector.
func (c condition) selector() evidence.Selector {
	if n := len(c.Source); n > maxAlternatives {
		c.Source = nil
		c.other("sport in a set of %d ranges", n)
	}
	if n := len(c.Target); n > maxAlternatives {
		c.Target = nil
		c.other("dport in a set of %d ranges", n)
	}
	if c.family != 0 && len(c.From) == 0 && len(c.To) == 0 {
		c.From = []netip.Prefix{kernel.Everything(c.family)}
	}
	return c.Selector
}

// without narrows a condition to packets that another does not apply to. It
// reports false, and does nothing, if one selector cannot express that: the
// other must be a condition on addresses of one end, on one link, or none at all.
func (c *condition) without(other condition) bool {
	s := other.Selector
	addresses := len(s.From) + len(s.NotFrom) + len(s.To) + len(s.NotTo)
	several := len(s.Protocol)+len(s.Source)+len(s.Target)+len(s.DSCP)+len(s.Other) > 0 || s.MarkMask != 0
	if several || other.never || lists(s) > 1 || other.family != c.family && addresses == 0 {
		return false
	}
	switch {
	case lists(s) == 0:
		c.never = true
	case len(s.From)+len(s.NotFrom) > 0:
		c.addresses(fieldSource, slices.Concat(s.From, s.NotFrom), len(s.From) > 0)
	case addresses > 0:
		c.addresses(fieldTarget, slices.Concat(s.To, s.NotTo), len(s.To) > 0)
	case len(s.In)+len(s.NotIn) > 0:
		c.links(fieldIn, slices.Concat(s.In, s.NotIn), len(s.In) > 0)
	default:
		c.links(fieldOut, slices.Concat(s.Out, s.NotOut), len(s.Out) > 0)
	}
	return true
}

// lists returns how many conditions on addresses and links a selector has.
func lists(s evidence.Selector) (n int) {
	for _, length := range []int{
		len(s.From), len(s.NotFrom), len(s.To), len(s.NotTo), len(s.In), len(s.NotIn), len(s.Out), len(s.NotOut),
	} {
		n += min(length, 1)
	}
	return n
}

// addresses narrows the source or the target, chosen by the field, to prefixes, or
// to what is outside of them.
func (c *condition) addresses(f field, prefixes []netip.Prefix, negated bool) {
	yes, no, name := &c.From, &c.NotFrom, "source"
	if f == fieldTarget {
		yes, no, name = &c.To, &c.NotTo, "target"
	}
	switch {
	case len(prefixes) > maxAlternatives || negated && len(*no)+len(prefixes) > maxAlternatives:
		c.other("%s in a set of %d prefixes", name, len(prefixes))
	case negated:
		*no = slices.Concat(*no, prefixes)
	case len(*yes) == 0:
		*yes = prefixes
		c.never = c.never || len(prefixes) == 0
	default:
		both := narrower(*yes, prefixes)
		if len(both) > maxAlternatives { // it may be fewer packets than those so far, not others
			c.other("%s in a set of %d prefixes", name, len(prefixes))
			return
		}
		*yes = both
		c.never = c.never || len(both) == 0
	}
}

// narrower returns what is in both lists of prefixes.
func narrower(a, b []netip.Prefix) (both []netip.Prefix) {
	for _, p := range a {
		for _, q := range b {
			switch {
			case !p.Overlaps(q):
			case p.Bits() >= q.Bits():
				both = append(both, p)
			default:
				both = append(both, q)
			}
		}
	}
	return both
}

// links narrows the link that a packet arrives on or leaves by, chosen by the field.
func (c *condition) links(f field, names []string, negated bool) {
	yes, no, word := &c.In, &c.NotIn, "iif"
	if f == fieldOut {
		yes, no, word = &c.Out, &c.NotOut, "oif"
	}
	switch {
	case len(names) > maxAlternatives || negated && len(*no)+len(names) > maxAlternatives,
		len(*yes) > 0 && !negated && !slices.Equal(*yes, names):
		c.other("%s among %d", word, len(names))
	case negated:
		*no = slices.Concat(*no, names)
	default:
		*yes = names
	}
}

func (c *condition) protocols(numbers []uint8, negated bool) {
	switch {
	case negated:
		c.other("protocol not in %v", numbers)
	case len(numbers) > maxAlternatives:
		c.other("protocol in a set of %d", len(numbers))
	case len(c.Protocol) == 0:
		c.Protocol = numbers
	default:
		missing := func(n uint8) bool { return !slices.Contains(numbers, n) }
		c.Protocol = slices.DeleteFunc(slices.Clone(c.Protocol), missing)
		c.never = c.never || len(c.Protocol) == 0
	}
}

func (c *condition) dscp(numbers []uint8, negated bool) {
	if negated || len(c.DSCP) > 0 || len(numbers) > maxAlternatives {
		c.other("dscp, %d values", len(numbers))
		return
	}
	c.DSCP = numbers
}

func (c *condition) mark(is, mask uint32, negated bool) {
	if negated || c.MarkMask != 0 || mask == 0 {
		c.other("mark & 0x%x, compared with 0x%x", mask, is)
		return
	}
	c.MarkIs = is
	c.MarkMask = mask
}

// ports narrows the source or the target port, chosen by the field. How many
// ranges there are is bounded at the end, by selector.
func (c *condition) ports(f field, ports []evidence.Ports, negated bool) {
	list := &c.Source
	if f == fieldTargetPort {
		list = &c.Target
	}
	if negated {
		ports = complement(ports)
	}
	if len(*list) > 0 {
		ports = common(*list, ports)
	}
	c.never = c.never || len(ports) == 0
	*list = ports
}

// common returns the ports in both lists.
func common(a, b []evidence.Ports) (both []evidence.Ports) {
	for _, p := range a {
		for _, q := range b {
			if r := (evidence.Ports{From: max(p.From, q.From), To: min(p.To, q.To)}); r.From <= r.To {
				both = append(both, r)
			}
		}
	}
	return both
}

// complement returns the ports in none of the ranges.
func complement(ports []evidence.Ports) (rest []evidence.Ports) {
	ports = slices.SortedFunc(slices.Values(ports), func(a, b evidence.Ports) int { return int(a.From) - int(b.From) })
	next := 0
	for _, p := range ports {
		if int(p.From) > next {
			rest = append(rest, evidence.Ports{From: uint16(next), To: p.From - 1})
		}
		next = max(next, int(p.To)+1)
	}
	if next <= 65535 {
		rest = append(rest, evidence.Ports{From: uint16(next), To: 65535})
	}
	return rest
}
