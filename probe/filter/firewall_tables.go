//go:build linux

package filter

import (
	"cmp"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// firewallHooks are those in which something can happen to datagrams of a tunnel
// or to pods' packets, by family.
var firewallHooks = map[uint8]map[uint32]string{
	unix.NFPROTO_IPV4: ownHooks, unix.NFPROTO_IPV6: ownHooks,
	unix.NFPROTO_INET: {
		0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting", 5: "ingress",
	},
	unix.NFPROTO_NETDEV: {0: "ingress", 1: "egress"},
	// A card can be a port of a bridge that the host's own packets pass.
	unix.NFPROTO_BRIDGE: {0: "prerouting", 1: "input", 3: "output", 4: "postrouting"},
}

var ownHooks = map[uint32]string{0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting"}

// nftFirewall reads the base chains of nf_tables, in the order of their
// priorities. A list that a change interrupted serves as well: kube-proxy may
// write all the time.
func (r Reader) nftFirewall(w *firewall) error {
	if loaded, _ := r.loaded(); !loaded {
		return nil
	}
	conn, err := openNft()
	if err != nil {
		return err
	}
	defer conn.Close()
	chains, err := kernel.Retry(conn.chains)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return err
	}
	read := map[chainName][]numberedRule{}
	w.tool = "nftables"
	w.set = conn.set
	w.rules = func(at chainName) ([]numberedRule, error) {
		known, ok := read[at]
		if ok {
			return known, nil
		}
		rules, err := kernel.Retry(func() ([]numberedRule, error) { return conn.numbered(at) })
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) && !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
		if err != nil {
			w.partial = true
			return rules, nil
		}
		read[at] = rules
		return rules, nil
	}
	slices.SortStableFunc(chains, func(a, b nftChain) int { return cmp.Compare(a.priority, b.priority) })
	for _, chain := range chains {
		hook := firewallHooks[chain.family][chain.hook]
		nat := chain.kind == "nat"
		if !chain.base || hook == "" || nat && hook != "prerouting" {
			continue
		}
		base := firewallBase{baseChain{chainName: chain.chainName, hook: hook, links: chain.links}, nat, chain.policy}
		if err := w.enter(base); err != nil {
			return err
		}
	}
	return nil
}

// numbered lists the rules of one chain with their handles; with an error, those
// that were read before it.
func (n *nft) numbered(at chainName) (rules []numberedRule, err error) {
	request := kernel.Append([]byte{at.family, 0, 0, 0}, unix.NFTA_RULE_TABLE, at.table)
	request = kernel.Append(request, unix.NFTA_RULE_CHAIN, at.chain)
	err = n.Dump(nftGetRule, request, func(message []byte) {
		of, body := parseRule(message)
		if of != at || len(rules) >= maxFilterRules {
			return
		}
		handle := kernel.Parse(message, sizeofHeader).Get(unix.NFTA_RULE_HANDLE)
		r := numberedRule{rule: rule{chainName: at, body: body}, number: len(rules) + 1}
		if len(handle) >= 8 {
			r.handle = binary.BigEndian.Uint64(handle)
		}
		rules = append(rules, r)
	})
	return rules, err
}

// legacyFirewall reads the tables of iptables-legacy. The last rule of one of its
// own chains is the chain's policy.
func (r Reader) legacyFirewall(w *firewall) error {
	var failed error
	for _, family := range xtFamilies {
		tables, err := r.tables(family)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = err
		}
		for _, table := range tables {
			walked := newWalk("iptables-legacy", nil, nil)
			if err := family.read(table, walked); err != nil {
				failed = err
				continue
			}
			if err := w.enterLegacy(family.family, table, walked); err != nil {
				return err
			}
		}
	}
	return failed
}

// enterLegacy reads the chains of one table of iptables-legacy.
func (w *firewall) enterLegacy(family uint8, table string, walked *walk) error {
	w.tool = "iptables-legacy"
	w.set = nil
	w.rules = func(at chainName) (rules []numberedRule, _ error) {
		for i, r := range walked.rules[at] {
			rules = append(rules, numberedRule{rule: r, number: i + 1})
		}
		return rules, nil
	}
	for _, hook := range []string{"prerouting", "input", "forward", "output", "postrouting"} {
		at := chainName{family, table, strings.ToUpper(hook)}
		rules := walked.rules[at]
		nat := table == "nat"
		if len(rules) == 0 || nat && hook != "prerouting" {
			continue
		}
		base := firewallBase{baseChain: baseChain{chainName: at, hook: hook}, nat: nat, policy: codeAccept}
		last := rules[len(rules)-1].glance()
		if len(last.decisions) == 1 && last.decisions[0].code == codeDrop {
			base.policy = codeDrop
		}
		walked.rules[at] = rules[:len(rules)-1]
		if err := w.enter(base); err != nil {
			return err
		}
	}
	return nil
}
