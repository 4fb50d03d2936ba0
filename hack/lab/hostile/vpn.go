package hostile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// VPN runs the n-th node's device of a WireGuard that the machines have among themselves, as wg-quick would set it up,
// until the context ends. The nodes need not exchange their keys, since the lab makes them of their numbers. A silent
// one has no control socket once it is configured, as Tailscale's has none.
func VPN(ctx context.Context, name string, port, n, nodes int, silent bool) error {
	own, keepalive := vpnKey(n), 25*time.Second
	config := wgtypes.Config{PrivateKey: &own, ListenPort: &port}
	for peer := 1; peer <= nodes; peer++ {
		if peer == n {
			continue
		}
		config.Peers = append(config.Peers, wgtypes.PeerConfig{
			PublicKey:                   vpnKey(peer).PublicKey(),
			Endpoint:                    &net.UDPAddr{IP: topology.Node(peer).IPv4.Addr().AsSlice(), Port: port},
			PersistentKeepaliveInterval: &keepalive,
			AllowedIPs:                  []net.IPNet{{IP: topology.VPN(peer).AsSlice(), Mask: net.CIDRMask(32, 32)}},
		})
	}
	return serve(ctx, name, topology.VPN(n).String()+"/24", config, silent)
}

func vpnKey(n int) wgtypes.Key {
	seed := sha256.Sum256(fmt.Appendf(nil, "the lab's VPN, node %d", n))
	seed[0] &= 248
	seed[31] = seed[31]&127 | 64
	return wgtypes.Key(seed)
}
