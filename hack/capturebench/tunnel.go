//go:build linux

package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
)

// The addresses within the tunnel, and its MTU over the veth's 1500.
const (
	insideA   = "10.42.0.1"
	insideB   = "10.42.1.1"
	tunnelMTU = 1420
)

// transfers measures how much goes through the tunnel with and without a
// capture, over the veth as fast as it goes and at limited rates: these leave
// processor time to spare, as on a node whose network is its bound.
func transfers(n *network, p plan) error {
	devices, err := joinByTunnel(n)
	defer func() {
		for _, d := range devices {
			d.Close()
		}
	}()
	if err != nil {
		return err
	}
	fmt.Printf("\nTCP through wireguard-go, each end captured on eth0 and wg0; ratios within a round\n")
	for _, limit := range p.limits {
		if err := n.limit(limit); err != nil {
			return err
		}
		if err := transfersAt(n, p, limit); err != nil {
			return err
		}
	}
	return nil
}

// transfersAt measures in turn without a capture, with one at one end, and with
// one at each.
func transfersAt(n *network, p plan, limit int) error {
	if _, err := transfer(n, p.lasting); err != nil { // the handshake, TCP's first window
		return err
	}
	cases := []struct {
		name string
		at   []*namespace
		rate []float64
		lost uint64
	}{{name: "no capture"}, {name: "a capture at the sender", at: []*namespace{n.a}}, {name: "a capture at each end", at: []*namespace{n.a, n.b}}}
	for range p.rounds {
		for i := range cases {
			rate, lost, err := transferWith(n, p.lasting, cases[i].at)
			if err != nil {
				return err
			}
			cases[i].rate, cases[i].lost = append(cases[i].rate, rate), cases[i].lost+lost
		}
	}
	link := "no limit"
	if limit > 0 {
		link = fmt.Sprintf("%d Mbit/s", limit)
	}
	for _, c := range cases {
		var ratios []float64
		for i := range c.rate {
			ratios = append(ratios, c.rate[i]/cases[0].rate[i])
		}
		same := func(f float64) float64 { return f }
		fmt.Printf("link %-11s %-24s %7.0f Mbit/s  ratio %.3f  frames lost %d\n", link, c.name, median(c.rate, same)*8/1e6, median(ratios, same), c.lost)
	}
	return nil
}

// transferWith returns bytes per second, and what the captures lost.
func transferWith(n *network, lasting time.Duration, at []*namespace) (rate float64, lost uint64, err error) {
	var readers []*reader
	for _, space := range at {
		r, err := startProbe(space, "eth0", "wg0")
		if err != nil {
			return 0, 0, err
		}
		readers = append(readers, r)
	}
	rate, err = transfer(n, lasting)
	for _, r := range readers {
		a, e := r.stop()
		err, lost = errors.Join(err, e), lost+a.Lost
	}
	return rate, lost, err
}

// transfer sends zeros from a to b and returns how many arrived per second.
func transfer(n *network, lasting time.Duration) (float64, error) {
	var listener *net.TCPListener
	var from *net.TCPConn
	if err := n.b.do(func() (err error) {
		listener, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.ParseIP(insideB)})
		return err
	}); err != nil {
		return 0, fmt.Errorf("listening in the tunnel: %w", err)
	}
	defer listener.Close()
	if err := n.a.do(func() (err error) {
		from, err = net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
		return err
	}); err != nil {
		return 0, fmt.Errorf("connecting through the tunnel: %w", err)
	}
	defer from.Close()
	to, err := listener.AcceptTCP()
	if err != nil {
		return 0, fmt.Errorf("accepting in the tunnel: %w", err)
	}
	defer to.Close()
	begun := time.Now()
	go func() {
		zeros := make([]byte, 256<<10)
		for time.Since(begun) < lasting {
			if _, err := from.Write(zeros); err != nil {
				return
			}
		}
		_ = from.CloseWrite() // fails only on a connection that has ended
	}()
	got, err := io.Copy(io.Discard, to)
	if err != nil {
		return 0, fmt.Errorf("receiving through the tunnel: %w", err)
	}
	return float64(got) / time.Since(begun).Seconds(), nil
}

// bind opens its sockets in a namespace, whichever thread asks for them:
// wireguard-go opens them again when its link goes up.
type bind struct {
	conn.Bind
	space *namespace
}

// Open implements conn.Bind.
func (b bind) Open(port uint16) (receivers []conn.ReceiveFunc, actual uint16, err error) {
	err = b.space.do(func() (err error) { receivers, actual, err = b.Bind.Open(port); return err })
	return receivers, actual, err
}

// joinByTunnel makes a wireguard-go device in each namespace.
func joinByTunnel(n *network) ([]*device.Device, error) {
	a, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	b, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	var devices []*device.Device
	for _, end := range []struct {
		space                  *namespace
		own, peer              *ecdh.PrivateKey
		inside, beyond, remote string
	}{{n.a, a, b, insideA, insideB, addressB}, {n.b, b, a, insideB, insideA, addressA}} {
		config := fmt.Sprintf("private_key=%s\nlisten_port=%d\npublic_key=%s\nendpoint=%s:%d\nallowed_ip=%s/32\n",
			hex.EncodeToString(end.own.Bytes()), wgPort, hex.EncodeToString(end.peer.PublicKey().Bytes()), end.remote, wgPort, end.beyond)
		var link tun.Device
		if err := end.space.do(func() (err error) { link, err = tun.CreateTUN("wg0", tunnelMTU); return err }); err != nil {
			return devices, fmt.Errorf("making a tunnel: %w", err)
		}
		d := device.NewDevice(link, bind{conn.NewDefaultBind(), end.space}, device.NewLogger(device.LogLevelSilent, ""))
		devices = append(devices, d)
		if err := errors.Join(d.IpcSet(config), d.Up()); err != nil {
			return devices, fmt.Errorf("configuring a tunnel: %w", err)
		}
		for _, command := range []string{"addr add " + end.inside + "/32 dev wg0", "link set wg0 up", "route add " + end.beyond + " dev wg0"} {
			if err := end.space.ip(command); err != nil {
				return devices, err
			}
		}
	}
	return devices, nil
}
