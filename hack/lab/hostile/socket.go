package hostile

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"strings"

	"golang.zx2c4.com/wireguard/ipc"
)

// serve answers on the device's configuration socket as the device did (wireguard.com/xplatform), with counters that
// grow by what is really sent, and a handshake that never was.
func (d *fakeDevice) serve() (net.Listener, error) {
	file, err := ipc.UAPIOpen(d.Device)
	if err != nil {
		return nil, fmt.Errorf("opening the socket of %s: %w", d.Device, err)
	}
	listener, err := ipc.UAPIListen(d.Device, file)
	if err != nil {
		return nil, fmt.Errorf("listening on the socket of %s: %w", d.Device, err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go d.answer(conn)
		}
	}()
	return listener, nil
}

func (d *fakeDevice) answer(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if lines.Text() != "get=1" {
			continue
		}
		if _, err := conn.Write([]byte(d.show())); err != nil {
			return
		}
	}
}

func (d *fakeDevice) show() string {
	var text strings.Builder
	fmt.Fprintf(&text, "private_key=%s\nlisten_port=%d\n", hex.EncodeToString(d.config.PrivateKey[:]), d.config.ListenPort)
	for _, peer := range d.peers {
		fmt.Fprintf(&text, "public_key=%s\nprotocol_version=1\nendpoint=%s\nlast_handshake_time_sec=%d\nlast_handshake_time_nsec=0\n"+
			"tx_bytes=%d\nrx_bytes=%d\npersistent_keepalive_interval=25\n",
			hex.EncodeToString(peer.PublicKey[:]), peer.endpoint, started.Unix(), peer.tx.Load(), peer.rx.Load())
		for _, r := range peer.ranges {
			fmt.Fprintf(&text, "allowed_ip=%s\n", r)
		}
	}
	text.WriteString("errno=0\n\n")
	return text.String()
}
