// Package userspace runs wireguard-go as a device that somebody else sets up: an agent that wants the kernel's and finds
// one of its name, or a VPN of the machines.
package userspace

import (
	"context"
	"fmt"
	"net"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/ipc"
	"golang.zx2c4.com/wireguard/tun"
)

// mtu is that of a kernel's device over Ethernet; who sets the device up changes it.
const mtu = 1420

// Device is a running WireGuard device with its control socket.
type Device struct {
	device *device.Device
	socket net.Listener
}

// Open makes the device and its control socket.
func Open(name string) (*Device, error) {
	link, err := tun.CreateTUN(name, mtu)
	if err != nil {
		return nil, fmt.Errorf("creating the TUN device %s: %w", name, err)
	}
	running := device.NewDevice(link, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, name+": "))
	file, err := ipc.UAPIOpen(name)
	if err != nil {
		running.Close()
		return nil, fmt.Errorf("opening the configuration socket of %s: %w", name, err)
	}
	socket, err := ipc.UAPIListen(name, file)
	if err != nil {
		running.Close()
		return nil, fmt.Errorf("listening on the configuration socket of %s: %w", name, err)
	}
	go func() {
		for {
			client, err := socket.Accept()
			if err != nil {
				return
			}
			go running.IpcHandle(client)
		}
	}()
	return &Device{running, socket}, nil
}

// CloseSocket removes the control socket alone; the device goes on as it is configured.
func (d *Device) CloseSocket() error { return d.socket.Close() }

// Close removes the device and its control socket.
func (d *Device) Close() {
	d.socket.Close()
	d.device.Close()
}

// Serve runs the device until the context ends, and removes it then. It ends by itself when somebody deletes the link.
func Serve(ctx context.Context, name string) error {
	running, err := Open(name)
	if err != nil {
		return err
	}
	defer running.Close()
	select {
	case <-ctx.Done():
	case <-running.device.Wait():
	}
	return nil
}
