package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// rowsOf changes what a pod says of its canaries with another.
func rowsOf(messages []evidence.Message, peer int, change func([]evidence.CanaryRow) []evidence.CanaryRow) {
	each(messages, func(m *evidence.Message) {
		if m.Canary != nil && m.Canary.Peer == peer {
			m.Canary.Rows = change(slices.Clone(m.Canary.Rows))
		}
	})
}

const fullSize, lesserSize = 1392, 1352 // payloads that fill an MTU of 1420 and of 1380

// Without a canary of full size nothing says that full packets pass, whatever
// the largest one is that was sent.
func TestNoCanaryOfFullSize(t *testing.T) {
	streams := healthy(3)
	more := evidence.CanaryRow{Transport: "tcp", Size: 64, Sent: 1, Answered: 1, Received: 1}
	rowsOf(streams["pod/node-1"], 1, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
		rows = slices.DeleteFunc(rows, func(r evidence.CanaryRow) bool { return r.Size == fullSize })
		return append(rows, more)
	})
	rowsOf(streams["pod/node-2"], 0, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
		rows = slices.DeleteFunc(rows, func(r evidence.CanaryRow) bool { return r.Size == fullSize })
		return append(rows, more)
	})
	connected := func(s *evidence.Seen) { s.TCP, s.TCPAnswers = 4, 2 }
	between1and2(connected)(streams)
	seenBy(streams, "node-1", "rx", 1, 0, connected)
	seenBy(streams, "node-2", "tx", 1, 0, connected)
	if j := Judge(record(t, streams)); j.Verdict != verdict.Undecided || j.FirstCause.Code != "WG0503" {
		t.Errorf("verdict %s: %v", j.Verdict, bad(j))
	}
}

// Nodes whose links take different sizes are fine: each pod sends what fills
// its own.
func TestPodsOfDifferentMTU(t *testing.T) {
	streams := healthy(3)
	rowsOf(streams["pod/node-1"], 1, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
		i := slices.IndexFunc(rows, func(r evidence.CanaryRow) bool { return r.Size == fullSize })
		rows[i].Received = 0
		return append(rows, evidence.CanaryRow{Transport: "udp", Size: lesserSize, Received: 1})
	})
	rowsOf(streams["pod/node-2"], 0, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
		i := slices.IndexFunc(rows, func(r evidence.CanaryRow) bool { return r.Size == fullSize })
		rows[i].Size, rows[i].Received = lesserSize, 0
		return append(rows, evidence.CanaryRow{Transport: "udp", Size: fullSize, Received: 1})
	})
	sizes := []evidence.SizeCount{{Size: 128, Count: 4}, {Size: 400, Count: 2}, {Size: 1424, Count: 1},
		{Size: 1452, Count: 1}}
	both := func(t *evidence.Tunnel) { t.TX.Sizes, t.RX.Sizes = sizes, sizes }
	tunnel(streams["probe/node-1"], 1, both)
	tunnel(streams["probe/node-2"], 0, both)
	if j := Judge(record(t, streams)); j.Verdict != verdict.Passed {
		t.Errorf("verdict %s: %v", j.Verdict, bad(j))
	}
}

// A size that is tried where full packets are lost stands for no other: a lost
// canary of the run's own sizes stays lost.
func TestRungsStandForNothingElse(t *testing.T) {
	streams := healthy(3)
	each(streams["plugin"], func(m *evidence.Message) {
		if m.Run != nil {
			m.Run.Rungs = []int{1000, 1352}
		}
	})
	found := evidence.CanaryRow{Transport: "udp", Size: 1352, Sent: 3, Answered: 3}
	rowsOf(streams["pod/node-1"], 1, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
		rows = slices.DeleteFunc(rows, func(r evidence.CanaryRow) bool { return r.Size == fullSize })
		return append(rows, found)
	})
	if j := Judge(record(t, streams)); j.Verdict == verdict.Passed {
		t.Error("the full size was not sent, and a size of the search took its place")
	}
}

// An MTU that does not fit is a failure only where small packets pass, and a loop
// is not an MTU.
func TestSizeIsNoOutage(t *testing.T) {
	small := func(s streams) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Link != nil && m.Link.Name == "eth0" {
				m.Link.MTU = 1400
			}
		})
	}
	blocked := unacceptedRun(inputRule("drop", "INPUT", "udp dport 51820 drop", at51820(evidence.Selector{})))
	small(blocked)
	stalled := healthy(3)
	small(stalled)
	each(stalled["pod/node-1"], func(m *evidence.Message) {
		if m.Canary != nil && m.Canary.Peer == 1 {
			m.Canary.Rows[2].Answered = 0
		}
	})
	undelivery := healthy(3)
	small(undelivery)
	undelivered(undelivery)
	for name, test := range map[string]struct {
		run  streams
		code string
	}{"a port that is blocked": {blocked, "WG0501"}, "full packets that are lost": {stalled, "WG0504"},
		"all packets that are lost": {undelivery, "WG0502"}} {
		if f := Judge(record(t, test.run)).FirstCause; f == nil || f.Code != test.code {
			t.Errorf("%s: %+v", name, f)
		}
	}
	for _, c := range reachedCases {
		if c.variant != "loop" {
			continue
		}
		j := Judge(record(t, c.run()))
		if slices.ContainsFunc(j.Findings, func(f verdict.Finding) bool {
			return f.Code == "WG0504" && f.Subject.Node == "node-1" &&
				f.Subject.Peer == "node-2" && f.Status != verdict.NotApplicable
		}) {
			t.Error("a loop has an MTU")
		}
	}
}

// Packets of full size are said to be lost in the direction that lost them, with
// what passes.
func TestLostFull(t *testing.T) {
	for name, test := range map[string]struct {
		arrived uint32
		want    string
	}{
		"the packet": {0, "packets of 1420 bytes from the pod on node-1 to the pod on node-2 are lost; " +
			"those of 361 bytes arrive"},
		"its answer": {3, "packets of 1420 bytes from the pod on node-2 to the pod on node-1 are lost; " +
			"those of 361 bytes arrive"},
	} {
		s := healthy(3)
		each(s["pod/node-1"], func(m *evidence.Message) {
			if m.Canary != nil && m.Canary.Peer == 1 {
				m.Canary.Rows[2].Answered = 0
			}
		})
		each(s["pod/node-2"], func(m *evidence.Message) {
			if m.Canary != nil && m.Canary.Peer == 0 {
				m.Canary.Rows[2].Received = test.arrived
			}
		})
		f := Judge(record(t, s)).FirstCause
		if f == nil || f.Code != "WG0503" || f.Text != test.want || f.Variant != "between" || f.Facts["mtu"] != "361" ||
			f.Facts["size"] != "1420" {
			t.Errorf("%s: %+v", name, f)
		}
		if f != nil &&
			(len(f.Readings) == 0 || !strings.Contains(f.Readings[0].Text, "answered: 92, 361; not answered: 1420")) {
			t.Errorf("%s: %+v", name, f.Readings)
		}
	}
}

// A pod's link may take more than the tunnel, as long as its node says what does fit and that
// arrives: the first of the three alone is no loss.
func TestPodsAreToldWhatFits(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(full, told *evidence.CanaryRow)
		verdict verdict.Verdict
	}{
		"told":                 {func(_, _ *evidence.CanaryRow) {}, verdict.Passed},
		"not told":             {func(full, _ *evidence.CanaryRow) { full.PathMTU = 0 }, verdict.Failed},
		"told, lost all same":  {func(_, told *evidence.CanaryRow) { told.Answered = 0 }, verdict.Failed},
		"told, never received": {func(_, told *evidence.CanaryRow) { told.Received = 0 }, verdict.Failed},
		"told another size":    {func(full, _ *evidence.CanaryRow) { full.PathMTU = 1400 }, verdict.Failed},
		"told less than the tunnel takes": {func(full, told *evidence.CanaryRow) {
			full.PathMTU, told.Size = 1400, 1400-headerSize(4) // so it is not the tunnel that refuses the rest
		}, verdict.Failed},
		"told a small size": {func(full, _ *evidence.CanaryRow) { full.PathMTU = 64 + headerSize(4) }, verdict.Failed},
	} {
		streams := healthy(2)
		for node, peer := range map[string]int{"pod/node-1": 1, "pod/node-2": 0} {
			rowsOf(streams[node], peer, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
				at := slices.IndexFunc(rows, func(r evidence.CanaryRow) bool {
					return r.Transport == "udp" && r.Size == fullSize
				})
				full := evidence.CanaryRow{
					Transport: "udp", Size: fullSize + 30, Sent: 1, PathMTU: fullSize + headerSize(4),
				}
				test.change(&full, &rows[at])
				return slices.Insert(rows, at+1, full)
			})
		}
		j := Judge(record(t, streams))
		if j.Verdict != test.verdict {
			t.Errorf("%s: verdict %s: %v", name, j.Verdict, bad(j))
		}
		if test.verdict == verdict.Failed && j.FirstCause.Code != "WG0503" {
			t.Errorf("%s: first cause %+v", name, j.FirstCause)
		}
	}
}
