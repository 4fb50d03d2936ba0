//go:build linux

package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// tcFirewall reads the filters of traffic control that drop, on links that leave
// the host. Programs there are among the diversions.
func (r Reader) tcFirewall(w *firewall) error {
	w.tool = "tc"
	_, err := eachFilter(w.filter)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

// filter reports one filter that drops what may be a datagram of a tunnel.
func (w *firewall) filter(message []byte) {
	if len(message) < sizeofTcMessage {
		return
	}
	a := kernel.Parse(message, sizeofTcMessage)
	kind := a.Text(tcaKind)
	options := a.Nested(tcaOptions)
	if !drops(options.Nested(actionLists[kind])) {
		return
	}
	hook := hookOf(native.Uint32(message[12:]))
	link := w.links[native.Uint32(message[4:])]
	c := filterCondition(kind, options)
	protocol := uint16(native.Uint32(message[16:])) // in network order, below the priority
	c.etherType(bigPort(native.AppendUint16(nil, protocol)))
	bears, port := w.concerns(hook, c)
	if !bears || link == "" {
		return
	}
	text := words(c, 0, kind+" action drop")
	from := firewallBase{baseChain: baseChain{chainName: chainName{chain: hook}, hook: hook, links: []string{link}}}
	w.add(from.chainName, from, evidence.Firewall{Effect: "drop", Rule: text, Port: port}, c)
}

// drops reports whether one of a filter's actions is "drop" (struct tc_gact of
// linux/tc_act/tc_gact.h: index, capabilities, action).
func drops(actions kernel.Attributes) bool {
	const parms, shot = 2, 2 // TCA_GACT_PARMS, TC_ACT_SHOT
	return slices.ContainsFunc(actions, func(item kernel.Attribute) bool {
		action := kernel.Parse(item.Value, 0)
		body := action.Nested(tcaOptions).Get(parms)
		return action.Text(tcaKind) == "gact" && len(body) >= 12 && native.Uint32(body[8:]) == shot
	})
}

// etherType narrows to the protocol that a filter is for.
func (c *condition) etherType(number uint16) {
	switch number {
	case unix.ETH_P_ALL, 0:
	case unix.ETH_P_IP:
		c.of(4)
	case unix.ETH_P_IPV6:
		c.of(6)
	default:
		c.never = true
	}
}

// filterCondition is what a filter of a kind applies to.
func filterCondition(kind string, options kernel.Attributes) (c condition) {
	switch kind {
	case "matchall":
	case "flower":
		flower(&c, options)
	case "u32":
		u32(&c, options.Get(5)) // TCA_U32_SEL
	default:
		c.other("a filter of kind %s", kind)
	}
	return c
}

// Attributes of flower (TCA_FLOWER_* of linux/pkt_cls.h).
const (
	flowerEtherType = 8
	flowerProtocol  = 9
	flowerFrom4     = 10
	flowerTo4       = 12
	flowerFrom6     = 14
	flowerTo6       = 16
	flowerUDPSource = 20
	flowerUDPTarget = 21
	flowerPortMasks = 17 // that of a port is so much further
)

// flowerAside are attributes that are not conditions: class, actions, flags, and in
// how much hardware it is.
var flowerAside = []uint16{1, 3, 22, 86}

// flowerMasks are those of the fields above.
var flowerMasks = []uint16{11, 13, 15, 17, flowerUDPSource + flowerPortMasks, flowerUDPTarget + flowerPortMasks}

func flower(c *condition, options kernel.Attributes) {
	for _, key := range options {
		switch key.Kind {
		case flowerEtherType:
			c.etherType(bigPort(key.Value))
		case flowerProtocol:
			c.protocols([]uint8{key.U8()}, false)
		case flowerFrom4, flowerFrom6:
			c.masked(fieldSource, key.Value, options.Get(key.Kind+1))
		case flowerTo4, flowerTo6:
			c.masked(fieldTarget, key.Value, options.Get(key.Kind+1))
		case flowerUDPSource, flowerUDPTarget:
			f := fieldSourcePort
			if key.Kind == flowerUDPTarget {
				f = fieldTargetPort
			}
			if mask := options.Get(key.Kind + flowerPortMasks); mask != nil && bigPort(mask) != 0xffff {
				c.other("a port under a mask")
				continue
			}
			c.port(f, bigPort(key.Value))
		default:
			if !slices.Contains(flowerAside, key.Kind) && !slices.Contains(flowerMasks, key.Kind) {
				c.other("flower key %d", key.Kind)
			}
		}
	}
}

func bigPort(value []byte) uint16 {
	if len(value) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(value)
}

func (c *condition) port(f field, number uint16) {
	c.ports(f, []evidence.Ports{{From: number, To: number}}, false)
}

// masked narrows an end to an address under a mask.
func (c *condition) masked(f field, address, mask []byte) {
	addr, ok := netip.AddrFromSlice(address)
	bits, whole := maskBits(mask)
	if !ok || !whole || len(mask) != len(address) {
		c.other("an address mask with holes")
		return
	}
	c.addresses(f, []netip.Prefix{netip.PrefixFrom(addr, bits).Masked()}, false)
}

// u32 reads struct tc_u32_sel: of the words that it compares those are understood
// that `tc … match ip` writes of a header of 20 bytes.
func u32(c *condition, selector []byte) {
	const header, size = 16, 16 // of the selector and of each key: mask, value, offset, offset's mask
	if len(selector) < header {
		c.other("a selector that cannot be read")
		return
	}
	for n := range int(selector[2]) {
		at := header + n*size
		if at+size > len(selector) {
			c.other("a selector that cannot be read")
			return
		}
		key := selector[at:]
		u32Key(c, binary.BigEndian.Uint32(key), binary.BigEndian.Uint32(key[4:]), int(int32(native.Uint32(key[8:]))),
			key[4:8])
	}
}

func u32Key(c *condition, mask, value uint32, offset int, raw []byte) {
	switch {
	case mask == 0:
	case offset == 8 && mask == 0x00ff0000:
		c.protocols([]uint8{uint8(value >> 16)}, false)
	case offset == 12 || offset == 16:
		f := fieldSource
		if offset == 16 {
			f = fieldTarget
		}
		c.masked(f, raw, binary.BigEndian.AppendUint32(nil, mask))
	case offset == 20 && mask == 0x0000ffff:
		c.port(fieldTargetPort, uint16(value))
	case offset == 20 && mask == 0xffff0000:
		c.port(fieldSourcePort, uint16(value>>16))
	default:
		c.other("%s", fmt.Sprintf("u32 0x%x/0x%x at %d", value, mask, offset))
	}
}
