// Package flannel runs flannel inside of a node, the way K3s embeds it: flannel's own subnet manager, backends and
// firewall rules, without its command. Where the kernel has no WireGuard, and only there, the backend of that name is
// replaced by one that does the same with wireguard-go.
package flannel

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	_ "github.com/flannel-io/flannel/pkg/backend/wireguard"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
)

// Files of flannel inside of a node.
const (
	NetConfFile = "/var/lib/rancher/k3s/agent/etc/flannel/net-conf.json"
	SubnetFile  = "/run/flannel/subnet.env"
	keyFile     = "/run/flannel/wgkey"

	annotationPrefix = "flannel.alpha.coreos.com"
)

// How often rules that are missing are written again, in seconds: as K3s asks flannel for it. Flannel's own default of
// 5 s costs a third of two processors on eight nodes, each look being two dozen calls of iptables.
const (
	masqueradeResync = 60
	forwardResync    = 50
)

// Options of one node's flannel.
type Options struct {
	NodeName   string
	Kubeconfig string
	// Userspace replaces the kernel's WireGuard by wireguard-go.
	Userspace bool
	// Interface is K3s' option flannel-iface, empty for the one of the default route.
	Interface string
}

// Run serves until the context ends. The subnet file is written once the network is registered: its arrival means that
// pods can be given addresses.
func Run(ctx context.Context, options Options) error {
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()

	for name, value := range map[string]string{"NODE_NAME": options.NodeName, "WIREGUARD_KEY_FILE": keyFile} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	if options.Userspace {
		backend.Register("wireguard", newUserspaceBackend)
	}

	manager, err := kube.NewSubnetManager(ctx, "", options.Kubeconfig, annotationPrefix, NetConfFile, true)
	if err != nil {
		return fmt.Errorf("creating the subnet manager: %w", err)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("reading the network configuration: %w", err)
	}
	families, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return fmt.Errorf("choosing the address families: %w", err)
	}
	publicIP, publicIPv6 := manager.GetStoredPublicIP(ctx)
	chosenBy := publicIP
	if chosenBy == "" {
		chosenBy = options.Interface
	}
	external, err := ipmatch.LookupExtIface(chosenBy, "", "", families, ipmatch.PublicIPOpts{PublicIP: publicIP, PublicIPv6: publicIPv6})
	if err != nil {
		return fmt.Errorf("finding the external interface: %w", err)
	}
	chosen, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return fmt.Errorf("choosing the backend: %w", err)
	}
	network, err := chosen.RegisterNetwork(ctx, &background, config)
	if err != nil {
		return fmt.Errorf("registering the network: %w", err)
	}

	firewall := &iptables.IPTablesManager{}
	if err := firewall.Init(ctx); err != nil {
		return fmt.Errorf("preparing the firewall: %w", err)
	}
	none := ip.IP6Net{IP: ip.MustParseIP6("::")} // the zero value of flannel's type is none that it can compare with
	if err := firewall.SetupAndEnsureMasqRules(ctx, config.Network, ip.IP4Net{}, ip.IP4Net{}, config.IPv6Network, none, none,
		network.Lease(), masqueradeResync, false); err != nil {
		return fmt.Errorf("masquerading: %w", err)
	}
	firewall.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, forwardResync)

	lease := network.Lease()
	if err := manager.HandleSubnetFile(SubnetFile, config, true, lease.Subnet, lease.IPv6Subnet, network.MTU()); err != nil {
		return fmt.Errorf("writing the subnet file: %w", err)
	}
	network.Run(ctx)
	return ctx.Err()
}
