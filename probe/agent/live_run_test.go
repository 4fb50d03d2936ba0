//go:build linux

package agent

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

var (
	liveMark  = []byte{0xa5, 0x93, 0x17, 0xee, 0x42, 0x8b, 0xc1, 0x6d, 0xf3, 0x2a, 0x9c, 0x71, 0x58, 0xd4, 0x0b, 0xe6}
	liveKey   = bytes.Repeat([]byte{7}, 32)
	liveSizes = []int{64, 301, 693, 0}
)

// drain is how long the plugin lets frames be under way; see plugin/run.
const drain = 300 * time.Millisecond

// verify is the plugin's conversation with all agents, in its order. Something
// can happen while everything is captured.
func (l *live) verify(during func(*live)) {
	l.pods[0].play("knock", podAddr(1).String()) // a tunnel in use has a session
	for i := range 2 {
		l.probes[i], l.tests[i] = l.nodes[i].agent(), l.pods[i].agent()
	}
	each(l.probes, l.start("probe"))
	each(l.tests, l.start("pod"))
	each(l.probes, l.reading(evidence.ReadingBefore))
	if l.between != nil {
		l.between()
	}
	each(l.probes, l.capture)
	ports := each(l.tests, func(int) evidence.Request {
		return evidence.Request{Listen: &evidence.ListenRequest{Families: []int{4}}}
	})
	hosts := l.answerClasses()
	each(l.probes, l.reading(evidence.ReadingReady))
	each(l.probes, l.controls)
	if during != nil {
		during(l)
	}
	each(l.tests, func(i int) evidence.Request {
		there := ports[1-i].Ports
		return evidence.Request{Send: &evidence.SendRequest{
			Sizes: liveSizes, Attempts: 3, Timeout: 8000,
			Targets: []evidence.Target{{Index: 1 - i, Addr: podAddr(1 - i), UDP: there["udp4"], TCP: there["tcp4"]}},
		}}
	})
	l.reachClasses(hosts)
	time.Sleep(drain)
	each(l.probes, l.reading(evidence.ReadingDrained))
	stop := func(int) evidence.Request { return evidence.Request{Stop: &evidence.StopRequest{}} }
	each(l.probes, stop)
	each(l.tests, stop)
	each(l.probes, l.reading(evidence.ReadingAfter))
	end := func(int) evidence.Request { return evidence.Request{End: &evidence.EndRequest{}} }
	each(l.probes, end)
	each(l.tests, end)
}

func (l *live) start(role string) func(int) evidence.Request {
	return func(i int) evidence.Request {
		return evidence.Request{Start: &evidence.StartRequest{
			Schema: evidence.Schema, Role: role, Node: nodeName(i), Index: i, Mark: liveMark, Key: liveKey,
		}}
	}
}

func (l *live) reading(n int) func(int) evidence.Request {
	return func(i int) evidence.Request {
		read := &evidence.ReadRequest{Reading: n}
		if n == evidence.ReadingBefore {
			read.Destinations = []netip.Addr{podAddr(1 - i)}
			read.PodRanges = []netip.Prefix{podRange(i)}
			read.Ranges = liveRanges()
		}
		return evidence.Request{Read: read}
	}
}

func (l *live) capture(int) evidence.Request {
	request := &evidence.CaptureRequest{Keys: l.keys(), Sizes: ciphertexts(), Ranges: liveRanges()}
	for i := range 2 {
		request.Pods = append(request.Pods, evidence.PodAddress{Index: i, IPs: []netip.Addr{podAddr(i)}})
	}
	return evidence.Request{Capture: request}
}

func (l *live) controls(i int) evidence.Request {
	target := evidence.ControlTarget{Index: 1 - i, Endpoint: netip.AddrPortFrom(nodeAddr(1-i), 51820)}
	return evidence.Request{Control: &evidence.ControlRequest{Targets: []evidence.ControlTarget{target}}}
}

func liveRanges() (ranges []evidence.PodRange) {
	for i := range 2 {
		ranges = append(ranges, evidence.PodRange{Index: i, Prefixes: []netip.Prefix{podRange(i)}})
	}
	return ranges
}

// ciphertexts are the lengths of the data messages that carry the canaries:
// WireGuard pads to 16 bytes, but never beyond the MTU.
func ciphertexts() (lengths []int) {
	for _, size := range liveSizes {
		inner := size + 20 + 8 // IPv4 and UDP
		if size == 0 {
			inner = podMTU
		}
		padded := (inner + 15) / 16 * 16
		lengths = append(lengths, 32+min(padded, podMTU))
	}
	return lengths
}

func nodeName(i int) string { return fmt.Sprint("node-", i) }

// plugin is what the plugin records of the run, as it would of a cluster of K3s.
func (l *live) plugin() []evidence.Message {
	messages := []evidence.Message{{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "plugin"}}}
	for i := range 2 {
		messages = append(messages, evidence.Message{Node: &evidence.Node{
			Index: i, Name: nodeName(i), Ready: true, OS: "linux", PodCIDRs: []netip.Prefix{podRange(i)},
			Annotations: map[string]string{
				"flannel.alpha.coreos.com/backend-type": "wireguard",
				"flannel.alpha.coreos.com/backend-data": fmt.Sprintf(`{"PublicKey":%q,"Port":51820}`, l.keys()[i]),
				"flannel.alpha.coreos.com/public-ip":    nodeAddr(i).String(),
			},
		}})
	}
	for i := range 2 {
		messages = append(messages,
			evidence.Message{Pod: livePod("pod", i, podAddr(i))},
			evidence.Message{Pod: livePod("probe", i, nodeAddr(i))})
	}
	return append(messages, evidence.Message{Run: &evidence.Run{
		ID: "live", Version: "test", Started: 1, Minor: evidence.Minor, Mark: hex.EncodeToString(liveMark),
		Families: []int{4}, Sizes: liveSizes, Pairs: "all", Scope: l.scope,
	}})
}

func livePod(role string, i int, addr netip.Addr) *evidence.Pod {
	name := fmt.Sprint(role, "-", i)
	return &evidence.Pod{Role: role, Node: nodeName(i), Name: name, Ready: true, IPs: []netip.Addr{addr}}
}
