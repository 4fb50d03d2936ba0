package device

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	wireguard "golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/tuntest"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// secrets are the keys that no output may hold, in any form.
type secrets []wgtypes.Key

func (s secrets) absent(t *testing.T, where string, output []byte) {
	t.Helper()
	for i, key := range s {
		for form, text := range map[string]string{
			"raw": string(key[:]), "hex": hex.EncodeToString(key[:]),
			"HEX":          strings.ToUpper(hex.EncodeToString(key[:])),
			"base64":       base64.StdEncoding.EncodeToString(key[:]),
			"raw base64":   base64.RawStdEncoding.EncodeToString(key[:]),
			"url base64":   base64.RawURLEncoding.EncodeToString(key[:]),
			"numbers":      strings.Trim(fmt.Sprint(key[:]), "[]"),
			"json numbers": strings.ReplaceAll(strings.Trim(fmt.Sprint(key[:]), "[]"), " ", ","),
		} {
			if bytes.Contains(output, []byte(text)) {
				t.Errorf("secret %d is in %s as %s", i, where, form)
			}
		}
	}
}

// everything renders all that a reading gives away.
func everything(t *testing.T, s Snapshot, problems []evidence.Problem) []byte {
	t.Helper()
	var out bytes.Buffer
	w := evidence.NewWriter(&out)
	var counters Counters
	counters.Take(evidence.ReadingBefore, s)
	for _, m := range append(s.Messages(), counters.Messages()...) {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range problems {
		w.Write(evidence.Message{Problem: &p})
	}
	fmt.Fprintf(&out, "%v %+v %#v %v", s, s, problems, counters)
	return out.Bytes()
}

func newKey(t *testing.T) wgtypes.Key {
	t.Helper()
	key, err := wgtypes.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A real wireguard-go device with two peers, one of them with a preshared key,
// is read through a real control socket.
func TestRealUserspaceDevice(t *testing.T) {
	private, preshared, peer1, peer2 := newKey(t), newKey(t), newKey(t), newKey(t)
	dev := wireguard.NewDevice(tuntest.NewChannelTUN().TUN(), conn.NewDefaultBind(),
		wireguard.NewLogger(wireguard.LogLevelSilent, ""))
	defer dev.Close()
	pub1, pub2 := peer1.PublicKey(), peer2.PublicKey()
	config := fmt.Sprintf("private_key=%x\nlisten_port=0\nfwmark=3584\npublic_key=%x\npreshared_key=%x\nendpoint=192.0.2.2:51820\n"+
		"allowed_ip=10.42.1.0/24\nallowed_ip=2001:db8:1::/64\npersistent_keepalive_interval=25\npublic_key=%x\nendpoint=[2001:db8::2]:51821\n",
		private[:], pub1[:], preshared[:], pub2[:])
	if err := dev.IpcSet(config); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	serve(t, filepath.Join(folder, "flannel-wg.sock"), func(c net.Conn) { dev.IpcHandle(c) })

	reader := Reader{Folders: []string{folder}, Open: func() (Lister, error) {
		return nil,
			errors.New("the kernel was asked")
	}}
	snapshot, problems := reader.Read([]Target{{Name: "flannel-wg", Index: 7, Socket: "/nowhere/flannel-wg.sock"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	secrets{private, preshared}.absent(t, "a userspace reading", everything(t, snapshot, problems))

	d := snapshot.Devices[0]
	if d.PublicKey != private.PublicKey().String() || !d.Userspace || d.Index != 7 || d.Mark != 3584 || d.Peers != 2 {
		t.Errorf("device %+v", d)
	}
	for _, p := range snapshot.Peers {
		switch p.PublicKey {
		case pub1.String():
			if !p.Preshared || p.Keepalive != 25 || p.Endpoint.String() != "192.0.2.2:51820" ||
				len(p.AllowedIPs) != 2 || p.Handshake != 0 {
				t.Errorf("peer %+v", p)
			}
		case pub2.String():
			if p.Preshared || p.Endpoint.String() != "[2001:db8::2]:51821" {
				t.Errorf("peer %+v", p)
			}
		default:
			t.Errorf("peer %+v", p)
		}
	}
}

// lister is a fake kernel.
type lister map[string]func() (*wgtypes.Device, error)

func (l lister) Device(name string) (*wgtypes.Device, error) { return l[name]() }
func (l lister) Close() error                                { return nil }

func TestKernelSecretsAreDropped(t *testing.T) {
	private, preshared, peer := newKey(t), newKey(t), newKey(t)
	given := &wgtypes.Device{
		Name: "wg0", Type: wgtypes.LinuxKernel, PrivateKey: private, PublicKey: private.PublicKey(), ListenPort: 51820,
		Peers: []wgtypes.Peer{{
			PublicKey: peer.PublicKey(), PresharedKey: preshared, LastHandshakeTime: time.Unix(100, 5),
			Endpoint: &net.UDPAddr{IP: net.ParseIP("192.0.2.9"), Port: 51820}, ReceiveBytes: 148, TransmitBytes: 92,
		}},
	}
	for i := range 300 {
		given.Peers[0].AllowedIPs = append(given.Peers[0].AllowedIPs,
			net.IPNet{IP: net.ParseIP(fmt.Sprintf("2001:db8:1234:5678:9abc:def0:1234:%x", 0x1000+i)),
				Mask: net.CIDRMask(128, 128)})
	}
	// An error of a library that quotes a key must not come through either.
	leaky := fmt.Errorf("cannot handle %v with %s: %w", private, preshared, errors.ErrUnsupported)
	kernel := lister{
		"wg0": func() (*wgtypes.Device, error) { return given, nil },
		"wg1": func() (*wgtypes.Device, error) { return nil, leaky },
	}
	reader := Reader{Open: func() (Lister, error) { return kernel, nil },
		Now: func() time.Time { return time.Unix(130, 5) }}
	snapshot, problems := reader.Read([]Target{{Name: "wg0", Index: 3}, {Name: "wg1", Index: 4}})
	secrets{private, preshared}.absent(t, "a kernel reading", everything(t, snapshot, problems))
	if given.PrivateKey != (wgtypes.Key{}) || given.Peers[0].PresharedKey != (wgtypes.Key{}) {
		t.Error("the library's copy of the keys was not overwritten")
	}
	if len(problems) != 1 || problems[0].On != "wg1" {
		t.Errorf("problems %+v", problems)
	}
	p := snapshot.Peers[0]
	if !p.Preshared || p.Age != int64(30*time.Second) || p.RX != 148 || p.TX != 92 ||
		p.Endpoint.String() != "192.0.2.9:51820" {
		t.Errorf("peer %+v", p)
	}
	var parts, allowed int
	for _, m := range snapshot.Messages() {
		if m.Peer != nil {
			parts, allowed = parts+1, allowed+len(m.Peer.AllowedIPs)
		}
		if _, err := evidence.Encode(&m); err != nil {
			t.Error(err)
		}
	}
	if parts != 3 || allowed != 300 {
		t.Errorf("%d messages with %d allowed IPs", parts, allowed)
	}
}

func serve(t *testing.T, path string, handle func(net.Conn)) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go handle(c)
		}
	}()
}
