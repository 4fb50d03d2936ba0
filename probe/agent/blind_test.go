//go:build linux

package agent

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// outsideCounts are how many bytes eth0 sent between the readings that enclose
// the canaries, and how many were captured leaving it.
func outsideCounts(c *client) (sent, captured uint64) {
	for _, m := range c.messages {
		switch {
		case m.LinkCount != nil && m.LinkCount.Link == "eth0":
			sent = m.LinkCount.TXBytes[evidence.ReadingDrained] - m.LinkCount.TXBytes[evidence.ReadingReady]
		case m.Capture != nil && m.Capture.Link == "eth0":
			captured = m.Capture.TXBytes
		}
	}
	return sent, captured
}

// The UDP canaries of pod 0 leave node 0 by XDP, from veth0 to eth0: no capture
// sees them, eth0's own counters do, and the program is reported.
//
//	pod 0 ── veth0 (XDP) ╌╌╌╌╌> eth0 ── eth0 of node 1
func TestXDPIsNoticed(t *testing.T) {
	l := newLab(t)
	l.nodes[0].play("xdp", "veth0", "eth0")
	l.verify()
	for i, probe := range l.probes {
		sent, captured := outsideCounts(probe)
		t.Logf("node %d: eth0 sent %d bytes, %d were captured", i, sent, captured)
		if passed := sent > captured; passed != (i == 0) {
			t.Errorf("node %d: eth0 sent %d bytes, %d were captured", i, sent, captured)
		}
		programs := 0
		for _, m := range probe.messages {
			if m.Link != nil && m.Link.XDP != nil {
				programs++
			}
			if m.Inventory != nil && m.Inventory.What == evidence.InventoryLinks && !m.Inventory.Complete {
				t.Errorf("%+v", m.Inventory)
			}
		}
		if want := 1 - i; programs != want {
			t.Errorf("node %d: %d programs, want %d", i, programs, want)
		}
	}
}
