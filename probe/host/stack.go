//go:build linux

package host

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// StackCounts are counters of the network stack by their names.
type StackCounts map[string]uint64

// stackCounters are those that rise where the kernel drops a datagram that
// arrived at a card and never reached its socket.
var stackCounters = []string{
	"IPReversePathFilter", "UdpInCsumErrors", "UdpInErrors", "UdpRcvbufErrors",
	"Udp6InCsumErrors", "Udp6InErrors", "Udp6RcvbufErrors", evidence.ConntrackDrop,
}

// Settings of the table of connections: its entries, and how many there can be.
const (
	conntrackCount = "nf_conntrack_count"
	conntrackMax   = "nf_conntrack_max"
)

// StackCounts reads the counters of this network namespace from /proc/net. One
// that cannot be read is missing.
func (r Reader) StackCounts() StackCounts {
	all := StackCounts{}
	for _, file := range []string{"netstat", "snmp", "snmp6"} {
		text, err := os.ReadFile(r.Root.Path("proc/thread-self/net", file))
		if err != nil {
			continue
		}
		if file == "snmp6" {
			all.addLines(string(text))
		} else {
			all.addTables(string(text))
		}
	}
	if text, err := os.ReadFile(r.Root.Path("proc/thread-self/net/stat", "nf_conntrack")); err == nil {
		all.addColumn(string(text), "drop", evidence.ConntrackDrop)
		for _, name := range []string{conntrackCount, conntrackMax} {
			text, err := os.ReadFile(r.Root.Path("proc/sys/net/netfilter", name))
			if value, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
				all[name] = value
			}
		}
	}
	return all
}

// addColumn adds up a column of hexadecimal numbers, one for each processor, below
// a line of names.
func (c StackCounts) addColumn(text, column, name string) {
	head, rest, _ := strings.Cut(text, "\n")
	at := slices.Index(strings.Fields(head), column)
	if at < 0 {
		return
	}
	sum := uint64(0)
	for line := range strings.Lines(rest) {
		fields := strings.Fields(line)
		if at >= len(fields) {
			continue
		}
		value, err := strconv.ParseUint(fields[at], 16, 64)
		if err != nil {
			return
		}
		sum += value
	}
	c[name] = sum
}

// unforwarded returns the families of which the kernel forwards nothing that
// arrives on a link, see evidence.Link. What cannot be read is not one.
func (r Reader) unforwarded(link string) (families []int) {
	for family, name := range map[int]string{
		4: "proc/sys/net/ipv4/conf/" + link + "/forwarding", 6: "proc/sys/net/ipv6/conf/all/forwarding",
	} {
		if text, err := os.ReadFile(r.Root.Path(name)); err == nil && strings.TrimSpace(string(text)) == "0" {
			families = append(families, family)
		}
	}
	slices.Sort(families)
	return families
}

// addLines reads lines of a name and a number.
func (c StackCounts) addLines(text string) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 2 {
			c.add(fields[0], fields[1])
		}
	}
}

// addTables reads pairs of lines, one of names and one of numbers, both behind the
// protocol. The names of TcpExt are unique without it.
func (c StackCounts) addTables(text string) {
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names := strings.Fields(lines[i])
		numbers := strings.Fields(lines[i+1])
		if len(names) == 0 || len(numbers) != len(names) || names[0] != numbers[0] {
			continue
		}
		prefix := strings.TrimSuffix(names[0], ":")
		if prefix == "TcpExt" {
			prefix = ""
		}
		for n, name := range names[1:] {
			c.add(prefix+name, numbers[n+1])
		}
	}
}

func (c StackCounts) add(name, number string) {
	value, err := strconv.ParseUint(number, 10, 64)
	if err == nil && slices.Contains(stackCounters, name) {
		c[name] = value
	}
}

// Rises are the counters that are higher than they were before.
func (c StackCounts) Rises(before StackCounts) (list []evidence.StackCount) {
	for _, name := range stackCounters {
		old, known := before[name]
		if known && c[name] > old {
			count := evidence.StackCount{Name: name, Rise: c[name] - old}
			if name == evidence.ConntrackDrop {
				count.Level = c[conntrackCount]
				count.Of = c[conntrackMax]
			}
			list = append(list, count)
		}
	}
	return list
}

// reversePath returns the rp_filter that applies to a link, see evidence.Link.
func (r Reader) reversePath(link string) int {
	strictest := 0
	for _, of := range []string{"all", link} {
		text, err := os.ReadFile(r.Root.Path("proc/sys/net/ipv4/conf", of, "rp_filter"))
		if err != nil {
			continue
		}
		if value, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			strictest = max(strictest, value)
		}
	}
	return strictest
}
