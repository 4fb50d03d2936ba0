//go:build linux

package host

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds on what of nf_tables is read: kube-proxy alone can have tens of
// thousands of rules, most of them of no interest here.
const (
	maxFilterRules = 65536
	maxDiversions  = 512
	maxVisits      = 8  // of one chain from one hook
	maxDepth       = 24 // of jumps; the kernel allows 16
	maxSets        = 512
)

// divertingHooks are the hooks that pods' packets pass, by family. What only
// the host's own packets pass is left out.
var divertingHooks = map[uint8]map[uint32]string{
	unix.NFPROTO_IPV4: ipHooks, unix.NFPROTO_IPV6: ipHooks,
	unix.NFPROTO_BRIDGE: {0: "prerouting", 1: "input", 2: "forward", 4: "postrouting"}, // what a bridge hands to routing passes its input
	unix.NFPROTO_INET:   {0: "prerouting", 2: "forward", 4: "postrouting", 5: "ingress"},
	unix.NFPROTO_NETDEV: {0: "ingress", 1: "egress"},
}

var ipHooks = map[uint32]string{0: "prerouting", 2: "forward", 4: "postrouting"}

var nfFamilies = map[uint8]string{
	unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet",
	unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev",
}

// nftables reads the statements of nf_tables that mark, copy or divert pods'
// packets, those of iptables-nft among them.
func (r Reader) nftables(links []evidence.Link) ([]evidence.Diversion, evidence.Inventory, []evidence.Problem) {
	inventory := evidence.Inventory{What: evidence.InventoryNftables, Complete: true}
	if loaded, err := r.filters(); !loaded {
		inventory.Text = "nf_tables is not loaded"
		if err != nil {
			inventory.Complete, inventory.Text = false, "whether nf_tables is loaded cannot be told: "+err.Error()
		}
		return nil, inventory, nil
	}
	kernel, err := converse(unix.NETLINK_NETFILTER)
	if errors.Is(err, unix.EPROTONOSUPPORT) && !r.modular() {
		inventory.Text = noFilters
		return nil, inventory, nil
	}
	if err != nil {
		inventory.Complete, inventory.Text = false, err.Error()
		return nil, inventory, []evidence.Problem{problem("firewall", "nftables", err)}
	}
	defer kernel.close()
	walk, err := dump(func() (*nftWalk, error) { return newWalk(kernel, links) })
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		err = walk.calm()
	}
	if errors.Is(err, unix.EINVAL) && !r.modular() { // nfnetlink knows no such subsystem
		inventory.Text = noFilters
		return nil, inventory, nil
	}
	if err != nil {
		inventory.Complete, inventory.Text = false, err.Error()
		return nil, inventory, []evidence.Problem{problem("firewall", "nftables", err)}
	}
	walk.run()
	inventory.Count = walk.count
	if walk.incomplete != "" {
		inventory.Complete, inventory.Text = false, walk.incomplete
	}
	return walk.found, inventory, nil
}

const noFilters = "this kernel has no nf_tables"

// nftWalk follows the jumps from the base chains.
type nftWalk struct {
	kernel *conversation
	links  map[uint32]string
	chains []nftChain
	rules  map[chainName][]nftRule
	proxys map[chainName][]nftRule // of kube-proxy's chains those of interest, by table
	count  int
	kept   int
	sets   map[chainName]nftSet // by table, and name in the place of a chain's

	kinds   map[proxyKind]bool
	matters map[chainName]bool // something there, or behind it, is of interest
	endings map[chainName]bool // something there, or behind it, ends the way of a packet
	visits  map[visited]int

	found      []evidence.Diversion
	incomplete string
}

type visited struct {
	chainName
	hook string
}

func newWalk(kernel *conversation, links []evidence.Link) (*nftWalk, error) {
	w := &nftWalk{
		kernel: kernel, links: map[uint32]string{}, rules: map[chainName][]nftRule{}, proxys: map[chainName][]nftRule{}, sets: map[chainName]nftSet{},
		kinds: map[proxyKind]bool{}, matters: map[chainName]bool{}, endings: map[chainName]bool{}, visits: map[visited]int{},
	}
	for _, link := range links {
		w.links[uint32(link.Index)] = link.Name
	}
	var err error
	if w.chains, err = w.listChains(); err != nil {
		return w, err
	}
	err = kernel.list(nftGetRule, make([]byte, sizeofNetfilterHeader), func(message []byte) bool {
		if rule, ok := parseNftRule(message); ok {
			w.keep(rule)
		}
		return true
	})
	if err != nil {
		return w, fmt.Errorf("listing the rules: %w", err)
	}
	return w, nil
}

func (w *nftWalk) keep(rule nftRule) {
	w.count++
	if !kubeProxys(rule.chainName) {
		if w.kept++; w.kept > maxFilterRules {
			w.lack("more than %d rules beside those of kube-proxy", maxFilterRules)
			return
		}
		w.rules[rule.chainName] = append(w.rules[rule.chainName], rule)
		return
	}
	// There can be tens of thousands of these; which of them leads where does not
	// matter, so one of each kind of statement is enough.
	at := tableOf(rule.chainName)
	for _, s := range w.wantedOf(rule) {
		kind := proxyKind{at, s}
		if w.kinds[kind] {
			continue
		}
		if len(w.kinds) >= maxDiversions {
			w.lack("more than %d kinds of statements in chains of kube-proxy", maxDiversions)
			return
		}
		w.kinds[kind] = true
		w.proxys[at] = append(w.proxys[at], rule)
		return
	}
}

// proxyKind is a kind of statement in kube-proxy's chains of a table.
type proxyKind struct {
	at chainName
	statement
}

func tableOf(at chainName) chainName { return chainName{family: at.family, table: at.table} }

func (w *nftWalk) lack(format string, args ...any) {
	if w.incomplete == "" {
		w.incomplete = fmt.Sprintf(format, args...)
	}
}

func (w *nftWalk) run() {
	// A packet meets base chains in the order of their priorities.
	slices.SortStableFunc(w.chains, func(a, b nftChain) int { return cmp.Compare(a.priority, b.priority) })
	for _, chain := range w.chains {
		hook := divertingHooks[chain.family][chain.hook]
		if !chain.base || hook == "" {
			continue
		}
		start := condition{}
		switch {
		case hook == "ingress" && len(chain.links) > 0:
			start.in(chain.links, false)
		case hook == "egress" && len(chain.links) > 0:
			start.out(chain.links, false)
		}
		w.visit(chain.chainName, hook, chain.links, start, 0)
	}
}

// visit reads a chain whose packets have a condition.
func (w *nftWalk) visit(at chainName, hook string, links []string, reached condition, depth int) {
	if !w.concerns(at, 0) {
		return
	}
	if depth > maxDepth {
		w.lack("jumps deeper than %d", maxDepth)
		return
	}
	if kubeProxys(at) {
		w.visitProxy(at, hook, links, reached)
		return
	}
	key := visited{at, hook}
	w.visits[key]++
	switch visits := w.visits[key]; {
	case visits > maxVisits:
		return
	case visits == maxVisits:
		reached = condition{family: reached.family}
		reached.other("one of many jumps to chain %s", at.chain)
		links = nil // nor where they come from
	}
	earlier := false
	for _, rule := range w.rules[at] {
		m := w.machine(rule, reached)
		if earlier {
			m.condition.other("no earlier rule of %s applies", at.chain)
		}
		m.read(rule)
		w.report(rule, hook, links, m)
		for _, jump := range m.jumps {
			if !jump.condition.never {
				w.visit(chainName{at.family, at.table, jump.chain}, hook, links, jump.condition, depth+1)
			}
			earlier = earlier || !m.goes && w.ends(chainName{at.family, at.table, jump.chain}, 0)
		}
		if m.ends && !m.condition.never && !w.goOn(rule, &reached) {
			earlier = true
		}
	}
}

// goOn narrows what goes on behind a rule that ends the way of all packets that
// it applies to; false if which these are cannot be said.
func (w *nftWalk) goOn(rule nftRule, reached *condition) bool {
	switch rule.family {
	case unix.NFPROTO_IPV4:
		reached.family = 4
	case unix.NFPROTO_IPV6:
		reached.family = 6
	}
	m := w.machine(rule, condition{family: reached.family})
	m.read(rule)
	return m.settles && reached.without(m.condition)
}

// visitProxy reports once what kube-proxy's chains of a table do, for some
// packets that reach them.
func (w *nftWalk) visitProxy(at chainName, hook string, links []string, reached condition) {
	key := visited{tableOf(at), hook}
	if w.visits[key]++; w.visits[key] > 1 {
		return
	}
	for _, rule := range w.proxys[tableOf(at)] {
		m := w.machine(rule, condition{family: reached.family})
		m.condition.other("what kube-proxy sends to chain %s", rule.chain)
		m.read(rule)
		w.report(rule, hook, links, m)
	}
}

func (w *nftWalk) machine(rule nftRule, reached condition) *nftMachine {
	return &nftMachine{
		family: rule.family, links: w.links, condition: reached.clone(),
		set: func(name string) nftSet { return w.setOf(rule.chainName, name) },
	}
}

func (w *nftWalk) setOf(at chainName, name string) nftSet {
	key := chainName{at.family, at.table, name}
	if set, ok := w.sets[key]; ok {
		return set
	}
	if len(w.sets) >= maxSets {
		w.lack("more than %d sets", maxSets)
		return nftSet{}
	}
	set, err := w.kernel.set(at, name)
	if err != nil {
		set.whole = false
	}
	w.sets[key] = set
	return set
}

// kubeProxys reports whether a chain is kube-proxy's: what it does to Services'
// addresses is its job, and its mark only asks for masquerading.
func kubeProxys(at chainName) bool {
	return strings.HasPrefix(at.chain, "KUBE-") || at.table == "kube-proxy"
}

// concerns reports whether a chain, or one that it jumps to, has a statement
// of interest. Its rules are read without sets, which say nothing of that.
func (w *nftWalk) concerns(at chainName, depth int) bool {
	if known, ok := w.matters[at]; ok {
		return known
	}
	if depth > maxDepth {
		return true
	}
	if kubeProxys(at) {
		return len(w.proxys[tableOf(at)]) > 0
	}
	w.matters[at] = false // until it is known; the kernel has no loops
	for _, rule := range w.rules[at] {
		if w.bears(rule) || slices.ContainsFunc(jumpsOf(rule), func(chain string) bool {
			return chain == "" || w.concerns(chainName{at.family, at.table, chain}, depth+1)
		}) {
			w.matters[at] = true
			break
		}
	}
	return w.matters[at]
}

// bears reports whether the rule itself has a statement of interest.
func (w *nftWalk) bears(rule nftRule) bool { return len(w.wantedOf(rule)) > 0 }

func (w *nftWalk) wantedOf(rule nftRule) []statement {
	m := nftMachine{family: rule.family, set: func(string) nftSet { return nftSet{whole: true} }}
	m.read(rule)
	return slices.DeleteFunc(m.statements, func(s statement) bool { return !wanted(s, rule.chainName) })
}

func wanted(s statement, at chainName) bool {
	translates := s.effect == evidence.EffectDNAT || s.text == "redirect" || s.text == "REDIRECT"
	return !(translates && kubeProxys(at))
}

// maxLate bounds the statements that are reported though no pod's packet can go
// another way by them: marks that come too late to decide where it goes, of which
// policies of Calico set a dozen for each pod, and what is for the host's own
// address, of which there is one for each published port.
const maxLate = maxDiversions / 4

// late reports whether a statement sets a mark behind the routing decision.
func late(s statement, family uint8, hook string) bool {
	return s.effect == evidence.EffectMark && family != unix.NFPROTO_BRIDGE && (hook == "forward" || hook == "postrouting")
}

// jumpsOf are the chains that a rule leads to; "" stands for those of a map.
func jumpsOf(rule nftRule) (chains []string) {
	for _, e := range rule.expressions {
		switch e.name {
		case "immediate":
			if v, ok := verdictOf(e.bytes(unix.NFTA_IMMEDIATE_DATA)); ok && v.chain != "" {
				chains = append(chains, v.chain)
			}
		case "lookup":
			if to, ok := e.has(unix.NFTA_LOOKUP_DREG); ok && to == 0 {
				chains = append(chains, "")
			}
		}
	}
	return chains
}

// ends reports whether a packet's way can end in a chain, or in one behind it,
// so that what follows the jump does not see it.
func (w *nftWalk) ends(at chainName, depth int) bool {
	if known, ok := w.endings[at]; ok {
		return known
	}
	if depth > maxDepth || kubeProxys(at) {
		return true
	}
	w.endings[at] = false
	for _, rule := range w.rules[at] {
		m := nftMachine{family: rule.family, set: func(string) nftSet { return nftSet{} }}
		m.read(rule)
		if m.ends || slices.ContainsFunc(jumpsOf(rule), func(chain string) bool {
			return w.ends(chainName{at.family, at.table, chain}, depth+1)
		}) {
			w.endings[at] = true
			break
		}
	}
	return w.endings[at]
}

// report keeps the statements of a rule that was reached.
func (w *nftWalk) report(rule nftRule, hook string, links []string, m *nftMachine) {
	for i, s := range m.statements {
		reached := m.reached[i]
		if reached.never || !wanted(s, rule.chainName) || len(w.found) >= maxLate && (late(s, rule.family, hook) || reached.ofHost()) {
			continue
		}
		if len(w.found) >= maxDiversions {
			w.lack("more than %d statements that mark, copy or divert", maxDiversions)
			return
		}
		w.found = append(w.found, bounded(evidence.Diversion{
			By: "nftables", Effect: s.effect, Family: nfFamilies[rule.family], Table: rule.table, Chain: rule.chain, Hook: hook,
			Link: strings.Join(links, " "), Mark: s.mark, Mask: s.mask, Unknown: s.unknown, To: s.to,
			Selector: reached.selector(), Rule: shown(reached.selector(), s.text), Packets: m.packets,
		}))
	}
}

// bounded keeps a diversion below the limit of a message: conditions that do
// not fit are named as such.
func bounded(d evidence.Diversion) evidence.Diversion {
	const limit = evidence.MaxMessage - 512
	if line, err := json.Marshal(d); err != nil || len(line) > limit {
		d.Selector = evidence.Selector{Other: []string{"more conditions than can be reported"}}
		d.Rule = d.Rule[:min(len(d.Rule), 100)]
	}
	return d
}

// shown renders a statement with its conditions for a reader.
func shown(s evidence.Selector, text string) string {
	var words []string
	add := func(word string, list any, n int) {
		if n > 0 {
			words = append(words, word+" "+strings.Trim(fmt.Sprint(list), "[]"))
		}
	}
	add("from", s.From, len(s.From))
	add("not from", s.NotFrom, len(s.NotFrom))
	add("to", s.To, len(s.To))
	add("not to", s.NotTo, len(s.NotTo))
	add("iif", s.In, len(s.In))
	add("not iif", s.NotIn, len(s.NotIn))
	add("oif", s.Out, len(s.Out))
	add("not oif", s.NotOut, len(s.NotOut))
	add("protocol", s.Protocol, len(s.Protocol))
	add("sport", portsShown(s.Source), len(s.Source))
	add("dport", portsShown(s.Target), len(s.Target))
	add("dscp", s.DSCP, len(s.DSCP))
	if s.MarkMask != 0 {
		words = append(words, fmt.Sprintf("mark 0x%x/0x%x", s.MarkIs, s.MarkMask))
	}
	for _, other := range s.Other {
		words = append(words, "("+other+")")
	}
	const room = 300
	text = strings.Join(append(words, text), " ")
	return strings.ToValidUTF8(text[:min(len(text), room)], "")
}

func portsShown(ports []evidence.Ports) string {
	var list []string
	for _, p := range ports {
		if p.From == p.To {
			list = append(list, fmt.Sprint(p.From))
		} else {
			list = append(list, fmt.Sprintf("%d-%d", p.From, p.To))
		}
	}
	return strings.Join(list, ",")
}
