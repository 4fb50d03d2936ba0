package check

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// seenInClear is a leak from one node's pod to another's, by their indexes.
func seenInClear(from, to int) evidence.Message {
	return evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: from, Target: to,
		Family: 4, By: "mark", Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp", Count: 7}}
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
// does not follow from, and what else is wrong stands next to it.
func TestALeakIsTheFirstCause(t *testing.T) {
	for _, test := range []struct {
		name   string
		breaks func(s map[string][]evidence.Message)
		leakOf string
		causes []string
	}{
		{"a leak alone", func(s map[string][]evidence.Message) {
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
		}, "node-3 → node-1", []string{"plaintext WG0601 node-3 → node-1"}},
		{"a leak, and an outage elsewhere", func(s map[string][]evidence.Message) {
			blocked(s)
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
		}, "node-3 → node-1", []string{"plaintext WG0601 node-3 → node-1", "blocked WG0501 node-1 → node-2"}},
		{"a leak on the very pair that has an outage", func(s map[string][]evidence.Message) {
			blocked(s)
			s["probe/node-1"] = append(s["probe/node-1"], seenInClear(0, 1))
		}, "node-1 → node-2", []string{"plaintext WG0601 node-1 → node-2", "blocked WG0501 node-1 → node-2"}},
		{"a new pod's leak on a pair that has an outage", func(s map[string][]evidence.Message) {
			blocked(s)
			s["probe/node-1"] = append(s["probe/node-1"], firstLeak(0, 1))
		}, "node-1 → node-2", []string{"plaintext WG0609 node-1 → node-2", "blocked WG0501 node-1 → node-2"}},
		{"a leak that a route explains", func(s map[string][]evidence.Message) {
			pastTheTunnel(s)
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
		}, "node-3 → node-1", []string{"plaintext WG0401 node-3 → node-1"}},
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
		}, "node-3 → node-1", []string{"plaintext WG0401 node-3 → node-1", "misconfigured WG0302 node-1 → node-2"}},
		{"two leaks, of which a route explains one", func(s map[string][]evidence.Message) {
			pastTheTunnel(s)
			s["probe/node-3"] = append(s["probe/node-3"], seenInClear(2, 0))
			s["probe/node-1"] = append(s["probe/node-1"], seenInClear(0, 1))
		}, "node-1 → node-2", []string{"plaintext WG0601 node-1 → node-2", "plaintext WG0401 node-3 → node-1"}},
		{"an outage alone", blocked, "", []string{"blocked WG0501 node-1 → node-2"}},
	} {
		streams := healthy(3)
		test.breaks(streams)
		j := Judge(record(t, streams))
		var causes []string
		for _, c := range j.Causes {
			causes = append(causes, fmt.Sprint(c.Kind, " ", c.Code, " ", c.Subject))
		}
		if !slices.Equal(causes, test.causes) {
			t.Errorf("%s: %q, want %q", test.name, causes, test.causes)
			continue
		}
		leakOf := ""
		if leaks := j.Causes[0].Leaks; len(leaks) > 0 {
			leakOf = leaks[0].String()
		}
		if leakOf != test.leakOf {
			t.Errorf("%s: a leak of %q, want %q", test.name, leakOf, test.leakOf)
		}
	}
}

// Of many pairs a result lists a bounded number of findings; the cause of a leak
// is the first cause, however many others come first.
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
	if r.Causes[0].LeakCount != 1 || r.Causes[1].Code != "WG0302" || r.Causes[1].Count != (nodes-1)*(nodes-2) {
		t.Errorf("causes %+v", r.Causes)
	}
}
