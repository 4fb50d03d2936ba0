//go:build linux

package filter

import (
	"bufio"
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// What of nf_tables is read is asked for here and not through a library: that
// leaves out expressions that it does not know, dup, fwd and tproxy among them.

// Messages of linux/netfilter/nf_tables.h.
const (
	nftGetTable    = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE
	nftGetChain    = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETCHAIN
	nftGetRule     = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE
	nftGetSet      = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETSET
	nftGetElements = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETSETELEM
)

// sizeofHeader is that of struct nfgenmsg: family, version, resource.
const sizeofHeader = 4

// nft is a conversation with nf_tables.
type nft struct {
	*kernel.Conn
	sets map[chainName]set // by table, and name in the place of a chain's
}

// nftChain is a chain; what hooks it into the way of packets if it is a base chain.
type nftChain struct {
	chainName
	base     bool
	dormant  bool // it would be one if its table were not dormant
	hook     uint32
	priority int32    // chains of a hook are passed from the lowest to the highest
	links    []string // of netdev
	kind     string   // filter, nat, route
	policy   uint32
}

// nftRule is the body of a rule.
type nftRule []expression

type expression struct {
	name string
	kernel.Attributes
}

// openNft opens a conversation.
func openNft() (*nft, error) {
	conn, err := kernel.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	return &nft{Conn: conn, sets: map[chainName]set{}}, nil
}

// loaded reports whether the kernel has nf_tables in it now. Asking nf_tables
// itself can load it, and would then leave a trace. One that is built in has no
// folder of its own, and shows by the names in the kernel's table of symbols.
func (r Reader) loaded() (bool, error) {
	if _, err := os.Stat(r.Root.Path("sys/module/nf_tables")); err == nil || !r.Root.Modular() {
		return true, nil
	}
	symbols, err := os.Open(r.Root.Path("proc/kallsyms"))
	if err != nil {
		return false, err
	}
	defer symbols.Close()
	lines := bufio.NewScanner(symbols)
	for lines.Scan() {
		if fields := bytes.Fields(lines.Bytes()); len(fields) > 2 && string(fields[2]) == "nft_do_chain" {
			return true, nil
		}
	}
	return false, lines.Err()
}

// chains lists all chains; with an error, those that were read before it. What
// the kernel says is understood only after all of it has come: the longer an
// answer takes to be received, the sooner a change interrupts it.
func (n *nft) chains() (chains []nftChain, err error) {
	var messages [][]byte
	err = n.Dump(nftGetChain, make([]byte, sizeofHeader), func(message []byte) {
		messages = append(messages, message)
	})
	for _, message := range messages {
		if chain, ok := parseChain(message); ok {
			chains = append(chains, chain)
		}
	}
	if err != nil {
		return chains, fmt.Errorf("listing the chains: %w", err)
	}
	dormant, err := n.dormant()
	for i := range chains {
		c := &chains[i]
		c.dormant = c.base && dormant[tableOf(c.chainName)]
		c.base = c.base && !c.dormant
	}
	return chains, err
}

// dormant lists the tables whose chains no packet enters (NFT_TABLE_F_DORMANT).
func (n *nft) dormant() (map[chainName]bool, error) {
	tables := map[chainName]bool{}
	err := n.Dump(nftGetTable, make([]byte, sizeofHeader), func(message []byte) {
		if at, dormant := parseTable(message); dormant {
			tables[at] = true
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing the tables: %w", err)
	}
	return tables, nil
}

// parseTable reads one message of NFT_MSG_GETTABLE's answer.
func parseTable(message []byte) (at chainName, dormant bool) {
	const flag = 1 // NFT_TABLE_F_DORMANT
	if len(message) < sizeofHeader {
		return at, false
	}
	a := kernel.Parse(message, sizeofHeader)
	return chainName{family: message[0], table: a.Text(unix.NFTA_TABLE_NAME)}, a.Big(unix.NFTA_TABLE_FLAGS)&flag != 0
}

// rules calls visit with each rule of all chains.
func (n *nft) rules(visit func(rule)) error {
	err := n.Dump(nftGetRule, make([]byte, sizeofHeader), func(message []byte) {
		if at, body := parseRule(message); at.chain != "" {
			visit(rule{chainName: at, body: body})
		}
	})
	if err != nil {
		return fmt.Errorf("listing the rules: %w", err)
	}
	return nil
}

// rulesOf lists the rules of one chain; with an error, those that were read before it.
func (n *nft) rulesOf(at chainName) (rules []nftRule, err error) {
	request := kernel.Append([]byte{at.family, 0, 0, 0}, unix.NFTA_RULE_TABLE, at.table)
	request = kernel.Append(request, unix.NFTA_RULE_CHAIN, at.chain)
	err = n.Dump(nftGetRule, request, func(message []byte) {
		if len(rules) <= maxFilterRules {
			_, rule := parseRule(message)
			rules = append(rules, rule)
		}
	})
	if err != nil {
		return rules, fmt.Errorf("listing the rules of chain %s: %w", at.chain, err)
	}
	return rules, nil
}

// nftaHookDevices is NFTA_HOOK_DEVS: names in a list.
const nftaHookDevices = 4

// parseChain reads one message of NFT_MSG_GETCHAIN's answer.
func parseChain(message []byte) (c nftChain, ok bool) {
	if len(message) < sizeofHeader {
		return c, false
	}
	a := kernel.Parse(message, sizeofHeader)
	c.chainName = chainName{message[0], a.Text(unix.NFTA_CHAIN_TABLE), a.Text(unix.NFTA_CHAIN_NAME)}
	c.kind = a.Text(unix.NFTA_CHAIN_TYPE)
	c.policy = codeAccept
	if policy, ok := a.Has(unix.NFTA_CHAIN_POLICY); ok {
		c.policy = policy
	}
	c.base = a.Get(unix.NFTA_CHAIN_HOOK) != nil
	hook := a.Nested(unix.NFTA_CHAIN_HOOK)
	c.hook = hook.Big(unix.NFTA_HOOK_HOOKNUM)
	c.priority = int32(hook.Big(unix.NFTA_HOOK_PRIORITY))
	for _, name := range hook.Nested(nftaHookDevices) {
		c.links = append(c.links, name.Text())
	}
	if link := hook.Text(unix.NFTA_HOOK_DEV); link != "" && len(c.links) == 0 {
		c.links = []string{link}
	}
	return c, c.chain != ""
}

// parseRule reads one message of NFT_MSG_GETRULE's answer; the chain has no name
// if it cannot be read.
func parseRule(message []byte) (at chainName, body nftRule) {
	if len(message) < sizeofHeader {
		return at, nil
	}
	a := kernel.Parse(message, sizeofHeader)
	at = chainName{message[0], a.Text(unix.NFTA_RULE_TABLE), a.Text(unix.NFTA_RULE_CHAIN)}
	for _, element := range a.Nested(unix.NFTA_RULE_EXPRESSIONS) {
		e := kernel.Parse(element.Value, 0)
		body = append(body, expression{e.Text(unix.NFTA_EXPR_NAME), e.Nested(unix.NFTA_EXPR_DATA)})
	}
	return at, body
}

// dataOf reads a nested NFTA_DATA_VALUE.
func dataOf(a kernel.Attributes, kind uint16) []byte { return a.Nested(kind).Get(unix.NFTA_DATA_VALUE) }

// verdictOf reads a nested NFTA_DATA_VERDICT.
func verdictOf(a kernel.Attributes, kind uint16) (v verdict, ok bool) {
	data := a.Nested(kind)
	if data.Get(unix.NFTA_DATA_VERDICT) == nil {
		return v, false
	}
	parts := data.Nested(unix.NFTA_DATA_VERDICT)
	return verdict{int32(parts.Big(unix.NFTA_VERDICT_CODE)), parts.Text(unix.NFTA_VERDICT_CHAIN)}, true
}
