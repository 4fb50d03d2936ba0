//go:build linux

package perf

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// maxLinks bounds the links of a LoadRequest.
const maxLinks = 16

// ReadLoad reads the counters of this network's stack, and settings of links. What
// cannot be read is zero.
func ReadLoad(request evidence.LoadRequest) evidence.Load {
	var l evidence.Load
	four, _ := os.ReadFile("/proc/net/snmp")
	addPairedLines(&l, string(four))
	six, _ := os.ReadFile("/proc/net/snmp6")
	addNamedLines(&l, string(six))
	backlog, _ := os.ReadFile("/proc/net/softnet_stat")
	l.Backlog = droppedOf(string(backlog))
	for _, name := range request.Links[:min(len(request.Links), maxLinks)] {
		if link, err := net.InterfaceByName(name); err == nil {
			l.Links = append(l.Links, linkLoad(link))
		}
	}
	return l
}

// counters are those of a Load by the names that the kernel gives them.
func counters(l *evidence.Load) map[string]*uint64 {
	return map[string]*uint64{
		"FragCreates": &l.FragmentsMade, "FragFails": &l.FragmentFails,
		"ReasmReqds": &l.FragmentsTaken, "ReasmFails": &l.ReassemblyFail,
	}
}

// addPairedLines reads /proc/net/snmp: a line of names, then one of values.
func addPairedLines(l *evidence.Load, text string) {
	named := counters(l)
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "Ip:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i := 1; i < min(len(names), len(fields)); i++ {
			if counter := named[names[i]]; counter != nil {
				value, _ := strconv.ParseUint(fields[i], 10, 64)
				*counter += value
			}
		}
		return
	}
}

// addNamedLines reads /proc/net/snmp6: a name and a value on each line.
func addNamedLines(l *evidence.Load, text string) {
	named := counters(l)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		if counter := named[strings.TrimPrefix(fields[0], "Ip6")]; counter != nil {
			value, _ := strconv.ParseUint(fields[1], 10, 64)
			*counter += value
		}
	}
}

// droppedOf sums the second column of softnet_stat, in hex: one line a processor.
func droppedOf(text string) (sum uint64) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 1 {
			value, _ := strconv.ParseUint(fields[1], 16, 64)
			sum += value
		}
	}
	return sum
}

func linkLoad(link *net.Interface) evidence.LinkLoad {
	return evidence.LinkLoad{
		Name: link.Name, MTU: link.MTU, RXQueues: queues(link.Name, "rx"), TXQueues: queues(link.Name, "tx"),
		Off: offloadsOff(link.Name),
	}
}

// queues counts those of a link in one direction. The name is that of a link, so
// it has no slash.
func queues(link, direction string) int {
	found, _ := filepath.Glob(filepath.Join("/sys/class/net", link, "queues", direction+"-*"))
	return len(found)
}

// offloads are the features that matter, with the ethtool commands that read
// them (linux/ethtool.h).
var offloads = []struct {
	name    string
	command uint32
}{
	{"rx-checksum", unix.ETHTOOL_GRXCSUM},
	{"tx-checksum", unix.ETHTOOL_GTXCSUM},
	{"tso", unix.ETHTOOL_GTSO},
	{"gso", unix.ETHTOOL_GGSO},
	{"gro", unix.ETHTOOL_GGRO},
}

// offloadsOff returns the features that are off; none if they cannot be read.
func offloadsOff(link string) (off []string) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(socket)
	for _, one := range offloads {
		if on, known := feature(socket, link, one.command); known && !on {
			off = append(off, one.name)
		}
	}
	return off
}

// feature reads one flag by SIOCETHTOOL with a struct ethtool_value. It is only
// asked of a link that was just found, so no module is loaded for its name.
func feature(socket int, link string, command uint32) (on, known bool) {
	value := struct{ command, data uint32 }{command: command}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], link)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return value.data != 0, errno == 0
}
