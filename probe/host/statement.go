//go:build linux

package host

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// statement is what a rule of a packet filter does that can give a packet
// another way.
type statement struct {
	effect     string
	mark, mask uint32
	unknown    bool
	to         string
	text       string
}

func markStatement(mark, mask uint32) statement {
	return statement{effect: evidence.EffectMark, mark: mark & mask, mask: mask, text: fmt.Sprintf("mark set 0x%x/0x%x", mark, mask)}
}

func unknownMark(mask uint32, text string) statement {
	return statement{effect: evidence.EffectMark, mask: mask, unknown: true, text: text}
}

// matchTables reads a match of iptables, given the struct that its kernel
// module takes.
func (c *condition) matchTables(name string, revision int, info []byte) {
	switch {
	case name == "comment":
	case name == "tcp" && len(info) >= 12:
		c.protocols([]uint8{unix.IPPROTO_TCP}, false)
		c.transport(info, info[11]&1 != 0, info[11]&2 != 0)
		if info[8] != 0 || info[9] != 0 {
			c.other("tcp flags or option")
		}
	case name == "udp" && len(info) >= 9:
		c.protocols([]uint8{unix.IPPROTO_UDP}, false)
		c.transport(info, info[8]&1 != 0, info[8]&2 != 0)
	case name == "mark" && revision == 1 && len(info) >= 9:
		c.mark(native.Uint32(info), native.Uint32(info[4:]), info[8] != 0)
	case name == "dscp" && len(info) >= 2:
		c.dscp([]uint8{info[0]}, info[1] != 0)
	case name == "multiport":
		c.multiport(info)
	case name == "addrtype" && len(info) >= 8:
		c.addressTypes(revision, info)
	default:
		c.other("%s", name)
	}
}

// transport reads the ports that struct xt_tcp and xt_udp begin with.
func (c *condition) transport(info []byte, notSource, notTarget bool) {
	source := span{native.Uint16(info), native.Uint16(info[2:])}
	target := span{native.Uint16(info[4:]), native.Uint16(info[6:])}
	if source != (span{0, 65535}) {
		c.sources([]span{source}, notSource)
	}
	if target != (span{0, 65535}) {
		c.targets([]span{target}, notTarget)
	}
}

// multiport reads struct xt_multiport_v1.
func (c *condition) multiport(info []byte) {
	const source, target, either = 0, 1, 2
	if len(info) == 0 {
		c.other("multiport")
		return
	}
	flags := info[0]
	known := append([]byte{target}, info[1:]...) // the reader of targets reads any
	spans, inverted, ok := multiport("multiport", known)
	switch {
	case !ok || flags >= either:
		c.other("multiport")
	case flags == source:
		c.sources(spans, inverted)
	default:
		c.targets(spans, inverted)
	}
}

// addressTypes reads struct xt_addrtype_info and, since revision 1, _v1: bits of
// the types that source and target may have, and what of them is inverted.
func (c *condition) addressTypes(revision int, info []byte) {
	source, target := native.Uint16(info), native.Uint16(info[2:])
	notSource, notTarget := native.Uint32(info[4:])&1 != 0, native.Uint32(info[4:])&2 != 0
	if revision == 0 {
		notSource, notTarget = native.Uint32(info[4:]) != 0, len(info) >= 12 && native.Uint32(info[8:]) != 0
	}
	if source != 0 {
		c.other("%s", typeCondition("saddr", source, notSource))
	}
	if target != 0 {
		c.other("%s", typeCondition("daddr", target, notTarget))
	}
}

// typeCondition names a condition on the type of an address as nft does,
// "daddr type local", given a bit for each of RTN_*.
func typeCondition(of string, kinds uint16, negated bool) string {
	var names []string
	for kind := range 16 {
		if kinds&(1<<kind) != 0 {
			names = append(names, typeName(kind))
		}
	}
	not := ""
	if negated {
		not = "!= "
	}
	return fmt.Sprintf("%s type %s%s", of, not, strings.Join(names, ", "))
}

// harmlessTargets are targets of iptables that neither mark, copy nor divert.
var harmlessTargets = map[string]bool{
	"": true, "ACCEPT": true, "DROP": true, "RETURN": true, "ERROR": true, "REJECT": true, "LOG": true, "NFLOG": true, "ULOG": true,
	"MASQUERADE": true, "SNAT": true, "CT": true, "NOTRACK": true, "TCPMSS": true, "TTL": true, "HL": true, "DSCP": true, "TOS": true,
	"CHECKSUM": true, "CLASSIFY": true, "TRACE": true, "AUDIT": true, "CONNSECMARK": true, "SECMARK": true, "ECN": true,
	"IDLETIMER": true, "LED": true, "RATEEST": true, "SYNPROXY": true, "TCPOPTSTRIP": true, "SNPT": true, "NETFLOW": true,
}

// noSet is IPSET_INVALID_ID of linux/netfilter/ipset/ip_set.h.
const noSet = 65535

// targetTables reads a target of iptables.
func targetTables(name string, revision int, info []byte, family int) []statement {
	switch {
	case harmlessTargets[name]:
		return nil
	case name == "MARK" && revision == 2 && len(info) >= 8:
		// mark = mark &^ mask ^ value, see mark_tg in xt_mark.c
		value, mask := native.Uint32(info), native.Uint32(info[4:])
		if value&^mask != 0 {
			return []statement{unknownMark(mask|value, "MARK xor")}
		}
		return []statement{markStatement(value, mask)}
	case name == "CONNMARK" && len(info) >= 15:
		return connmarkTables(revision, info)
	case name == "SET" && (revision < 3 || len(info) >= 10 && native.Uint16(info[8:]) == noSet):
		return nil // only since revision 3 can it take a mark from a set
	case name == "TEE" && len(info) >= 32:
		return []statement{{effect: evidence.EffectCopy, to: gateway(info, family), text: "TEE"}}
	case name == "TPROXY":
		return tproxyTables(info)
	case name == "NFQUEUE" || name == "REDIRECT":
		return []statement{{effect: evidence.EffectProxy, text: name}}
	case name == "DNAT" || name == "NETMAP" || name == "DNPT":
		return []statement{{effect: evidence.EffectDNAT, text: name}}
	}
	return []statement{unknownMark(0xffffffff, "target "+name+", which is not known")}
}

// connmarkTables reads struct xt_connmark_tginfo1 and 2: the connection's mark
// and mask, the packet's mask, since revision 2 a shift, and what is done.
func connmarkTables(revision int, info []byte) []statement {
	const restore = 2
	mode := info[12]
	if revision >= 2 {
		mode = info[14]
	}
	if mode != restore {
		return nil
	}
	mask := native.Uint32(info[4:]) | native.Uint32(info[8:]) // mark &^ nfmask ^ (ctmark & ctmask), see connmark_tg_shift
	if revision >= 2 && info[13] != 0 {
		mask = 0xffffffff
	}
	return []statement{unknownMark(mask, "CONNMARK restore")}
}

// tproxyTables reads struct xt_tproxy_target_info and _v1: mask, value, address, port.
func tproxyTables(info []byte) []statement {
	list := []statement{{effect: evidence.EffectProxy, text: "TPROXY"}}
	if len(info) >= 8 && native.Uint32(info) != 0 {
		list = append(list, markStatement(native.Uint32(info[4:]), native.Uint32(info)))
	}
	return list
}

// gateway reads a union nf_inet_addr.
func gateway(info []byte, family int) string {
	if family == 6 && len(info) >= 16 {
		return netip.AddrFrom16([16]byte(info)).String()
	}
	if len(info) < 4 {
		return ""
	}
	return netip.AddrFrom4([4]byte(info)).String()
}
