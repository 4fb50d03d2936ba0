package capture

import (
	"net"

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

// own sets what is this host's. The address of a macvtap is that of the virtual
// machine behind it.
func own(subject *wire.Subject, config *Config) {
	for _, address := range config.Addresses {
		subject.Addresses = append(subject.Addresses, address.Prefix.Addr())
	}
	for _, link := range config.Links {
		if ether, err := net.ParseMAC(link.Ether); err == nil && len(ether) == 6 && link.Kind != "macvtap" {
			subject.Ethers = append(subject.Ethers, [6]byte(ether))
		}
	}
}
