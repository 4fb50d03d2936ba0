package flannel

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Constants of flannel's backend (pkg/backend/wireguard); the lab's stand-in leaves the same traces.
const (
	deviceName   = "flannel-wg"
	deviceNameV6 = "flannel-wg-v6"
	defaultPort  = 51820
	// defaultPortV6 is that of the second device, and what is published of IPv6 in every mode.
	defaultPortV6 = 51821
	// overhead is 40 IPv6 + 8 UDP + 16 header + 16 tag, for an IPv4 underlay too.
	overhead = 80
)

// leaseData is the annotation flannel.alpha.coreos.com/backend-data, and backend-v6-data.
type leaseData struct {
	PublicKey string
	Port      uint16
}

// userspaceBackend does with wireguard-go what flannel's backend `wireguard` does with the kernel.
type userspaceBackend struct {
	manager  subnet.Manager
	external *backend.ExternalInterface
}

func newUserspaceBackend(manager subnet.Manager, external *backend.ExternalInterface) (backend.Backend, error) {
	return &userspaceBackend{manager: manager, external: external}, nil
}

// settings are the backend's part of the network configuration.
type settings struct {
	ListenPort, ListenPortV6    int
	MTU                         int           // of the network below
	PersistentKeepaliveInterval time.Duration // in seconds
	Mode                        topology.Mode
}

// RegisterNetwork implements backend.Backend.
func (b *userspaceBackend) RegisterNetwork(ctx context.Context, background *sync.WaitGroup, config *subnet.Config) (backend.Network, error) {
	configured := settings{
		ListenPort: defaultPort, ListenPortV6: defaultPortV6, MTU: b.external.Iface.MTU, Mode: topology.Separate,
	}
	if err := json.Unmarshal(config.Backend, &configured); err != nil {
		return nil, fmt.Errorf("decoding the backend's configuration: %w", err)
	}
	n := &userspaceNetwork{
		manager: b.manager, external: b.external, config: config, mode: configured.Mode,
		mtu: configured.MTU - overhead, keepalive: configured.PersistentKeepaliveInterval * time.Second,
	}
	open := func(name string, port int) (*userspaceDevice, error) {
		opened, err := openUserspaceDevice(name, n.mtu, port)
		if err != nil {
			return nil, err
		}
		background.Go(func() {
			<-ctx.Done()
			opened.Close()
		})
		return opened, nil
	}
	var err error
	if configured.Mode != topology.Separate || config.EnableIPv4 {
		if n.v4, err = open(deviceName, configured.ListenPort); err != nil {
			return nil, err
		}
	}
	switch {
	case configured.Mode != topology.Separate:
		n.v6 = n.v4
	case config.EnableIPv6:
		if n.v6, err = open(deviceNameV6, configured.ListenPortV6); err != nil {
			return nil, err
		}
	}
	if n.lease, err = b.acquire(ctx, config, configured, n); err != nil {
		return nil, err
	}
	if config.EnableIPv4 {
		if err := n.v4.configureV4(n.lease.Subnet.IP, config.Network); err != nil {
			return nil, err
		}
	}
	if config.EnableIPv6 {
		if err := n.v6.configureV6(n.lease.IPv6Subnet.IP, config.IPv6Network); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// acquire publishes keys, ports and addresses of the families that there are. That of IPv6 is ListenPortV6 in every
// mode, as in flannel.
func (b *userspaceBackend) acquire(
	ctx context.Context, config *subnet.Config, configured settings, n *userspaceNetwork,
) (*lease.Lease, error) {
	attrs := &lease.LeaseAttrs{BackendType: "wireguard"}
	if b.external.ExtAddr != nil {
		attrs.PublicIP = ip.FromIP(b.external.ExtAddr)
	}
	if b.external.ExtV6Addr != nil {
		attrs.PublicIPv6 = ip.FromIP6(b.external.ExtV6Addr)
	}
	for _, part := range []struct {
		enabled bool
		device  *userspaceDevice
		port    int
		data    *json.RawMessage
	}{
		{config.EnableIPv4, n.v4, configured.ListenPort, &attrs.BackendData},
		{config.EnableIPv6, n.v6, configured.ListenPortV6, &attrs.BackendV6Data},
	} {
		if !part.enabled {
			continue
		}
		data, err := json.Marshal(leaseData{PublicKey: part.device.key.PublicKey().String(), Port: uint16(part.port)})
		if err != nil {
			return nil, fmt.Errorf("encoding the lease: %w", err)
		}
		*part.data = data
	}
	acquired, err := b.manager.AcquireLease(ctx, attrs)
	if err != nil {
		return nil, fmt.Errorf("acquiring the lease: %w", err)
	}
	return acquired, nil
}
