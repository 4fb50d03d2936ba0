//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AnswerTime is how long an answer of the kernel is waited for. It needs no
// time: the kernel queues the first part of a dump before the request has been
// sent, and each next one while the one before it is received (netlink_dump in
// net/netlink/af_netlink.c). What takes long is getting its locks, and that
// happens in sending and receiving, which no timeout ends. An answer that has
// not come by then will not come.
const AnswerTime = time.Second

// attempts bounds how often a dump is asked for again.
const attempts = 3

// Retry repeats read while the kernel says that a change interrupted its
// answer, or does not answer.
func Retry[T any](read func() (T, error)) (T, error) {
	result, err := read()
	for n := 1; n < attempts && (errors.Is(err, netlink.ErrDumpInterrupted) || errors.Is(err, syscall.EAGAIN)); n++ {
		result, err = read()
	}
	return result, err
}

// Conn is a netlink socket whose questions are all dumps. The library hides the
// attributes of an answer that it does not know, so what must not be overlooked
// is asked for here.
type Conn struct {
	socket   int
	sequence uint32
	buffer   []byte
}

// Open opens a socket of a netlink protocol in the calling thread's network
// namespace.
func Open(protocol int) (*Conn, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(AnswerTime))
	err = unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
	if err == nil {
		err = unix.Bind(socket, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		unix.Close(socket)
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	return &Conn{socket: socket, buffer: make([]byte, 64<<10)}, nil
}

// List asks for one dump over a socket of its own, see Conn.Dump.
func List(protocol int, kind uint16, body []byte, visit func(message []byte)) error {
	conn, err := Open(protocol)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Dump(kind, body, visit)
}

// Close closes the socket.
func (c *Conn) Close() { unix.Close(c.socket) }

// Dump asks for a dump and calls visit with the body of each of its messages,
// which is valid after the call. The error is netlink.ErrDumpInterrupted if the
// answer may be inconsistent.
func (c *Conn) Dump(kind uint16, body []byte, visit func(message []byte)) error {
	if err := c.send(kind, body); err != nil {
		return err
	}
	interrupted := false
	for {
		messages, err := c.receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Seq != c.sequence {
				continue
			}
			interrupted = interrupted || m.Header.Flags&unix.NLM_F_DUMP_INTR != 0
			switch m.Header.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				if err := errorOf(m.Data); err != nil {
					return err
				}
				if interrupted {
					return netlink.ErrDumpInterrupted
				}
				return nil
			default:
				visit(m.Data)
			}
		}
	}
}

func (c *Conn) send(kind uint16, body []byte) error {
	c.sequence++
	message := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	binary.NativeEndian.PutUint32(message[0:], uint32(unix.NLMSG_HDRLEN+len(body)))
	binary.NativeEndian.PutUint16(message[4:], kind)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(message[8:], c.sequence)
	message = append(message, body...)
	err := unix.Sendto(c.socket, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		return fmt.Errorf("asking the kernel: %w", err)
	}
	return nil
}

func (c *Conn) receive() ([]syscall.NetlinkMessage, error) {
	for {
		n, from, err := unix.Recvfrom(c.socket, c.buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the kernel's answer: %w", err)
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // not the kernel
		}
		return syscall.ParseNetlinkMessage(append([]byte(nil), c.buffer[:n]...))
	}
}

// errorOf reads the number in the last message of a dump.
func errorOf(data []byte) error {
	number := int32(Attribute{Value: data}.U32())
	if number == 0 {
		return nil
	}
	return syscall.Errno(-number)
}
