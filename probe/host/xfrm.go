//go:build linux

package host

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
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

// maxPolicies bounds the IPsec policies that are reported.
const maxPolicies = 512

// xfrm reads the IPsec policies that apply to what leaves the host.
func (r Reader) xfrm([]evidence.Link) ([]evidence.Diversion, evidence.Inventory, []evidence.Problem) {
	inventory := evidence.Inventory{What: evidence.InventoryXFRM, Complete: true}
	// Opening a socket of the protocol can load its module.
	if !r.speaks(unix.NETLINK_XFRM) {
		inventory.Text = "xfrm_user is not loaded"
		if _, err := os.Stat(r.path("proc/thread-self/net/pfkey")); err == nil {
			inventory.Complete, inventory.Text = false, "policies may have been set by PF_KEY, which is not read"
		}
		return nil, inventory, nil
	}
	found, err := dump(func() ([]evidence.Diversion, error) {
		inventory.Count = 0
		return listPolicies(&inventory.Count)
	})
	if err != nil {
		inventory.Complete, inventory.Text = false, err.Error()
		return nil, inventory, []evidence.Problem{problem("diversion", "xfrm", err)}
	}
	if len(found) > maxPolicies {
		inventory.Complete, inventory.Text = false, fmt.Sprintf("%d policies, more than the %d that are reported", len(found), maxPolicies)
		found = found[:maxPolicies]
	}
	return found, inventory, nil
}

// speaks reports whether the kernel has a socket of a netlink protocol in this
// namespace, so that one can be opened without loading a module.
func (r Reader) speaks(protocol int) bool {
	file, err := os.Open(r.path("proc/thread-self/net/netlink"))
	if err != nil {
		return false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// sk Eth Pid Groups …
		fields := strings.Fields(lines.Text())
		if len(fields) > 3 && fields[1] == strconv.Itoa(protocol) && fields[2] == "0" {
			return true
		}
	}
	return false
}

func listPolicies(count *int) (found []evidence.Diversion, err error) {
	kernel, err := converse(unix.NETLINK_XFRM)
	if err != nil {
		return nil, err
	}
	defer kernel.close()
	err = kernel.list(xfrmGetPolicy, make([]byte, sizeofXfrmID), func(message []byte) bool {
		*count++
		if d, ok := parsePolicy(message); ok {
			found = append(found, d)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("listing IPsec policies: %w", err)
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
	if direction != xfrmOut || action != xfrmAllow {
		return d, false
	}
	var c condition
	xfrmSelector(&c, message[:sizeofXfrmSelector])
	encrypts := false
	for _, a := range attributes(message, sizeofXfrmPolicy) {
		switch {
		case a.kind == xfrmAttrTemplate:
			encrypts = true
		case a.kind == xfrmAttrMark && len(a.value) >= 8 && native.Uint32(a.value[4:]) != 0:
			c.mark(native.Uint32(a.value), native.Uint32(a.value[4:]), false)
		case a.kind == xfrmAttrInterface:
			c.other("xfrm interface %d", a.u32())
		}
	}
	d = evidence.Diversion{By: "xfrm", Effect: evidence.EffectEncrypt, Hook: "postrouting", Selector: c.selector()}
	d.Rule = shown(d.Selector, "ipsec policy out")
	return d, encrypts
}

// xfrmSelector reads struct xfrm_selector: target and source, their ports with
// masks, family, prefix lengths, protocol, link, user.
func xfrmSelector(c *condition, s []byte) {
	width := 16
	c.of(6)
	if native.Uint16(s[40:]) == unix.AF_INET {
		width, c.family = 4, 4
	}
	network := func(at int, bits uint8) []netip.Prefix {
		addr, _ := netip.AddrFromSlice(s[at : at+width])
		prefix, err := addr.Prefix(int(bits))
		if err != nil || bits == 0 {
			return nil
		}
		return []netip.Prefix{prefix}
	}
	if to := network(0, s[42]); to != nil {
		c.to(to, false)
	}
	if from := network(16, s[43]); from != nil {
		c.from(from, false)
	}
	for at, narrow := range map[int]func([]span, bool){32: c.targets, 36: c.sources} {
		port, mask := binary.BigEndian.Uint16(s[at:]), binary.BigEndian.Uint16(s[at+2:])
		switch mask {
		case 0:
		case 0xffff:
			narrow([]span{{port, port}}, false)
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
}
