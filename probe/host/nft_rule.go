//go:build linux

package host

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// field is what of a packet, or beside it, a register holds.
type field uint8

const (
	fieldOther field = iota
	fieldNothing
	fieldSource // address
	fieldTarget
	fieldSourcePort
	fieldTargetPort
	fieldProtocol
	fieldFamily    // NFPROTO_*
	fieldEtherType // big-endian
	fieldInName
	fieldOutName
	fieldInIndex
	fieldOutIndex
	fieldMark
	fieldTOS     // the octet of IPv4
	fieldTraffic // the first two octets of IPv6
	fieldImmediate
	fieldSourceType // RTN_* of an address, as the host's tables say
	fieldTargetType
)

// register is what one of the machine's registers holds: a field, and mask and
// xor that were applied to it, or a value.
type register struct {
	field     field
	family    int // of an address
	size      int // in bytes
	mask, xor []byte
	value     []byte
}

// nftMachine reads a rule: its conditions, statements and decisions.
type nftMachine struct {
	family    uint8 // of the table
	links     map[uint32]string
	set       func(name string) nftSet
	registers map[uint32]register

	condition  condition
	statements []statement
	reached    []condition // what a packet must be like to come to each of the statements
	jumps      []nftJump
	ends       bool // it takes packets out of the chain: accept, drop, return, goto, queue
	settles    bool // it takes all packets out of the chain that its conditions apply to
	goes       bool // by goto
	hidden     bool // it has a condition that is not among its conditions
	packets    uint64
}

// nftJump is a chain that packets of a condition go on in.
type nftJump struct {
	condition condition
	chain     string
}

func (m *nftMachine) read(rule nftRule) {
	m.registers = map[uint32]register{}
	switch m.family {
	case unix.NFPROTO_IPV4:
		m.condition.family = 4
	case unix.NFPROTO_IPV6:
		m.condition.family = 6
	}
	for _, e := range rule.expressions {
		m.step(e)
	}
}

// does adds statements. What stands behind them in the rule is no condition of theirs.
func (m *nftMachine) does(statements ...statement) {
	for _, s := range statements {
		m.statements, m.reached = append(m.statements, s), append(m.reached, m.condition.clone())
	}
}

// step carries out one expression.
func (m *nftMachine) step(e nftExpression) {
	switch e.name {
	case "immediate":
		m.immediate(e)
	case "meta":
		m.meta(e)
	case "payload":
		m.payload(e)
	case "ct":
		m.conntrack(e)
	case "bitwise":
		m.bitwise(e)
	case "cmp":
		m.compare(e)
	case "range":
		m.between(e)
	case "lookup":
		m.lookup(e)
	case "match":
		m.condition.matchTables(e.text(unix.NFTA_MATCH_NAME), int(e.number(unix.NFTA_MATCH_REV)), e.bytes(unix.NFTA_MATCH_INFO))
	case "target":
		m.target(e)
	case "counter":
		m.packets = counted(e)
	case "log", "masq", "notrack", "reject", "objref", "synproxy", "last":
		m.ends = m.ends || e.name == "reject"
		m.hidden = m.hidden || e.name == "objref" // a named limit or quota is a condition
	default:
		m.divert(e)
	}
}

func counted(e nftExpression) uint64 {
	if packets := e.bytes(unix.NFTA_COUNTER_PACKETS); len(packets) >= 8 {
		return binary.BigEndian.Uint64(packets)
	}
	return 0
}

// Attributes of expressions that the system package does not name.
const (
	nftaDupAddress  = 1 // NFTA_DUP_SREG_ADDR
	nftaDupLink     = 2
	nftaFwdLink     = 1
	nftaNATType     = 1
	nftaNATAddress  = 3
	nftaCtTarget    = 1
	nftaCtKey       = 2
	nftaCtSource    = 4
	nftaBitwiseOp   = 6
	natOfTarget     = 1 // NFT_NAT_DNAT
	nftaFlowTable   = 1
	nftaImmediateTo = 1
	nftaFibTo       = 1
	nftaFibResult   = 2
	nftaFibFlags    = 3
)

// divert reads the statements that copy packets or give them another way, and
// what is left: expressions that load something, or are conditions.
func (m *nftMachine) divert(e nftExpression) {
	add := func(effect, to, text string) {
		m.does(statement{effect: effect, to: to, text: strings.TrimSpace(text + " " + to)})
	}
	switch e.name {
	case "dup":
		to := m.linkIn(e.number(nftaDupLink))
		add(evidence.EffectCopy, cmp.Or(to, m.addressIn(e.number(nftaDupAddress))), "dup to")
	case "fwd":
		add(evidence.EffectForward, m.linkIn(e.number(nftaFwdLink)), "fwd to")
	case "flow_offload":
		add(evidence.EffectForward, "", "flow add @"+e.text(nftaFlowTable))
	case "tproxy":
		m.hidden = true // where no socket takes the packet it goes on
		add(evidence.EffectProxy, "", "tproxy")
	case "queue":
		m.ends = true
		add(evidence.EffectProxy, "", "queue")
	case "redir":
		add(evidence.EffectProxy, "", "redirect")
	case "nat":
		if e.number(nftaNATType) == natOfTarget {
			add(evidence.EffectDNAT, m.addressIn(e.number(nftaNATAddress)), "dnat to")
		}
	case "fib":
		m.registers[e.number(nftaFibTo)] = fibRegister(e)
	case "limit", "quota", "connlimit", "dynset", "numgen", "hash", "socket", "rt", "exthdr", "osf", "xfrm", "tunnel", "byteorder", "inner":
		m.unread(e)
	default:
		m.condition.other("expression %s", e.name)
		m.does(unknownMark(0xffffffff, "expression "+e.name+", which is not known"))
	}
}

// fibRegister is what a question to the routing tables is answered by. Of which
// link the address is narrows the answer "local" and does not change it.
func fibRegister(e nftExpression) register {
	const addressType, ofSource, ofTarget = 3, 1, 2
	switch flags := e.number(nftaFibFlags) & (ofSource | ofTarget); {
	case e.number(nftaFibResult) != addressType:
	case flags == ofSource:
		return register{field: fieldSourceType, size: 4}
	case flags == ofTarget:
		return register{field: fieldTargetType, size: 4}
	}
	return register{}
}

// unread is an expression that is a condition by itself, or loads what is
// compared later. Their target register is attribute 1 or 2; a register that
// is not known to hold something is a condition of its own when it is compared.
func (m *nftMachine) unread(e nftExpression) {
	switch e.name {
	case "limit", "quota", "connlimit", "dynset":
		m.condition.other("%s", e.name)
		return
	}
	for _, kind := range []uint16{1, 2, 4} {
		if to, ok := e.has(kind); ok && isRegister(to) {
			m.registers[to] = register{}
		}
	}
}

// isRegister reports whether a number names a register: NFT_REG_1 to 4, and 16 of
// 32 bits.
func isRegister(n uint32) bool { return n >= 1 && n <= 4 || n >= 8 && n < 24 }

func (m *nftMachine) linkIn(register uint32) string {
	value := m.registers[register].value
	if len(value) < 4 {
		return ""
	}
	return m.link(native.Uint32(value))
}

func (m *nftMachine) link(index uint32) string {
	if name := m.links[index]; name != "" {
		return name
	}
	return fmt.Sprintf("link %d", index)
}

func (m *nftMachine) addressIn(register uint32) string {
	if addr, ok := netip.AddrFromSlice(m.registers[register].value); ok {
		return addr.String()
	}
	return ""
}

func (m *nftMachine) immediate(e nftExpression) {
	data := e.bytes(unix.NFTA_IMMEDIATE_DATA)
	if verdict, ok := verdictOf(data); ok {
		m.decide(verdict, m.condition)
		m.settles = m.ends && !m.hidden
		return
	}
	value := e.value(unix.NFTA_IMMEDIATE_DATA)
	m.registers[e.number(nftaImmediateTo)] = register{field: fieldImmediate, value: value, size: len(value)}
}

// decide notes where packets go on.
func (m *nftMachine) decide(v nftVerdict, c condition) {
	const jump, goTo, proceed = -3, -4, -1
	switch v.code {
	case jump:
		m.jumps = append(m.jumps, nftJump{c.clone(), v.chain})
	case goTo:
		m.jumps = append(m.jumps, nftJump{c.clone(), v.chain})
		m.ends, m.goes = true, true
	case proceed:
	default:
		m.ends = true
	}
}

// metaFields are the keys of NFT_META_* that are understood.
var metaFields = map[uint32]register{
	unix.NFT_META_MARK: {field: fieldMark, size: 4}, unix.NFT_META_L4PROTO: {field: fieldProtocol, size: 1},
	unix.NFT_META_NFPROTO: {field: fieldFamily, size: 1}, unix.NFT_META_PROTOCOL: {field: fieldEtherType, size: 2},
	unix.NFT_META_IIFNAME: {field: fieldInName, size: 16}, unix.NFT_META_OIFNAME: {field: fieldOutName, size: 16},
	unix.NFT_META_IIF: {field: fieldInIndex, size: 4}, unix.NFT_META_OIF: {field: fieldOutIndex, size: 4},
}

func (m *nftMachine) meta(e nftExpression) {
	key := e.number(unix.NFTA_META_KEY)
	if to, ok := e.has(unix.NFTA_META_DREG); ok {
		m.registers[to] = metaFields[key]
		return
	}
	if key != unix.NFT_META_MARK {
		return
	}
	m.does(m.markFrom(m.registers[e.number(unix.NFTA_META_SREG)]))
}

// markFrom is the statement that sets the mark to what a register holds.
func (m *nftMachine) markFrom(r register) statement {
	switch {
	case r.field == fieldImmediate && len(r.value) >= 4:
		return markStatement(native.Uint32(r.value), 0xffffffff)
	case r.field == fieldMark && len(r.mask) >= 4 && len(r.xor) >= 4:
		kept, flipped := native.Uint32(r.mask), native.Uint32(r.xor)
		if kept&flipped == 0 {
			return markStatement(flipped, ^kept)
		}
		return unknownMark(^kept|flipped, "mark set, by xor")
	}
	return unknownMark(0xffffffff, "mark set from elsewhere")
}

func (m *nftMachine) conntrack(e nftExpression) {
	if to, ok := e.has(nftaCtTarget); ok {
		m.registers[to] = register{}
	}
}

func (m *nftMachine) payload(e nftExpression) {
	to, loads := e.has(unix.NFTA_PAYLOAD_DREG)
	if !loads {
		m.rewrite(e)
		return
	}
	m.registers[to] = m.loaded(e.number(unix.NFTA_PAYLOAD_BASE), e.number(unix.NFTA_PAYLOAD_OFFSET), int(e.number(unix.NFTA_PAYLOAD_LEN)))
}

// rewrite is a statement that writes to the packet. What it makes of addresses
// decides where the packet goes; the link's header decides on a bridge only, and
// may make it another protocol's.
func (m *nftMachine) rewrite(e nftExpression) {
	base, offset := e.number(unix.NFTA_PAYLOAD_BASE), e.number(unix.NFTA_PAYLOAD_OFFSET)
	end := offset + e.number(unix.NFTA_PAYLOAD_LEN)
	addresses, last := uint32(12), uint32(40) // of IPv4 from 12 to 20, of IPv6 from 8 to 40
	if m.condition.family != 4 {
		addresses = 8
	} else {
		last = 20
	}
	inAddresses := base == unix.NFT_PAYLOAD_NETWORK_HEADER && offset < last && end > addresses
	if inAddresses || base == unix.NFT_PAYLOAD_LL_HEADER {
		m.does(statement{effect: evidence.EffectDNAT, text: "writes to the packet's addresses"})
		return
	}
	m.condition.other("writes to the packet")
}

// loaded is what bytes of a packet are.
func (m *nftMachine) loaded(base, offset uint32, size int) register {
	r := register{size: size}
	type at struct {
		base, offset uint32
		size         int
	}
	switch (at{base, offset, size}) {
	case at{unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2}:
		r.field = fieldSourcePort
	case at{unix.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2}:
		r.field = fieldTargetPort
	case at{unix.NFT_PAYLOAD_LL_HEADER, 12, 2}:
		r.field = fieldEtherType
	}
	if base != unix.NFT_PAYLOAD_NETWORK_HEADER {
		return r
	}
	// Which IP it is follows from the table or from a condition before.
	if m.condition.family != 6 {
		switch {
		case offset == 12 && size <= 4 && size > 0:
			r.field, r.family = fieldSource, 4
		case offset == 16 && size <= 4 && size > 0:
			r.field, r.family = fieldTarget, 4
		case m.condition.family == 4 && offset == 9 && size == 1:
			r.field = fieldProtocol
		case m.condition.family == 4 && offset == 1 && size == 1:
			r.field = fieldTOS
		}
	}
	if m.condition.family == 6 {
		switch {
		case offset == 8 && size <= 16 && size > 0:
			r.field, r.family = fieldSource, 6
		case offset == 24 && size <= 16 && size > 0:
			r.field, r.family = fieldTarget, 6
		case offset == 6 && size == 1:
			r.field = fieldProtocol
		case offset == 0 && size == 2:
			r.field = fieldTraffic
		}
	}
	return r
}

func (m *nftMachine) bitwise(e nftExpression) {
	from := m.registers[e.number(unix.NFTA_BITWISE_SREG)]
	to := e.number(unix.NFTA_BITWISE_DREG)
	mask, xor := e.value(unix.NFTA_BITWISE_MASK), e.value(unix.NFTA_BITWISE_XOR)
	if e.number(nftaBitwiseOp) != 0 || from.mask != nil || len(mask) < from.size || len(xor) < len(mask) || from.value != nil {
		m.registers[to] = register{}
		return
	}
	from.mask, from.xor = mask, xor
	m.registers[to] = from
}

func (m *nftMachine) target(e nftExpression) {
	name := e.text(unix.NFTA_TARGET_NAME)
	m.does(targetTables(name, int(e.number(unix.NFTA_TARGET_REV)), e.bytes(unix.NFTA_TARGET_INFO), cmp.Or(m.condition.family, 4))...)
	switch name {
	case "REJECT", "NFQUEUE", "DNAT", "REDIRECT", "NETMAP", "TPROXY":
		m.ends = true
	}
}
