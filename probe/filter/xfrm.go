//go:build linux

package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Of linux/xfrm.h.
const (
	xfrmGetPolicy      = 0x15
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
	direction, action := message[sizeofXfrmPolicy-8], message[sizeofXfrmPolicy-7]
	a := kernel.Parse(message, sizeofXfrmPolicy)
	if direction != xfrmOut || action != xfrmAllow || a.Get(xfrmAttrTemplate) == nil {
		return d, false
	}
	c := xfrmCondition(message[:sizeofXfrmSelector])
	if mark := a.Get(xfrmAttrMark); len(mark) >= 8 && native.Uint32(mark[4:]) != 0 {
		c.mark(native.Uint32(mark), native.Uint32(mark[4:]), false)
	}
	if link := a.Get(xfrmAttrInterface); link != nil {
		c.other("xfrm interface %d", a.U32(xfrmAttrInterface))
	}
	d = evidence.Diversion{By: "xfrm", Effect: evidence.EffectEncrypt, Hook: "postrouting", Selector: c.selector()}
	d.Rule = shown(d.Selector, "ipsec policy out")
	return d, true
}

// xfrmCondition reads struct xfrm_selector: target and source, their ports with
// masks, family, prefix lengths, protocol, link, user.
func xfrmCondition(s []byte) (c condition) {
	c.family = 6
	width := 16
	if native.Uint16(s[40:]) == unix.AF_INET {
		c.family = 4
		width = 4
	}
	for _, end := range []struct {
		addresses, ports field
		address, port    int
		bits             byte
	}{{fieldTarget, fieldTargetPort, 0, 32, s[42]}, {fieldSource, fieldSourcePort, 16, 36, s[43]}} {
		addr, _ := netip.AddrFromSlice(s[end.address : end.address+width])
		if prefix, err := addr.Prefix(int(end.bits)); err == nil && end.bits > 0 {
			c.addresses(end.addresses, []netip.Prefix{prefix}, false)
		}
		port, mask := binary.BigEndian.Uint16(s[end.port:]), binary.BigEndian.Uint16(s[end.port+2:])
		switch mask {
		case 0:
		case 0xffff:
			c.ports(end.ports, []evidence.Ports{{From: port, To: port}}, false)
		default:
			c.other("a part of a port")
		}
	}
	if s[44] != 0 {
		c.protocols([]uint8{s[44]}, false)
	}
	if link := native.Uint32(s[48:]); link != 0 {
		c.other("link %d", link)
	}
	return c
}
