package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/userspace"
)

// Second runs another WireGuard device on the node, somebody's VPN, until the context ends. A cloned one has the same key
// on all nodes, as machines have that were copied from one.
func Second(ctx context.Context, name string, port int, cloned bool) error {
	key, err := wgtypes.GeneratePrivateKey()
	if err != nil {
		return fmt.Errorf("generating a key: %w", err)
	}
	if cloned {
		key = vpnKey(0) // no node has this number
	}
	return serve(ctx, name, "198.51.100.1/24", wgtypes.Config{PrivateKey: &key, ListenPort: &port}, false)
}

// serve runs a userspace WireGuard device with an address until the context ends. A silent one closes its control socket
// once it is configured.
func serve(ctx context.Context, name, address string, config wgtypes.Config, silent bool) error {
	running, err := userspace.Open(name)
	if err != nil {
		return err
	}
	defer running.Close()
	client, err := wgctrl.New()
	if err != nil {
		return fmt.Errorf("opening wgctrl: %w", err)
	}
	defer client.Close()
	if err := client.ConfigureDevice(name, config); err != nil {
		return fmt.Errorf("configuring %s: %w", name, err)
	}
	if silent {
		if err := running.CloseSocket(); err != nil {
			return fmt.Errorf("closing the socket of %s: %w", name, err)
		}
	}
	if err := ip("address", "add", address, "dev", name); err != nil {
		return err
	}
	if err := ip("link", "set", name, "up"); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// Echo is a middlebox that answers in the place of pods: it sends back whatever comes, over UDP and TCP.
func Echo(ctx context.Context, port int) error {
	datagrams, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	if err != nil {
		return fmt.Errorf("listening on UDP %d: %w", port, err)
	}
	streams, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port})
	if err != nil {
		return errors.Join(fmt.Errorf("listening on TCP %d: %w", port, err), datagrams.Close())
	}
	context.AfterFunc(ctx, func() {
		datagrams.Close()
		streams.Close()
	})
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := datagrams.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = datagrams.WriteToUDPAddrPort(buffer[:n], from) // as lossy as the network
		}
	}()
	for {
		stream, err := streams.AcceptTCP()
		if err != nil {
			return nil
		}
		go func() {
			defer stream.Close()
			_, _ = io.Copy(stream, stream)
		}()
	}
}
