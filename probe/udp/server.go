//go:build linux

// Package udp has a socket for servers on hosts with several addresses.
package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Server is a UDP socket at a port of all addresses that answers from the address which
// was asked, as a TCP server does. Without that the kernel takes the address of the link
// that the answer leaves by, which on a node can be the tunnel's: firewalls do not know
// the answer then, nor do sockets that are connected. One goroutine may read at a time.
type Server struct {
	*net.UDPConn
	family  int
	control [128]byte // of the datagram that is being read
}

// Listen opens a socket for IPv4 or IPv6 (4, 6), at a port that the kernel chooses if it
// is 0.
func Listen(family, port int) (*Server, error) {
	conn, err := net.ListenUDP(fmt.Sprintf("udp%d", family), &net.UDPAddr{Port: port})
	if err != nil {
		return nil, err
	}
	if err := askForTarget(conn, family); err != nil {
		conn.Close()
		return nil, err
	}
	return &Server{UDPConn: conn, family: family}, nil
}

// askForTarget has the kernel say for each datagram which address it was for.
func askForTarget(conn *net.UDPConn, family int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	outer := raw.Control(func(fd uintptr) {
		if family == 6 {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
	})
	return errors.Join(outer, err)
}

// Port is where it listens.
func (s *Server) Port() uint16 { return s.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

// Read returns the length of a datagram, who sent it, and the address that it was for,
// invalid if the kernel did not say.
func (s *Server) Read(buffer []byte) (n int, from netip.AddrPort, asked netip.Addr, err error) {
	n, size, _, from, err := s.ReadMsgUDPAddrPort(buffer, s.control[:])
	if err != nil {
		return 0, from, asked, err
	}
	return n, from, target(s.control[:size], s.family), nil
}

// target reads the address that a datagram was for: of in_pktinfo (ip(7)) what the kernel
// calls the local address, of in6_pktinfo (ipv6(7)) the only one.
func target(control []byte, family int) netip.Addr {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range messages {
		level, kind := m.Header.Level, m.Header.Type
		switch {
		case family == 4 && level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(m.Data) >= 8:
			return netip.AddrFrom4([4]byte(m.Data[4:8]))
		case family == 6 && level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			return netip.AddrFrom16([16]byte(m.Data[:16]))
		}
	}
	return netip.Addr{}
}

// Answer sends an answer from the address that was asked; from the kernel's choice if
// that is invalid.
func (s *Server) Answer(payload []byte, to netip.AddrPort, asked netip.Addr) error {
	var control []byte
	switch {
	case asked.Is4():
		control = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: asked.As4()})
	case asked.Is6() && !asked.IsLinkLocalUnicast(): // such an address needs its link
		control = unix.PktInfo6(&unix.Inet6Pktinfo{Addr: asked.As16()})
	}
	_, _, err := s.WriteMsgUDPAddrPort(payload, control, to)
	return err
}
