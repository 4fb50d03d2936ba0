package wire

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/curve25519"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/conn/bindtest"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/tuntest"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// tapped notes every datagram that a device sends.
type tapped struct {
	conn.Bind
	mu   *sync.Mutex
	from int
	sent *[]datagram
}

type datagram struct {
	from int
	b    []byte
}

func (w *tapped) Send(bufs [][]byte, to conn.Endpoint) error {
	w.mu.Lock()
	for _, b := range bufs {
		*w.sent = append(*w.sent, datagram{w.from, append([]byte(nil), b...)})
	}
	w.mu.Unlock()
	return w.Bind.Send(bufs, to)
}

// converse lets two real wireguard-go devices shake hands over channels and
// ping each other, and returns what they said and their public keys.
//
//	device 0, 1.0.0.1 ── channel ── device 1, 1.0.0.2
func converse(t *testing.T, pings int) (said []datagram, keys [2]string) {
	t.Helper()
	var mu sync.Mutex
	var private [2][32]byte
	for i := range private {
		private[i][5], private[i][31] = byte(i+1), 64
		public, err := curve25519.X25519(private[i][:], curve25519.Basepoint)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = base64.StdEncoding.EncodeToString(public)
	}
	binds := bindtest.NewChannelBinds()
	var tuns [2]*tuntest.ChannelTUN
	var devices [2]*device.Device
	for i := range devices {
		tuns[i] = tuntest.NewChannelTUN()
		devices[i] = device.NewDevice(tuns[i].TUN(), &tapped{binds[i], &mu, i, &said},
			device.NewLogger(device.LogLevelSilent, ""))
		t.Cleanup(devices[i].Close)
		peer, _ := base64.StdEncoding.DecodeString(keys[1-i])
		config := fmt.Sprintf("private_key=%s\nlisten_port=0\npublic_key=%s\nendpoint=127.0.0.1:%d\nallowed_ip=1.0.0.%d/32\n",
			hex.EncodeToString(private[i][:]), hex.EncodeToString(peer), i+1, 2-i)
		if err := devices[i].IpcSet(config); err != nil {
			t.Fatal(err)
		}
		if err := devices[i].Up(); err != nil {
			t.Fatal(err)
		}
	}
	addr := [2]netip.Addr{netip.MustParseAddr("1.0.0.1"), netip.MustParseAddr("1.0.0.2")}
	for range pings {
		for i := range devices {
			tuns[i].Outbound <- tuntest.Ping(addr[1-i], addr[i])
			select {
			case <-tuns[1-i].Inbound:
			case <-time.After(20 * time.Second):
				t.Fatal("the devices do not talk")
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	return append([]datagram(nil), said...), keys
}

// TestGenuine counts a real conversation as node 0 sees it: everything is
// well-formed, every handshake was made for the right key, indices belong
// together and counters have no gap.
func TestGenuine(t *testing.T) {
	const pings = 20
	said, keys := converse(t, pings)
	subject := testSubject()
	subject.Keys = []string{publicKey(7), keys[0], keys[1]}
	stats := newStats(t, subject)
	link := stats.Link("eth0", evidence.RoleOutside)
	var bytes [2]uint64
	for _, d := range said {
		bytes[d.from] += uint64(len(d.b))
		if d.from == 0 {
			link.Add(tx(underlay(t, d.b)))
		} else {
			link.Add(rx(reverse(t, d.b)))
		}
	}
	tunnels := pick(t, stats.Messages(), tunnelOf)
	if len(tunnels) != 1 {
		t.Fatalf("%d tunnels", len(tunnels))
	}
	tunnel := tunnels[0]
	if tunnel.Local.String() != "192.0.2.10:51820" || tunnel.Remote.String() != "192.0.2.11:51820" {
		t.Errorf("ends %s and %s", tunnel.Local, tunnel.Remote)
	}
	for i, flow := range []evidence.Flow{tunnel.TX, tunnel.RX} {
		if flow.Bytes != bytes[i] || flow.Malformed != 0 || flow.Data < pings || flow.Initiations+flow.Responses == 0 {
			t.Errorf("node %d: %+v, %d bytes sent", i, flow, bytes[i])
		}
		for _, h := range flow.Handshakes {
			if h.For != keys[1-i] {
				t.Errorf("node %d: handshake %+v is for %q", i, h, h.For)
			}
		}
		for _, r := range flow.Indices {
			if r.Min != 0 || r.Messages != r.Max+1 || r.Repeats != 0 {
				t.Errorf("node %d: %+v", i, r)
			}
		}
	}
	for _, h := range tunnel.TX.Handshakes { // the sender's index is what the other side sends to
		for _, r := range tunnel.RX.Indices {
			if len(tunnel.RX.Indices) == 1 && r.Index != h.Sender {
				t.Errorf("index %d in answer to %d", r.Index, h.Sender)
			}
		}
	}
}

// TestForgedHandshake: one changed bit anywhere before mac2 and the message was
// made for nobody.
func TestForgedHandshake(t *testing.T) {
	said, keys := converse(t, 1)
	for _, d := range said {
		if kind := messageKind(d.b, len(d.b)); kind != typeInitiation && kind != typeResponse {
			continue
		}
		r, err := newReceiver(keys[1-d.from])
		if err != nil {
			t.Fatal(err)
		}
		if !r.made(d.b) {
			t.Fatal("a genuine handshake does not verify")
		}
		for at := range len(d.b) - 16 {
			d.b[at] ^= 0x10
			if r.made(d.b) {
				t.Fatalf("verifies with byte %d changed", at)
			}
			d.b[at] ^= 0x10
		}
	}
}
