package hostile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.zx2c4.com/wireguard/tun"
)

// Tunnel is an encapsulation in clear, of the kinds that this kernel may not have, until the context ends: a TUN device
// and a raw socket.
type Tunnel struct {
	Name, Kind    string // ipip, gre or geneve
	Local, Remote netip.Addr
	Range         netip.Prefix // of the pods behind it
}

// encapsulations: the protocol below, and what stands before the packet (RFC 2003, 2784, 8926).
var encapsulations = map[string]struct {
	network string
	port    int
	header  []byte
}{
	"ipip":   {network: "ip4:4"},
	"gre":    {network: "ip4:47", header: []byte{0, 0, 8, 0}},
	"geneve": {network: "udp4", port: 6081, header: []byte{0, 0, 8, 0, 0, 0, 7, 0}},
}

// Run serves the tunnel.
func (t Tunnel) Run(ctx context.Context) error {
	kind, ok := encapsulations[t.Kind]
	if !ok {
		return fmt.Errorf("no encapsulation %q", t.Kind)
	}
	device, err := tun.CreateTUN(t.Name, 1400)
	if err != nil {
		return fmt.Errorf("creating %s: %w", t.Name, err)
	}
	defer device.Close()
	conn, err := t.listen(kind.network, kind.port)
	if err != nil {
		return fmt.Errorf("opening a socket for %s: %w", t.Kind, err)
	}
	defer conn.Close()
	if err := ip("link", "set", t.Name, "up"); err != nil {
		return err
	}
	if err := ip("route", "replace", t.Range.String(), "dev", t.Name); err != nil {
		return err
	}
	var remote net.Addr = &net.IPAddr{IP: t.Remote.AsSlice()}
	if kind.port != 0 {
		remote = &net.UDPAddr{IP: t.Remote.AsSlice(), Port: kind.port}
	}
	broken := make(chan error, 2)
	go func() { broken <- outward(device, conn, remote, kind.header) }()
	go func() { broken <- inward(device, conn, len(kind.header)) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-broken:
		return err
	}
}

func (t Tunnel) listen(network string, port int) (net.PacketConn, error) {
	if port != 0 {
		return net.ListenUDP(network, &net.UDPAddr{Port: port})
	}
	return net.ListenIP(network, &net.IPAddr{IP: t.Local.AsSlice()})
}

// room is left before each packet, for virtio's header.
const room = 64

func outward(device tun.Device, conn net.PacketConn, remote net.Addr, header []byte) error {
	packets, sizes := make([][]byte, device.BatchSize()), make([]int, device.BatchSize())
	for i := range packets {
		packets[i] = make([]byte, room+1<<16)
	}
	for {
		n, err := device.Read(packets, sizes, room)
		if err != nil && !errors.Is(err, tun.ErrTooManySegments) {
			return fmt.Errorf("reading the device: %w", err)
		}
		for i := range n {
			_, _ = conn.WriteTo(append(header[:len(header):len(header)], packets[i][room:room+sizes[i]]...), remote) // as lossy as the network
		}
	}
}

func inward(device tun.Device, conn net.PacketConn, header int) error {
	buffer := make([]byte, room+1<<16)
	for {
		n, _, err := conn.ReadFrom(buffer[room:])
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		packet := buffer[room+header : room+n]
		if n < header+20 || packet[0]>>4 != 4 || int(binary.BigEndian.Uint16(packet[2:])) > len(packet) {
			continue
		}
		_, _ = device.Write([][]byte{buffer[:room+n]}, room+header) // a packet that the kernel does not take is lost
	}
}
