package check

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// sampledAs makes of a recording one without test pods, in which other addresses stand
// for the nodes' pods: those of the test pods with another last byte.
func sampledAs(s streams, lastByte byte) {
	other := func(ip netip.Addr) netip.Addr {
		bytes := ip.As4()
		bytes[3] = lastByte
		return netip.AddrFrom4(bytes)
	}
	pods := map[netip.Addr]bool{}
	each(s["plugin"], func(m *evidence.Message) {
		if m.Pod != nil && m.Pod.Role == "pod" {
			pods[m.Pod.IPs[0]] = true
			m.Pod = &evidence.Pod{Role: "sample", Node: m.Pod.Node, IPs: []netip.Addr{other(m.Pod.IPs[0])}}
		}
	})
	for stream := range s {
		each(s[stream], func(m *evidence.Message) {
			if m.Route != nil && pods[m.Route.For] {
				route := *m.Route
				route.For = other(route.For)
				m.Route = &route
			}
		})
	}
}

// An address of the pod range stands for the pods where it is no other node's.
func TestSamples(t *testing.T) {
	borrowed := func(s streams) {
		tableEntry(s, "probe/node1", "10.42.1.9/32", "", "throw", 1)
		tableEntry(s, "probe/node1", "10.42.1.9/32", "calice0906292e2", "unicast", mainTable)
		each(s["probe/node1"], func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == netip.MustParseAddr("10.42.1.3") {
				route := *m.Route
				route.Link = "calice0906292e2"
				m.Route = &route
			}
		})
	}
	third := func(s streams) { allowedIPs(s, "probe/node1", "10.42.1.9/32") }
	for name, test := range map[string]struct {
		change func(streams)
		want   map[string]verdict.Status
	}{
		"its own": {func(streams) {}, map[string]verdict.Status{
			"WG0304": verdict.Pass, "WG0401": verdict.Pass,
		}},
		"a pod's on the sender": {borrowed, map[string]verdict.Status{
			"WG0304": verdict.Inconclusive, "WG0401": verdict.Inconclusive,
		}},
		"a pod's on a third node": {third, map[string]verdict.Status{
			"WG0304": verdict.Inconclusive, "WG0401": verdict.Pass,
		}},
	} {
		s := ofCalico(t)
		blocks(s, "node1", "10.42.0.0/24")
		blocks(s, "node2", "10.42.1.0/24")
		test.change(s)
		sampledAs(s, 9)
		for code, want := range test.want {
			if got := finding(t, s, code, "node1", "node2"); got.Status != want {
				t.Errorf("%s: %s is %s: %s", name, code, got.Status, got.Text)
			}
		}
	}
}

// What the kernel answers for the host itself is not known of pods; and nothing speaks of
// test pods.
func TestSamplesSayWhatTheyAre(t *testing.T) {
	for name, test := range map[string]struct {
		change func(streams)
		code   string
		want   verdict.Status
		text   string
	}{
		"another link": {func(s streams) {
			answer(s, func(r *evidence.Route) { r.Link = "eth0" })
		}, "WG0401", verdict.Fail, "node-1 routes traffic for the pods on node-2 (10.42.1.254) via eth0"},
		"a rule for the host": {func(s streams) {
			answer(s, func(r *evidence.Route) { r.Link, r.Table = "eth0", 77 })
			s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{
				Rule: &evidence.Rule{Family: 4, Priority: 10, Table: 77, In: "lo"}})
		}, "WG0401", verdict.Inconclusive, "as the host itself"},
		"no peer": {func(s streams) {
			each(s["probe/node-1"], func(m *evidence.Message) {
				if m.Peer != nil {
					peer := *m.Peer
					peer.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.99.0.0/24")}
					m.Peer = &peer
				}
			})
		}, "WG0304", verdict.Fail, "covers 10.42.1.254, an address of the pods on node-2"},
	} {
		s := healthy(2)
		test.change(s)
		sampledAs(s, 254)
		got := finding(t, s, test.code, "node-1", "node-2")
		if got.Status != test.want || !strings.Contains(got.Text, test.text) || strings.Contains(got.Text, "test pod") {
			t.Errorf("%s: %s, %s", name, got.Status, got.Text)
		}
	}
}

// answer changes what the kernel of node-1 answers for the pod on node-2.
func answer(s streams, change func(*evidence.Route)) {
	each(s["probe/node-1"], func(m *evidence.Message) {
		if m.Route != nil && m.Route.For == podIP(1) {
			route := *m.Route
			change(&route)
			m.Route = &route
		}
	})
}
