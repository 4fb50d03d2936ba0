//go:build linux

// Package host reads the state of the machine it runs on, or of the network
// namespace it runs in: system, module, links with their role, addresses,
// routes, rules, control sockets, counters of links, and what changes of these
// while all is watched. Packet filters are the business of probe/filter. It must
// not change anything, and must not ask what would make the kernel load a module.
package host

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Reader reads the host. Its zero value reads the real one.
type Reader struct{ Root kernel.Root }

// native is the byte order of netlink's numbers.
var native = binary.NativeEndian

// addressFamily is 4 or 6 with the kernel's number for it.
type addressFamily struct {
	number int
	kernel uint8
}

var families = []addressFamily{{4, unix.AF_INET}, {6, unix.AF_INET6}}
