//go:build linux

package canary

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// receiveBuffer is asked for on every datagram socket, in bytes; the kernel
// gives less unless net.core.rmem_max allows it.
const receiveBuffer = 4 << 20

// forbidFragments makes the kernel send each datagram whole or not at all,
// whatever it believes about the path: a canary of full size proves the MTU.
func forbidFragments(fd int, family uint8) error {
	if family == 4 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	}
	return errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1),
	)
}

// listenUDP binds an ephemeral port on all addresses of a family. mark is the
// firewall mark of what it sends, 0 for none.
func listenUDP(ctx context.Context, family uint8, mark uint32) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if outer := raw.Control(func(fd uintptr) {
			if err = forbidFragments(int(fd), family); err == nil && mark != 0 {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark))
			}
		}); outer != nil {
			return outer
		}
		return err
	}}
	conn, err := config.ListenPacket(ctx, fmt.Sprintf("udp%d", family), ":0")
	if err != nil {
		return nil, fmt.Errorf("opening a UDP socket of IPv%d: %w", family, err)
	}
	udp := conn.(*net.UDPConn)
	_ = udp.SetReadBuffer(receiveBuffer) // the default serves small clusters
	return udp, nil
}

// listenPing opens an unprivileged echo socket, see icmp(7): the kernel fills
// in identifier and checksum and delivers only the replies to it.
func listenPing(family uint8) (*net.UDPConn, error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	var any unix.Sockaddr = &unix.SockaddrInet4{}
	if family == 6 {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
		any = &unix.SockaddrInet6{}
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if errors.Is(err, unix.EACCES) {
		return nil, errors.New("unprivileged echo is not permitted here, see net.ipv4.ping_group_range")
	} else if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "ping")
	defer file.Close()
	if err := errors.Join(forbidFragments(fd, family), unix.Bind(fd, any)); err != nil {
		return nil, err
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, err
	}
	ping, ok := conn.(*net.UDPConn)
	if !ok {
		conn.Close()
		return nil, errors.New("the echo socket is not one of datagrams")
	}
	_ = ping.SetReadBuffer(receiveBuffer)
	return ping, nil
}

// linkMTU returns the MTU of the link that leads to a target, in bytes: the link's
// own, or a smaller one of the route, which is where some networks set the pods' MTU.
// It is asked before anything is sent, when the kernel has learned nothing of the path.
func linkMTU(target netip.Addr) (int, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(target, 9)))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	routed, err := routeMTU(conn, target)
	if err != nil {
		return 0, err
	}
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	links, err := net.Interfaces()
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		addresses, _ := link.Addrs()
		for _, address := range addresses {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil && prefix.Addr().Unmap() == local {
				return min(link.MTU, routed), nil
			}
		}
	}
	return 0, fmt.Errorf("no link has the address %s", local)
}

// pathMTU returns how large a packet to a target may be, in bytes, by what the kernel has
// been told on the way there besides.
func pathMTU(target netip.Addr) (int, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(target, 9)))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return routeMTU(conn, target)
}

// routeMTU is what the kernel says of the way of a connected socket.
func routeMTU(conn *net.UDPConn, target netip.Addr) (mtu int, err error) {
	level, name := unix.IPPROTO_IP, unix.IP_MTU
	if !target.Unmap().Is4() {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	if outer := raw.Control(func(fd uintptr) { mtu, err = unix.GetsockoptInt(int(fd), level, name) }); outer != nil {
		return 0, outer
	}
	return mtu, err
}
