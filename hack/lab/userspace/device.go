// Package userspace runs wireguard-go as a device that somebody else sets up: an agent that wants the kernel's and finds
// one of its name.
package userspace

import (
	"context"
	"fmt"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/ipc"
	"golang.zx2c4.com/wireguard/tun"
)

// mtu is that of a kernel's device over Ethernet; who sets the device up changes it.
const mtu = 1420

// Serve makes the device and its control socket, and removes both when the context ends. It ends by itself when somebody
// deletes the link.
func Serve(ctx context.Context, name string) error {
	link, err := tun.CreateTUN(name, mtu)
	if err != nil {
		return fmt.Errorf("creating the TUN device %s: %w", name, err)
	}
	running := device.NewDevice(link, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, name+": "))
	defer running.Close()
	file, err := ipc.UAPIOpen(name)
	if err != nil {
		return fmt.Errorf("opening the configuration socket of %s: %w", name, err)
	}
	socket, err := ipc.UAPIListen(name, file)
	if err != nil {
		return fmt.Errorf("listening on the configuration socket of %s: %w", name, err)
	}
	defer socket.Close()
	go func() {
		for {
			client, err := socket.Accept()
			if err != nil {
				return
			}
			go running.IpcHandle(client)
		}
	}()
	select {
	case <-ctx.Done():
	case <-running.Wait():
	}
	return nil
}
