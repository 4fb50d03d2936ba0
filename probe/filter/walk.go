//go:build linux

package filter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds on what is read: kube-proxy alone can have tens of thousands of rules,
// most of them of no interest here.
const (
	maxFilterRules = 65536 // those of kube-proxy left out
	maxVisits      = 8     // of one chain from one hook
	maxDepth       = 24    // of jumps; the kernel allows 16
)

// walk follows the jumps from the base chains of nf_tables or of a table of
// iptables-legacy, to find the statements that mark, copy or divert packets.
type walk struct {
	by    string // Diversion.By
	links map[uint32]string
	set   func(at chainName, name string) set

	chains  []nftChain // of nf_tables
	bases   []baseChain
	rules   map[chainName][]rule
	pods    []netip.Prefix // where pods can be
	ends    []netip.Addr   // addresses that overlays send to, among others
	maps    func(at chainName, name string) set
	proxied map[chainName]*proxied
	foreign map[chainName][]string // chains that those of kube-proxy lead to, by table
	keys    map[uint64]bool        // of the rules of kube-proxy, see rule.proxyKey
	ofProxy map[chainName][]rule   // of kube-proxy's chains those of interest, by table
	kinds   map[proxyKind]bool     // of statements there
	count   int                    // of all rules
	kept    int                    // of those that are not kube-proxy's

	summaries map[chainName]summary
	visits    map[visited]int

	found      []evidence.Diversion
	incomplete string
}

// baseChain is where packets enter. The hook is one that pods' packets pass, or
// those of an overlay that carries them.
type baseChain struct {
	chainName
	hook  string
	links []string // of netdev
	late  bool     // a mark that is set there changes no decision of routing any more
}

// proxyKind is a kind of statement in kube-proxy's chains of a table.
type proxyKind struct {
	at chainName
	statement
}

type visited struct {
	chainName
	hook  string
	local bool // by packets for the host itself
}

// summary is what holds of a chain, and of those that it leads to, whichever
// packets reach it.
type summary struct {
	bears bool // there is a statement of interest
	ends  bool // the way of a packet can end there, so that what follows a jump does not see it
}

func newWalk(by string, links []evidence.Link, set func(chainName, string) set) *walk {
	w := &walk{
		by: by, set: set, links: map[uint32]string{}, rules: map[chainName][]rule{},
		ofProxy: map[chainName][]rule{}, kinds: map[proxyKind]bool{}, keys: map[uint64]bool{},
		proxied: map[chainName]*proxied{}, foreign: map[chainName][]string{},
		summaries: map[chainName]summary{}, visits: map[visited]int{},
	}
	for _, link := range links {
		w.links[uint32(link.Index)] = link.Name
	}
	return w
}

func tableOf(at chainName) chainName { return chainName{family: at.family, table: at.table} }

// add takes a rule.
func (w *walk) add(r rule) {
	w.count++
	if isKubeProxys(r.chainName) {
		w.addProxied(r)
	} else {
		w.keep(r)
	}
}

func (w *walk) keep(r rule) {
	if w.kept++; w.kept > maxFilterRules {
		w.lack("more than %d rules, those of kube-proxy left out", maxFilterRules)
		return
	}
	w.rules[r.chainName] = append(w.rules[r.chainName], r)
}

func (w *walk) lack(format string, args ...any) {
	if w.incomplete == "" {
		w.incomplete = fmt.Sprintf(format, args...)
	}
}

// wanted returns the statements of interest of a rule of a chain.
func (r *reading) wanted(at chainName) []conditional {
	return slices.DeleteFunc(r.statements, func(s conditional) bool {
		return translates(s) && isKubeProxys(at)
	})
}

func (w *walk) run() {
	for _, base := range w.bases {
		start := condition{family: base.version()}
		switch {
		case base.hook == "ingress" && len(base.links) > 0:
			start.links(fieldIn, base.links, false)
		case base.hook == "egress" && len(base.links) > 0:
			start.links(fieldOut, base.links, false)
		}
		w.visit(base.chainName, base, start, 0)
	}
}

// visit reads a chain for packets of a condition, and the chains that it jumps to.
func (w *walk) visit(at chainName, from baseChain, reached condition, depth int) {
	if !w.summary(at, 0).bears {
		return
	}
	if depth > maxDepth {
		w.lack("jumps deeper than %d", maxDepth)
		return
	}
	local := reached.ofHost() // packets that the host forwards have none of its addresses
	if local && !w.overlaid(reached) {
		return
	}
	key := visited{at, from.hook, local}
	w.visits[key]++
	switch visits := w.visits[key]; {
	case visits > maxVisits:
		return
	case visits == maxVisits:
		reached = condition{family: reached.family}
		reached.other("one of many jumps to chain %s", at.chain)
		if local {
			reached.other("%s", typeCondition("daddr", 1<<unix.RTN_LOCAL, false))
		}
		from.links = nil // nor is it known where they come from
	}
	if isKubeProxys(at) {
		w.visitProxy(at, from, reached, depth)
		return
	}
	earlier, entering := false, reached
	for _, rule := range w.rules[at] {
		start := reached
		switch {
		case rule.meanwhile:
			start = entering
		case earlier:
			start.other("no earlier rule of %s applies", at.chain)
		}
		r := w.read(rule, start)
		w.report(rule, from, r)
		for _, d := range r.decisions {
			next := chainName{at.family, at.table, d.chain}
			if d.chain != "" && !d.condition.never {
				w.visit(next, from, d.condition, depth+1)
			}
			earlier = earlier || !rule.meanwhile && d.code == codeJump && w.summary(next, 0).ends
		}
		if !rule.meanwhile && r.ends && !r.condition.never && !w.goOn(rule, &reached) {
			earlier = true
		}
	}
}

// goOn narrows what goes on behind a rule that ends the way of all packets that
// it applies to; false if which these are is not known.
func (w *walk) goOn(rule rule, reached *condition) bool {
	alone := w.read(rule, condition{family: reached.family})
	return alone.settles && reached.without(alone.condition)
}

func (w *walk) read(rule rule, reached condition) *reading {
	return rule.read(reached, w.links, func(name string, _ field) set { return w.set(rule.chainName, name) })
}

// summary reads the rules of a chain without their sets, once.
func (w *walk) summary(at chainName, depth int) summary {
	if known, ok := w.summaries[at]; ok {
		return known
	}
	if depth > maxDepth {
		return summary{bears: true, ends: true}
	}
	if isKubeProxys(at) {
		table := tableOf(at)
		return summary{bears: len(w.ofProxy[table])+len(w.foreign[table])+len(w.proxied) > 0, ends: true}
	}
	w.summaries[at] = summary{} // until it is known; the kernel has no loops
	var s summary
	for _, rule := range w.rules[at] {
		r := rule.glance()
		s.bears = s.bears || r.mapped || len(r.wanted(at)) > 0
		s.ends = s.ends || r.ends && !rule.meanwhile
		for _, d := range r.decisions {
			if d.chain != "" {
				behind := w.summary(chainName{at.family, at.table, d.chain}, depth+1)
				s.bears = s.bears || behind.bears
				s.ends = s.ends || behind.ends && !rule.meanwhile
			}
		}
	}
	w.summaries[at] = s
	return s
}

// late reports whether a statement sets a mark behind the last routing decision:
// that no longer decides where a packet goes.
func late(s statement, from baseChain) bool {
	behind := from.hook == "forward" || from.hook == "postrouting" || from.late
	return s.effect == evidence.EffectMark && from.family != unix.NFPROTO_BRIDGE && behind
}

var familyNames = map[uint8]string{
	unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet",
	unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev",
}

// report keeps the statements of a rule that packets reach which leave the host.
func (w *walk) report(rule rule, from baseChain, r *reading) {
	for _, s := range r.wanted(rule.chainName) {
		local := s.condition.ofHost() && (s.effect == evidence.EffectMark || !w.overlaid(s.condition))
		if s.condition.never || local || late(s.statement, from) {
			continue
		}
		if !w.keepFound(rule.chainName, from, s) {
			return
		}
	}
}

// keepFound keeps a statement of a chain; false if there are too many.
func (w *walk) keepFound(at chainName, from baseChain, s conditional) bool {
	if len(w.found) >= maxDiversions {
		w.lack("more than %d statements that mark, copy or divert", maxDiversions)
		return false
	}
	selector := s.condition.selector()
	w.found = append(w.found, bounded(evidence.Diversion{
		By: w.by, Family: familyNames[at.family], Table: at.table, Chain: at.chain, Hook: from.hook,
		Link: strings.Join(from.links, " "), Selector: selector,
		Effect: s.effect, Mark: s.mark, Mask: s.mask, Unknown: s.unknown, To: s.to, Port: s.port,
		Rule: shown(selector, s.text),
	}))
	return true
}
