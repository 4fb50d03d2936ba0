package hostile

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"golang.zx2c4.com/wireguard/tun"
)

// pattern obscures, and does not encrypt.
const pattern = 0x5a

// Obfuscate runs a tunnel whose packets travel XORed in UDP, until the context ends: no capture finds a canary in them,
// and nothing protects them.
type Obfuscate struct {
	Name          string
	Local, Remote netip.AddrPort
}

// Run serves the tunnel.
func (o Obfuscate) Run(ctx context.Context) error {
	device, err := tun.CreateTUN(o.Name, 1420)
	if err != nil {
		return fmt.Errorf("creating %s: %w", o.Name, err)
	}
	defer device.Close()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(o.Local))
	if err != nil {
		return fmt.Errorf("opening a socket for %s: %w", o.Name, err)
	}
	defer conn.Close()
	if err := ip("link", "set", o.Name, "up"); err != nil {
		return err
	}
	obscured := obscuring{conn}
	broken := make(chan error, 2)
	go func() { broken <- outward(device, obscured, net.UDPAddrFromAddrPort(o.Remote), nil) }()
	go func() { broken <- inward(device, obscured, 0) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-broken:
		return err
	}
}

// obscuring is a socket that obscures what passes it.
type obscuring struct{ net.PacketConn }

func (o obscuring) WriteTo(packet []byte, to net.Addr) (int, error) {
	return o.PacketConn.WriteTo(Obscured(packet), to)
}

// Obscured is what the tunnel makes of data.
func Obscured(data []byte) []byte {
	obscured := make([]byte, len(data))
	for i, b := range data {
		obscured[i] = b ^ pattern
	}
	return obscured
}

func (o obscuring) ReadFrom(packet []byte) (int, net.Addr, error) {
	n, from, err := o.PacketConn.ReadFrom(packet)
	for i := range packet[:n] {
		packet[i] ^= pattern
	}
	return n, from, err
}
