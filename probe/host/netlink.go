//go:build linux

package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// native is the byte order of netlink's numbers.
var native = binary.NativeEndian

// socketTimeout bounds the wait for one part of an answer of the kernel.
const socketTimeout = 5 * time.Second

// conversation is a netlink socket whose questions are all dumps. The library
// hides the attributes of an answer that it does not know, so what must not be
// overlooked is asked for here.
type conversation struct {
	socket   int
	sequence uint32
	buffer   []byte
}

// converse opens a socket of a netlink protocol in the calling thread's
// network namespace.
func converse(protocol int) (*conversation, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	timeout := unix.NsecToTimeval(int64(socketTimeout))
	err = unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
	if err == nil {
		err = unix.Bind(socket, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		unix.Close(socket)
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	return &conversation{socket: socket, buffer: make([]byte, 64<<10)}, nil
}

func (c *conversation) close() { unix.Close(c.socket) }

// list asks for a dump and calls visit with the body of each message of it
// until visit returns false; what follows is then read and dropped. The error
// is netlink.ErrDumpInterrupted if the answer may be inconsistent.
func (c *conversation) list(kind uint16, body []byte, visit func([]byte) bool) error {
	if err := c.send(kind, body); err != nil {
		return err
	}
	wanted, interrupted := true, false
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
				if err := answered(m.Data); err != nil {
					return err
				}
				if interrupted {
					return netlink.ErrDumpInterrupted
				}
				return nil
			default:
				wanted = wanted && visit(m.Data)
			}
		}
	}
}

func (c *conversation) send(kind uint16, body []byte) error {
	c.sequence++
	message := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	native.PutUint32(message[0:], uint32(unix.NLMSG_HDRLEN+len(body)))
	native.PutUint16(message[4:], kind)
	native.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	native.PutUint32(message[8:], c.sequence)
	message = append(message, body...)
	err := unix.Sendto(c.socket, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err != nil {
		return fmt.Errorf("asking the kernel: %w", err)
	}
	return nil
}

func (c *conversation) receive() ([]syscall.NetlinkMessage, error) {
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

// answered reads the number in the last message of a dump.
func answered(data []byte) error {
	if len(data) < 4 {
		return nil
	}
	number := int32(native.Uint32(data))
	if number == 0 {
		return nil
	}
	return syscall.Errno(-number)
}

// attribute is one netlink attribute.
type attribute struct {
	kind  uint16
	value []byte
}

// attributes splits what follows a message's header, after skip bytes. What is
// cut off at the end is left out.
func attributes(message []byte, skip int) []attribute {
	const header = 4
	var list []attribute
	for rest := message[min(skip, len(message)):]; len(rest) >= header; {
		length := int(native.Uint16(rest))
		if length < header || length > len(rest) {
			break
		}
		kind := native.Uint16(rest[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		list = append(list, attribute{kind, rest[header:length]})
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return list
}

// u32 reads a number of the host's byte order, 0 if the value is too short.
func (a attribute) u32() uint32 {
	if len(a.value) < 4 {
		return 0
	}
	return native.Uint32(a.value)
}

func (a attribute) u16() uint16 {
	if len(a.value) < 2 {
		return 0
	}
	return native.Uint16(a.value)
}

func (a attribute) u8() uint8 {
	if len(a.value) < 1 {
		return 0
	}
	return a.value[0]
}

func (a attribute) text() string { return unix.ByteSliceToString(a.value) }
