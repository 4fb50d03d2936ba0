package flannel

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

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
		device: device.NewDevice(link, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, name+": ")),
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

// Close removes the device, as flannel does with the kernel's when it stops.
func (d *userspaceDevice) Close() {
	d.socket.Close()
	d.device.Close()
}

func (d *userspaceDevice) addPeer(key wgtypes.Key, endpoint *net.UDPAddr, allowed net.IPNet, keepalive time.Duration) error {
	return d.configure(wgtypes.Config{Peers: []wgtypes.PeerConfig{{
		PublicKey:                   key,
		Endpoint:                    endpoint,
		PersistentKeepaliveInterval: &keepalive,
		ReplaceAllowedIPs:           true,
		AllowedIPs:                  []net.IPNet{allowed},
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
