package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// redirecting is healthy with two nodes whose network plugin's programs lead packets
// into its tunnel where they leave by eth0; the routes lead there.
//
//	pod — route — eth0, program at its exit — cilium_wg0 — eth0 192.0.2.(10+i) — wire
func redirecting() map[string][]evidence.Message {
	s := healthy(2)
	agents(map[string]string{"enable-wireguard": "true", "routing-mode": "native"})(s)
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			m.Node.Annotations = map[string]string{"network.cilium.io/wg-pub-key": publicKey(m.Node.Index)}
			m.Node.IPAM = evidence.IPAMCilium
			m.Node.Addresses = []evidence.NodeAddress{{Type: "InternalIP", Addr: underlay(m.Node.Index).String()}}
		}
		if m.Cluster != nil {
			m.Cluster.Distribution = ""
		}
	})
	for i, stream := range []string{"probe/node-1", "probe/node-2"} {
		each(s[stream], func(m *evidence.Message) { renamedProgram(m); routedBy(m, "eth0", 1-i) })
		s[stream] = append(s[stream], gate("cilium_host"), gate("eth0"), gate("cilium_wg0"))
		s[stream] = append(s[stream], watched(9, "cilium_host", "veth")...)
	}
	return s
}

// renamedProgram is a message about the device under another name.
func renamedProgram(m *evidence.Message) {
	const from, to = "flannel-wg", "cilium_wg0"
	for _, name := range names(m) {
		if *name == from {
			*name = to
		}
	}
}

// names are the names of links in a message.
func names(m *evidence.Message) []*string {
	switch {
	case m.Link != nil:
		return []*string{&m.Link.Name}
	case m.Device != nil:
		return []*string{&m.Device.Name}
	case m.Capture != nil:
		return []*string{&m.Capture.Link}
	case m.LinkCount != nil:
		return []*string{&m.LinkCount.Link}
	case m.Peer != nil:
		return []*string{&m.Peer.Device}
	case m.Count != nil:
		return []*string{&m.Count.Device}
	case m.Witness != nil:
		return []*string{&m.Witness.Link}
	}
	return nil
}

// routedBy leads what is for the pods of a node to a link instead of the tunnel.
func routedBy(m *evidence.Message, link string, to int) {
	if m.Route == nil || m.Route.Link != "flannel-wg" {
		return
	}
	route := *m.Route
	route.Link, route.Destination, route.Table = link, podRange(to), 254
	route.Gateway = underlay(to)
	m.Route = &route
}

// gate is a program of the network at the exit of a link.
func gate(link string) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{
		By: "tc", Effect: evidence.EffectBPF, Link: link, Hook: "egress", Program: "cil_to_netdev", ID: 7,
	}}
}

// eth1 is another card that leads out of the host, without a program.
func eth1(s map[string][]evidence.Message) {
	for _, stream := range []string{"probe/node-1", "probe/node-2"} {
		s[stream] = append(s[stream], watched(8, "eth1", "")...)
	}
}

// watched is a link that counts as leaving the host, and that shows controls and nothing else.
func watched(index int, name, kind string) []evidence.Message {
	return []evidence.Message{
		{Link: &evidence.Link{Index: index, Name: name, Kind: kind,
			Up: true, MTU: 1500, Role: evidence.RoleOutside, Why: "a test"}},
		{Capture: &evidence.Capture{Link: name, Role: evidence.RoleOutside, Started: true, Alive: true, Frames: 9,
			ControlTX: 1, ControlRX: 1}},
		{LinkCount: &evidence.LinkCount{Link: name, Index: index, Readings: evidence.Readings}},
	}
}

// unredirected has the packets of the first node's pods leave in clear, unseen by its tunnel.
func unredirected(link string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Witness != nil && m.Witness.Link == "cilium_wg0" && m.Witness.Direction == "tx"
		})
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Sighting: &evidence.Sighting{
			Link: link, Direction: "tx", Source: 0, Target: 1, Family: 4, By: "mark",
			Layers: "ethernet ipv4 udp", Count: 9,
		}})
	}
}

// ungated removes the program at the exit of a link of the first node.
func ungated(link string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Diversion != nil && m.Diversion.Link == link
		})
	}
}

// leading leads what the first node has for some pods of the second to a link.
func leading(link, to string) evidence.Message {
	return evidence.Message{Route: &evidence.Route{Destination: cidr(to), Link: link, Type: "unicast", Table: 254}}
}

// testPodBy routes what the first node has for the second's test pod to a link.
func testPodBy(link string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == podIP(1) {
				m.Route.Link, m.Route.Destination, m.Route.Gateway = link, netip.PrefixFrom(podIP(1), 32), netip.Addr{}
			}
		})
		onNode1(leading(link, "10.42.1.2/32"))(s)
	}
}

// unreadPrograms are nodes whose probes may not ask for programs that tcx attached.
func unreadPrograms(s map[string][]evidence.Message) {
	for _, stream := range []string{"probe/node-1", "probe/node-2"} {
		s[stream] = slices.DeleteFunc(s[stream], func(m evidence.Message) bool { return m.Diversion != nil })
		each(s[stream], func(m *evidence.Message) {
			if m.Inventory != nil && m.Inventory.What == evidence.InventoryTC {
				m.Inventory.Text = "programs attached by tcx or netkit could not be read: operation not permitted"
			}
		})
	}
}

// Where programs lead packets into the tunnel, no route does: what counts is that
// all routes lead to a link with such a program.
func TestRedirected(t *testing.T) {
	for _, test := range []struct {
		name    string
		edits   []func(map[string][]evidence.Message)
		verdict verdict.Verdict
		cause   string
		says    string
	}{
		{"all routes lead to a program", nil, verdict.Passed, "", ""},
		{"another card that no route leads to", []func(map[string][]evidence.Message){eth1}, verdict.Passed, "", ""},
		{"the program is gone", []func(map[string][]evidence.Message){ungated("eth0"), unredirected("eth0")},
			verdict.Failed, "WG0401", "via eth0, where no program of the network leads it into cilium_wg0"},
		{"the program is gone, and what it did is done all the same",
			[]func(map[string][]evidence.Message){ungated("eth0")},
			verdict.Failed, "WG0402", "sends what is for 10.42.1.0/24, pods on node-2, through eth0 and not into " +
				"cilium_wg0"},
		{"a route for a part leads past them",
			[]func(map[string][]evidence.Message){eth1, onNode1(leading("eth1", "10.42.1.128/25"))},
			verdict.Failed, "WG0402", "through eth1 and not into cilium_wg0"},
		{"a route for the test pod leads past them", []func(map[string][]evidence.Message){
			eth1, testPodBy("eth1"), unredirected("eth1"),
		}, verdict.Failed, "WG0401", "the more specific route 10.42.1.2/32 takes precedence"},
		{"no program was read",
			[]func(map[string][]evidence.Message){ungated("eth0"), ungated("cilium_host"), ungated("cilium_wg0")},
			verdict.Undecided, "WG0402", "what sends them there was not read"},
		{"programs could not be read", []func(map[string][]evidence.Message){unreadPrograms}, verdict.Passed, "", ""},
		{"nor that of a card that a part is routed to",
			[]func(map[string][]evidence.Message){unreadPrograms, eth1, onNode1(leading("eth1", "10.42.1.128/25"))},
			verdict.Undecided, "WG0402", "through eth1 and not into cilium_wg0"},
		{"packets in clear where ciphertext goes, and programs could not be read",
			[]func(map[string][]evidence.Message){unreadPrograms, unredirected("eth0")}, verdict.Failed,
			"WG0601", "PLAINTEXT"},
		{"packets in clear where none goes, and programs could not be read",
			[]func(map[string][]evidence.Message){unreadPrograms, eth1, testPodBy("eth1"), unredirected("eth1")},
			verdict.Failed, "WG0401", "the more specific route 10.42.1.2/32 takes precedence"},
	} {
		s := redirecting()
		for _, edit := range test.edits {
			edit(s)
		}
		j := Judge(record(t, s))
		switch {
		case j.Verdict != test.verdict:
			t.Errorf("%s: %s, want %s:\n%s", test.name, j.Verdict, test.verdict, strings.Join(bad(j), "\n"))
		case test.cause != "" && (j.FirstCause.Code != test.cause || !strings.Contains(j.FirstCause.Text, test.says)):
			t.Errorf("%s: first cause %s: %s", test.name, j.FirstCause.Code, j.FirstCause.Text)
		}
	}
}

// That programs decide is said with what was read, of every pair.
func TestRedirectedIsSaid(t *testing.T) {
	f := finding(t, redirecting(), "WG0402", "node-1", "node-2")
	if want := "all of it leads to eth0, where a program of the network decides " +
		"after routing"; f.Status != verdict.Pass ||
		!strings.Contains(f.Text, want) {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

// The MTU of pods' links is that of the card where their routes have the tunnel's.
func TestRouteMTU(t *testing.T) {
	s := redirecting()
	onNode1(evidence.Message{Link: &evidence.Link{
		Index: 77, Name: "lxc7", Kind: "veth", Up: true, PeerNS: true, MTU: 1500, Role: evidence.RoleInside,
	}})(s)
	if f := finding(t, s, "WG0505", "node-1", ""); f.Status != verdict.NotApplicable {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}
