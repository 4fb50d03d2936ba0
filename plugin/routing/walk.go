package routing

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Answer is where a way leads.
type Answer uint8

// The answers.
const (
	NoRoute Answer = iota // nothing applies: the packet is refused
	Refused               // by a rule or a blackhole, unreachable or prohibit route
	Local                 // to this host
	Out                   // out of Way.Link
	Unclear               // the entry makes no sense that this package knows
)

// Certainty is how much is known of whether a packet of a pod takes a way.
type Certainty uint8

// The certainties.
const (
	// Certain: packets do that are like any other, from some pod, to some
	// address, of some flow.
	Certain Certainty = iota
	// Selective: packets do that have something which not every packet has: a
	// protocol, a port, a DSCP, or a mark that a statement sets for those.
	Selective
	// Doubtful: it hangs on something that was not read or is not understood.
	Doubtful
)

// Way is one answer of the kernel, and which packets get it. Every packet of a
// pod to the range of a walk is in exactly one way; those of a flow are in
// exactly one of the next hops of an entry.
type Way struct {
	To      Part
	Answer  Answer
	Link    string
	Gateway netip.Addr
	Type    string // of the refusal

	Certainty Certainty
	// Sample is a packet that takes the way; where that is doubtful, one that may.
	Sample Packet
	Rule   *evidence.Rule        // nil for one of the kernel's own
	Entry  *evidence.Route       // nil if a rule refuses, or nothing applies
	Hop    bool                  // one of several next hops: some flows take it
	Mark   uint32                // that the packets have
	Marked []*evidence.Diversion // what set it, if anything did
	Unread bool                  // a mark may have been set by what was not read
	when   *term
}

// term is one more condition of a way: of a rule, of statements that mark, or
// of a route's TOS.
type term struct {
	rule  *evidence.Rule
	group *group
	entry *evidence.Route // its TOS and sources
	doubt bool            // it is not known
	not   bool
	next  *term
}

func (t *term) and(more term) *term {
	more.next = t
	return &more
}

// class are packets that were not answered yet.
type class struct {
	to   Part
	when *term
	*state
}

func (c class) and(t term) class {
	c.when = c.when.and(t)
	return c
}

func (c class) on(to Part) class {
	c.to = to
	return c
}

// walk is one question in progress.
type walk struct {
	*Plan
	ways  []Way
	steps int
	left  int // conditions that may still be looked at
	whole bool
}

var unmarked = &state{}

// Ways returns all ways of the packets of the host's pods to a range of
// addresses, and whether that is all of them: too much configuration is not
// followed to its end.
func (p *Plan) Ways(to netip.Prefix) (ways []Way, whole bool) {
	w := walk{Plan: p, whole: !p.tooMany, left: maxConditions}
	if len(p.groups) == 0 {
		w.rules(class{to: Part{Prefix: to.Masked()}, state: unmarked}, 0)
		return w.ways, w.whole
	}
	states := p.states()
	for _, part := range p.cut(Part{Prefix: to.Masked()}) {
		for i := range states {
			w.rules(class{part, states[i].terms, &states[i]}, 0)
		}
	}
	return w.ways, w.whole
}

// cut divides a part at the targets that statements distinguish.
func (p *Plan) cut(part Part) []Part {
	parts := []Part{part}
	for _, at := range p.cuts {
		var next []Part
		for _, one := range parts {
			in, some := one.inside(at)
			out, others := one.outside(at)
			if some {
				next = append(next, in)
			}
			if others {
				next = append(next, out)
			}
		}
		if len(next) > maxWays {
			return parts
		}
		parts = next
	}
	return parts
}

// step counts work and reports whether there may be more of it.
func (w *walk) step() bool {
	w.steps++
	if w.steps > maxSteps || len(w.ways) >= maxWays || w.left <= 0 {
		w.whole = false
	}
	return w.whole
}

// rules follows a class through the rules from one on (fib_rules_lookup).
func (w *walk) rules(c class, at int) {
	for i := at; i < len(w.Plan.rules); i++ {
		if !w.step() {
			return
		}
		r := &w.Plan.rules[i]
		matched := yes
		if r.To.IsValid() && r.To.Bits() > 0 {
			if in, some := c.to.inside(r.To); !some {
				matched = no
			} else if out, others := c.to.outside(r.To); others {
				w.rules(c.on(out), i)
				c = c.on(in)
			}
		}
		if maskOf(r.Rule) != 0 {
			matched = matched.and(c.state.meets(r.Rule))
		}
		doubt := matched == maybe
		matched = matched.and(r.base)
		if r.Not {
			matched = matched.not()
		}
		if matched == no {
			continue
		}
		condition := (*term)(nil)
		if matched == maybe {
			condition = &term{rule: r.Rule, not: r.Not, doubt: doubt}
		}
		var done bool
		if c, done = w.action(c, i, condition); done {
			return
		}
	}
	w.emit(c, Way{Answer: NoRoute})
}

// action does what a rule says for those of a class that meet its condition,
// nil for all of them. It returns those that go on to the next rule; done says
// that none do.
func (w *walk) action(c class, i int, condition *term) (rest class, done bool) {
	r := &w.Plan.rules[i]
	switch r.Action {
	case "nop":
		return c, false
	case "goto":
		w.rules(c.meeting(condition), r.jump)
	case "blackhole", "unreachable", "prohibit":
		w.emit(c.meeting(condition), Way{Answer: Refused, Type: r.Action, Rule: r.listed()})
	case "", "lookup":
		if r.Table == 0 {
			w.emit(c.meeting(condition).and(term{doubt: true}), Way{Answer: Unclear, Rule: r.listed()})
			return c, false
		}
		return w.lookup(c, i, condition)
	default:
		w.emit(c.meeting(condition), Way{Answer: Unclear, Rule: r.listed()})
	}
	if condition == nil {
		return c, true
	}
	return c.missing(condition), false
}

func (c class) meeting(condition *term) class {
	if condition == nil {
		return c
	}
	return c.and(*condition)
}

func (c class) missing(condition *term) class {
	opposite := *condition
	opposite.not = !opposite.not
	return c.and(opposite)
}

func (s *step) listed() *evidence.Rule {
	if s.own {
		return nil
	}
	return s.Rule
}

// lookup looks a class up in the table of a rule. Those that the table does not
// answer go on to the next rule, the condition of the rule forgotten.
func (w *walk) lookup(c class, i int, condition *term) (rest class, done bool) {
	t := w.tables[w.Plan.rules[i].Table]
	pieces, whole := t.split(c.to, maxWays-len(w.ways))
	w.whole = w.whole && whole
	switch len(pieces) {
	case 0:
		return c, false
	case 1:
		return w.piece(c.on(pieces[0]), i, condition, t)
	}
	for _, piece := range pieces {
		if !w.step() {
			return c, true
		}
		if rest, done := w.piece(c.on(piece), i, condition, t); !done {
			w.rules(rest, i+1)
		}
	}
	return c, true
}

// piece looks up addresses to which the same entries apply: the longest prefix,
// of those for one prefix the first that the packet's TOS and, in IPv6, its
// source allow (fib_table_lookup, fib6_node_lookup). It returns what goes on to the next rule.
func (w *walk) piece(c class, i int, condition *term, t *table) (rest class, done bool) {
	r := &w.Plan.rules[i]
	met := c.meeting(condition)
	answered := false
	for _, to := range t.covering(c.to.Prefix) {
		entries := t.at[to]
		for n := 0; n < len(entries); n++ {
			e := entries[n]
			hops := []*evidence.Route{e}
			for n+1 < len(entries) && w.sibling(e, entries[n+1]) {
				n++
				hops = append(hops, entries[n])
			}
			matching, narrowed := met, narrows(e)
			if narrowed {
				matching = met.and(term{entry: e})
				met = met.and(term{entry: e, not: true})
			}
			switch w.answer(matching, r, hops) {
			case no:
				if narrowed {
					w.rules(matching, i+1)
					answered = true
				}
			case maybe:
				w.rules(matching.and(term{doubt: true}), i+1)
				answered = true
			case yes:
				answered = true
			}
			if !narrowed {
				return w.others(c, met, i, condition, answered, answered && w.passed(r, e))
			}
		}
	}
	return w.others(c, met, i, condition, answered, answered)
}

// passed reports whether an entry lets its packets go on to the next rule.
func (w *walk) passed(r *step, e *evidence.Route) bool {
	return e.Type == "throw" || w.suppressed(r.Rule, e) == yes
}

// others returns what goes on to the next rule behind a lookup: everything if
// nothing was answered, else those that the rule did not apply to. Those that it
// applied to, and that no entry answered, are followed at once.
func (w *walk) others(c, met class, i int, condition *term, answered, passed bool) (rest class, done bool) {
	if !answered {
		return c, false
	}
	if passed {
		w.rules(met, i+1)
	}
	if condition == nil {
		return c, true
	}
	return c.missing(condition), false
}

// sibling reports whether an entry is another next hop of one. IPv4 lists the
// hops of one route; of several routes alike only the first counts. IPv6 makes
// one of all that have a destination and a metric in common (fib6_add_rt2node).
func (w *walk) sibling(first, e *evidence.Route) bool {
	if first.Metric != e.Metric || first.TOS != e.TOS || first.From != e.From || refuses(first) || refuses(e) {
		return false
	}
	return w.host.Family == 6 || first.Hop > 0 && e.Hop > first.Hop
}

// narrows reports whether an entry is for some packets to its destination only.
func narrows(e *evidence.Route) bool { return e.TOS != 0 || e.From.IsValid() && e.From.Bits() > 0 }

func refuses(e *evidence.Route) bool { return e.Type != "" && e.Type != "unicast" }

// suppressed reports whether a rule discards what its table answers. Refusals
// are errors, which are not discarded (fib_rules_lookup calls suppress for
// success alone). A link that is not known can be of any group.
func (w *walk) suppressed(r *evidence.Rule, e *evidence.Route) truth {
	switch {
	case e.Type == "blackhole" || e.Type == "unreachable" || e.Type == "prohibit":
		return no
	case r.SuppressLength != nil && e.Destination.Bits() <= *r.SuppressLength:
		return yes
	case r.SuppressGroup != nil:
		return w.host.inGroup(e.Link, *r.SuppressGroup)
	}
	return no
}

// inGroup reports whether a link is of a group.
func (h *Host) inGroup(link string, group int) truth {
	for _, l := range h.Links {
		if l.Name == link {
			return is(l.Group == group)
		}
	}
	return maybe
}

// answer adds the ways of an entry. It returns no if the packets go on to the
// next rule instead, maybe if some may.
func (w *walk) answer(c class, r *step, hops []*evidence.Route) truth {
	e := hops[0]
	discarded := w.suppressed(r.Rule, e)
	if e.Type == "throw" || discarded == yes {
		return no
	}
	if discarded == maybe {
		c = c.and(term{doubt: true})
	}
	for _, hop := range hops {
		way := w.leads(hop)
		way.Rule = r.listed()
		way.Hop = len(hops) > 1
		w.emit(c, way)
	}
	return discarded.not()
}

// leads returns where an entry leads whatever it answers.
func (p *Plan) leads(e *evidence.Route) Way {
	way := Way{Answer: Unclear, Link: e.Link, Gateway: e.Gateway, Entry: e}
	switch e.Type {
	case "", "unicast":
		if e.Link != "" && p.plainly(e) {
			way.Answer = Out
		}
	case "blackhole", "unreachable", "prohibit":
		way.Answer = Refused
		way.Type = e.Type
	case "local", "anycast": // a broadcast is forwarded where bc_forwarding is on (ip_route_input_slow)
		way.Answer = Local
	}
	return way
}

// plainly reports whether an entry sends a packet out of its link as it is. A
// lightweight tunnel can route what it made of the packet again (seg6_input,
// bpf_input, ioam6_output); that of IP is instructions to an overlay's device,
// which WireGuard does not read (ip_tunnel_core.c, ip_tun_lwt_ops).
func (p *Plan) plainly(e *evidence.Route) bool {
	if e.Encap == "ip" || e.Encap == "ip6" {
		return slices.ContainsFunc(p.host.Links, func(l *evidence.Link) bool {
			return l.Name == e.Link &&
				l.Role == evidence.RoleWireGuard
		})
	}
	return e.Encap == ""
}

// emit keeps a way, if a packet can take it.
func (w *walk) emit(c class, way Way) {
	if !w.step() {
		return
	}
	way.To = c.to
	way.when = c.when
	way.Mark = c.mark
	for i := range w.groups {
		if c.applied>>i&1 != 0 {
			way.Marked = append(way.Marked, w.groups[i].by...)
			way.Unread = way.Unread || w.groups[i].unread
		}
	}
	if w.sample(&way, &w.left) {
		w.ways = append(w.ways, way)
	}
}

// Harmless reports whether a packet on the way stays on the host.
func (w *Way) Harmless() bool { return w.Answer == NoRoute || w.Answer == Refused || w.Answer == Local }
