package check

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// seenInClear is a leak from one node's pod to another's, by their indexes.
func seenInClear(from, to int) evidence.Message {
	return evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: from, Target: to, Family: 4, By: "mark",
		Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp", Count: 7}}
}

// blocked has node-2 drop the tunnel from node-1, whose canaries are then lost.
func blocked(s map[string][]evidence.Message) {
	count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
	undelivered(s)
}

// pastTheTunnel has node-3 route what is for node-1 past the tunnel.
func pastTheTunnel(s map[string][]evidence.Message) {
	route(s["probe/node-3"], evidence.Route{For: podIP(0), Link: "flannel.1", Type: "unicast"})
}

// A leak, or what led to it, is the first cause before every failure that it
// does not follow from, and what else is wrong stands beside it.
func TestALeakIsTheFirstCause(t *testing.T) {
	for _, test := range []struct {
		name                  string
		breaks                func(s map[string][]evidence.Message)
		cause, subject        string
		leak, besides, leakOf string
	}{
		{"a leak alone", func(s map[string][]evidence.Message) {
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
		}, "WG0601", "node-3 → node-1", "WG0601", "", "node-3 → node-1"},
		{"a leak, and an outage elsewhere", func(s map[string][]evidence.Message) {
			blocked(s)
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
		}, "WG0601", "node-3 → node-1", "WG0601", "WG0501", "node-3 → node-1"},
		{"a leak on the very pair that has an outage", func(s map[string][]evidence.Message) {
			blocked(s)
			s["probe/node-1"] = append(s["probe/node-1"], seenInClear(0, 1))
		}, "WG0601", "node-1 → node-2", "WG0601", "WG0501", "node-1 → node-2"},
		{"a new pod's leak on a pair that has an outage", func(s map[string][]evidence.Message) {
			blocked(s)
			s["probe/node-1"] = append(s["probe/node-1"], firstLeak(0, 1))
		}, "WG0609", "node-1 → node-2", "WG0609", "WG0501", "node-1 → node-2"},
		{"a leak that a route explains", func(s map[string][]evidence.Message) {
			pastTheTunnel(s)
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
		}, "WG0401", "node-3 → node-1", "WG0601", "", "node-3 → node-1"},
		{"a leak that a route explains, and an earlier failure elsewhere", func(s map[string][]evidence.Message) {
			pastTheTunnel(s)
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
			each(s["probe/node-1"], func(m *evidence.Message) {
				if m.Peer != nil && m.Peer.PublicKey == publicKey(1) {
					p := *m.Peer
					p.PublicKey = publicKey(8)
					m.Peer = &p
				}
			})
		}, "WG0401", "node-3 → node-1", "WG0601", "WG0302", "node-3 → node-1"},
		{"two leaks, of which a route explains one", func(s map[string][]evidence.Message) {
			pastTheTunnel(s)
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
			s["probe/node-1"] = append(s["probe/node-1"], seenInClear(0, 1))
		}, "WG0601", "node-1 → node-2", "WG0601", "WG0401", "node-1 → node-2"},
		{"an outage alone", blocked, "WG0501", "node-1 → node-2", "", "", ""},
	} {
		streams := healthy(3)
		test.breaks(streams)
		j := Judge(record(t, streams))
		got := func(f *verdict.Finding) string {
			if f == nil {
				return ""
			}
			return f.Code
		}
		if got(j.FirstCause) != test.cause || got(j.Leak) != test.leak || got(j.Besides) != test.besides {
			t.Errorf("%s: %s, leak %q, besides %q, want %s, %q, %q", test.name, got(j.FirstCause), got(j.Leak), got(j.Besides), test.cause, test.leak, test.besides)
			continue
		}
		if j.FirstCause.Subject.String() != test.subject || j.Leak != nil && j.Leak.Subject.String() != test.leakOf {
			t.Errorf("%s: of %s", test.name, j.FirstCause.Subject)
		}
	}
}

// Of many pairs a result lists a bounded number of findings; the leak and its
// cause are among them, however many others come first.
func TestALeakAmongManyFailures(t *testing.T) {
	const nodes = 40
	m := mesh.New(nodes)
	for from := range nodes - 1 {
		for to := range nodes - 1 {
			if from != to {
				m.MissingPeer(from, to)
			}
		}
	}
	m.StaleRoute(nodes-1, 3)
	m.Leak(nodes-1, 3)
	r := judgedAs(m, verdict.Detailed)
	if r.Complete {
		t.Fatal("the result is not bounded")
	}
	if r.FirstCause == nil || r.FirstCause.Code != "WG0401" || r.FirstCause.Subject.Node != mesh.Name(nodes-1) {
		t.Errorf("first cause %+v", r.FirstCause)
	}
	if r.Leak == nil || r.Leak.Code != "WG0601" || r.Besides == nil || r.Besides.Code != "WG0302" {
		t.Errorf("leak %+v, besides %+v", r.Leak, r.Besides)
	}
}
