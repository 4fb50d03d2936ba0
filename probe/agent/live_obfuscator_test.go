//go:build linux

package agent

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.zx2c4.com/wireguard/tun"
)

// obfuscators join the nodes by a tunnel that does not encrypt, obf0: what it
// carries is XORed and travels in UDP 7777.
func (l *live) obfuscators() {
	for i := range 2 {
		node := l.nodes[i]
		command := node.part("obfuscator", "obf0", nodeAddr(i).String(), nodeAddr(1-i).String())
		if err := command.Start(); err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() {
			command.Process.Kill()
			command.Wait()
		})
		node.run("for i in $(seq 200); do ip link set obf0 up 2>/dev/null && exit 0; sleep 0.02; done; exit 1")
	}
}

const (
	obfuscatorPort = 7777
	headroom       = 128 // before each packet, for the device's own header
	pattern        = 0x5a
)

// obfuscate serves one end: name, own address, the other's address.
func obfuscate(args []string) error {
	local, localErr := netip.ParseAddr(args[1])
	remote, remoteErr := netip.ParseAddr(args[2])
	device, deviceErr := tun.CreateTUN(args[0], podMTU)
	if err := errors.Join(localErr, remoteErr, deviceErr); err != nil {
		return err
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, obfuscatorPort)))
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() { ended <- outOf(device, conn, netip.AddrPortFrom(remote, obfuscatorPort)) }()
	go func() { ended <- into(device, conn) }()
	return <-ended
}

func outOf(device tun.Device, conn *net.UDPConn, remote netip.AddrPort) error {
	packets := make([][]byte, device.BatchSize())
	sizes := make([]int, device.BatchSize())
	for i := range packets {
		packets[i] = make([]byte, headroom+1<<16)
	}
	for {
		n, err := device.Read(packets, sizes, headroom)
		if err != nil {
			return err
		}
		for i := range n {
			packet := packets[i][headroom : headroom+sizes[i]]
			obscure(packet)
			conn.WriteToUDPAddrPort(packet, remote) // as lossy as the network
		}
	}
}

func into(device tun.Device, conn *net.UDPConn) error {
	buffer := make([]byte, headroom+1<<16)
	for {
		n, err := conn.Read(buffer[headroom:])
		if errors.Is(err, syscall.ECONNREFUSED) {
			time.Sleep(time.Millisecond) // the other end comes up
			continue
		}
		if err != nil {
			return err
		}
		obscure(buffer[headroom : headroom+n])
		device.Write([][]byte{buffer[:headroom+n]}, headroom)
	}
}

func obscure(packet []byte) {
	for i := range packet {
		packet[i] ^= pattern
	}
}
