package status

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaE="
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbE="
	keyC = "cccccccccccccccccccccccccccccccccccccccccccE="
)

// example is a cluster of three nodes: a healthy one, one that has a problem with the
// third, which is lost. A peer of the first is nobody's.
func example() *Cluster {
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	peer := func(device, key, node, endpoint string, place int, allowed ...string) *Peer {
		p := &Peer{Peer: evidence.Peer{Device: device, PublicKey: key}, Node: node, place: place}
		if endpoint != "" {
			p.Endpoint = netip.MustParseAddrPort(endpoint)
		}
		for _, a := range allowed {
			p.AllowedIPs = append(p.AllowedIPs, netip.MustParsePrefix(a))
		}
		return p
	}
	b := peer("flannel-wg", keyB, "node-b", "192.0.2.2:51820", 0, "10.42.1.0/24")
	b.Handshake, b.Age = at.Add(-65*time.Second).UnixNano(), int64(65*time.Second)
	b.RX, b.TX, b.Keepalive, b.Preshared = 5<<20, 1536, 25, true
	b.Rate = &Rate{RX: 2048, TX: 100.4}
	stranger := peer("flannel-wg", keyC, "", "[2001:db8::9]:51820", 1, "10.42.7.0/24", "2001:db8:42::/64", "10.42.8.0/24")
	a := peer("flannel-wg", keyA, "node-a", "192.0.2.1:51820", 1, "10.42.0.0/24")
	a.Handshake, a.Age, a.RX, a.TX = at.Add(-26*time.Hour).UnixNano(), int64(26*time.Hour), 700, 5<<30
	stale := peer("flannel-wg", keyC, "node-c", "", 0)
	c := &Cluster{
		At: at, System: "K3s with Flannel, backend wireguard",
		Nodes: []*Node{
			{Name: "node-a", Devices: []*Device{{
				Device: evidence.Device{Name: "flannel-wg", Userspace: true, PublicKey: keyA, Port: 51820, Mark: 0x2000},
				Up:     true, Peers: []*Peer{b, stranger},
			}}},
			{Name: "node-b", place: 1, Devices: []*Device{{
				Device: evidence.Device{Name: "flannel-wg", PublicKey: keyB, Port: 51820}, Up: true, Peers: []*Peer{stale, a},
			}}},
			{Name: "node-c", place: 2, Lost: "the connection broke"},
		},
		Problems: []Problem{
			{Code: "WG0701", Status: verdict.Warn, Subject: verdict.Subject{Node: "node-a"}, Device: "flannel-wg",
				Text: "flannel-wg of node-a is a userspace WireGuard: encrypted, but slower"},
			{Code: "WG0103", Status: verdict.Inconclusive, Subject: verdict.Subject{Node: "node-c"},
				Text: "node-c could not be read: the connection broke"},
			{Code: "WG0302", Status: verdict.Fail, Subject: verdict.Subject{Node: "node-b", Peer: "node-a", Family: 4},
				Device: "flannel-wg", Key: keyA, Text: "node-b has no peer with the key of node-a\x1b[2J"},
		},
	}
	c.mark()
	c.sort()
	return c
}

func TestFormats(t *testing.T) {
	for name, write := range map[string]func(*Cluster, *bytes.Buffer) error{
		"table.txt":   func(c *Cluster, w *bytes.Buffer) error { return c.Table(w, TableOptions{}) },
		"wide.txt":    func(c *Cluster, w *bytes.Buffer) error { return c.Table(w, TableOptions{Wide: true}) },
		"color.txt":   func(c *Cluster, w *bytes.Buffer) error { return c.Table(w, TableOptions{Color: true, Width: 200}) },
		"small.txt":   func(c *Cluster, w *bytes.Buffer) error { return c.Table(w, TableOptions{Width: 80, Height: 12}) },
		"dump.txt":    func(c *Cluster, w *bytes.Buffer) error { return c.Dump(w) },
		"status.json": func(c *Cluster, w *bytes.Buffer) error { return c.Write(w, "json") },
		"status.yaml": func(c *Cluster, w *bytes.Buffer) error { return c.Write(w, "yaml") },
	} {
		var text bytes.Buffer
		if err := write(example(), &text); err != nil {
			t.Error(err)
		}
		golden.Compare(t, name, text.Bytes())
		if name != "color.txt" && strings.Contains(text.String(), "\x1b") {
			t.Errorf("%s: what a node says came through", name)
		}
	}
}

// A screen is never longer or wider than it may be, whatever is wrong.
func TestSmallScreens(t *testing.T) {
	for _, height := range []int{12, 24, 50} {
		for _, width := range []int{40, 80, 300} {
			var text bytes.Buffer
			if err := many(100).Table(&text, TableOptions{Width: width, Height: height, Color: true}); err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(text.String(), "\n"); lines > height {
				t.Errorf("%d lines on %d", lines, height)
			}
			for line := range strings.Lines(text.String()) {
				plain := strings.NewReplacer("\x1b[31m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(line)
				if columns := len([]rune(strings.TrimSuffix(plain, "\n"))); columns > width {
					t.Errorf("%d columns on %d: %q", columns, width, line)
				}
			}
		}
	}
}

// many is a full mesh of so many nodes.
func many(nodes int) *Cluster {
	c := &Cluster{System: "test"}
	for i := range nodes {
		n := &Node{Name: fmt.Sprintf("node-%03d", i), place: i}
		d := &Device{Device: evidence.Device{Name: "flannel-wg", PublicKey: keyA, Port: 51820}, Up: true}
		for j := range nodes {
			if j != i {
				d.Peers = append(d.Peers, &Peer{Peer: evidence.Peer{Device: d.Name, PublicKey: keyB, RX: 1, TX: 2}, place: j})
			}
		}
		n.Devices = []*Device{d}
		c.Nodes = append(c.Nodes, n)
	}
	return c
}

func TestWords(t *testing.T) {
	for bytes, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1 << 63: "8388608.0 TiB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 2 * time.Hour: "2h00m",
		50 * time.Hour: "2d02h",
	} {
		if got := duration(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
