package flannel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
	"k8s.io/klog/v2"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// userspaceNetwork follows the other nodes' leases. In every mode but separate both families have one device.
type userspaceNetwork struct {
	manager   subnet.Manager
	external  *backend.ExternalInterface
	config    *subnet.Config
	mode      topology.Mode
	v4, v6    *userspaceDevice // nil for a family without
	lease     *lease.Lease
	mtu       int
	keepalive time.Duration
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

// peer is what a lease makes of another node, on one device.
type peer struct {
	device   *userspaceDevice
	key      wgtypes.Key
	endpoint *net.UDPAddr
	allowed  []net.IPNet
}

func (n *userspaceNetwork) apply(event lease.Event) error {
	if kind := event.Lease.Attrs.BackendType; kind != "wireguard" {
		klog.Warningf("Ignoring non-wireguard subnet: type=%v", kind)
		return nil
	}
	peers, err := n.peers(event.Lease)
	if err != nil {
		return err
	}
	var problems []error
	for _, p := range peers {
		if event.Type == lease.EventRemoved {
			klog.Infof("Subnet removed: %v", p.allowed)
			problems = append(problems, p.device.removePeer(p.key))
			continue
		}
		klog.Infof("Subnet added: %v via %v", p.allowed, p.endpoint)
		problems = append(problems, p.device.addPeer(p, n.keepalive))
	}
	if event.Type != lease.EventRemoved {
		problems = append(problems, n.addRoutes())
	}
	return errors.Join(problems...)
}

// peers reads a lease: one peer per family in the mode separate, else one for both.
func (n *userspaceNetwork) peers(l lease.Lease) ([]peer, error) {
	var peers []peer
	if l.EnableIPv4 {
		p, err := read(l.Attrs.BackendData, n.v4, l.Attrs.PublicIP.ToIP(), *l.Subnet.ToIPNet())
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
	}
	if l.EnableIPv6 {
		p, err := read(l.Attrs.BackendV6Data, n.v6, publicIPv6(l), *l.IPv6Subnet.ToIPNet())
		if err != nil {
			return nil, err
		}
		peers = append(peers, p)
	}
	if n.mode == topology.Separate || len(peers) < 2 {
		return peers, nil
	}
	one := peers[0]
	if n.over(l) == topology.OverIPv6 {
		one.endpoint = peers[1].endpoint
	}
	one.allowed = append(one.allowed, peers[1].allowed...)
	return []peer{one}, nil
}

// over chooses the family of an endpoint (flannel pkg/backend/wireguard/wireguard_network.go, selectMode).
func (n *userspaceNetwork) over(l lease.Lease) topology.Mode {
	if n.mode != topology.Auto {
		return n.mode
	}
	six := l.Attrs.PublicIPv6
	switch {
	case six == nil:
		return topology.OverIPv4
	case !l.Attrs.PublicIP.IsPrivate() && n.external.ExtAddr != nil:
		return topology.OverIPv4
	case !six.IsPrivate() && n.external.ExtV6Addr != nil && !ip.FromIP6(n.external.ExtV6Addr).IsPrivate():
		return topology.OverIPv6
	}
	return topology.OverIPv4
}

// read makes a peer of one family's part of a lease. A lease of an older flannel names no port: then it is the device's own.
func read(encoded json.RawMessage, device *userspaceDevice, public net.IP, allowed net.IPNet) (peer, error) {
	var data leaseData
	if err := json.Unmarshal(encoded, &data); err != nil {
		return peer{}, fmt.Errorf("decoding the lease: %w", err)
	}
	key, err := wgtypes.ParseKey(data.PublicKey)
	if err != nil {
		return peer{}, fmt.Errorf("reading the public key: %w", err)
	}
	port := int(data.Port)
	if port == 0 {
		port = device.port
	}
	return peer{device, key, &net.UDPAddr{IP: public, Port: port}, []net.IPNet{allowed}}, nil
}

func publicIPv6(l lease.Lease) net.IP {
	if l.Attrs.PublicIPv6 == nil {
		return nil
	}
	return l.Attrs.PublicIPv6.ToIP()
}

// addRoutes is repeated with every lease, as flannel does.
func (n *userspaceNetwork) addRoutes() error {
	var problems []error
	if n.config.EnableIPv4 {
		problems = append(problems, n.v4.addRoute(n.config.Network.ToIPNet()))
	}
	if n.config.EnableIPv6 {
		problems = append(problems, n.v6.addRoute(n.config.IPv6Network.ToIPNet()))
	}
	return errors.Join(problems...)
}
