package hostile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// everything is ETH_P_ALL in network byte order.
var everything = int(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL)))

// Tee sends a copy of every packet that enters a tunnel out of a network card, in clear and to everyone, until the context
// ends. What comes out of the tunnel it leaves alone: the leak has one direction.
func Tee(ctx context.Context, out io.Writer, from, to string) error {
	source, err := packetSocket(from, unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	target, err := newOutlet(to)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "copying")
	buffer := make([]byte, 1<<16)
	for ctx.Err() == nil {
		n, about, err := unix.Recvfrom(source, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("capturing on %s: %w", from, err)
		}
		if link, ok := about.(*unix.SockaddrLinklayer); !ok || link.Pkttype != unix.PACKET_OUTGOING || n < 20 || buffer[0]>>4 != 4 {
			continue
		}
		target.write(buffer[:n])
	}
	return nil
}

// outlet writes IPv4 packets to a network card, in clear and to everyone.
type outlet struct {
	socket int
	header []byte
}

func newOutlet(link string) (*outlet, error) {
	socket, err := packetSocket(link, unix.SOCK_RAW)
	if err != nil {
		return nil, err
	}
	card, err := net.InterfaceByName(link)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", link, err)
	}
	header := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, card.HardwareAddr...)
	return &outlet{socket, append(header, 8, 0)}, nil // ETH_P_IP
}

// write drops a packet that does not fit.
func (o *outlet) write(packet []byte) {
	_, _ = unix.Write(o.socket, append(o.header[:14:14], packet...))
}

func packetSocket(link string, kind int) (int, error) {
	card, err := net.InterfaceByName(link)
	if err != nil {
		return -1, fmt.Errorf("finding %s: %w", link, err)
	}
	socket, err := unix.Socket(unix.AF_PACKET, kind, 0)
	if err != nil {
		return -1, fmt.Errorf("opening a packet socket: %w", err)
	}
	if err := unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: uint16(everything), Ifindex: card.Index}); err != nil {
		return -1, fmt.Errorf("binding to %s: %w", link, err)
	}
	return socket, nil
}
