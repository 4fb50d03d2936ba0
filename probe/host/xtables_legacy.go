//go:build linux

package host

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The old iptables are read as its own tools do, by getsockopt. Naming a table
// there can load its module, so only the tables that exist are asked for.

// xtFamily is what differs between the old iptables of IPv4 and of IPv6.
type xtFamily struct {
	number           int
	name             string // as nft names it
	file             string // names of its tables
	domain, protocol int
	level            int
	// Of struct ipt_entry and ip6t_entry: where the offsets of the target and of
	// the next entry, the counters and the matches are.
	offsets, counters, matches int
	// Of struct ipt_ip and ip6t_ip, which an entry begins with.
	address, names, proto, flags, inverted int
}

var xtFamilies = []xtFamily{
	{4, "ip", "ip_tables_names", unix.AF_INET, unix.IPPROTO_RAW, unix.IPPROTO_IP, 88, 96, 112, 4, 16, 80, 82, 83},
	{6, "ip6", "ip6_tables_names", unix.AF_INET6, unix.IPPROTO_RAW, unix.IPPROTO_IPV6, 140, 152, 168, 16, 64, 128, 131, 132},
}

// Socket options of linux/netfilter_ipv4/ip_tables.h; IPv6's are the same.
const (
	xtGetInfo    = 64
	xtGetEntries = 65
)

// maxTableSize bounds the size of one table in bytes.
const maxTableSize = 64 << 20

// tableOrder is the order in which a packet meets the tables of a hook
// (NF_IP_PRI_* of linux/netfilter_ipv4.h).
var tableOrder = map[string]int{"raw": 1, "mangle": 2, "nat": 3, "filter": 4, "security": 5}

// iptables reads the statements of iptables-legacy that mark, copy or divert.
func (r Reader) iptables([]evidence.Link) ([]evidence.Diversion, evidence.Inventory, []evidence.Problem) {
	inventory := evidence.Inventory{What: evidence.InventoryIptables, Complete: true}
	var found []evidence.Diversion
	var problems []evidence.Problem
	for _, family := range xtFamilies {
		names, err := os.ReadFile(r.path("proc/thread-self/net", family.file))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			inventory.Complete, inventory.Text = false, err.Error()
		}
		tables := strings.Fields(string(names))
		slices.SortFunc(tables, func(a, b string) int { return cmp.Compare(tableOrder[a], tableOrder[b]) })
		for _, table := range tables {
			read, err := family.read(table)
			if err != nil {
				inventory.Complete, inventory.Text = false, fmt.Sprintf("table %s of %s: %v", table, family.name, err)
				problems = append(problems, problem("firewall", "iptables "+table, err))
				continue
			}
			inventory.Count += read.count
			if read.incomplete != "" {
				inventory.Complete, inventory.Text = false, read.incomplete
			}
			found = append(found, read.found...)
		}
	}
	return found, inventory, problems
}

// read reads one table.
func (f xtFamily) read(table string) (*xtTable, error) {
	socket, err := unix.Socket(f.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, f.protocol)
	if err != nil {
		return nil, fmt.Errorf("opening a socket: %w", err)
	}
	defer unix.Close(socket)
	for range maxCalm {
		read, err := f.readOnce(socket, table)
		if errors.Is(err, syscall.EAGAIN) {
			continue // it changed between the two questions
		}
		return read, err
	}
	return nil, errors.New("it changed while it was read")
}

// Of struct ipt_getinfo: name, valid hooks, hook entries, underflows, number of
// entries, size. Of struct ipt_get_entries: name, size, entries.
const (
	xtNameSize      = 32
	xtHooks         = 5
	sizeofXtInfo    = xtNameSize + 4 + 4*xtHooks + 4*xtHooks + 4 + 4
	sizeofXtEntries = 40 // the entries are aligned to 8
)

func (f xtFamily) readOnce(socket int, table string) (*xtTable, error) {
	info := make([]byte, sizeofXtInfo)
	copy(info[:xtNameSize-1], table)
	if err := getsockopt(socket, f.level, xtGetInfo, info); err != nil {
		return nil, fmt.Errorf("asking for its size: %w", err)
	}
	size := native.Uint32(info[sizeofXtInfo-4:])
	if size > maxTableSize {
		return nil, fmt.Errorf("it has %d bytes", size)
	}
	entries := make([]byte, sizeofXtEntries+int(size))
	copy(entries[:xtNameSize-1], table)
	native.PutUint32(entries[xtNameSize:], size)
	if err := getsockopt(socket, f.level, xtGetEntries, entries); err != nil {
		return nil, fmt.Errorf("asking for its entries: %w", err)
	}
	return f.parse(table, info, entries[sizeofXtEntries:]), nil
}

func getsockopt(socket, level, option int, value []byte) error {
	length := uint32(len(value))
	_, _, number := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(socket), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&value[0])), uintptr(unsafe.Pointer(&length)), 0)
	if number != 0 {
		return number
	}
	return nil
}

// xtTable is a table while its chains are followed.
type xtTable struct {
	family     xtFamily
	name       string
	entries    []byte
	count      int
	visits     map[int]int // by offset
	steps      int
	found      []evidence.Diversion
	incomplete string
}

// xtHookNames are the hooks that pods' packets pass, by number.
var xtHookNames = map[int]string{0: "prerouting", 2: "forward", 4: "postrouting"}

// parse reads what the two questions were answered by.
func (f xtFamily) parse(table string, info, entries []byte) *xtTable {
	t := &xtTable{family: f, name: table, entries: entries, visits: map[int]int{}}
	valid := native.Uint32(info[xtNameSize:])
	t.count = int(native.Uint32(info[sizeofXtInfo-8:]))
	for hook := range xtHooks {
		name := xtHookNames[hook]
		if name == "" || valid&(1<<hook) == 0 {
			continue
		}
		clear(t.visits)
		start := int(native.Uint32(info[xtNameSize+4+4*hook:]))
		t.chain(start, strings.ToUpper(name), name, condition{family: f.number}, 0)
	}
	return t
}

// xtEntry is one rule of a table.
type xtEntry struct {
	next     int // offset of the next rule
	packets  uint64
	matches  []byte
	target   string
	revision int
	info     []byte // of the target
	ip       []byte
}

// at reads the rule at an offset.
func (t *xtTable) at(offset int) (e xtEntry, ok bool) {
	f := t.family
	if offset < 0 || offset > len(t.entries)-f.matches {
		return e, false
	}
	body := t.entries[offset:]
	target, next := int(native.Uint16(body[f.offsets:])), int(native.Uint16(body[f.offsets+2:]))
	if target < f.matches || next <= target || next > len(body) {
		return e, false
	}
	e = xtEntry{next: offset + next, packets: native.Uint64(body[f.counters:]), matches: body[f.matches:target], ip: body[:f.offsets]}
	_, e.target, e.revision, e.info, ok = extension(body[target:next])
	return e, ok
}

// extension reads struct xt_entry_match or xt_entry_target: size, name, revision, data.
func extension(row []byte) (size int, name string, revision int, info []byte, ok bool) {
	const header = 32
	if len(row) < header {
		return 0, "", 0, nil, false
	}
	size = int(native.Uint16(row))
	if size < header || size > len(row) {
		return 0, "", 0, nil, false
	}
	return size, unix.ByteSliceToString(row[2:31]), int(row[31]), row[header:size], true
}

// maxSteps bounds the rules that are walked over in one table, repeats included.
const maxSteps = 262144

func (t *xtTable) lack(text string) {
	if t.incomplete == "" {
		t.incomplete = "table " + t.name + " of " + t.family.name + ": " + text
	}
}

// chain reads the rules from an offset on, until one that ends a chain. It
// reports whether the way of a packet can end there.
func (t *xtTable) chain(offset int, name, hook string, reached condition, depth int) (ends bool) {
	if depth > maxDepth || t.visits[offset] > maxVisits {
		return true
	}
	t.visits[offset]++
	if t.visits[offset] > maxVisits || kubeProxys(chainName{chain: name}) && t.visits[offset] > 1 {
		reached = condition{family: reached.family}
		reached.other("one of many jumps to chain %s", name)
		t.visits[offset] = maxVisits + 1
	}
	earlier := false
	for at := offset; ; {
		entry, ok := t.at(at)
		if t.steps++; !ok || t.steps > maxSteps {
			t.lack("its rules could not be followed to the end")
			return true
		}
		c := reached.clone()
		if earlier {
			c.other("no earlier rule of %s applies", name)
		}
		entry.conditions(&c, t.family)
		stops, last := t.apply(entry, name, hook, c, at, depth)
		ends = ends || stops
		if last {
			return ends
		}
		if stops && !entry.goOn(&reached, t.family) {
			earlier = true
		}
		at = entry.next
	}
}

// goOn narrows what goes on behind a rule that accepts, drops or returns; false
// if which packets these are cannot be said.
func (e xtEntry) goOn(reached *condition, f xtFamily) bool {
	if e.target != "" || len(e.info) < 4 || int32(native.Uint32(e.info)) >= 0 {
		return false
	}
	alone := condition{family: f.number}
	e.conditions(&alone, f)
	return reached.without(alone)
}

// apply reads what a rule does. stops says that packets can leave the chain
// there; last, that every packet does, as at the end of each chain.
func (t *xtTable) apply(e xtEntry, chain, hook string, c condition, at, depth int) (stops, last bool) {
	const ret = -5 // XT_RETURN: -NF_REPEAT - 1
	switch {
	case e.target == "ERROR": // the head of the next chain, or the end of the table
		return false, true
	case e.target == "" && len(e.info) >= 4:
		verdict := int(int32(native.Uint32(e.info)))
		always := e.unconditional(t.family)
		if verdict == ret {
			return !always, always
		}
		if verdict < 0 {
			return true, always
		}
		if verdict == e.next || c.never {
			return false, false
		}
		return t.chain(verdict, t.nameAt(verdict), hook, c, depth+1) || e.jumpsForGood(t.family), false
	}
	for _, s := range targetTables(e.target, e.revision, e.info, t.family.number) {
		t.report(s, chain, hook, c, e.packets)
	}
	return slices.Contains([]string{"REJECT", "NFQUEUE", "DNAT", "REDIRECT", "NETMAP", "TPROXY"}, e.target), false
}

// nameAt returns the name of the chain whose rules begin at an offset: the
// entry before it says it.
func (t *xtTable) nameAt(offset int) string {
	const head = 32 + 32 // target ERROR: its header, and the name of the chain
	before := offset - head
	if before < 0 || offset > len(t.entries) {
		return "?"
	}
	if _, name, _, info, ok := extension(t.entries[before:offset]); ok && name == "ERROR" {
		return unix.ByteSliceToString(info)
	}
	return "?"
}

func (t *xtTable) report(s statement, chain, hook string, c condition, packets uint64) {
	at := chainName{chain: chain}
	if c.never || !wanted(s, at) || len(t.found) >= maxLate && (late(s, 0, hook) || c.ofHost()) {
		return
	}
	if len(t.found) >= maxDiversions {
		t.lack(fmt.Sprintf("more than %d statements that mark, copy or divert", maxDiversions))
		return
	}
	t.found = append(t.found, bounded(evidence.Diversion{
		By: "iptables-legacy", Effect: s.effect, Family: t.family.name, Table: t.name, Chain: chain, Hook: hook, Mark: s.mark, Mask: s.mask,
		Unknown: s.unknown, To: s.to, Selector: c.selector(), Rule: shown(c.selector(), s.text), Packets: packets,
	}))
}

// Flags of struct ipt_ip and ip6t_ip.
const (
	xtGoto      = 2
	xtNotIn     = 0x01
	xtNotOut    = 0x02
	xtNotSource = 0x08
	xtNotTarget = 0x10
	xtFragment  = 0x01 // a flag of IPv4
	xtNotProto  = 0x40
)

func (e xtEntry) jumpsForGood(f xtFamily) bool { return e.ip[f.flags]&xtGoto != 0 }

// unconditional reports whether a rule applies to every packet: all of its ip
// part is zero, and it has no matches.
func (e xtEntry) unconditional(f xtFamily) bool {
	return len(e.matches) == 0 && !slices.ContainsFunc(e.ip[:f.inverted+1], func(b byte) bool { return b != 0 })
}

// conditions narrows a condition to that of the rule.
func (e xtEntry) conditions(c *condition, f xtFamily) {
	inverted := e.ip[f.inverted]
	width := f.address
	network := func(at int) (netip.Prefix, bool) {
		addr, _ := netip.AddrFromSlice(e.ip[at : at+width])
		bits, ok := maskBits(e.ip[2*width+at : 3*width+at])
		return netip.PrefixFrom(addr, bits).Masked(), ok
	}
	for i, narrow := range []func([]netip.Prefix, bool){c.from, c.to} {
		prefix, ok := network(i * width)
		switch negated := inverted&(xtNotSource<<i) != 0; {
		case !ok:
			c.other("an address mask with holes")
		case prefix.Bits() > 0 || negated:
			narrow([]netip.Prefix{prefix}, negated)
		}
	}
	for i, narrow := range []func([]string, bool){c.in, c.out} {
		name := e.ip[f.names+16*i : f.names+16*(i+1)]
		mask := e.ip[f.names+32+16*i : f.names+32+16*(i+1)]
		if mask[0] == 0 {
			continue
		}
		text := unix.ByteSliceToString(name)
		if mask[min(len(text), 15)] == 0 {
			text = strings.TrimSuffix(text, "+") + "*"
		}
		narrow([]string{text}, inverted&(xtNotIn<<i) != 0)
	}
	if proto := native.Uint16(e.ip[f.proto:]); proto != 0 {
		c.protocols([]uint8{uint8(proto)}, inverted&xtNotProto != 0)
	}
	if f.number == 4 && e.ip[f.flags]&xtFragment != 0 {
		c.other("later fragments")
	}
	for rest := e.matches; len(rest) > 0; {
		size, name, revision, info, ok := extension(rest)
		if !ok {
			c.other("a match that cannot be read")
			return
		}
		c.matchTables(name, revision, info)
		rest = rest[size:]
	}
}
