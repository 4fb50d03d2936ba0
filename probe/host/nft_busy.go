//go:build linux

package host

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Where kube-proxy writes thousands of rules every second no list of all rules is
// ever consistent. Those of one chain are, and only kube-proxy's own change so
// often: all other chains are read one by one until two readings are the same.

// maxCalm bounds how often the chains are read one by one.
const maxCalm = 8

// calm replaces what an interrupted list of all rules said of chains that are not
// kube-proxy's.
func (w *nftWalk) calm() error {
	var last map[chainName][][]byte
	for range maxCalm {
		chains, rules, err := w.chainByChain()
		switch {
		case errors.Is(err, netlink.ErrDumpInterrupted):
			last = nil
			continue
		case err != nil:
			return err
		}
		if last != nil && maps.EqualFunc(last, rules, func(a, b [][]byte) bool { return slices.EqualFunc(a, b, sameRule) }) {
			w.chains = chains
			w.keepOnly(rules)
			return nil
		}
		last = rules
	}
	return netlink.ErrDumpInterrupted
}

// chainByChain reads all chains, and the rules of those that are not kube-proxy's.
func (w *nftWalk) chainByChain() ([]nftChain, map[chainName][][]byte, error) {
	chains, err := dump(w.listChains)
	if err != nil {
		return nil, nil, err
	}
	rules := map[chainName][][]byte{}
	for _, chain := range chains {
		at := chain.chainName
		if kubeProxys(at) {
			continue
		}
		rules[at], err = dump(func() ([][]byte, error) { return w.rulesOf(at) })
		if err != nil && !errors.Is(err, unix.ENOENT) { // the chain is gone: the next reading differs
			return nil, nil, err
		}
	}
	return chains, rules, nil
}

func (w *nftWalk) listChains() (chains []nftChain, err error) {
	err = w.kernel.list(nftGetChain, make([]byte, sizeofNetfilterHeader), func(message []byte) bool {
		if chain, ok := parseChain(message); ok {
			chains = append(chains, chain)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("listing the chains: %w", err)
	}
	return chains, nil
}

func (w *nftWalk) rulesOf(at chainName) (rules [][]byte, err error) {
	request := appendText([]byte{at.family, 0, 0, 0}, unix.NFTA_RULE_TABLE, at.table)
	request = appendText(request, unix.NFTA_RULE_CHAIN, at.chain)
	err = w.kernel.list(nftGetRule, request, func(message []byte) bool {
		rules = append(rules, bytes.Clone(message))
		return len(rules) <= maxFilterRules
	})
	if err != nil {
		return nil, fmt.Errorf("listing the rules of chain %s: %w", at.chain, err)
	}
	return rules, nil
}

// sameRule compares two rules but for their counters, which stand among their
// expressions: what is left is of the same length.
func sameRule(a, b []byte) bool {
	first, _ := parseNftRule(a)
	second, _ := parseNftRule(b)
	return slices.EqualFunc(first.expressions, second.expressions, func(a, b nftExpression) bool {
		return a.name == b.name && (a.name == "counter" || slices.EqualFunc(a.data, b.data, func(a, b attribute) bool {
			return a.kind == b.kind && bytes.Equal(a.value, b.value)
		}))
	})
}

func (w *nftWalk) keepOnly(rules map[chainName][][]byte) {
	w.rules, w.kept = map[chainName][]nftRule{}, 0
	listed := w.count
	defer func() { w.count = listed }()
	for _, list := range rules {
		for _, message := range list {
			if rule, ok := parseNftRule(message); ok {
				w.keep(rule)
			}
		}
	}
}
