package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// controlLength is that of the IPv4 packets that carry a run's controls: no WireGuard message makes one of the same.
const controlLength = 76

// quoted is how much of a packet a router of old quotes at least (RFC 792), and here somewhat more: a part of the mark's
// message, without its end.
const quoted = 64

// Quote answers UDP packets of a control's length that arrive on a link with an ICMP error, as a router on the way may,
// which quotes the beginning of them; until the context ends.
func Quote(ctx context.Context, out io.Writer, link string) error {
	source, err := packetSocket(link, unix.SOCK_DGRAM)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	timeout := unix.NsecToTimeval(int64(100 * time.Millisecond))
	if err := unix.SetsockoptTimeval(source, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return fmt.Errorf("setting a timeout: %w", err)
	}
	fmt.Fprintln(out, "quoting")
	buffer := make([]byte, 1<<16)
	for ctx.Err() == nil {
		n, about, err := unix.Recvfrom(source, buffer, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("capturing on %s: %w", link, err)
		}
		arrived, ok := about.(*unix.SockaddrLinklayer)
		if !ok || arrived.Pkttype == unix.PACKET_OUTGOING || n < controlLength || buffer[0] != 0x45 || buffer[9] != unix.IPPROTO_UDP {
			continue
		}
		if int(buffer[2])<<8|int(buffer[3]) != controlLength {
			continue
		}
		if err := timeExceeded(buffer[:quoted]); err != nil {
			return err
		}
		fmt.Fprintln(out, "quoted")
	}
	return nil
}

// timeExceeded answers a packet, of which the beginning is given.
func timeExceeded(packet []byte) error {
	conn, err := net.Dial("ip4:icmp", net.IP(packet[12:16]).String())
	if err != nil {
		return fmt.Errorf("opening an ICMP socket: %w", err)
	}
	defer conn.Close()
	message := append([]byte{11, 0, 0, 0, 0, 0, 0, 0}, packet...)
	sum := checksum(message)
	message[2], message[3] = byte(sum>>8), byte(sum)
	if _, err := conn.Write(message); err != nil {
		return fmt.Errorf("sending an ICMP error: %w", err)
	}
	return nil
}
