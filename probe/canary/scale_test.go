//go:build linux

package canary

import (
	"net/netip"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// One pod sends to 500 others, which live in this process, in every size.
func TestManyTargets(t *testing.T) {
	if testing.Short() {
		t.Skip("needs time for 500 listeners: run without -short")
	}
	const peers = 500
	var targets []evidence.Target
	var pods []*Pod
	for i := range peers {
		pod := NewPod(identity(i + 1))
		ports, problems := pod.Listen(t.Context(), evidence.ListenRequest{Families: []int{4}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		pods = append(pods, pod)
		targets = append(targets, evidence.Target{Index: i + 1, Addr: netip.MustParseAddr("127.0.0.1"),
			UDP: ports["udp4"], TCP: ports["tcp4"]})
	}
	a := NewPod(identity(0))
	start := time.Now()
	// As long as the plugin gives so many: 8 s and 10 ms for each.
	a.Send(t.Context(), evidence.SendRequest{Targets: targets, Sizes: []int{64, 301, 1392}, Attempts: 3,
		Timeout: 8000 + 10*peers})
	t.Logf("%d targets took %s", peers, time.Since(start).Round(time.Millisecond))
	repeats := 0
	for _, m := range a.Stop() {
		for _, row := range m.Canary.Rows {
			if row.Transport != "icmp" && row.Answered == 0 {
				t.Errorf("%d: %+v", m.Canary.Peer, row)
			}
			repeats += max(int(row.Sent)-1, 0)
		}
	}
	t.Logf("%d canaries were sent again", repeats)
	for _, pod := range pods {
		pod.Stop()
	}
}
