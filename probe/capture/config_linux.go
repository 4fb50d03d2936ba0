package capture

import (
	"net"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// maxTunnels bounds the tunnels that are captured besides WireGuard's; of those
// beyond there is no Capture.
const maxTunnels = 64

// tunnelBudget is what their rings share, which hold the run's own packets and
// little else; each has from minTunnelRing to maxTunnelRing bytes.
const (
	tunnelBudget  = 8 << 20
	minTunnelRing = 2 * maxBlock
	maxTunnelRing = 16 * maxBlock
)

// maxInner is how many ports of one tunnel's Inner count, the first ones: more
// WireGuard devices inside of another one than any host has.
const maxInner = 8

// Config is what a capture needs to know.
type Config struct {
	// Links of the host, all of them: their Ethernet addresses distinguish
	// its frames from others'. Those that are up and have role outside or wireguard are
	// captured, and of those inside the first maxTunnels that are tunnels.
	Links []evidence.Link
	// Addresses of the host.
	Addresses []evidence.Address
	// Devices and Peers of the node: their ports are read as WireGuard.
	Devices []evidence.Device
	Peers   []evidence.Peer
	// Inner are, by the name of a tunnel, the local UDP ports of other WireGuard
	// devices whose messages the kernel sends into it: there they are counted.
	Inner   map[string][]uint16
	Request evidence.CaptureRequest
	Run     wire.Run
	Node    int // index of this node
}

// subject is what the frames are compared with.
func (c *Config) subject() wire.Subject {
	subject := wire.NewSubject(c.Run, c.Node, c.Request)
	for _, device := range c.Devices {
		subject.Ports = append(subject.Ports, device.Port)
	}
	for _, peer := range c.Peers {
		subject.Ports = append(subject.Ports, peer.Endpoint.Port())
	}
	for _, address := range c.Addresses {
		subject.Addresses = append(subject.Addresses, address.Prefix.Addr())
	}
	subject.Ethers = c.ethers()
	return subject
}

// ethers are this host's own Ethernet addresses. That of a macvtap is the
// address of the virtual machine behind it.
func (c *Config) ethers() (ethers [][6]byte) {
	for _, link := range c.Links {
		if ether, err := net.ParseMAC(link.Ether); err == nil && len(ether) == 6 && link.Kind != "macvtap" {
			ethers = append(ethers, [6]byte(ether))
		}
	}
	return ethers
}

// inner are the ports whose messages are counted on a link.
func (c *Config) inner(link evidence.Link) []uint16 {
	ports := c.Inner[link.Name]
	return ports[:min(len(ports), maxInner)]
}

// captured returns the links to capture, and the tunnels besides WireGuard's.
func (c *Config) captured() (links, tunnels []evidence.Link) {
	for _, link := range c.Links {
		switch {
		case !link.Up:
		case link.Role != evidence.RoleInside:
			links = append(links, link)
		case evidence.OtherTunnel(&link) && len(tunnels) < maxTunnels:
			tunnels = append(tunnels, link)
		}
	}
	return links, tunnels
}
