package routing

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Packet is one packet of a pod, as policy routing and filters look at it.
type Packet struct {
	From, To netip.Addr
	In       string // link that it arrives on
	Protocol uint8  // IP protocol number
	Source   uint16 // ports, 0 where the protocol has none
	Target   uint16
	DSCP     uint8

	// doubtful: it is not known whether packets of pods arrive on In.
	doubtful bool
}

// IP protocol numbers (IANA).
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolDCCP   = 33
	protocolICMPv6 = 58
	protocolSCTP   = 132
	protocolLite   = 136 // UDP-Lite
	protocolOther  = 253 // for experiments, RFC 3692: stands for any without ports
)

// ported are the protocols whose ports the kernel's flow dissector reads.
var ported = []uint8{protocolTCP, protocolUDP, protocolDCCP, protocolSCTP, protocolLite}

// truth is what is known of a condition.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth { return yes - t }

// and is the least of two.
func (t truth) and(other truth) truth { return min(t, other) }

// or is the greatest of two.
func (t truth) or(other truth) truth { return max(t, other) }

// arrivesOn reports whether a packet came in by one of some links, each of
// which may end in * for any rest.
func (p *Packet) arrivesOn(links []string) truth {
	found := slices.ContainsFunc(links, func(name string) bool { return named(p.In, name) })
	switch {
	case p.In == "":
		return maybe
	case found && p.doubtful:
		return maybe
	}
	return is(found)
}

func named(link, pattern string) bool {
	if stem, any := strings.CutSuffix(pattern, "*"); any {
		return strings.HasPrefix(link, stem)
	}
	return link == pattern
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func inRange(port uint16, ranges []evidence.Ports) bool {
	return slices.ContainsFunc(ranges, func(r evidence.Ports) bool { return contains(r, port) })
}

// contains: 0 to 0 stands for any port.
func contains(r evidence.Ports, port uint16) bool {
	return r == evidence.Ports{} || r.From <= port && port <= r.To
}

// selected reports whether a statement's selector applies to a packet that
// nothing has marked.
func (p *Packet) selected(s *evidence.Selector) truth {
	known := is(len(s.From) == 0 || within(p.From, s.From)).
		and(is(!within(p.From, s.NotFrom))).
		and(is(len(s.To) == 0 || within(p.To, s.To))).
		and(is(!within(p.To, s.NotTo))).
		and(is(len(s.Protocol) == 0 || slices.Contains(s.Protocol, p.Protocol))).
		and(is(len(s.Source) == 0 || inRange(p.Source, s.Source))).
		and(is(len(s.Target) == 0 || inRange(p.Target, s.Target))).
		and(is(len(s.DSCP) == 0 || slices.Contains(s.DSCP, p.DSCP)))
	if len(s.In) > 0 {
		known = known.and(p.arrivesOn(s.In))
	}
	if len(s.NotIn) > 0 {
		known = known.and(p.arrivesOn(s.NotIn).not())
	}
	for _, other := range s.Other {
		known = known.and(understood(other))
	}
	if s.MarkMask != 0 && s.MarkIs != 0 { // whether an earlier statement gave it that mark is not followed
		known = known.and(maybe)
	}
	return known
}

// Never reports whether a selector applies to no packet that a host forwards.
func Never(s *evidence.Selector) bool {
	return slices.ContainsFunc(s.Other, func(other string) bool { return understood(other) == no })
}

// understood reads the one condition that stands in front of the filters of
// every cluster, and that a reader of selectors need not know: that the target
// is an address of this host. No packet that the host forwards has one.
func understood(other string) truth {
	text := strings.ToLower(other)
	local := strings.Contains(text, "daddr type local") || strings.Contains(text, "dst-type local")
	if local && !strings.Contains(text, "!") {
		return no
	}
	return maybe
}
