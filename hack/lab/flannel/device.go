package flannel

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/vishvananda/netlink"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/ipc"
	"golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// userspaceDevice is a TUN device run by wireguard-go in this process, with the socket in /var/run/wireguard by which
// `wg` and wgctrl find it.
type userspaceDevice struct {
	name   string
	key    wgtypes.Key
	port   int
	device *device.Device
	socket net.Listener
}

func openUserspaceDevice(name string, mtu, port int) (*userspaceDevice, error) {
	key, err := loadKey(keyFile)
	if err != nil {
		return nil, err
	}
	link, err := tun.CreateTUN(name, mtu)
	if err != nil {
		return nil, fmt.Errorf("creating the TUN device %s: %w", name, err)
	}
	self := &userspaceDevice{
		name:   name,
		key:    key,
		port:   port,
		device: device.NewDevice(link, fixedPort{conn.NewDefaultBind(), uint16(port)}, device.NewLogger(device.LogLevelError, name+": ")),
	}
	file, err := ipc.UAPIOpen(name)
	if err != nil {
		self.device.Close()
		return nil, fmt.Errorf("opening the configuration socket of %s: %w", name, err)
	}
	if self.socket, err = ipc.UAPIListen(name, file); err != nil {
		self.device.Close()
		return nil, fmt.Errorf("listening on the configuration socket of %s: %w", name, err)
	}
	go func() {
		for {
			client, err := self.socket.Accept()
			if err != nil {
				return
			}
			go self.device.IpcHandle(client)
		}
	}()
	if err := self.configure(wgtypes.Config{PrivateKey: &key, ListenPort: &port, ReplacePeers: true}); err != nil {
		self.Close()
		return nil, err
	}
	return self, nil
}

// fixedPort binds no other port than its own. wireguard-go forgets a port that was taken and takes any free one when
// the device is set up again; the kernel's device stays down.
type fixedPort struct {
	conn.Bind
	port uint16
}

func (b fixedPort) Open(uint16) ([]conn.ReceiveFunc, uint16, error) { return b.Bind.Open(b.port) }

// Close removes the device, as flannel does with the kernel's when it stops.
func (d *userspaceDevice) Close() {
	d.socket.Close()
	d.device.Close()
}

func (d *userspaceDevice) addPeer(p peer, keepalive time.Duration) error {
	return d.configure(wgtypes.Config{Peers: []wgtypes.PeerConfig{{
		PublicKey:                   p.key,
		Endpoint:                    p.endpoint,
		PersistentKeepaliveInterval: &keepalive,
		ReplaceAllowedIPs:           true,
		AllowedIPs:                  p.allowed,
	}}})
}

func (d *userspaceDevice) removePeer(key wgtypes.Key) error {
	return d.configure(wgtypes.Config{Peers: []wgtypes.PeerConfig{{PublicKey: key, Remove: true}}})
}

// configure goes through the socket as every other client does, so that the device is never in a state which only this
// process could have made.
func (d *userspaceDevice) configure(config wgtypes.Config) error {
	client, err := wgctrl.New()
	if err != nil {
		return fmt.Errorf("opening wgctrl: %w", err)
	}
	defer client.Close()
	if err := client.ConfigureDevice(d.name, config); err != nil {
		return fmt.Errorf("configuring %s: %w", d.name, err)
	}
	return nil
}

func (d *userspaceDevice) configureV4(address ip.IP4, network ip.IP4Net) error {
	return d.up(network.ToIPNet(), func(link netlink.Link) error {
		return ip.EnsureV4AddressOnLink(ip.IP4Net{IP: address, PrefixLen: 32}, network, link)
	})
}

func (d *userspaceDevice) configureV6(address *ip.IP6, network ip.IP6Net) error {
	return d.up(network.ToIPNet(), func(link netlink.Link) error {
		return ip.EnsureV6AddressOnLink(ip.IP6Net{IP: address, PrefixLen: 128}, network, link)
	})
}

// up gives the device its address and the route to all pods.
func (d *userspaceDevice) up(network *net.IPNet, address func(netlink.Link) error) error {
	link, err := netlink.LinkByName(d.name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", d.name, err)
	}
	if err := address(link); err != nil {
		return fmt.Errorf("adding the address of %s: %w", d.name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting %s up: %w", d.name, err)
	}
	// The kernel fails to set up a device whose port is taken. wireguard-go hears of the change of the link only.
	if err := d.device.Up(); err != nil {
		return fmt.Errorf("setting %s up: %w", d.name, err)
	}
	return d.addRoute(network)
}

func (d *userspaceDevice) addRoute(network *net.IPNet) error {
	link, err := netlink.LinkByName(d.name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", d.name, err)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: network}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("adding the route %s to %s: %w", network, d.name, err)
	}
	return nil
}

// loadKey keeps the node's key over a restart of flannel, in the file and the format of flannel's own backend.
func loadKey(path string) (wgtypes.Key, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return wgtypes.ParseKey(strings.TrimSpace(string(data)))
	}
	key, err := wgtypes.GeneratePrivateKey()
	if err != nil {
		return key, fmt.Errorf("generating a key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return key, fmt.Errorf("creating the directory of the key: %w", err)
	}
	if err := os.WriteFile(path, []byte(key.String()), 0o400); err != nil {
		return key, fmt.Errorf("writing the key: %w", err)
	}
	return key, nil
}
