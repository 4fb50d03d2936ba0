//go:build linux

package filter

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
	family        uint8  // NFPROTO_*
	file          string // names of its tables
	domain, level int
	// Of struct ipt_entry and ip6t_entry: where the offsets of the target and of
	// the next entry, and the matches are.
	offsets, matches int
	// Of struct ipt_ip and ip6t_ip, which an entry begins with.
	address, names, proto, flags, inverted int
}

var xtFamilies = []*xtFamily{
	{unix.NFPROTO_IPV4, "ip_tables_names", unix.AF_INET, unix.IPPROTO_IP, 88, 112, 4, 16, 80, 82, 83},
	{unix.NFPROTO_IPV6, "ip6_tables_names", unix.AF_INET6, unix.IPPROTO_IPV6, 140, 168, 16, 64, 128, 131, 132},
}

// Socket options of linux/netfilter_ipv4/ip_tables.h; IPv6's are the same.
const (
	xtGetInfo    = 64
	xtGetEntries = 65
)

// maxTableSize bounds the size of one table in bytes.
const maxTableSize = 64 << 20

// iptables reads the statements of iptables-legacy that mark, copy or divert.
func (r Reader) iptables([]evidence.Link) (found result, err error) {
	for _, family := range xtFamilies {
		tables, unread := r.tables(family)
		if unread != nil && !errors.Is(unread, os.ErrNotExist) {
			found.lacking = unread.Error()
		}
		for _, table := range tables {
			w := newWalk("iptables-legacy", nil, nil)
			w.pods = r.pods
			w.ends = r.ends
			name := fmt.Sprintf("table %s of %s", table, familyNames[family.family])
			if unread := family.read(table, w); unread != nil {
				err = fmt.Errorf("%s: %w", name, unread)
				continue
			}
			w.run()
			found.diversions = append(found.diversions, w.found...)
			found.count += w.count
			if w.incomplete != "" {
				found.lacking = name + ": " + w.incomplete
			}
		}
	}
	if used := r.ebtables(); used != "" {
		found.lacking = used
	}
	return found, err
}

// ebtables reports that the tables of the old ebtables can mark frames or give them
// another target; empty if not. They are not read: asking for one can make it. What
// does so is a module that counts the rules it is used in.
func (r Reader) ebtables() string {
	modules, err := os.ReadFile(r.Root.Path("proc/modules"))
	if err != nil {
		return "" // a kernel without modules
	}
	tables := false
	used := ""
	for line := range strings.Lines(string(modules)) {
		fields := strings.Fields(line) // name, size, uses, …
		switch {
		case len(fields) < 3:
		case strings.HasPrefix(fields[0], "ebtable_"):
			tables = true
		case (fields[0] == "ebt_mark" || fields[0] == "ebt_dnat") && fields[2] != "0":
			used = fields[0]
		}
	}
	if !tables || used == "" {
		return ""
	}
	return "tables of the old ebtables are loaded, which are not read, and " + used + " is in use"
}

// tableOrder is the order in which a packet meets the tables of a hook
// (NF_IP_PRI_* of linux/netfilter_ipv4.h).
var tableOrder = []string{"raw", "mangle", "nat", "filter", "security"}

// tables names the tables that exist, in the order in which a packet meets them.
func (r Reader) tables(family *xtFamily) ([]string, error) {
	names, err := os.ReadFile(r.Root.Path("proc/thread-self/net", family.file))
	tables := strings.Fields(string(names))
	slices.SortFunc(tables, func(a, b string) int {
		return cmp.Compare(slices.Index(tableOrder, a), slices.Index(tableOrder, b))
	})
	return tables, err
}

// read adds the chains of a table to a walk.
func (f *xtFamily) read(table string, w *walk) error {
	socket, err := unix.Socket(f.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	defer unix.Close(socket)
	for range maxCalm {
		info, entries, err := f.ask(socket, table)
		if errors.Is(err, syscall.EAGAIN) {
			continue // it changed between the two questions
		}
		if err == nil {
			f.parse(table, info, entries, w)
		}
		return err
	}
	return errors.New("it changed while it was read")
}

// Of struct ipt_getinfo: name, valid hooks, hook entries, underflows, number of
// entries, size. Of struct ipt_get_entries: name, size, entries.
const (
	xtNameSize      = 32
	xtHooks         = 5
	sizeofXtInfo    = xtNameSize + 4 + 4*xtHooks + 4*xtHooks + 4 + 4
	sizeofXtEntries = 40 // the entries are aligned to 8
)

// ask asks for the size of a table and then for its entries.
func (f *xtFamily) ask(socket int, table string) (info, entries []byte, err error) {
	info = make([]byte, sizeofXtInfo)
	copy(info[:xtNameSize-1], table)
	if err := getsockopt(socket, f.level, xtGetInfo, info); err != nil {
		return nil, nil, fmt.Errorf("asking for its size: %w", err)
	}
	size := native.Uint32(info[sizeofXtInfo-4:])
	if size > maxTableSize {
		return nil, nil, fmt.Errorf("it has %d bytes", size)
	}
	entries = make([]byte, sizeofXtEntries+int(size))
	copy(entries[:xtNameSize-1], table)
	native.PutUint32(entries[xtNameSize:], size)
	if err := getsockopt(socket, f.level, xtGetEntries, entries); err != nil {
		return nil, nil, fmt.Errorf("asking for its entries: %w", err)
	}
	return info, entries[sizeofXtEntries:], nil
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

// xtHookNames are the hooks by number.
var xtHookNames = map[int]string{0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting"}

// notRouted are the tables that a packet of the host passes after it was routed
// again for the last time, by mangle or nat (ipt_mangle_out, nf_nat_ipv4_local_fn).
var notRouted = []string{"filter", "security"}

// parse adds what the two questions were answered by to a walk. A table is a row
// of entries: the chains of its hooks, each beginning at an offset that the info
// names, then those of users, each behind an entry with its name.
func (f *xtFamily) parse(table string, info, entries []byte, w *walk) {
	t := xtTable{xtFamily: f, entries: entries, heads: map[int]string{}}
	valid := native.Uint32(info[xtNameSize:])
	for hook := range xtHooks {
		if valid&(1<<hook) == 0 {
			continue
		}
		name := xtHookNames[hook]
		chain := chainName{f.family, table, strings.ToUpper(name)}
		t.heads[int(native.Uint32(info[xtNameSize+4+4*hook:]))] = chain.chain
		if ipHooks[uint32(hook)] != "" { // pods' packets pass it, or an overlay's
			late := name == "output" && slices.Contains(notRouted, table)
			w.bases = append(w.bases, baseChain{chainName: chain, hook: name, late: late})
		}
	}
	whole := t.each(func(e xtEntry) {
		if e.name == "ERROR" {
			t.heads[e.next] = unix.ByteSliceToString(e.info)
		}
	})
	if !whole {
		w.lack(notFollowed)
		return
	}
	t.fill(table, w)
}

const notFollowed = "its rules could not be followed to the end"

// xtTable is a table while its entries are read.
type xtTable struct {
	*xtFamily
	entries []byte
	heads   map[int]string // names of chains by the offset of their first entry
}

// each calls visit with all entries; false if one cannot be read.
func (t xtTable) each(visit func(xtEntry)) bool {
	for at := 0; at < len(t.entries); {
		e, ok := t.at(at)
		if !ok {
			return false
		}
		visit(e)
		at = e.next
	}
	return true
}

// fill adds the rules of all chains to a walk.
func (t xtTable) fill(table string, w *walk) {
	at := chainName{family: t.family, table: table}
	ended := false
	t.each(func(e xtEntry) {
		if name, ok := t.heads[e.offset]; ok {
			at.chain = name
			ended = false
		}
		// What is behind an unconditional RETURN is never reached; each chain of a
		// user has one at its end.
		ended = ended || e.name == "ERROR" || e.number == xtReturn && e.unconditional()
		if ended {
			return
		}
		if e.number > 0 && e.number != e.next {
			if e.chain = t.heads[e.number]; e.chain == "" {
				w.lack(notFollowed)
			}
		}
		w.add(rule{chainName: at, body: e})
	})
}

// xtEntry is one rule of a table.
type xtEntry struct {
	family       *xtFamily
	offset, next int // in the table
	ip           []byte
	matches      []byte
	extension           // the target
	number       int    // of struct xt_standard_target: a verdict if negative, else the offset to go on at
	chain        string // that it jumps to
}

// xtReturn is XT_RETURN of linux/netfilter/x_tables.h: -NF_REPEAT - 1.
const xtReturn = -5

// at reads the rule at an offset.
func (t xtTable) at(offset int) (e xtEntry, ok bool) {
	if offset > len(t.entries)-t.xtFamily.matches {
		return e, false
	}
	body := t.entries[offset:]
	target := int(native.Uint16(body[t.offsets:]))
	next := int(native.Uint16(body[t.offsets+2:]))
	if target < t.xtFamily.matches || next <= target || next > len(body) {
		return e, false
	}
	e = xtEntry{
		family: t.xtFamily, offset: offset, next: offset + next,
		ip: body[:t.offsets], matches: body[t.xtFamily.matches:target],
	}
	e.extension, ok = parseExtension(body[target:next])
	if e.name == "" && len(e.info) >= 4 {
		e.number = int(int32(native.Uint32(e.info)))
	}
	return e, ok
}

// extension is a match or a target: struct xt_entry_match or xt_entry_target.
type extension struct {
	size     int
	name     string // empty for a target that decides
	revision int
	info     []byte
}

func parseExtension(row []byte) (e extension, ok bool) {
	const header = 32 // size, name, revision
	if len(row) < header {
		return e, false
	}
	size := int(native.Uint16(row))
	if size < header || size > len(row) {
		return e, false
	}
	return extension{size, unix.ByteSliceToString(row[2:31]), int(row[31]), row[header:size]}, true
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

// unconditional reports whether a rule applies to every packet: all of its ip
// part is zero, and it has no matches.
func (e xtEntry) unconditional() bool {
	set := func(b byte) bool { return b != 0 }
	return len(e.matches) == 0 && !slices.ContainsFunc(e.ip[:e.family.inverted+1], set)
}

// read reads a rule: its conditions, and then its target.
func (e xtEntry) read(r *reading) {
	e.narrow(&r.condition)
	for rest := e.matches; len(rest) > 0; {
		match, ok := parseExtension(rest)
		if !ok {
			r.condition.other("a match that cannot be read")
			break
		}
		r.match(match.name, match.revision, match.info)
		rest = rest[match.size:]
	}
	switch {
	case e.name != "":
		r.target(e.name, e.revision, e.info)
		return
	case e.number < 0:
		r.decide(verdict{code: int32(-e.number - 1)}, r.condition)
	case e.chain != "" && e.ip[e.family.flags]&xtGoto != 0:
		r.decide(verdict{codeGoto, e.chain}, r.condition)
	case e.chain != "":
		r.decide(verdict{codeJump, e.chain}, r.condition)
	}
	r.settles = r.ends
}

// narrow narrows a condition to that of the ip part of a rule.
func (e xtEntry) narrow(c *condition) {
	f := e.family
	inverted := e.ip[f.inverted]
	for i, end := range []field{fieldSource, fieldTarget} {
		addr, _ := netip.AddrFromSlice(e.ip[i*f.address : (i+1)*f.address])
		bits, ok := maskBits(e.ip[(2+i)*f.address : (3+i)*f.address])
		negated := inverted&(xtNotSource<<i) != 0
		switch {
		case !ok:
			c.other("an address mask with holes")
		case bits > 0 || negated:
			c.addresses(end, []netip.Prefix{netip.PrefixFrom(addr, bits).Masked()}, negated)
		}
	}
	for i, end := range []field{fieldIn, fieldOut} {
		name := e.ip[f.names+16*i : f.names+16*(i+1)]
		mask := e.ip[f.names+32+16*i : f.names+32+16*(i+1)]
		if mask[0] == 0 {
			continue
		}
		text := unix.ByteSliceToString(name)
		if mask[min(len(text), 15)] == 0 {
			text = strings.TrimSuffix(text, "+") + "*"
		}
		c.links(end, []string{text}, inverted&(xtNotIn<<i) != 0)
	}
	if proto := native.Uint16(e.ip[f.proto:]); proto != 0 {
		c.protocols([]uint8{uint8(proto)}, inverted&xtNotProto != 0)
	}
	if f.family == unix.NFPROTO_IPV4 && e.ip[f.flags]&xtFragment != 0 {
		c.other("later fragments")
	}
}
