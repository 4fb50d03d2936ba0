//go:build linux

// Package host reads the state of the machine it runs on, or of the network
// namespace it runs in: system, links with their role, addresses, routes,
// rules, control sockets, packet filter. It only ever reads, and avoids even
// those questions that would make the kernel load a module.
package host

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Reader reads the host. Its zero value reads the real one.
type Reader struct {
	Root string // where /proc and /sys are found; empty stands for "/"
}

func (r Reader) path(parts ...string) string {
	return filepath.Join(append([]string{"/", r.Root}, parts...)...)
}

// attempts bounds how often a dump is asked for again after a change to what
// it lists interrupted it, or when no answer came.
const attempts = 3

// answerTime is how long an answer of the kernel is waited for. It needs no
// time: the kernel queues the first part of a dump before the request has been
// sent, and each next one while the one before it is received (netlink_dump in
// net/netlink/af_netlink.c). What takes long is getting its locks, and that
// happens in sending and receiving, which no timeout ends. An answer that has
// not come by then will not come.
const answerTime = time.Second

// dump repeats read while the kernel says that its answer was interrupted, or
// does not answer.
func dump[T any](read func() (T, error)) (T, error) {
	result, err := read()
	for n := 1; n < attempts && (errors.Is(err, netlink.ErrDumpInterrupted) || errors.Is(err, syscall.EAGAIN)); n++ {
		result, err = read()
	}
	return result, err
}

// open returns a netlink handle in the namespace of the calling thread.
func open(family int) (*netlink.Handle, error) {
	handle, err := netlink.NewHandle(family)
	if err != nil {
		return nil, err
	}
	if err := handle.SetSocketTimeout(answerTime); err != nil {
		handle.Close()
		return nil, err
	}
	return handle, nil
}

func openRoute() (*netlink.Handle, error) { return open(unix.NETLINK_ROUTE) }

// Problem names an error by its class.
func problem(what, on string, err error) evidence.Problem {
	p := evidence.Problem{Class: evidence.ProblemInternal, What: what, On: on, Text: err.Error()}
	switch {
	case errors.Is(err, fs.ErrPermission):
		p.Class = evidence.ProblemPermission
	case errors.Is(err, fs.ErrNotExist):
		p.Class = evidence.ProblemMissing
	case errors.Is(err, netlink.ErrDumpInterrupted):
		p.Class, p.Text = evidence.ProblemDamaged, "it changed while it was read"
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EPROTONOSUPPORT), errors.Is(err, syscall.EAFNOSUPPORT):
		p.Class = evidence.ProblemUnsupported
	case errors.Is(err, syscall.EAGAIN):
		p.Class = evidence.ProblemTimeout
	}
	return p
}
