package routing

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// group are statements that set the same mark.
type group struct {
	mark, mask uint32
	unknown    bool // the bits of mask can be any
	unread     bool // they were not read: any packet may be marked
	by         []*evidence.Diversion
	places     []place // of these
}

// state is a mark that packets can have when they are routed, and the groups
// that gave it: all of these and none of the others applied.
type state struct {
	mark    uint32
	doubt   uint32 // bits that can be either
	applied uint8  // a bit for each group
	terms   *term
}

// marks finds which marks packets can have, as far as a rule looks at them. A
// packet comes in without one.
func (p *Plan) marks() {
	looked := uint32(0)
	for _, r := range p.rules {
		looked |= maskOf(r.Rule)
	}
	if looked == 0 {
		return
	}
	for _, d := range p.marking() {
		p.addGroup(d, looked)
	}
	if unread := looked &^ p.host.Reserved; !p.host.MarksRead && unread != 0 {
		p.groups = append(p.groups, group{mask: unread, unknown: true, unread: true})
	}
	if len(p.groups) > maxGroups {
		p.joinGroups()
	}
	for _, g := range p.groups {
		for _, d := range g.by {
			p.cuts = slices.Concat(p.cuts, d.Selector.To, d.Selector.NotTo)
		}
	}
	slices.SortFunc(p.cuts, netip.Prefix.Compare)
	p.cuts = slices.Compact(p.cuts)
}

// marking returns the statements that can mark a packet before it is routed, in
// the order in which it meets them. Those of one tool and one stage are listed
// in that order.
func (p *Plan) marking() []*evidence.Diversion {
	found := slices.DeleteFunc(slices.Clone(p.host.Diversions),
		func(d *evidence.Diversion) bool { return !p.marksBefore(d) })
	slices.SortStableFunc(found, func(a, b *evidence.Diversion) int { return cmp.Compare(p.stage(a), p.stage(b)) })
	return found
}

// stage is where on its way in a packet meets a statement: at a port of a bridge,
// in the bridge, at the link that it is received on, before routing. Traffic
// control comes before netfilter (__netif_receive_skb_core of net/core/dev.c,
// br_handle_frame of net/bridge/br_input.c).
func (p *Plan) stage(d *evidence.Diversion) int {
	port := slices.ContainsFunc(p.host.Links, func(l *evidence.Link) bool {
		return l.Master != "" && slices.Contains(strings.Fields(d.Link), l.Name)
	})
	switch {
	case d.Hook == "ingress" && d.By == "tc" && port:
		return 0
	case d.Hook == "ingress" && port:
		return 1
	case d.Family == "bridge":
		return 2
	case d.Hook == "ingress" && d.By == "tc":
		return 3
	case d.Hook == "ingress":
		return 4
	}
	return 5
}

// marksBefore reports whether a statement can mark a packet before it is
// routed. What does it later, in forward or postrouting, is too late: only
// what a host sends itself is routed again then (nf_reroute, ip_route_me_harder).
func (p *Plan) marksBefore(d *evidence.Diversion) bool {
	if d.Effect != evidence.EffectMark && d.Effect != evidence.EffectBPF || !p.isFamily(d) {
		return false
	}
	switch d.Hook {
	case "output":
		return p.host.Own
	case "prerouting", "ingress":
		return !p.host.Own && p.attached(d) != no
	case "input":
		return !p.host.Own && d.Family == "bridge"
	case "forward", "postrouting", "egress":
		return false
	}
	return true
}

// isFamily reports whether a statement sees packets of the plan's family.
func (p *Plan) isFamily(d *evidence.Diversion) bool {
	return !(d.Family == "ip" && p.host.Family == 6 || d.Family == "ip6" && p.host.Family == 4)
}

// attached reports whether packets of pods pass the link that a statement is
// attached to, on their way in.
func (p *Plan) attached(d *evidence.Diversion) truth {
	if d.Link == "" {
		return yes
	}
	found := no
	for _, link := range strings.Fields(d.Link) {
		found = found.or(p.arrives(link))
	}
	return found
}

func (p *Plan) addGroup(d *evidence.Diversion, looked uint32) {
	g := group{mark: d.Mark & looked, mask: d.Mask & looked, unknown: d.Unknown || d.Effect == evidence.EffectBPF}
	if g.unknown && d.Mask == 0 {
		g.mask = looked
	}
	g.mark &= g.mask
	if g.mask == 0 {
		return
	}
	if g.unknown {
		g.mark = 0
	}
	if !slices.ContainsFunc(p.groups, func(o group) bool { return g.differs(&o) != 0 }) && !g.unknown && g.mark == 0 {
		return // it clears what no packet comes in with
	}
	at := len(p.groups)
	for i, o := range slices.Backward(p.groups) {
		if o.mark == g.mark && o.mask == g.mask && o.unknown == g.unknown {
			at = i
			break
		}
		if g.differs(&o) != 0 {
			break // what is set again behind it is another group
		}
	}
	if at == len(p.groups) {
		p.groups = append(p.groups, g)
	}
	into := &p.groups[at]
	into.by = append(into.by, d)
	if here := (place{d.By, p.stage(d)}); !slices.Contains(into.places, here) {
		into.places = append(into.places, here)
	}
	if d.Selector.MarkMask != 0 && p.markedBefore(d) {
		p.premarked = append(p.premarked, d)
	}
}

// differs returns the bits that two groups set, and not alike.
func (g *group) differs(o *group) uint32 {
	both := g.mask & o.mask
	if g.unknown || o.unknown {
		return both
	}
	return both & (g.mark ^ o.mark)
}

// place is where statements are: one tool's at one stage are in a known order.
type place struct {
	by    string
	stage int
}

// unordered returns the bits that a group may set before another one or behind
// it: two tools have statements at one stage.
func (g *group) unordered(o *group) uint32 {
	for _, here := range g.places {
		if slices.ContainsFunc(o.places, func(there place) bool {
			return here.stage == there.stage &&
				here.by != there.by
		}) {
			return g.differs(o)
		}
	}
	return 0
}

// joinGroups makes one of too many: any of their bits can be set.
func (p *Plan) joinGroups() {
	one := group{unknown: true}
	for _, g := range p.groups {
		one.mask |= g.mask
		one.unread = one.unread || g.unread
		one.by = append(one.by, g.by...)
	}
	p.groups = []group{one}
}

// states returns the marks that packets can have, with their conditions.
func (p *Plan) states() []state {
	all := make([]state, 0, 1<<len(p.groups))
	for applied := range 1 << len(p.groups) {
		s := state{applied: uint8(applied)}
		for i := range p.groups {
			g := &p.groups[i]
			set := applied>>i&1 != 0
			s.terms = s.terms.and(term{group: g, not: !set})
			switch {
			case !set:
			case g.unknown:
				s.doubt |= g.mask
			default:
				s.mark = s.mark&^g.mask | g.mark
				s.doubt &^= g.mask
			}
			for j := range i {
				if set && applied>>j&1 != 0 {
					s.doubt |= g.unordered(&p.groups[j])
				}
			}
		}
		all = append(all, s)
	}
	return all
}

// meets reports whether a mark is what a rule asks for: its mark may have bits
// beyond its mask, which no packet then has (fib_rule_match).
func (s *state) meets(r *evidence.Rule) truth {
	mask := maskOf(r)
	switch {
	case (s.mark^r.Mark)&mask&^s.doubt != 0:
		return no
	case s.doubt&mask != 0:
		return maybe
	}
	return yes
}

// gave reports whether statements of the group mark a packet.
func (p *Plan) gave(packet *Packet, g *group) truth {
	if g.unread {
		return maybe
	}
	found := no
	for _, d := range g.by {
		found = max(found, p.applies(packet, d))
	}
	return found
}

// applies reports whether a statement applies to a packet. What a BPF program
// selects cannot be read.
func (p *Plan) applies(packet *Packet, d *evidence.Diversion) truth {
	known := packet.selected(&d.Selector)
	if d.Link != "" && (d.Hook == "ingress" || d.Hook == "prerouting") {
		on := no
		for _, link := range strings.Fields(d.Link) {
			on = on.or(p.arrivedOn(packet, link))
		}
		known = known.and(on)
	}
	if d.Effect == evidence.EffectBPF || slices.Contains(p.premarked, d) {
		known = known.and(maybe)
	}
	return known
}

// markedBefore reports whether a packet can have a mark, of the bits that a
// statement looks at, when it comes to that: of another statement.
func (p *Plan) markedBefore(d *evidence.Diversion) bool {
	return !p.host.MarksRead || slices.ContainsFunc(p.host.Diversions, func(other *evidence.Diversion) bool {
		sets := other.Mark&other.Mask&d.Selector.MarkMask != 0 || other.Effect == evidence.EffectBPF ||
			other.Unknown && (other.Mask == 0 || other.Mask&d.Selector.MarkMask != 0)
		return sets && other != d && p.marksBefore(other) && p.stage(other) <= p.stage(d)
	})
}
