//go:build linux

// Package kernel asks the Linux kernel what the readers of a host need: whole
// dumps over netlink with all attributes of their messages, notifications of
// changes, and which modules and protocols are there. It must not ask anything
// that makes the kernel load a module, and it does not interpret the answers.
package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Root is the folder in which /proc and /sys are found; empty stands for "/".
type Root string

// Path returns the path of something below the root.
func (r Root) Path(parts ...string) string {
	return filepath.Join(append([]string{"/", string(r)}, parts...)...)
}

// Modular reports whether the kernel can load modules at all.
func (r Root) Modular() bool {
	_, err := os.Stat(r.Path("proc/modules"))
	return err == nil
}

// Speaks reports whether the kernel has a socket of a netlink protocol in this
// namespace, so that one can be opened without loading a module.
func (r Root) Speaks(protocol int) bool {
	file, err := os.Open(r.Path("proc/thread-self/net/netlink"))
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

// Release returns what `uname -r` prints, empty if that cannot be read.
func Release() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// Problem describes an error by its class; what is the collector that it kept
// from its work, on the object that was read.
func Problem(what, on string, err error) evidence.Problem {
	p := evidence.Problem{Class: evidence.ProblemInternal, What: what, On: on, Text: err.Error()}
	switch {
	case errors.Is(err, fs.ErrPermission):
		p.Class = evidence.ProblemPermission
	case errors.Is(err, fs.ErrNotExist):
		p.Class = evidence.ProblemMissing
	case errors.Is(err, netlink.ErrDumpInterrupted):
		p.Class = evidence.ProblemDamaged
		p.Text = "it changed while it was read"
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EPROTONOSUPPORT),
		errors.Is(err, syscall.EAFNOSUPPORT):
		p.Class = evidence.ProblemUnsupported
	case errors.Is(err, syscall.EAGAIN):
		p.Class = evidence.ProblemTimeout
	}
	return p
}

// Everything returns the prefix of all addresses of a family, 4 or 6.
func Everything(family int) netip.Prefix {
	if family == 6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// typeNames are rtm_type of linux/rtnetlink.h as `ip route` names them.
var typeNames = map[int]string{
	unix.RTN_UNICAST: "unicast", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast",
	unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw", unix.RTN_NAT: "nat",
}

// TypeName returns the name of a type of routes and of addresses, RTN_*.
func TypeName(number int) string {
	if name, ok := typeNames[number]; ok {
		return name
	}
	return fmt.Sprintf("type %d", number)
}
