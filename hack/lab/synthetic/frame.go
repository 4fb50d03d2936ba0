package synthetic

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/crypto/blake2s"
)

// Lengths of headers.
const (
	etherSize = 14
	ipSize    = 20
	udpSize   = 8
	tcpSize   = 20
	dataSize  = 16 // of a WireGuard data message: type, receiver index, counter

	protocolTCP = 6
	protocolUDP = 17
)

// The pods' ports.
const podPort = 40000

// datagram is a UDP datagram from its IP header on, behind room for a link header. Checksums are left out: they are the
// business of network cards.
func datagram(room int, from, to netip.AddrPort, payload []byte) []byte {
	b := packet(room, protocolUDP, from.Addr(), to.Addr(), udpSize+len(payload))
	udp := b[room+ipSize:]
	binary.BigEndian.PutUint16(udp, from.Port())
	binary.BigEndian.PutUint16(udp[2:], to.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	copy(udp[udpSize:], payload)
	return b
}

// segment is one of TCP with data, alike.
func segment(room int, from, to netip.AddrPort, payload []byte) []byte {
	b := packet(room, protocolTCP, from.Addr(), to.Addr(), tcpSize+len(payload))
	tcp := b[room+ipSize:]
	binary.BigEndian.PutUint16(tcp, from.Port())
	binary.BigEndian.PutUint16(tcp[2:], to.Port())
	tcp[12], tcp[13] = tcpSize/4<<4, 0x18 // PSH, ACK
	copy(tcp[tcpSize:], payload)
	return b
}

func packet(room int, protocol byte, from, to netip.Addr, size int) []byte {
	b := make([]byte, room+ipSize+size)
	ip := b[room:]
	ip[0], ip[8], ip[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	source, target := from.As4(), to.As4()
	copy(ip[12:], source[:])
	copy(ip[16:], target[:])
	return b
}

// ether makes the first bytes of a packet an Ethernet header.
func ether(frame []byte) []byte {
	copy(frame, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00})
	return frame
}

// ciphertext are frames with data messages of one size, which differ in addresses, session and counter only.
type ciphertext []byte

func newCiphertext(size int) ciphertext {
	message := make([]byte, size)
	for i := range message {
		message[i] = 0x5a
	}
	copy(message, []byte{4, 0, 0, 0})
	nobody := netip.AddrPortFrom(netip.IPv4Unspecified(), Port)
	return ether(datagram(etherSize, nobody, nobody, message))
}

// between returns a frame that is valid until the next call.
func (c ciphertext) between(from, to int, session uint32, counter uint64) []byte {
	source, target := Address(from).As4(), Address(to).As4()
	copy(c[etherSize+12:], source[:])
	copy(c[etherSize+16:], target[:])
	message := c[etherSize+ipSize+udpSize:]
	binary.LittleEndian.PutUint32(message[4:], session)
	binary.LittleEndian.PutUint64(message[8:], counter)
	return c
}

// initiation is the frame of a handshake's first message, made for the owner of a public key: its mac1 is
// BLAKE2s-128(BLAKE2s-256("mac1----" || key), all before it), whitepaper 5.4.4.
func initiation(from, to int, sender uint32, public string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		return nil, fmt.Errorf("decoding a public key: %w", err)
	}
	message := make([]byte, initiationSize)
	message[0] = 1
	binary.LittleEndian.PutUint32(message[4:], sender)
	binary.LittleEndian.PutUint32(message[8:], sender) // of the ephemeral key: unlike that of any other
	key := blake2s.Sum256(append([]byte("mac1----"), raw...))
	mac, err := blake2s.New128(key[:])
	if err != nil {
		return nil, fmt.Errorf("making mac1: %w", err)
	}
	const macs = 2 * blake2s.Size128
	mac.Write(message[:initiationSize-macs])
	copy(message[initiationSize-macs:], mac.Sum(nil))
	return ether(datagram(etherSize, endpoint(from), endpoint(to), message)), nil
}
