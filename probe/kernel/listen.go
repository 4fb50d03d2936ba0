//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listener receives what the kernel sends to the groups of a netlink protocol, as it
// comes. It sleeps until something does.
type Listener struct {
	file *os.File
	raw  syscall.RawConn
	done chan struct{}
	gap  string
}

// Listen joins groups, each below 33, and calls visit in a goroutine of its own with
// the kind and the body of each message; the body is valid for the call only. room
// is how many bytes the kernel may queue. Joining can load the module of the
// protocol: whoever asks has made sure that it is there.
func Listen(protocol int, groups []int, room int, visit func(kind uint16, message []byte)) (*Listener, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	// Without the privilege to force it, what is allowed has to do.
	if unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room) != nil {
		_ = unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUF, room)
	}
	address := unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	for _, group := range groups {
		address.Groups |= 1 << (group - 1)
	}
	if err := unix.Bind(socket, &address); err != nil {
		unix.Close(socket)
		return nil, fmt.Errorf("listening for changes: %w", err)
	}
	l := &Listener{file: os.NewFile(uintptr(socket), "netlink"), done: make(chan struct{})}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil, fmt.Errorf("listening for changes: %w", err)
	}
	go l.listen(visit)
	return l, nil
}

// Close takes what is queued and ends. It returns why not all changes were heard,
// empty if all were.
func (l *Listener) Close() string {
	if err := l.file.SetReadDeadline(time.Now()); err != nil {
		l.gap = err.Error()
		l.file.Close()
	}
	<-l.done
	l.file.Close()
	return l.gap
}

// listen receives until the deadline that Close sets, and then what is queued still.
func (l *Listener) listen(visit func(kind uint16, message []byte)) {
	defer close(l.done)
	buffer := make([]byte, 64<<10)
	waiting := true
	take := func(fd uintptr) (empty bool) {
		for {
			n, from, err := unix.Recvfrom(int(fd), buffer, 0)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.ENOBUFS):
				l.gap = "there were more changes than could be queued"
			case errors.Is(err, unix.EAGAIN):
				return true
			case err != nil:
				l.gap = err.Error()
				waiting = false
				return true
			default:
				l.deliver(buffer[:n], from, visit)
			}
		}
	}
	// Returning false is to wait for more.
	for waiting && l.raw.Read(func(fd uintptr) bool { take(fd); return !waiting }) == nil {
		continue
	}
	if waiting {
		_ = l.raw.Control(func(fd uintptr) { take(fd) })
	}
}

// deliver hands on the messages of the kernel.
func (l *Listener) deliver(data []byte, from unix.Sockaddr, visit func(kind uint16, message []byte)) {
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return // not the kernel
	}
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		l.gap = "a change could not be read"
	}
	for _, m := range messages {
		visit(m.Header.Type, m.Data)
	}
}
