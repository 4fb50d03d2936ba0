//go:build linux

package host

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds on one selector: what is more is named under Other instead, so that a
// message stays below its limit.
const (
	maxAlternatives = 32 // of one condition
	maxOther        = 8
	maxOtherText    = 80
)

// condition is what a packet must be like, while it is being put together.
type condition struct {
	evidence.Selector
	never  bool // two conditions contradict each other
	family int  // 4 or 6 if only that, else 0
}

// clone returns a copy that can be narrowed without a change of the original.
func (c condition) clone() condition {
	s := &c.Selector
	s.From, s.NotFrom, s.To, s.NotTo = slices.Clone(s.From), slices.Clone(s.NotFrom), slices.Clone(s.To), slices.Clone(s.NotTo)
	s.In, s.NotIn, s.Out, s.NotOut = slices.Clone(s.In), slices.Clone(s.NotIn), slices.Clone(s.Out), slices.Clone(s.NotOut)
	s.Protocol, s.DSCP, s.Other = slices.Clone(s.Protocol), slices.Clone(s.DSCP), slices.Clone(s.Other)
	s.Source, s.Target = slices.Clone(s.Source), slices.Clone(s.Target)
	return c
}

// other adds a condition that is not understood.
func (c *condition) other(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	text = strings.ToValidUTF8(text[:min(len(text), maxOtherText)], "")
	if len(c.Other) < maxOther && !slices.Contains(c.Other, text) {
		c.Other = append(c.Other, text)
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

// without narrows a condition to packets that another does not apply to. It
// reports false, and does nothing, if that cannot be said in one selector: the
// other must be a condition on addresses of one end, on one link, or none at all.
func (c *condition) without(other condition) bool {
	s := other.Selector
	several := len(s.Protocol)+len(s.Source)+len(s.Target)+len(s.DSCP)+len(s.Other) > 0 || s.MarkMask != 0 || other.never
	lists := 0
	for _, n := range []int{len(s.From), len(s.NotFrom), len(s.To), len(s.NotTo), len(s.In), len(s.NotIn), len(s.Out), len(s.NotOut)} {
		lists += min(n, 1)
	}
	switch {
	case several, lists > 1, other.family != c.family && len(s.From)+len(s.NotFrom)+len(s.To)+len(s.NotTo) == 0:
		return false
	case lists == 0:
		c.never = true
	case len(s.From) > 0, len(s.NotFrom) > 0:
		c.from(slices.Concat(s.From, s.NotFrom), len(s.From) > 0)
	case len(s.To) > 0, len(s.NotTo) > 0:
		c.to(slices.Concat(s.To, s.NotTo), len(s.To) > 0)
	case len(s.In) > 0, len(s.NotIn) > 0:
		c.in(slices.Concat(s.In, s.NotIn), len(s.In) > 0)
	default:
		c.out(slices.Concat(s.Out, s.NotOut), len(s.Out) > 0)
	}
	return true
}

// selector returns the finished selector.
func (c condition) selector() evidence.Selector {
	s := c.Selector
	if c.family != 0 && len(s.From) == 0 && len(s.To) == 0 {
		s.From = []netip.Prefix{netip.PrefixFrom(unspecified(c.family), 0)}
	}
	return s
}

// addresses narrows the source or the target to prefixes, or to what is outside of them.
func (c *condition) addresses(yes, no *[]netip.Prefix, prefixes []netip.Prefix, negated bool, name string) {
	switch {
	case len(prefixes) > maxAlternatives || negated && len(*no)+len(prefixes) > maxAlternatives:
		c.other("%s in a set of %d prefixes", name, len(prefixes))
	case negated:
		*no = append(*no, prefixes...)
	case len(*yes) == 0:
		*yes = prefixes
		c.never = c.never || len(prefixes) == 0
	default:
		both := narrower(*yes, prefixes)
		c.never = c.never || len(both) == 0
		*yes = both[:min(len(both), maxAlternatives)]
	}
}

func (c *condition) from(prefixes []netip.Prefix, negated bool) {
	c.addresses(&c.From, &c.NotFrom, prefixes, negated, "source")
}

func (c *condition) to(prefixes []netip.Prefix, negated bool) {
	c.addresses(&c.To, &c.NotTo, prefixes, negated, "target")
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

// links narrows the link that a packet arrives on or leaves by.
func (c *condition) links(yes, no *[]string, names []string, negated bool, word string) {
	switch {
	case len(names) > maxAlternatives || negated && len(*no)+len(names) > maxAlternatives,
		len(*yes) > 0 && !negated && !slices.Equal(*yes, names):
		c.other("%s among %d", word, len(names))
	case negated:
		*no = append(*no, names...)
	default:
		*yes = names
	}
}

func (c *condition) in(names []string, negated bool) { c.links(&c.In, &c.NotIn, names, negated, "iif") }
func (c *condition) out(names []string, negated bool) {
	c.links(&c.Out, &c.NotOut, names, negated, "oif")
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
		c.Protocol = slices.DeleteFunc(slices.Clone(c.Protocol), func(n uint8) bool { return !slices.Contains(numbers, n) })
		c.never = c.never || len(c.Protocol) == 0
	}
}

func (c *condition) dscp(numbers []uint8, negated bool) {
	switch {
	case negated || len(c.DSCP) > 0 || len(numbers) > maxAlternatives:
		c.other("dscp, %d values", len(numbers))
	default:
		c.DSCP = numbers
	}
}

func (c *condition) mark(is, mask uint32, negated bool) {
	if negated || c.MarkMask != 0 || mask == 0 {
		c.other("mark & 0x%x, compared with 0x%x", mask, is)
		return
	}
	c.MarkIs, c.MarkMask = is, mask
}

// ports narrows a list of transport ports.
func (c *condition) ports(list *[]evidence.Ports, spans []span, negated bool, word string) {
	if negated {
		slices.SortFunc(spans, func(a, b span) int { return int(a.from) - int(b.from) })
		spans = complement(spans)
	}
	ports := make([]evidence.Ports, 0, len(spans))
	for _, s := range spans {
		ports = append(ports, evidence.Ports{From: s.from, To: s.to})
	}
	if len(*list) > 0 {
		ports = common(*list, ports)
	}
	switch {
	case len(ports) == 0:
		c.never = true
	case len(ports) > maxAlternatives:
		c.other("%s in a set of %d ranges", word, len(ports))
	default:
		*list = ports
	}
}

func (c *condition) sources(spans []span, negated bool) { c.ports(&c.Source, spans, negated, "sport") }
func (c *condition) targets(spans []span, negated bool) { c.ports(&c.Target, spans, negated, "dport") }

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

// prefixesBetween returns the prefixes that cover exactly the addresses from
// first to last.
func prefixesBetween(first, last netip.Addr) (list []netip.Prefix) {
	for first.IsValid() && first.BitLen() == last.BitLen() && !last.Less(first) && len(list) <= maxAlternatives {
		bits := first.BitLen()
		for bits > 0 {
			wider := netip.PrefixFrom(first, bits-1)
			if wider.Masked().Addr() != first || last.Less(lastOf(wider)) {
				break
			}
			bits--
		}
		prefix := netip.PrefixFrom(first, bits)
		list = append(list, prefix)
		first = lastOf(prefix).Next()
	}
	return list
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for i := range bytes {
		if free := 8*(i+1) - p.Bits(); free > 0 {
			bytes[i] |= 0xff >> max(8-free, 0)
		}
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// maskBits returns the length of a netmask, or false if it is none.
func maskBits(mask []byte) (int, bool) {
	bits := 0
	for bits < 8*len(mask) && mask[bits/8]&(0x80>>(bits%8)) != 0 {
		bits++
	}
	want := make([]byte, len(mask))
	for i := range bits {
		want[i/8] |= 0x80 >> (i % 8)
	}
	return bits, bytes.Equal(mask, want)
}
