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
	target, err := packetSocket(to, unix.SOCK_RAW)
	if err != nil {
		return err
	}
	card, err := net.InterfaceByName(to)
	if err != nil {
		return fmt.Errorf("finding %s: %w", to, err)
	}
	header := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, card.HardwareAddr...)
	header = append(header, 8, 0) // ETH_P_IP
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
		_, _ = unix.Write(target, append(header[:14:14], buffer[:n]...)) // one that does not fit is not copied
	}
	return nil
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
