//go:build linux

package filter

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// divertingHooks are the hooks that pods' packets pass, by family.
var divertingHooks = map[uint8]map[uint32]string{
	unix.NFPROTO_IPV4: ipHooks, unix.NFPROTO_IPV6: ipHooks,
	// Frames that a bridge hands to routing pass its input.
	unix.NFPROTO_BRIDGE: {0: "prerouting", 1: "input", 2: "forward", 4: "postrouting"},
	unix.NFPROTO_INET:   {0: "prerouting", 2: "forward", 3: "output", 4: "postrouting", 5: "ingress"},
	unix.NFPROTO_NETDEV: {0: "ingress", 1: "egress"},
}

// What a host sends itself passes the output hook: packets of an overlay too.
var ipHooks = map[uint32]string{0: "prerouting", 2: "forward", 3: "output", 4: "postrouting"}

// nftables reads the statements of nf_tables that mark, copy or divert pods'
// packets, those of iptables-nft among them.
func (r Reader) nftables(links []evidence.Link) (result, error) {
	const absent = "this kernel has no nf_tables"
	if loaded, err := r.loaded(); err != nil {
		return result{lacking: "whether nf_tables is loaded is not known: " + err.Error()}, nil
	} else if !loaded {
		return result{note: "nf_tables is not loaded"}, nil
	}
	conn, err := openNft()
	if errors.Is(err, unix.EPROTONOSUPPORT) && !r.Root.Modular() {
		return result{note: absent}, nil
	}
	if err != nil {
		return result{}, err
	}
	defer conn.Close()
	w, err := kernel.Retry(func() (*walk, error) { return conn.readAll(links, r.pods, r.ends) })
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		err = conn.readCalm(w)
	}
	if errors.Is(err, unix.EINVAL) && !r.Root.Modular() { // nfnetlink knows no such subsystem
		return result{note: absent}, nil
	}
	if err != nil {
		return result{}, err
	}
	w.run()
	found := result{diversions: w.found, count: w.count, lacking: w.incomplete}
	if r.watch != nil && r.watch.nft != nil {
		found.lacking = cmp.Or(found.lacking, r.changed(w, &found))
	}
	return found, nil
}

// changed takes what was read at the first reading, and at the last adds what came
// and went meanwhile. It returns why that is not all.
func (r Reader) changed(w *walk, found *result) (lacking string) {
	if !r.watch.closed {
		r.watch.nft.know(w)
		return ""
	}
	found.between, lacking = r.watch.nft.into(w)
	return lacking
}

// readAll reads all rules in one dump.
func (n *nft) readAll(links []evidence.Link, pods []netip.Prefix, ends []netip.Addr) (*walk, error) {
	w := newWalk("nftables", links, n.set)
	w.pods = pods
	w.ends = ends
	w.maps = n.large
	chains, err := n.chains()
	if err != nil {
		return w, err
	}
	w.enter(chains)
	return w, n.rules(w.add)
}

// enter takes the base chains that pods' packets pass, in the order of their
// priorities, in which a packet meets them.
func (w *walk) enter(chains []nftChain) {
	w.bases = nil
	w.chains = chains
	chains = slices.SortedStableFunc(slices.Values(chains), func(a, b nftChain) int {
		return cmp.Compare(a.priority, b.priority)
	})
	for _, chain := range chains {
		if hook := divertingHooks[chain.family][chain.hook]; chain.base && hook != "" {
			behind := !slices.ContainsFunc(chains, func(later nftChain) bool {
				return isRouted(later) && later.priority >= chain.priority
			})
			w.bases = append(w.bases, baseChain{chain.chainName, hook, chain.links, hook == "output" && behind})
		}
	}
}

// isRouted reports whether a packet is routed again that a chain marked: what a
// host sends, by a chain of type route (nf_route_table_hook4 of
// net/netfilter/nft_chain_route.c), as iptables-nft makes it for the table mangle.
func isRouted(c nftChain) bool { return c.base && c.kind == "route" }

// Where kube-proxy writes thousands of rules every second no list of all rules is
// ever consistent. Those of one chain are, and only kube-proxy's own change so
// often: all other chains are read one by one until two readings are the same.

// maxCalm bounds how often the chains are read one by one.
const maxCalm = 8

// readCalm replaces what an interrupted dump held of chains that are not
// kube-proxy's.
func (n *nft) readCalm(w *walk) error {
	var last map[chainName][]nftRule
	for range maxCalm {
		chains, rules, err := n.chainByChain()
		switch {
		case errors.Is(err, netlink.ErrDumpInterrupted):
			last = nil
			continue
		case err != nil:
			return err
		}
		if last != nil && maps.EqualFunc(last, rules, sameRules) {
			w.enter(chains)
			w.replace(rules)
			return nil
		}
		last = rules
	}
	return netlink.ErrDumpInterrupted
}

// chainByChain reads all chains, and the rules of those that are not kube-proxy's.
func (n *nft) chainByChain() ([]nftChain, map[chainName][]nftRule, error) {
	chains, err := kernel.Retry(n.chains)
	if err != nil {
		return nil, nil, err
	}
	rules := map[chainName][]nftRule{}
	for _, chain := range chains {
		at := chain.chainName
		if isKubeProxys(at) {
			continue
		}
		rules[at], err = kernel.Retry(func() ([]nftRule, error) { return n.rulesOf(at) })
		if err != nil && !errors.Is(err, unix.ENOENT) { // the chain is gone: the next reading differs
			return nil, nil, err
		}
	}
	return chains, rules, nil
}

// sameRules compares the rules of a chain but for their counters.
func sameRules(a, b []nftRule) bool {
	sameExpression := func(a, b expression) bool {
		return a.name == b.name && (a.name == "counter" || reflect.DeepEqual(a.Attributes, b.Attributes))
	}
	return slices.EqualFunc(a, b, func(a, b nftRule) bool { return slices.EqualFunc(a, b, sameExpression) })
}

// replace takes other rules in the place of those that are not kube-proxy's.
func (w *walk) replace(rules map[chainName][]nftRule) {
	w.rules = map[chainName][]rule{}
	w.kept = 0
	for at, list := range rules {
		for _, body := range list {
			w.keep(rule{chainName: at, body: body})
		}
	}
}
