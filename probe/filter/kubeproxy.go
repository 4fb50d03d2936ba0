//go:build linux

package filter

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// kube-proxy can have tens of thousands of rules. What they do to Services'
// addresses is its job, and which of them leads where does not matter. But a name
// is not a proof: anybody can call a chain KUBE-SOMETHING. So each kind of statement
// there is reported once, and what gives packets another target is trusted only as
// far as no packet for a pod can come to it: every way there is for an address that
// no pod has, of a Service or of this host. Nor may a datagram of an overlay, which is
// for an address of a host and carries packets of pods.

// isKubeProxys reports whether a chain has a name as kube-proxy gives it.
func isKubeProxys(at chainName) bool {
	return strings.HasPrefix(at.chain, "KUBE-") || at.table == "kube-proxy"
}

// proxied is what is kept of a chain of kube-proxy: what it does to the target of
// packets for pods, and where it leads those.
type proxied struct {
	steps      []proxyStep
	translates [travellers]*conditional // nil if nothing does
}

// traveller is whose packets are followed through kube-proxy's chains.
type traveller int

const (
	ofPods    traveller = iota
	ofOverlay           // datagrams that carry packets of pods from host to host
	travellers
)

// proxyStep is a jump to a chain, or to those of a verdict map.
type proxyStep struct {
	chain string
	byMap string
	keyed bool     // the keys of the map begin with the packet's target
	sets  []string // that the packet's target must be in
	takes [travellers]bool
}

// maxMapElements bounds what is read of a verdict map of kube-proxy, which has an
// element for each port of each Service.
const maxMapElements = 1 << 18

// addProxied keeps a rule of one of kube-proxy's chains.
func (w *walk) addProxied(r rule) {
	read := r.glance()
	w.keys[r.proxyKey(read)] = true
	for _, s := range read.statements {
		if translates(s) {
			w.chainOf(r.chainName).translate(s, w.takes(s.condition))
		}
	}
	for _, d := range read.decisions {
		next := chainName{r.family, r.table, d.chain}
		switch {
		case d.chain == "":
		case !isKubeProxys(next):
			w.addForeign(next)
		default:
			w.chainOf(r.chainName).lead(proxyStep{chain: d.chain, sets: read.targetSets, takes: w.takes(d.condition)})
		}
	}
	if read.mapped {
		step := read.byMap
		step.takes = w.takes(read.condition)
		w.chainOf(r.chainName).lead(step)
	}
	w.addKind(r, read)
}

// addKind keeps a rule if there is a kind of statement in it that none before had
// in this table.
func (w *walk) addKind(r rule, read *reading) {
	at := tableOf(r.chainName)
	for _, s := range read.wanted(r.chainName) {
		kind := proxyKind{at, s.statement}
		if w.kinds[kind] {
			continue
		}
		if len(w.kinds) >= maxDiversions {
			w.lack("more than %d kinds of statements in chains of kube-proxy", maxDiversions)
			return
		}
		w.kinds[kind] = true
		w.ofProxy[at] = append(w.ofProxy[at], r)
		return
	}
}

// addForeign notes a chain that kube-proxy's lead to and that is not its own.
func (w *walk) addForeign(next chainName) {
	at := tableOf(next)
	if !slices.Contains(w.foreign[at], next.chain) {
		if len(w.foreign[at]) >= maxDiversions {
			w.lack("chains of kube-proxy lead to more than %d others", maxDiversions)
			return
		}
		w.foreign[at] = append(w.foreign[at], next.chain)
	}
}

func (w *walk) chainOf(at chainName) *proxied {
	if w.proxied[at] == nil {
		w.proxied[at] = &proxied{}
	}
	return w.proxied[at]
}

// takes says whose packets can meet a condition.
func (w *walk) takes(c condition) [travellers]bool {
	return [travellers]bool{ofPods: !w.aside(c), ofOverlay: w.overlaid(c)}
}

func (p *proxied) translate(s conditional, takes [travellers]bool) {
	for who, does := range takes {
		if does && p.translates[who] == nil {
			p.translates[who] = &s
		}
	}
}

func (p *proxied) lead(step proxyStep) {
	if step.takes == [travellers]bool{} {
		return
	}
	if step.byMap != "" || len(step.sets) > 0 || !slices.ContainsFunc(p.steps, func(s proxyStep) bool {
		return s.chain == step.chain && len(s.sets) == 0 && s.takes == step.takes
	}) {
		p.steps = append(p.steps, step)
	}
}

// translates reports whether a statement gives packets another target.
func translates(s conditional) bool {
	return s.effect == evidence.EffectDNAT || s.text == "redirect" || s.text == "REDIRECT"
}

// aside reports whether a condition is met by no packet for a pod: it asks for an
// address of this host, or for one outside of all pod ranges.
func (w *walk) aside(c condition) bool {
	if c.never || c.ofHost() {
		return true
	}
	return len(c.To) > 0 && !slices.ContainsFunc(c.To, w.forPods)
}

// overlayPorts are the UDP ports of overlays: VXLAN of Linux and IANA's, Geneve.
var overlayPorts = []uint16{8472, 4789, 6081}

// overlaid reports whether a condition can be met by a datagram of an overlay, whose
// target is an address of a host.
func (w *walk) overlaid(c condition) bool {
	port := func(r evidence.Ports) bool {
		return slices.ContainsFunc(overlayPorts, func(port uint16) bool { return r.From <= port && port <= r.To })
	}
	end := func(to netip.Prefix) bool { return slices.ContainsFunc(w.ends, to.Contains) }
	return !c.never && (len(c.Protocol) == 0 || slices.Contains(c.Protocol, unix.IPPROTO_UDP)) &&
		(len(c.Target) == 0 || slices.ContainsFunc(c.Target, port)) &&
		(len(c.To) == 0 || slices.ContainsFunc(c.To, end))
}

// narrowed is a condition for datagrams of overlays alone. What comes in for the host
// itself is not a packet that it forwards.
func narrowed(c condition, hook string) condition {
	c.protocols([]uint8{unix.IPPROTO_UDP}, false)
	var ports []evidence.Ports
	for _, port := range overlayPorts {
		ports = append(ports, evidence.Ports{From: port, To: port})
	}
	c.ports(fieldTargetPort, ports, false)
	if hook != "output" && hook != "postrouting" && !c.ofHost() {
		c.other("%s", typeCondition("daddr", 1<<unix.RTN_LOCAL, false))
	}
	return c
}

// forPods reports whether an address of a range can be a pod's.
func (w *walk) forPods(to netip.Prefix) bool { return slices.ContainsFunc(w.pods, to.Overlaps) }

// visitProxy reports once what kube-proxy's chains of a table do, for some
// packets that reach them, and follows those for pods.
func (w *walk) visitProxy(at chainName, from baseChain, reached condition, depth int) {
	if !reached.ofHost() {
		w.translated(at, from, reached, ofPods)
	}
	if w.overlaid(reached) {
		w.translated(at, from, narrowed(reached, from.hook), ofOverlay)
	}
	if reached.ofHost() {
		return
	}
	key := visited{tableOf(at), from.hook, false}
	if w.visits[key]++; w.visits[key] > 1 {
		return
	}
	for _, rule := range w.ofProxy[tableOf(at)] {
		start := condition{family: reached.family}
		start.other("what kube-proxy sends to chain %s", rule.chain)
		w.report(rule, from, w.read(rule, start))
	}
	for _, next := range w.foreign[tableOf(at)] {
		start := condition{family: reached.family}
		start.other("what chains of kube-proxy send to chain %s", next)
		w.visit(chainName{at.family, at.table, next}, from, start, depth+1)
	}
}

// translated reports a statement that gives packets of somebody another target, if
// they can come to one from a chain of kube-proxy.
func (w *walk) translated(at chainName, from baseChain, reached condition, who traveller) {
	seen := map[string]bool{at.chain: true}
	for waiting := []string{at.chain}; len(waiting) > 0; waiting = waiting[1:] {
		here := chainName{at.family, at.table, waiting[0]}
		chain := w.proxied[here]
		if chain == nil {
			continue
		}
		if s := chain.translates[who]; s != nil {
			reached.other("what comes to chain %s, which is not for an address of a Service alone", here.chain)
			w.keepFound(here, from, conditional{reached, s.statement})
			return
		}
		for _, step := range chain.steps {
			for _, next := range w.follow(here, step, who) {
				if !seen[next] {
					seen[next] = true
					waiting = append(waiting, next)
				}
			}
		}
	}
}

// follow returns the chains that a step leads packets of somebody to.
func (w *walk) follow(at chainName, step proxyStep, who traveller) (chains []string) {
	if !step.takes[who] {
		return nil
	}
	for _, name := range step.sets {
		forPods := func(e element) bool { return w.keyForPods(at, e) }
		if who == ofPods && !slices.ContainsFunc(w.elements(at, name), forPods) {
			return nil
		}
	}
	if step.byMap == "" {
		return []string{step.chain}
	}
	for _, e := range w.elements(at, step.byMap) {
		leads := !step.keyed || w.keyForPods(at, e)
		if who == ofOverlay {
			leads = w.keyForOverlay(at, e, step.keyed)
		}
		if e.verdict.chain != "" && leads {
			chains = append(chains, e.verdict.chain)
		}
	}
	return chains
}

// elements are those of a set or map of kube-proxy. Those of one that changes
// while it is read are taken as they come, as its rules are.
func (w *walk) elements(at chainName, name string) []element {
	if w.maps == nil {
		return nil
	}
	found := w.maps(at, name)
	if len(found.elements) > maxMapElements || !found.whole && len(found.elements) == 0 {
		w.lack("the map or set %s of kube-proxy was not read whole", name)
	}
	return found.ranged()
}

// keyForOverlay reports whether an element's key can be that of a datagram of an
// overlay. Keys are an address, if they begin with one, a protocol and a port, each
// padded to four octets.
func (w *walk) keyForOverlay(at chainName, e element, keyed bool) bool {
	const service = 8
	address := 0
	if keyed {
		address = map[int]int{4: 4, 6: 16}[at.version()]
	}
	if e.any || e.end != nil && !bytes.Equal(e.key, e.end) || keyed && address == 0 || len(e.key) != address+service {
		return true
	}
	host, known := netip.AddrFromSlice(e.key[:address])
	port := binary.BigEndian.Uint16(e.key[address+4:])
	return (!known || slices.Contains(w.ends, host)) && e.key[address] == unix.IPPROTO_UDP &&
		slices.Contains(overlayPorts, port)
}

// keyForPods reports whether the address that an element's key begins with can be
// a pod's.
func (w *walk) keyForPods(at chainName, e element) bool {
	length := map[int]int{4: 4, 6: 16}[at.version()]
	if length == 0 || e.any || len(e.key) < length || len(e.end) < length {
		return true
	}
	first, _ := netip.AddrFromSlice(e.key[:length])
	last, _ := netip.AddrFromSlice(e.end[:length])
	between := prefixesBetween(first, last)
	return len(between) > maxAlternatives || slices.ContainsFunc(between, w.forPods)
}
