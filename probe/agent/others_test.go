//go:build linux

package agent

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestOtherPods: a rule leads what pods send to a database past the tunnel. No
// canary is like that, and yet one packet of it, amid what other pods send
// through the tunnel, is a leak that both nodes see.
//
//	pod 0 10.42.0.2 ── node 0: wg0, and table 77 for UDP 5432 ══ wg0 / eth0 ══ node 1 ── 10.42.1.3
func TestOtherPods(t *testing.T) {
	l := newLab(t)
	l.nodes[0].run("ip rule add pref 50 to 10.42.1.0/24 ipproto udp dport 5432 lookup 77",
		"ip route add 10.42.1.0/24 via 192.0.2.2 table 77")
	ask := func(request evidence.Request) {
		each(l.probes, func(int) evidence.Request { return request })
	}
	each(l.probes, func(i int) evidence.Request {
		return evidence.Request{Start: &evidence.StartRequest{Schema: evidence.Schema, Role: "probe",
			Node: fmt.Sprint("node-", i), Index: i, Mark: bytes.Repeat([]byte{0xa5, 3}, 8),
			Key: bytes.Repeat([]byte{7}, 32)}}
	})
	podRange := func(i int) []netip.Prefix {
		return []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 42, byte(i), 0}), 24)}
	}
	each(l.probes, func(i int) evidence.Request {
		return evidence.Request{Read: &evidence.ReadRequest{PodRanges: podRange(i)}}
	})
	ask(evidence.Request{
		Capture: &evidence.CaptureRequest{
			Ranges: []evidence.PodRange{{Index: 0, Prefixes: podRange(0)}, {Index: 1, Prefixes: podRange(1)}},
		},
	})
	l.pods[0].run("bash -c 'for i in $(seq 50); do echo of others >/dev/udp/10.42.1.3/53; done; " +
		"echo secret >/dev/udp/10.42.1.3/5432'")
	time.Sleep(300 * time.Millisecond)
	ask(evidence.Request{Stop: &evidence.StopRequest{}})
	for i, probe := range l.probes {
		want, found := []string{evidence.DirectionTX, evidence.DirectionRX}[i], 0
		for _, m := range probe.messages {
			leak := m.Sighting
			if leak == nil || leak.TargetPort == 0 {
				continue // node 1 has no such pod, and an ICMP error of that may come back
			}
			found++
			if leak.By != evidence.LeakedByRange || leak.Link != "eth0" || leak.Direction != want || leak.Source != 0 ||
				leak.Target != 1 ||
				leak.Count != 1 ||
				leak.TargetPort != 5432 ||
				leak.InnerTarget != netip.MustParseAddr("10.42.1.3") || bytes.Contains(leak.Sample, []byte("secret")) {
				t.Errorf("node %d: %+v", i, leak)
			}
		}
		if found != 1 {
			t.Errorf("node %d: %d leaks\n%s", i, found, probe.raw.String())
		}
	}
}
