//go:build linux

package filter

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Of linux/xfrm.h.
const (
	xfrmNewPolicy      = 0x13
	xfrmGetPolicy      = 0x15
	xfrmUpdatePolicy   = 0x19
	xfrmGroupPolicy    = 4 // XFRMNLGRP_POLICY
	sizeofXfrmID       = 64
	sizeofXfrmSelector = 56
	sizeofXfrmPolicy   = 168
	xfrmAttrTemplate   = 5
	xfrmAttrMark       = 21
	xfrmAttrInterface  = 31
	xfrmOut            = 1
	xfrmAllow          = 0
)

// xfrm reads the IPsec policies that apply to what leaves the host.
func (r Reader) xfrm([]evidence.Link) (result, error) {
	// Opening a socket of the protocol can load its module.
	if !r.Root.Speaks(unix.NETLINK_XFRM) {
		if _, err := os.Stat(r.Root.Path("proc/thread-self/net/pfkey")); err == nil {
			return result{lacking: "policies may have been set by PF_KEY, which is not read"}, nil
		}
		return result{note: "xfrm_user is not loaded"}, nil
	}
	found, err := kernel.Retry(listPolicies)
	found.limit(maxDiversions, "policies")
	if r.watch != nil && r.watch.closed {
		found.between = r.watch.xfrm.policiesOf()
		found.lacking = cmp.Or(found.lacking, r.watch.xfrm.lacking)
	}
	return found, err
}

func listPolicies() (found result, err error) {
	conn, err := kernel.Open(unix.NETLINK_XFRM)
	if err != nil {
		return result{}, err
	}
	defer conn.Close()
	err = conn.Dump(xfrmGetPolicy, make([]byte, sizeofXfrmID), func(message []byte) {
		found.count++
		if d, ok := parsePolicy(message); ok {
			found.diversions = append(found.diversions, d)
		}
	})
	if err != nil {
		return result{}, fmt.Errorf("listing IPsec policies: %w", err)
	}
	return found, nil
}

// parsePolicy reads one message of XFRM_MSG_GETPOLICY's answer; not ok if it
// encrypts nothing that leaves.
func parsePolicy(message []byte) (d evidence.Diversion, ok bool) {
	if len(message) < sizeofXfrmPolicy {
		return d, false
	}
	direction := message[sizeofXfrmPolicy-8]
	action := message[sizeofXfrmPolicy-7]
	a := kernel.Parse(message, sizeofXfrmPolicy)
	if direction != xfrmOut || action != xfrmAllow || a.Get(xfrmAttrTemplate) == nil {
		return d, false
	}
	// One of an xfrm interface is for what routes lead into that link (if_id of
	// xfrm_policy_match in net/xfrm/xfrm_policy.c).
	if a.U32(xfrmAttrInterface) != 0 {
		return d, false
	}
	c := xfrmCondition(message[:sizeofXfrmSelector])
	if a.Get(xfrmAttrMark) != nil {
		c.other("a mark")
	}
	d = evidence.Diversion{By: "xfrm", Effect: evidence.EffectEncrypt, Hook: "postrouting", Selector: c.selector()}
	d.Rule = shown(d.Selector, "ipsec policy out")
	return d, true
}

// xfrmCondition reads struct xfrm_selector: target and source, their ports with
// masks, family, prefix lengths, protocol, link, user. A policy that some packets
// between two addresses meet is as bad as one that all meet, so only the addresses
// are read.
func xfrmCondition(s []byte) (c condition) {
	c.family = 6
	width := 16
	if native.Uint16(s[40:]) == unix.AF_INET {
		c.family = 4
		width = 4
	}
	for _, end := range []struct {
		field   field
		address []byte
		bits    byte
	}{{fieldTarget, s[:width], s[42]}, {fieldSource, s[16 : 16+width], s[43]}} {
		addr, _ := netip.AddrFromSlice(end.address)
		if prefix, err := addr.Prefix(int(end.bits)); err == nil && end.bits > 0 {
			c.addresses(end.field, []netip.Prefix{prefix}, false)
		}
	}
	if native.Uint64(s[32:]) != 0 || s[44] != 0 || native.Uint32(s[48:]) != 0 {
		c.other("ports, a protocol or a link")
	}
	return c
}
