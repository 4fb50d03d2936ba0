package hostile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// Wrapping is how a fake device wraps packets. None of them encrypts.
type Wrapping string

// The wrappings.
const (
	// LikeWireGuard makes data messages of the right sizes, with an index and a counter, around cleartext.
	LikeWireGuard Wrapping = "wireguard"
	// OfItsOwn is four bytes and the packet, on another port.
	OfItsOwn Wrapping = "own"
)

// ownPort is where the format of its own is carried.
const ownPort = 9999

// header and tag of a WireGuard data message (messages.h).
const (
	headerSize = 16
	tagSize    = 16
)

// Fake takes the place of a WireGuard device until the context ends: same name, same address, same routes, same peers,
// and nothing encrypted. With a socket it also answers `wg show` as the device did.
//
//	pods — TUN flannel-wg — this program — UDP 51820, in clear — eth0
type Fake struct {
	Device   string
	Wrapping Wrapping
	Socket   bool
}

// fakePeer is a node that the fake sends to.
type fakePeer struct {
	wgtypes.Peer
	endpoint netip.AddrPort
	ranges   []netip.Prefix
	index    uint32
	counter  uint64
	tx, rx   atomic.Uint64
}

type fakeDevice struct {
	Fake
	config wgtypes.Device
	peers  []*fakePeer
	tun    tun.Device
	conn   *net.UDPConn
}

// Run replaces the device.
func (f Fake) Run(ctx context.Context) error {
	d := &fakeDevice{Fake: f}
	if err := d.copyConfig(); err != nil {
		return err
	}
	link, err := net.InterfaceByName(f.Device)
	if err != nil {
		return fmt.Errorf("finding %s: %w", f.Device, err)
	}
	addresses, err := link.Addrs()
	if err != nil || len(addresses) == 0 {
		return fmt.Errorf("finding the address of %s: %w", f.Device, errors.Join(err, errors.New("none")))
	}
	if err := stopFlannel(ctx, f.Device); err != nil {
		return err
	}
	if d.tun, err = tun.CreateTUN(f.Device, link.MTU); err != nil {
		return fmt.Errorf("creating %s: %w", f.Device, err)
	}
	defer d.tun.Close()
	for _, arguments := range [][]string{
		{"address", "add", addresses[0].String(), "dev", f.Device}, {"link", "set", f.Device, "up"},
		{"route", "replace", "10.42.0.0/16", "dev", f.Device, "scope", "link"},
	} {
		if err := ip(arguments...); err != nil {
			return err
		}
	}
	port := d.config.ListenPort
	if f.Wrapping == OfItsOwn {
		port = ownPort
	}
	if d.conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port}); err != nil {
		return fmt.Errorf("listening on UDP %d: %w", port, err)
	}
	defer d.conn.Close()
	if f.Socket {
		socket, err := d.serve()
		if err != nil {
			return err
		}
		defer socket.Close()
	}
	broken := make(chan error, 2)
	go func() { broken <- d.send() }()
	go func() { broken <- d.receive() }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-broken:
		return err
	}
}

// copyConfig keeps what the device knows, keys and all: a host that cheats can.
func (d *fakeDevice) copyConfig() error {
	client, err := wgctrl.New()
	if err != nil {
		return fmt.Errorf("opening wgctrl: %w", err)
	}
	defer client.Close()
	config, err := client.Device(d.Device)
	if err != nil {
		return fmt.Errorf("reading %s: %w", d.Device, err)
	}
	d.config = *config
	for i, peer := range config.Peers {
		p := &fakePeer{Peer: peer, index: 0x1000_0000 + uint32(i)}
		p.tx.Store(uint64(peer.TransmitBytes))
		p.rx.Store(uint64(peer.ReceiveBytes))
		if peer.Endpoint != nil {
			given := peer.Endpoint.AddrPort()
			p.endpoint = netip.AddrPortFrom(given.Addr().Unmap(), given.Port())
		}
		for _, allowed := range peer.AllowedIPs {
			addr, _ := netip.AddrFromSlice(allowed.IP)
			ones, _ := allowed.Mask.Size()
			p.ranges = append(p.ranges, netip.PrefixFrom(addr.Unmap(), ones))
		}
		d.peers = append(d.peers, p)
	}
	return nil
}

// send wraps what the pods send.
func (d *fakeDevice) send() error {
	mtu, err := d.tun.MTU()
	if err != nil {
		return fmt.Errorf("reading the MTU: %w", err)
	}
	packets, sizes := make([][]byte, d.tun.BatchSize()), make([]int, d.tun.BatchSize())
	for i := range packets {
		packets[i] = make([]byte, room+1<<16)
	}
	for {
		n, err := d.tun.Read(packets, sizes, room)
		if err != nil && !errors.Is(err, tun.ErrTooManySegments) {
			return fmt.Errorf("reading %s: %w", d.Device, err)
		}
		for i := range n {
			packet := packets[i][room : room+sizes[i]]
			if peer := d.peerFor(packet); peer != nil {
				message := d.wrap(peer, packet, mtu)
				peer.tx.Add(uint64(len(message)))
				_, _ = d.conn.WriteToUDPAddrPort(message, d.endpoint(peer)) // as lossy as the network
			}
		}
	}
}

func (d *fakeDevice) endpoint(peer *fakePeer) netip.AddrPort {
	if d.Wrapping == OfItsOwn {
		return netip.AddrPortFrom(peer.endpoint.Addr(), ownPort)
	}
	return peer.endpoint
}

// peerFor finds the peer of an IPv4 packet's destination.
func (d *fakeDevice) peerFor(packet []byte) *fakePeer {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return nil
	}
	target := netip.AddrFrom4([4]byte(packet[16:20]))
	for _, peer := range d.peers {
		for _, r := range peer.ranges {
			if r.Contains(target) {
				return peer
			}
		}
	}
	return nil
}

func (d *fakeDevice) wrap(peer *fakePeer, packet []byte, mtu int) []byte {
	if d.Wrapping == OfItsOwn {
		return append([]byte{0xfa, 0xce, 0, 1}, packet...)
	}
	padded := max(min((len(packet)+15)/16*16, mtu), len(packet))
	message := make([]byte, headerSize+padded+tagSize)
	message[0] = 4
	binary.LittleEndian.PutUint32(message[4:], peer.index)
	binary.LittleEndian.PutUint64(message[8:], peer.counter)
	peer.counter++
	copy(message[headerSize:], packet)
	return message
}

// receive unwraps what comes from the peers.
func (d *fakeDevice) receive() error {
	buffer := make([]byte, room+1<<16)
	for {
		n, from, err := d.conn.ReadFromUDPAddrPort(buffer[room:])
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		message := buffer[room : room+n]
		skip, cut := headerSize, tagSize
		if d.Wrapping == OfItsOwn {
			skip, cut = 4, 0
		}
		if len(message) <= skip+cut || d.Wrapping == LikeWireGuard && message[0] != 4 {
			continue
		}
		packet := message[skip : len(message)-cut]
		if len(packet) < 20 {
			continue
		}
		if length := int(binary.BigEndian.Uint16(packet[2:])); length <= len(packet) {
			packet = packet[:length]
		}
		for _, peer := range d.peers {
			if peer.endpoint.Addr() == from.Addr().Unmap() {
				peer.rx.Add(uint64(n))
			}
		}
		if _, err := d.tun.Write([][]byte{buffer[:room+skip+len(packet)]}, room+skip); err != nil {
			continue // not a packet
		}
	}
}

// started is the handshake that the fake claims.
var started = time.Now()
