package hostile

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Frame sends one single packet of a pod out of a network card, in clear: UDP with the marker.
func Frame(link string, from, to netip.AddrPort) error {
	target, err := newOutlet(link)
	if err != nil {
		return err
	}
	defer unix.Close(target.socket)
	target.write(datagram(from, to, []byte(Marker)))
	return nil
}

// datagram is UDP over IPv4 without a checksum of its own, which IPv4 allows (RFC 768).
func datagram(from, to netip.AddrPort, data []byte) []byte {
	packet := make([]byte, 20, 28+len(data))
	packet[0], packet[8], packet[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(packet[2:], uint16(28+len(data)))
	copy(packet[12:], from.Addr().AsSlice())
	copy(packet[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(packet[10:], checksum(packet))
	packet = binary.BigEndian.AppendUint16(packet, from.Port())
	packet = binary.BigEndian.AppendUint16(packet, to.Port())
	packet = binary.BigEndian.AppendUint16(packet, uint16(8+len(data)))
	packet = append(packet, 0, 0)
	return append(packet, data...)
}

// checksum is that of the Internet (RFC 1071) of an even number of bytes.
func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// Strangers sends datagrams that are no WireGuard to a WireGuard port, each from a port of its own, as a scanner does.
func Strangers(to string, times int) error {
	for range times {
		conn, err := net.Dial("udp4", to)
		if err != nil {
			return fmt.Errorf("sending to %s: %w", to, err)
		}
		_, _ = conn.Write([]byte("x")) // an error would be the answer to an earlier one
		conn.Close()
	}
	return nil
}

// Datagram sends one datagram with the given content.
func Datagram(to string, data []byte) error {
	conn, err := net.Dial("udp4", to)
	if err != nil {
		return fmt.Errorf("sending to %s: %w", to, err)
	}
	defer conn.Close()
	if _, err := conn.Write(data); err != nil {
		return fmt.Errorf("sending to %s: %w", to, err)
	}
	return nil
}
