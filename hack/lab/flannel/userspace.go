package flannel

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/vishvananda/netlink"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
	"k8s.io/klog/v2"
)

// Constants of flannel's backend (pkg/backend/wireguard); the lab's stand-in leaves the same traces.
const (
	deviceName  = "flannel-wg"
	defaultPort = 51820
	// overhead is 40 IPv6 + 8 UDP + 16 header + 16 tag, for an IPv4 underlay too.
	overhead = 80
)

// leaseData is the annotation flannel.alpha.coreos.com/backend-data.
type leaseData struct {
	PublicKey string
	Port      uint16
}

// userspaceBackend does with wireguard-go what flannel's backend `wireguard` does with the kernel, for IPv4 in the mode
// `separate`, which is what K3s configures.
type userspaceBackend struct {
	manager  subnet.Manager
	external *backend.ExternalInterface
}

func newUserspaceBackend(manager subnet.Manager, external *backend.ExternalInterface) (backend.Backend, error) {
	return &userspaceBackend{manager: manager, external: external}, nil
}

// RegisterNetwork implements backend.Backend.
func (b *userspaceBackend) RegisterNetwork(ctx context.Context, background *sync.WaitGroup, config *subnet.Config) (backend.Network, error) {
	settings := struct {
		ListenPort                  int
		MTU                         int
		PersistentKeepaliveInterval time.Duration
	}{ListenPort: defaultPort, MTU: b.external.Iface.MTU}
	if err := json.Unmarshal(config.Backend, &settings); err != nil {
		return nil, fmt.Errorf("decoding the backend's configuration: %w", err)
	}
	opened, err := openUserspaceDevice(deviceName, settings.MTU-overhead, settings.ListenPort)
	if err != nil {
		return nil, err
	}
	background.Go(func() {
		<-ctx.Done()
		opened.Close()
	})

	data, err := json.Marshal(leaseData{PublicKey: opened.key.PublicKey().String(), Port: uint16(settings.ListenPort)})
	if err != nil {
		return nil, fmt.Errorf("encoding the lease: %w", err)
	}
	acquired, err := b.manager.AcquireLease(ctx, &lease.LeaseAttrs{
		PublicIP:    ip.FromIP(b.external.ExtAddr),
		BackendType: "wireguard",
		BackendData: data,
	})
	if err != nil {
		return nil, fmt.Errorf("acquiring the lease: %w", err)
	}
	network := &userspaceNetwork{
		device:    opened,
		manager:   b.manager,
		lease:     acquired,
		mtu:       settings.MTU - overhead,
		port:      settings.ListenPort,
		keepalive: settings.PersistentKeepaliveInterval * time.Second,
		route:     config.Network.ToIPNet(),
	}
	if err := network.configureLink(config.Network); err != nil {
		return nil, err
	}
	return network, nil
}

type userspaceNetwork struct {
	device    *userspaceDevice
	manager   subnet.Manager
	lease     *lease.Lease
	mtu       int
	port      int
	keepalive time.Duration
	route     *net.IPNet
}

// Lease implements backend.Network.
func (n *userspaceNetwork) Lease() *lease.Lease { return n.lease }

// MTU implements backend.Network.
func (n *userspaceNetwork) MTU() int { return n.mtu }

// Run implements backend.Network.
func (n *userspaceNetwork) Run(ctx context.Context) {
	events := make(chan []lease.Event)
	go subnet.WatchLeases(ctx, n.manager, n.lease, events)
	for {
		select {
		case <-ctx.Done():
			return
		case batch := <-events:
			for _, event := range batch {
				if err := n.apply(event); err != nil {
					klog.Errorf("applying the lease %s: %v", event.Lease.Subnet, err)
				}
			}
		}
	}
}

func (n *userspaceNetwork) apply(event lease.Event) error {
	attrs := event.Lease.Attrs
	if attrs.BackendType != "wireguard" {
		klog.Warningf("Ignoring non-wireguard subnet: type=%v", attrs.BackendType)
		return nil
	}
	var data leaseData
	if err := json.Unmarshal(attrs.BackendData, &data); err != nil {
		return fmt.Errorf("decoding the lease: %w", err)
	}
	key, err := wgtypes.ParseKey(data.PublicKey)
	if err != nil {
		return fmt.Errorf("reading the public key: %w", err)
	}
	if event.Type == lease.EventRemoved {
		klog.Infof("Subnet removed: %v", event.Lease.Subnet)
		return n.device.removePeer(key)
	}
	if data.Port == 0 {
		data.Port = uint16(n.port)
	}
	endpoint := &net.UDPAddr{IP: attrs.PublicIP.ToIP(), Port: int(data.Port)}
	klog.Infof("Subnet added: %v via %v", event.Lease.Subnet, endpoint)
	if err := n.device.addPeer(key, endpoint, *event.Lease.Subnet.ToIPNet(), n.keepalive); err != nil {
		return err
	}
	return n.addRoute()
}

func (n *userspaceNetwork) configureLink(network ip.IP4Net) error {
	link, err := netlink.LinkByName(deviceName)
	if err != nil {
		return fmt.Errorf("finding %s: %w", deviceName, err)
	}
	if err := ip.EnsureV4AddressOnLink(ip.IP4Net{IP: n.lease.Subnet.IP, PrefixLen: 32}, network, link); err != nil {
		return fmt.Errorf("adding the address of %s: %w", deviceName, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting %s up: %w", deviceName, err)
	}
	return n.addRoute()
}

// addRoute is repeated with every lease, as flannel does.
func (n *userspaceNetwork) addRoute() error {
	link, err := netlink.LinkByName(deviceName)
	if err != nil {
		return fmt.Errorf("finding %s: %w", deviceName, err)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: n.route}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("adding the route %s: %w", n.route, err)
	}
	return nil
}
