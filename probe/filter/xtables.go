//go:build linux

package filter

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Matches and targets are the same modules of the kernel for iptables-legacy and
// for iptables-nft. Each takes a struct of its own.

// match reads a match.
func (r *reading) match(name string, revision int, info []byte) {
	c := &r.condition
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
	every := evidence.Ports{From: 0, To: 65535}
	source := evidence.Ports{From: native.Uint16(info), To: native.Uint16(info[2:])}
	target := evidence.Ports{From: native.Uint16(info[4:]), To: native.Uint16(info[6:])}
	if source != every {
		c.ports(fieldSourcePort, []evidence.Ports{source}, notSource)
	}
	if target != every {
		c.ports(fieldTargetPort, []evidence.Ports{target}, notTarget)
	}
}

// multiport reads struct xt_multiport_v1: which ports, how many, their numbers,
// which of them begin a range, and whether all is inverted.
func (c *condition) multiport(info []byte) {
	const source, target, most, size = 0, 1, 15, 2 + 2*15 + 15 + 1
	if len(info) < size || info[1] > most {
		c.other("multiport")
		return
	}
	var ports []evidence.Ports
	count := int(info[1])
	for i := 0; i < count; i++ {
		from := native.Uint16(info[2+2*i:])
		to := from
		if info[32+i] != 0 && i+1 < count {
			i++
			to = native.Uint16(info[2+2*i:])
		}
		ports = append(ports, evidence.Ports{From: from, To: to})
	}
	inverted := info[size-1] != 0
	switch info[0] {
	case source:
		c.ports(fieldSourcePort, ports, inverted)
	case target:
		c.ports(fieldTargetPort, ports, inverted)
	default: // of either end
		c.other("multiport")
	}
}

// addressTypes reads struct xt_addrtype_info and, since revision 1, _v1: bits of
// the types that source and target may have, and what of them is inverted.
func (c *condition) addressTypes(revision int, info []byte) {
	source := native.Uint16(info)
	target := native.Uint16(info[2:])
	notSource := native.Uint32(info[4:])&1 != 0
	notTarget := native.Uint32(info[4:])&2 != 0
	if revision == 0 {
		notSource = native.Uint32(info[4:]) != 0
		notTarget = len(info) >= 12 && native.Uint32(info[8:]) != 0
	}
	if source != 0 {
		c.other("%s", typeCondition("saddr", source, notSource))
	}
	if target != 0 {
		c.other("%s", typeCondition("daddr", target, notTarget))
	}
}

// harmlessTargets are targets of iptables that neither mark, copy nor divert.
var harmlessTargets = []string{
	"", "ACCEPT", "DROP", "RETURN", "ERROR", "REJECT", "LOG", "NFLOG", "ULOG",
	"MASQUERADE", "SNAT", "CT", "NOTRACK", "TCPMSS", "TTL", "HL", "DSCP", "TOS",
	"CHECKSUM", "CLASSIFY", "TRACE", "AUDIT", "CONNSECMARK", "SECMARK", "ECN",
	"IDLETIMER", "LED", "RATEEST", "SYNPROXY", "TCPOPTSTRIP", "SNPT", "NETFLOW",
	"TARPIT", "DELUDE", "CHAOS", "LOGMARK", "ACCOUNT", "CONNLABEL", "IPV4OPTSSTRIP", "RAWSNAT",
	// Those of ebtables: "redirect" hands a frame to this host, whose routes then decide.
	"arpreply", "snat", "log", "nflog", "redirect",
}

// endingTargets are targets behind which no rule of the chain sees the packet.
var endingTargets = []string{"NFQUEUE", "DNAT", "REDIRECT", "NETMAP", "TPROXY"}

// noSet is IPSET_INVALID_ID of linux/netfilter/ipset/ip_set.h.
const noSet = 65535

// target reads a target.
func (r *reading) target(name string, revision int, info []byte) {
	r.ends = r.ends || slices.Contains(endingTargets, name)
	switch {
	case name == "REJECT":
		r.decide(verdict{code: codeReject}, r.condition)
	case slices.Contains(harmlessTargets, name):
	case name == "MARK" && revision == 2 && len(info) >= 8:
		// mark = mark &^ mask ^ value, see mark_tg in xt_mark.c
		value := native.Uint32(info)
		mask := native.Uint32(info[4:])
		if value&^mask != 0 {
			r.do(unknownMark(mask|value, "MARK xor"))
		} else {
			r.do(markStatement(value, mask))
		}
	case name == "CONNMARK" && len(info) >= 15:
		r.connmark(revision, info)
	case name == "SET" && (revision < 3 || len(info) >= 10 && native.Uint16(info[8:]) == noSet):
		// Only since revision 3 can it take a mark from a set.
	case slices.Contains([]string{"MARK", "CONNMARK", "SET", "HMARK", "IPMARK", "mark"}, name):
		r.do(unknownMark(0xffffffff, "target "+name+", of a kind that is not known"))
	case name == "TEE" && len(info) >= 32:
		r.do(statement{effect: evidence.EffectCopy, to: r.gateway(info), text: name})
	case name == "TPROXY":
		r.tproxy(info)
	case name == "NFQUEUE":
		r.add(evidence.EffectProxy, name, "")
	case name == "REDIRECT":
		_, port := r.translation(revision, info)
		r.do(statement{effect: evidence.EffectProxy, text: name, port: port})
	case name == "DNAT":
		to, port := r.translation(revision, info)
		r.do(statement{effect: evidence.EffectDNAT, text: name, to: to, port: port})
	case slices.Contains([]string{"NETMAP", "DNPT", "RAWDNAT", "FULLCONENAT", "dnat"}, name):
		r.add(evidence.EffectDNAT, name, "")
	default:
		r.add(evidence.EffectBPF, "target "+name+", which is not known", "")
	}
}

// Flags of a range of translations (linux/netfilter/nf_nat.h).
const (
	natAddresses = 1  // NF_NAT_RANGE_MAP_IPS
	natPorts     = 2  // NF_NAT_RANGE_PROTO_SPECIFIED
	natOffset    = 32 // NF_NAT_RANGE_PROTO_OFFSET
)

// translation reads the new target of a DNAT or REDIRECT: of IPv4's first revision
// struct nf_nat_ipv4_multi_range_compat, else struct nf_nat_range, with which
// nf_nat_range2 begins. An address or port of several is left out, and the port too
// where the address is not known.
func (r *reading) translation(revision int, info []byte) (to string, port uint16) {
	at, size := 0, 16 // of the flags, and of an address
	if revision == 0 && r.condition.family == 4 {
		at, size = 4, 4
	}
	if len(info) < at+4+2*size+4 {
		return "", 0
	}
	flags := native.Uint32(info[at:])
	low, high, ports := info[at+4:at+4+size], info[at+4+size:at+4+2*size], info[at+4+2*size:]
	if flags&natAddresses != 0 {
		if !bytes.Equal(low, high) {
			return "", 0
		}
		to = r.gateway(low)
	}
	if flags&natPorts != 0 && flags&natOffset == 0 && bytes.Equal(ports[:2], ports[2:4]) {
		port = binary.BigEndian.Uint16(ports)
	}
	return to, port
}

// connmark reads struct xt_connmark_tginfo1 and 2: the connection's mark and
// mask, the packet's mask, since revision 2 a shift, and what is done.
func (r *reading) connmark(revision int, info []byte) {
	const restore = 2
	mode := info[12]
	// mark &^ nfmask ^ (ctmark & ctmask), see connmark_tg_shift in xt_connmark.c
	mask := native.Uint32(info[4:]) | native.Uint32(info[8:])
	if revision >= 2 {
		mode = info[14]
		if shift := info[13]; shift != 0 {
			mask = 0xffffffff
		}
	}
	if mode == restore {
		r.do(unknownMark(mask, "CONNMARK restore"))
	}
}

// tproxy reads struct xt_tproxy_target_info and _v1: mask, value, address, port.
func (r *reading) tproxy(info []byte) {
	r.add(evidence.EffectProxy, "TPROXY", "")
	if len(info) >= 8 && native.Uint32(info) != 0 {
		r.do(markStatement(native.Uint32(info[4:]), native.Uint32(info)))
	}
}

// gateway reads a union nf_inet_addr.
func (r *reading) gateway(info []byte) string {
	if r.condition.family == 6 {
		return netip.AddrFrom16([16]byte(info)).String()
	}
	return netip.AddrFrom4([4]byte(info)).String()
}
