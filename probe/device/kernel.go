package device

import (
	"net"
	"net/netip"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Lister reads one kernel device by name; *wgctrl.Client is one. It has no
// method that configures.
type Lister interface {
	Device(name string) (*wgtypes.Device, error)
	Close() error
}

func (r *Reader) open() (Lister, error) {
	if r.Open != nil {
		return r.Open()
	}
	client, err := wgctrl.New()
	if err != nil {
		return nil, err
	}
	return client, nil
}

// readKernel copies what evidence has a field for and overwrites the keys in
// what the library returned before anything else can see it.
func readKernel(lister Lister, name string, now time.Time) (evidence.Device, []evidence.Peer, error) {
	read, err := lister.Device(name)
	if err != nil {
		return evidence.Device{}, nil, err
	}
	defer drop(read)
	device := evidence.Device{
		Userspace: read.Type == wgtypes.Userspace,
		PublicKey: encode(read.PublicKey),
		Port:      uint16(read.ListenPort),
		Mark:      uint32(read.FirewallMark),
	}
	peers := make([]evidence.Peer, 0, len(read.Peers))
	for i := range read.Peers {
		from := &read.Peers[i]
		peer := evidence.Peer{
			PublicKey: encode(from.PublicKey),
			Keepalive: int(from.PersistentKeepaliveInterval / time.Second),
			Preshared: from.PresharedKey != wgtypes.Key{},
			TX:        uint64(from.TransmitBytes),
			RX:        uint64(from.ReceiveBytes),
		}
		if from.Endpoint != nil {
			endpoint := from.Endpoint.AddrPort()
			peer.Endpoint = netip.AddrPortFrom(endpoint.Addr().Unmap(), endpoint.Port())
		}
		setHandshake(&peer, from.LastHandshakeTime, now)
		for _, allowed := range from.AllowedIPs {
			if prefix, ok := prefixOf(allowed); ok {
				peer.AllowedIPs = append(peer.AllowedIPs, prefix)
			}
		}
		peers = append(peers, peer)
	}
	return device, peers, nil
}

// drop overwrites the secrets of a device.
func drop(device *wgtypes.Device) {
	device.PrivateKey = wgtypes.Key{}
	for i := range device.Peers {
		device.Peers[i].PresharedKey = wgtypes.Key{}
	}
}

// encode returns a public key as base64, empty for the all-zero key, which is
// how a device without a key reads.
func encode(public wgtypes.Key) string {
	if public == (wgtypes.Key{}) {
		return ""
	}
	return public.String()
}

// setHandshake leaves both fields 0 if no handshake was ever completed.
func setHandshake(peer *evidence.Peer, at, now time.Time) {
	if at.IsZero() || at.Unix() <= 0 {
		return
	}
	peer.Handshake = at.UnixNano()
	peer.Age = now.UnixNano() - peer.Handshake
}

func prefixOf(network net.IPNet) (netip.Prefix, bool) {
	addr, ok := netip.AddrFromSlice(network.IP)
	ones, bits := network.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}, false
	}
	if bits == 32 {
		addr = addr.Unmap()
	}
	prefix := netip.PrefixFrom(addr, ones)
	return prefix, prefix.IsValid()
}
