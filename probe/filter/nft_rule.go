//go:build linux

package filter

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// field is what of a packet, or of its metadata, a register holds.
type field uint8

const (
	fieldOther  field = iota
	fieldSource       // address
	fieldTarget
	fieldSourcePort
	fieldTargetPort
	fieldProtocol
	fieldFamily    // NFPROTO_*
	fieldEtherType // big-endian
	fieldIn        // name of a link
	fieldOut
	fieldInIndex
	fieldOutIndex
	fieldMark
	fieldTOS     // the octet of IPv4
	fieldTraffic // the first two octets of IPv6
	fieldImmediate
	fieldSourceType // RTN_* of an address in the host's tables
	fieldTargetType
)

// register is what one of the registers of nf_tables holds: a field, and mask
// and xor that were applied to it, or a value.
type register struct {
	field     field
	family    int // of an address
	size      int // in bytes
	mask, xor []byte
	value     []byte
}

// read carries out the expressions of a rule.
func (n nftRule) read(r *reading) {
	r.registers = map[uint32]register{}
	for _, e := range n {
		r.step(e)
	}
}

// Attributes of expressions that the system package does not name.
const (
	nftaDupAddress  = 1 // NFTA_DUP_SREG_ADDR
	nftaDupLink     = 2
	nftaFwdLink     = 1
	nftaNATType     = 1
	nftaNATAddress  = 3
	nftaNATPort     = 5
	nftaRedirPort   = 1
	nftaCtTarget    = 1
	nftaBitwiseOp   = 6
	natOfTarget     = 1 // NFT_NAT_DNAT
	nftaFlowTable   = 1
	nftaImmediateTo = 1
	nftaFibTo       = 1
	nftaFibResult   = 2
	nftaFibFlags    = 3
)

// step carries out one expression: what loads or compares something, and what
// is a statement of iptables-nft or of no interest.
func (r *reading) step(e expression) {
	switch e.name {
	case "immediate":
		r.immediate(e)
	case "meta":
		r.meta(e)
	case "payload":
		r.payload(e)
	case "ct":
		if to, ok := e.Has(nftaCtTarget); ok {
			r.registers[to] = register{}
		}
	case "fib":
		r.registers[e.Big(nftaFibTo)] = fibRegister(e)
	case "bitwise":
		r.bitwise(e)
	case "cmp":
		r.compare(e)
	case "range":
		values := span{dataOf(e.Attributes, unix.NFTA_RANGE_FROM_DATA), dataOf(e.Attributes, unix.NFTA_RANGE_TO_DATA)}
		from := r.registers[e.Big(unix.NFTA_RANGE_SREG)]
		r.among(from, []span{values}, e.Big(unix.NFTA_RANGE_OP) == unix.NFT_RANGE_NEQ)
	case "lookup":
		r.lookup(e)
	case "match":
		r.match(e.Text(unix.NFTA_MATCH_NAME), int(e.Big(unix.NFTA_MATCH_REV)), e.Get(unix.NFTA_MATCH_INFO))
	case "target":
		r.target(e.Text(unix.NFTA_TARGET_NAME), int(e.Big(unix.NFTA_TARGET_REV)), e.Get(unix.NFTA_TARGET_INFO))
	case "counter":
		if packets := e.Get(unix.NFTA_COUNTER_PACKETS); len(packets) >= 8 {
			r.packets = binary.BigEndian.Uint64(packets)
		}
	case "reject":
		r.decide(verdict{code: codeReject}, r.condition)
	case "objref": // a named limit or quota is a condition
		r.hidden = true
	case "log", "masq", "notrack", "synproxy", "last":
	default:
		r.divert(e)
	}
}

// divert reads the statements that copy packets or give them another way, and
// what is left: conditions, and expressions that are not known.
func (r *reading) divert(e expression) {
	switch e.name {
	case "dup":
		to := r.linkIn(e.Big(nftaDupLink))
		r.add(evidence.EffectCopy, "dup to", cmp.Or(to, r.addressIn(e.Big(nftaDupAddress))))
	case "fwd":
		r.add(evidence.EffectForward, "fwd to", r.linkIn(e.Big(nftaFwdLink)))
	case "flow_offload":
		r.add(evidence.EffectForward, "flow add @"+e.Text(nftaFlowTable), "")
	case "tproxy":
		r.hidden = true // where no socket takes the packet it goes on
		r.add(evidence.EffectProxy, "tproxy", "")
	case "queue":
		r.ends = true
		r.add(evidence.EffectProxy, "queue", "")
	case "redir":
		r.do(statement{effect: evidence.EffectProxy, text: "redirect", port: r.portIn(e, nftaRedirPort)})
	case "nat":
		if e.Big(nftaNATType) == natOfTarget {
			r.translate(e)
		}
	case "limit", "quota", "connlimit", "dynset":
		r.condition.other("%s", e.name)
	case "numgen", "hash", "socket", "rt", "exthdr", "osf", "xfrm", "tunnel", "byteorder", "inner":
		r.load(e)
	default:
		r.condition.other("expression %s", e.name)
		r.add(evidence.EffectBPF, "expression "+e.name+", which is not known", "")
	}
}

// load is an expression that loads what is not understood and compared later.
// Its target register is attribute 1, 2 or 4; a register that is not known to
// hold something is a condition of its own when it is compared.
func (r *reading) load(e expression) {
	for _, kind := range []uint16{1, 2, 4} {
		if to, ok := e.Has(kind); ok && isRegister(to) {
			r.registers[to] = register{}
		}
	}
}

// isRegister reports whether a number names a register: NFT_REG_1 to 4, and 16 of
// 32 bits.
func isRegister(n uint32) bool { return n >= 1 && n <= 4 || n >= 8 && n < 24 }

// fibRegister is what a question to the routing tables is answered by. Of which
// link the address is narrows the answer "local" and does not change it.
func fibRegister(e expression) register {
	const addressType, ofSource, ofTarget = 3, 1, 2
	switch flags := e.Big(nftaFibFlags) & (ofSource | ofTarget); {
	case e.Big(nftaFibResult) != addressType:
	case flags == ofSource:
		return register{field: fieldSourceType, size: 4}
	case flags == ofTarget:
		return register{field: fieldTargetType, size: 4}
	}
	return register{}
}

func (r *reading) linkIn(register uint32) string {
	value := r.registers[register].value
	if len(value) < 4 {
		return ""
	}
	return r.link(native.Uint32(value))
}

func (r *reading) link(index uint32) string {
	return cmp.Or(r.links[index], fmt.Sprintf("link %d", index))
}

// translate reads a dnat.
func (r *reading) translate(e expression) {
	s := statement{effect: evidence.EffectDNAT, to: r.addressIn(e.Big(nftaNATAddress)), text: "dnat to"}
	if s.to != "" {
		s.text += " " + s.to
	}
	lowest, readdressed := e.Has(nftaNATAddress)
	highest, several := e.Has(nftaNATAddress + 1)
	if !readdressed || s.to != "" && (!several || highest == lowest) {
		s.port = r.portIn(e, nftaNATPort)
	}
	r.do(s)
}

// portIn is the port of a translation, whose lowest is in the register of an attribute
// and whose highest in that of the next; 0 if it is not known or one of several.
func (r *reading) portIn(e expression, attribute uint16) uint16 {
	lowest, set := e.Has(attribute)
	highest, several := e.Has(attribute + 1)
	value := r.registers[lowest]
	if !set || several && highest != lowest || value.field != fieldImmediate || len(value.value) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(value.value)
}

func (r *reading) addressIn(register uint32) string {
	addr, ok := netip.AddrFromSlice(r.registers[register].value)
	if !ok {
		return ""
	}
	return addr.String()
}

func (r *reading) immediate(e expression) {
	if verdict, ok := verdictOf(e.Attributes, unix.NFTA_IMMEDIATE_DATA); ok {
		r.decide(verdict, r.condition)
		r.settles = r.ends && !r.hidden
		return
	}
	value := dataOf(e.Attributes, unix.NFTA_IMMEDIATE_DATA)
	r.registers[e.Big(nftaImmediateTo)] = register{field: fieldImmediate, value: value, size: len(value)}
}

// metaFields are the keys of NFT_META_* that are understood.
var metaFields = map[uint32]register{
	unix.NFT_META_MARK: {field: fieldMark, size: 4}, unix.NFT_META_L4PROTO: {field: fieldProtocol, size: 1},
	unix.NFT_META_NFPROTO: {field: fieldFamily, size: 1}, unix.NFT_META_PROTOCOL: {field: fieldEtherType, size: 2},
	unix.NFT_META_IIFNAME: {field: fieldIn, size: 16}, unix.NFT_META_OIFNAME: {field: fieldOut, size: 16},
	unix.NFT_META_IIF: {field: fieldInIndex, size: 4}, unix.NFT_META_OIF: {field: fieldOutIndex, size: 4},
}

func (r *reading) meta(e expression) {
	key := e.Big(unix.NFTA_META_KEY)
	if to, ok := e.Has(unix.NFTA_META_DREG); ok {
		r.registers[to] = metaFields[key]
		return
	}
	if key == unix.NFT_META_MARK {
		r.do(markFrom(r.registers[e.Big(unix.NFTA_META_SREG)]))
	}
}

// markFrom is the statement that sets the mark to what a register holds.
func markFrom(from register) statement {
	switch {
	case from.field == fieldImmediate && len(from.value) >= 4:
		return markStatement(native.Uint32(from.value), 0xffffffff)
	case from.field == fieldMark && len(from.mask) >= 4 && len(from.xor) >= 4:
		kept := native.Uint32(from.mask)
		flipped := native.Uint32(from.xor)
		if kept&flipped == 0 {
			return markStatement(flipped, ^kept)
		}
		return unknownMark(^kept|flipped, "mark set, by xor")
	}
	return unknownMark(0xffffffff, "mark set from elsewhere")
}

func (r *reading) bitwise(e expression) {
	from := r.registers[e.Big(unix.NFTA_BITWISE_SREG)]
	to := e.Big(unix.NFTA_BITWISE_DREG)
	mask := dataOf(e.Attributes, unix.NFTA_BITWISE_MASK)
	xor := dataOf(e.Attributes, unix.NFTA_BITWISE_XOR)
	again := from.mask != nil || from.value != nil
	if again || e.Big(nftaBitwiseOp) != 0 || len(mask) < from.size || len(xor) < len(mask) {
		r.registers[to] = register{}
		return
	}
	from.mask = mask
	from.xor = xor
	r.registers[to] = from
}

func (r *reading) payload(e expression) {
	base := e.Big(unix.NFTA_PAYLOAD_BASE)
	offset := e.Big(unix.NFTA_PAYLOAD_OFFSET)
	size := e.Big(unix.NFTA_PAYLOAD_LEN)
	if to, loads := e.Has(unix.NFTA_PAYLOAD_DREG); loads {
		r.registers[to] = loaded(base, offset, int(size), r.condition.family)
		return
	}
	r.rewrite(base, offset, offset+size)
}

// rewrite is a statement that writes to the packet. What it makes of addresses
// decides where the packet goes; the link's header decides on a bridge only, and
// may make it another protocol's.
func (r *reading) rewrite(base, offset, end uint32) {
	first, last := uint32(8), uint32(40) // addresses of IPv6; those of IPv4 are at 12 to 20
	if r.condition.family == 4 {
		first, last = 12, 20
	}
	inAddresses := base == unix.NFT_PAYLOAD_NETWORK_HEADER && offset < last && end > first
	if inAddresses || base == unix.NFT_PAYLOAD_LL_HEADER {
		r.add(evidence.EffectDNAT, "writes to the packet's addresses", "")
		return
	}
	r.condition.other("writes to the packet")
}

// headerField is a field of a header.
type headerField struct {
	base    uint32 // NFT_PAYLOAD_*_HEADER
	version int    // 4 or 6, of the network header
	offset  uint32
	size    int // in bytes
}

// headerFields are those that are understood.
var headerFields = map[headerField]field{
	{unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 0, 2}: fieldSourcePort,
	{unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 2}: fieldTargetPort,
	{unix.NFT_PAYLOAD_LL_HEADER, 0, 12, 2}:       fieldEtherType,
	{unix.NFT_PAYLOAD_NETWORK_HEADER, 4, 9, 1}:   fieldProtocol,
	{unix.NFT_PAYLOAD_NETWORK_HEADER, 4, 1, 1}:   fieldTOS,
	{unix.NFT_PAYLOAD_NETWORK_HEADER, 6, 6, 1}:   fieldProtocol,
	{unix.NFT_PAYLOAD_NETWORK_HEADER, 6, 0, 2}:   fieldTraffic,
}

// loaded is what bytes of a packet are. Which IP it is follows from the table or
// from a condition before. Of an address its first bytes may be loaded alone.
func loaded(base, offset uint32, size, version int) register {
	at := headerField{base: base, offset: offset, size: size}
	if base != unix.NFT_PAYLOAD_NETWORK_HEADER {
		return register{field: headerFields[at], size: size}
	}
	source, target, length := uint32(12), uint32(16), 4
	if version == 6 {
		source, target, length = 8, 24, 16
	}
	switch at.version = version; {
	case size <= 0 || size > length:
	case offset == source:
		return register{field: fieldSource, family: cmp.Or(version, 4), size: size}
	case offset == target:
		return register{field: fieldTarget, family: cmp.Or(version, 4), size: size}
	}
	return register{field: headerFields[at], size: size}
}

// nameOf reads a link's name; one that does not end is the beginning of a name.
func nameOf(data []byte) string {
	name, _, ended := strings.Cut(string(data), "\x00")
	if !ended {
		return name + "*"
	}
	return name
}
