//go:build linux

package filter

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// nftChanges are the rules of nf_tables that came or went, with what is needed to
// read them: chains that packets enter, elements of sets. Programs write rules again
// as they were, kube-proxy all the time: a rule that a reading had in its chain is
// not a change.
type nftChanges struct {
	mutex    sync.Mutex
	known    map[uint64]bool // rules of the readings
	rules    map[uint64]rule
	chains   map[chainName]nftChain // base chains, of the first reading and those that came
	awake    map[chainName]bool     // tables that were so at a change of them
	elements map[chainName][]element
	seen     map[string]bool // elements
	size     int             // bytes of all that is kept
	lacking  string
}

func newNftChanges() *nftChanges {
	return &nftChanges{
		known: map[uint64]bool{}, rules: map[uint64]rule{}, chains: map[chainName]nftChain{},
		awake: map[chainName]bool{}, elements: map[chainName][]element{}, seen: map[string]bool{},
	}
}

// notice takes one notification.
func (c *nftChanges) notice(kind uint16, message []byte) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch kind {
	case kernel.NFTNewTable:
		if at, dormant := parseTable(message); !dormant && !c.awake[at] && c.room(len(at.table)) {
			c.awake[at] = true
		}
	case kernel.NFTNewChain:
		chain, ok := parseChain(bytes.Clone(message))
		if _, kept := c.chains[chain.chainName]; ok && chain.base && (kept || c.room(len(message))) {
			c.chains[chain.chainName] = chain
		}
	case kernel.NFTNewRule, kernel.NFTDelRule:
		at, body := parseRule(message)
		r := rule{chainName: at, body: body}
		key := r.key()
		if _, kept := c.rules[key]; at.chain == "" || c.known[key] || kept || !c.room(len(message)) {
			return
		}
		_, body = parseRule(bytes.Clone(message))
		c.rules[key] = rule{chainName: at, body: body, meanwhile: true}
	case kernel.NFTNewElement:
		c.element(message)
	}
}

func (c *nftChanges) element(message []byte) {
	if key := string(message); len(message) >= sizeofHeader && !c.seen[key] && c.room(2*len(message)) {
		c.seen[key] = true
		message = bytes.Clone(message)
		a := kernel.Parse(message, sizeofHeader)
		at := chainName{message[0], a.Text(unix.NFTA_SET_ELEM_LIST_TABLE), a.Text(unix.NFTA_SET_ELEM_LIST_SET)}
		c.elements[at] = append(c.elements[at], parseElements(message)...)
	}
}

// room reports whether so many bytes more may be kept.
func (c *nftChanges) room(more int) bool {
	if len(c.rules)+len(c.seen) >= maxChanges || c.size+more > maxKept {
		c.lacking = fmt.Sprintf("there were more than %d changes", len(c.rules)+len(c.seen))
		return false
	}
	c.size += more
	return true
}

// know takes what a reading had; a reading that was interrupted has less.
func (c *nftChanges) know(w *walk) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, list := range w.rules {
		for _, r := range list {
			c.known[r.key()] = true
		}
	}
	for key := range w.keys {
		c.known[key] = true
	}
	for _, chain := range w.chains {
		if _, listed := c.chains[chain.chainName]; chain.base && !listed {
			c.chains[chain.chainName] = chain
		}
	}
}

// into adds what came and went to what a walk has read, and walks again.
func (c *nftChanges) into(w *walk) (found []evidence.Diversion, lacking string) {
	c.know(w)
	changed := len(c.elements) > 0
	for key, r := range c.rules {
		if c.known[key] {
			continue
		}
		changed = true
		if isKubeProxys(r.chainName) {
			w.addProxied(r)
		} else {
			w.rules[r.chainName] = append(w.rules[r.chainName], r)
		}
	}
	chains := slices.Clone(w.chains)
	for i := range chains {
		woken := chains[i].dormant && c.awake[tableOf(chains[i].chainName)]
		chains[i].base = chains[i].base || woken
		changed = changed || woken
	}
	if !changed {
		return nil, c.lacking
	}
	for at, chain := range c.chains {
		if !slices.ContainsFunc(chains, func(o nftChain) bool { return o.chainName == at && o.base }) {
			chains = append(chains, chain)
		}
	}
	w.enter(chains)
	w.found = nil
	w.incomplete = c.lacking
	w.visits = map[visited]int{}
	w.summaries = map[chainName]summary{}
	read, large := w.set, w.maps
	w.set = func(at chainName, name string) set { return c.with(read(at, name), at, name) }
	w.maps = func(at chainName, name string) set { return c.with(large(at, name), at, name) }
	w.run()
	return w.found, w.incomplete
}

// with adds the elements to a set that came meanwhile, and may be gone.
func (c *nftChanges) with(s set, at chainName, name string) set {
	at.chain = name
	more := c.elements[at]
	if len(more) == 0 {
		return s
	}
	has := func(list []element, e element) bool {
		return slices.ContainsFunc(list, func(o element) bool {
			return bytes.Equal(o.key, e.key) && bytes.Equal(o.end, e.end) && o.verdict == e.verdict && o.stop == e.stop
		})
	}
	more = slices.DeleteFunc(slices.Clone(more), func(e element) bool { return has(s.elements, e) })
	switch {
	case len(more) == 0:
	case s.intervals: // pairs of keys, which do not mix
		both := slices.Concat(s.ranged(), set{intervals: true, elements: more}.ranged())
		s = set{whole: s.whole, err: s.err, elements: both}
	default:
		s.elements = slices.Concat(s.elements, more)
	}
	return s
}

// counting are expressions with numbers that packets change.
var counting = []string{"counter", "quota", "last"}

// key distinguishes rules of a chain by what they do, counters left out. One of
// kube-proxy is known by what is kept of it: how likely it is changes all the time.
func (r rule) key() uint64 {
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%d %s %s ", r.family, r.table, r.chain)
	if body, ok := r.body.(nftRule); ok && !isKubeProxys(r.chainName) {
		for _, e := range body {
			_, _ = io.WriteString(sum, e.name)
			for _, a := range e.Attributes {
				if !slices.Contains(counting, e.name) {
					fmt.Fprintf(sum, " %d:%x", a.Kind, a.Value)
				}
			}
		}
		return sum.Sum64()
	}
	return r.proxyKey(r.glance())
}

func (r rule) proxyKey(read *reading) uint64 {
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%d %s %s ", r.family, r.table, r.chain)
	for _, s := range read.statements {
		fmt.Fprint(sum, s.statement, s.condition.To, s.condition.ofHost())
	}
	for _, d := range read.decisions {
		fmt.Fprint(sum, d.chain, d.condition.To, d.condition.ofHost())
	}
	fmt.Fprint(sum, read.byMap, read.targetSets)
	return sum.Sum64()
}
