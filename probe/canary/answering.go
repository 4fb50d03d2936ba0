//go:build linux

package canary

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// answering is a UDP socket at a port of all addresses, which answers from the address
// that was asked, as a TCP server does. Without that the kernel takes the address of
// the link that the answer leaves by, which on a node can be the tunnel's.
type answering struct {
	*net.UDPConn
	family uint8
}

func newAnswering(family uint8, port int) (*answering, error) {
	conn, err := net.ListenUDP(fmt.Sprintf("udp%d", family), &net.UDPAddr{Port: port})
	if err != nil {
		return nil, err
	}
	a := &answering{conn, family}
	raw, err := conn.SyscallConn()
	if err == nil {
		outer := raw.Control(func(fd uintptr) {
			if family == 6 {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
			}
		})
		err = errors.Join(outer, err)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return a, nil
}

// port is where it listens.
func (a *answering) port() uint16 { return a.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

// read returns the length of a datagram, who sent it, and the address that it was for,
// invalid if the kernel did not say.
func (a *answering) read(buffer []byte) (n int, from netip.AddrPort, asked netip.Addr, err error) {
	control := make([]byte, 128)
	n, size, _, from, err := a.ReadMsgUDPAddrPort(buffer, control)
	if err != nil {
		return 0, from, asked, err
	}
	return n, from, a.asked(control[:size]), nil
}

// asked reads the target's address of a control message: of in_pktinfo (ip(7)) what
// the kernel calls the local address, of in6_pktinfo (ipv6(7)) the only one.
func (a *answering) asked(control []byte) netip.Addr {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range messages {
		switch {
		case a.family == 4 && m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 8:
			return netip.AddrFrom4([4]byte(m.Data[4:8]))
		case a.family == 6 && m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			return netip.AddrFrom16([16]byte(m.Data[:16]))
		}
	}
	return netip.Addr{}
}

// answer sends an answer from the address that was asked; from the kernel's choice if
// that is invalid.
func (a *answering) answer(payload []byte, to netip.AddrPort, asked netip.Addr) error {
	var control []byte
	switch {
	case asked.Is4():
		control = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: asked.As4()})
	case asked.Is6() && !asked.IsLinkLocalUnicast(): // such an address needs its link
		control = unix.PktInfo6(&unix.Inet6Pktinfo{Addr: asked.As16()})
	}
	_, _, err := a.WriteMsgUDPAddrPort(payload, control, to)
	return err
}
