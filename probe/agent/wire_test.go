//go:build linux

package agent

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Two nodes with a pod each, in namespaces of their own; wg0 is wireguard-go.
//
//	pod 0 10.42.0.2            node 0                node 1            pod 1 10.42.1.2
//	 eth0 ──── veth │ wg0 ══ eth0 192.0.2.1 ── 192.0.2.2 eth0 ══ wg0 │ veth ──── eth0
//	                │ spare0 ─────────────────────────────── spare0  │
type lab struct {
	nodes, pods   [2]*keeper
	probes, tests [2]*client
	private       [2]wgtypes.Key
	preshared     wgtypes.Key
}

func newLab(t *testing.T) *lab {
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	l := &lab{preshared: keyPair(t)}
	for i := range 2 {
		l.nodes[i], l.pods[i], l.private[i] = newKeeper(t), newKeeper(t), keyPair(t)
	}
	l.nodes[0].run(fmt.Sprintf("ip link add eth0 type veth peer name eth0 netns %d", l.nodes[1].pid),
		fmt.Sprintf("ip link add spare0 type veth peer name spare0 netns %d", l.nodes[1].pid))
	for i := range 2 {
		node, pod, other := l.nodes[i], l.pods[i], 1-i
		node.run(fmt.Sprintf("ip link add veth0 type veth peer name eth0 netns %d", pod.pid),
			fmt.Sprintf("ip addr add 192.0.2.%d/24 dev eth0", 1+i), "ip link set eth0 up", "ip link set veth0 up",
			fmt.Sprintf("ip addr add 198.51.100.%d/24 dev spare0", 1+i), "ip link set spare0 up",
			fmt.Sprintf("ip route add 10.42.%d.2/32 dev veth0", i),
			"echo 1 >/proc/sys/net/ipv4/ip_forward", "ip addr add 169.254.1.1/32 dev veth0")
		pod.run(fmt.Sprintf("ip addr add 10.42.%d.2/32 dev eth0", i), "ip link set eth0 mtu 1420 up",
			"ip route add 169.254.1.1 dev eth0", "ip route add default via 169.254.1.1 dev eth0",
			"echo 0 0 >/proc/sys/net/ipv4/ping_group_range")
		public := l.private[other].PublicKey()
		node.device("wg0",
			fmt.Sprintf("private_key=%x\nlisten_port=51820\npublic_key=%x\npreshared_key=%x\nendpoint=192.0.2.%d:51820\nallowed_ip=10.42.%d.0/24",
				l.private[i][:], public[:], l.preshared[:], 1+other, other))
		node.run("ip link set wg0 up", "ip route add 10.42.0.0/16 dev wg0")
	}
	for i := range 2 {
		// A veth takes a moment to have a carrier.
		l.nodes[i].run("for link in eth0 spare0; do until ip link show $link | grep -q 'state UP'; do sleep 0.02; " +
			"done; done")
		l.probes[i], l.tests[i] = l.nodes[i].agent(), l.pods[i].agent()
	}
	return l
}

// each asks both agents at the same time.
func each(agents [2]*client, request func(int) evidence.Request) (answers [2]*evidence.Ready) {
	var asking sync.WaitGroup
	for i, agent := range agents {
		asking.Go(func() { answers[i] = agent.ask(request(i)) })
	}
	asking.Wait()
	return answers
}

// verify is the plugin's whole conversation.
func (l *lab) verify() {
	mark, key := bytes.Repeat([]byte{0xa5, 3}, 8), bytes.Repeat([]byte{7}, 32)
	start := func(role string) func(int) evidence.Request {
		return func(i int) evidence.Request {
			return evidence.Request{
				Start: &evidence.StartRequest{Schema: evidence.Schema, Role: role, Node: fmt.Sprint("node-", i),
					Index: i, Mark: mark, Key: key},
			}
		}
	}
	pod := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 42, byte(i), 2}) }
	read := func(n int) func(int) evidence.Request {
		return func(i int) evidence.Request {
			return evidence.Request{Read: &evidence.ReadRequest{Reading: n, Destinations: []netip.Addr{pod(1 - i)},
				PodRanges: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 42, byte(i), 0}), 24)}}}
		}
	}
	each(l.probes, start("probe"))
	each(l.tests, start("pod"))
	each(l.probes, read(0))
	each(l.probes, func(int) evidence.Request {
		return evidence.Request{Capture: &evidence.CaptureRequest{Keys: []string{l.private[0].PublicKey().String(),
			l.private[1].PublicKey().String()},
			Pods: []evidence.PodAddress{{Index: 0, IPs: []netip.Addr{pod(0)}}, {Index: 1, IPs: []netip.Addr{pod(1)}}}}}
	})
	each(l.probes, read(1))
	ports := each(l.tests, func(int) evidence.Request {
		return evidence.Request{Listen: &evidence.ListenRequest{Families: []int{4}}}
	})
	each(l.tests, func(i int) evidence.Request {
		return evidence.Request{Send: &evidence.SendRequest{Sizes: []int{64, 301, 0}, Attempts: 4, Timeout: 12000,
			Targets: []evidence.Target{
				{Index: 1 - i, Addr: pod(1 - i), UDP: ports[1-i].Ports["udp4"], TCP: ports[1-i].Ports["tcp4"]},
			}}}
	})
	each(l.probes, func(i int) evidence.Request {
		return evidence.Request{Control: &evidence.ControlRequest{Targets: []evidence.ControlTarget{
			{Index: 1 - i, Endpoint: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(2 - i)}), 51820)}}}}
	})
	each(l.probes, read(2))
	stop := func(int) evidence.Request { return evidence.Request{Stop: &evidence.StopRequest{}} }
	each(l.probes, stop)
	each(l.tests, stop)
	each(l.probes, read(3))
	end := func(int) evidence.Request { return evidence.Request{End: &evidence.EndRequest{}} }
	each(l.probes, end)
	each(l.tests, end)
}

func TestEncryptedPair(t *testing.T) {
	l := newLab(t)
	l.verify()
	for i := range 2 {
		l.checkPod(t, l.tests[i])
		l.checkProbe(t, l.probes[i])
		if err := l.probes[i].stdin.Close(); err != nil {
			t.Error(err)
		}
		if err := l.probes[i].wait(); err != nil {
			t.Error("probe:", err)
		}
		all := strings.ToLower(l.probes[i].raw.String())
		for _, key := range []wgtypes.Key{l.private[0], l.private[1], l.preshared} {
			if strings.Contains(all, hex.EncodeToString(key[:])) ||
				strings.Contains(all, strings.ToLower(base64.StdEncoding.EncodeToString(key[:]))) {
				t.Error("a secret came out of the probe")
			}
		}
		if t.Failed() {
			t.Log(l.probes[i].raw.String())
		}
	}
}

func (l *lab) checkPod(t *testing.T, c *client) {
	if gap := evidence.Gap(c.messages); gap != "" {
		t.Error(gap)
	}
	rows := 0
	for _, m := range c.messages {
		if m.Problem != nil {
			t.Errorf("%+v", m.Problem)
		}
		if m.Canary == nil {
			continue
		}
		for _, row := range m.Canary.Rows {
			rows++
			if row.Sent == 0 || row.Answered == 0 || (row.Received == 0) != (row.Transport == "icmp") ||
				row.Error != "" {
				t.Errorf("%+v", row)
			}
		}
	}
	if rows != 9 {
		t.Errorf("%d rows", rows)
	}
}

func (l *lab) checkProbe(t *testing.T, c *client) {
	if gap := evidence.Gap(c.messages); gap != "" {
		t.Error(gap)
	}
	seen := map[string]int{}
	for _, m := range c.messages {
		kind, _ := m.Kind()
		seen[string(kind)]++
		switch {
		case m.Problem != nil:
			t.Errorf("%+v", m.Problem)
		case m.Sighting != nil:
			t.Errorf("a leak: %+v", m.Sighting)
		case m.Link != nil:
			seen[m.Link.Name+" "+string(m.Link.Role)]++
		case m.Capture != nil && (!m.Capture.Started || !m.Capture.Alive || m.Capture.Drops+m.Capture.Truncated > 0 ||
			m.Capture.Role == evidence.RoleOutside && m.Capture.ControlTX == 0):
			t.Errorf("%+v", m.Capture)
		case m.Control != nil && (m.Control.Sent == 0 || m.Control.Error != ""):
			t.Errorf("%+v", m.Control)
		case m.Route != nil && m.Route.For.IsValid():
			seen["route by "+m.Route.Link]++
		case m.Count != nil:
			l.checkCount(t, c, m.Count)
		}
	}
	for _, want := range []string{"device", "peer", "count", "tunnel", "witness", "eth0 outside", "spare0 outside",
		"veth0 inside", "wg0 wireguard", "route by wg0", "route by eth0"} {
		if seen[want] == 0 {
			t.Errorf("no %s: %v", want, seen)
		}
	}
	if seen["capture"] != 3 || seen["control"] != 2 {
		t.Errorf("%v", seen)
	}
}

// checkCount holds the captured sum between the four readings (P5).
func (l *lab) checkCount(t *testing.T, c *client, count *evidence.Count) {
	if count.Readings != evidence.Readings {
		t.Errorf("%+v", count)
	}
	for _, m := range c.messages {
		if m.Tunnel == nil {
			continue
		}
		for way, sum := range map[string]struct {
			captured uint64
			read     [evidence.Readings]uint64
		}{"tx": {m.Tunnel.TX.Bytes, count.TX}, "rx": {m.Tunnel.RX.Bytes, count.RX}} {
			t.Logf("%s: readings %v, captured %d", way, sum.read, sum.captured)
			low, high := sum.read[evidence.ReadingDrained]-sum.read[evidence.ReadingReady],
				sum.read[evidence.ReadingAfter]-sum.read[evidence.ReadingBefore]
			if sum.captured < low || sum.captured > high || low == 0 {
				t.Errorf("%s: captured %d, counted %d to %d", way, sum.captured, low, high)
			}
		}
	}
}

// The same pair with a more specific route past the tunnel: each probe sees it.
func TestLeakingPair(t *testing.T) {
	l := newLab(t)
	for i := range 2 {
		l.nodes[i].run(fmt.Sprintf("ip route add 10.42.%d.0/24 via 192.0.2.%d", 1-i, 2-i))
	}
	l.verify()
	for i := range 2 {
		l.checkPod(t, l.tests[i])
		leaks := 0
		for _, m := range l.probes[i].messages {
			if m.Sighting != nil && m.Sighting.Link == "eth0" {
				leaks++
			}
		}
		if leaks == 0 {
			t.Error("the leak was not seen:", l.probes[i].raw.String())
		}
	}
}
