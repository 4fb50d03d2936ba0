package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// brokenOthers is what goes wrong for pods that are none of the test's, or on
// links that are not the carrier.
var brokenOthers = []breakage{
	{"a packet of another pod in clear", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], otherPods(0, 1))
	}, verdict.Failed, "WG0601"},
	{"a packet of another pod in clear, seen by a node that is none of both", func(s map[string][]evidence.Message) {
		s["probe/node-3"] = append(s["probe/node-3"], otherPods(0, 1))
	}, verdict.Failed, "WG0601"},
	{"a packet of another pod in clear, of a family that was not tested", func(s map[string][]evidence.Message) {
		leak := otherPods(0, 1)
		leak.Sighting.Family = 6
		s["probe/node-1"] = append(s["probe/node-1"], leak)
	}, verdict.Failed, "WG0608"},
	{"a leak in the stream of a test pod", func(s map[string][]evidence.Message) {
		s["pod/node-2"] = append(s["pod/node-2"], firstLeak(1, 2), otherPods(1, 2))
	}, verdict.Failed, "WG0601"},
	{"a leak in the plugin's own stream", func(s map[string][]evidence.Message) {
		s["plugin"] = append(s["plugin"], otherPods(0, 1))
	}, verdict.Failed, "WG0601"},
	{"a leak in the stream of a probe that was replaced", func(s map[string][]evidence.Message) {
		s["look/node-1"] = append(slices.Clone(s["probe/node-1"]), otherPods(0, 1))
	}, verdict.Failed, "WG0601"},
	{"a leak in a stream of which it is not known what it counts as", func(s map[string][]evidence.Message) {
		s["early/1"] = []evidence.Message{otherPods(0, 1)}
	}, verdict.Failed, "WG0601"},
	{"a part of the run's packets goes through a TUN device", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], tunnelLink("tun0", "tun"), through("tun0", "tx", 0, 1))
	}, verdict.Failed, "WG0601"},
	{"a part of the run's packets comes out of a vxlan link", func(s map[string][]evidence.Message) {
		s["probe/node-2"] = append(s["probe/node-2"], tunnelLink("vxleak", "vxlan"), through("vxleak", "rx", 0, 1))
	}, verdict.Failed, "WG0601"},
	{"a part of the run's packets goes through a link that nobody lists", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], through("gone0", "tx", 0, 1))
	}, verdict.Failed, "WG0601"},
	{"another tunnel that carries nothing of the run", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], tunnelLink("flannel.1", "vxlan"),
			evidence.Message{Capture: &evidence.Capture{
				Link: "flannel.1", Role: evidence.RoleInside, Started: true, Alive: true}})
	}, verdict.Passed, ""},
	{"another tunnel that goes away meanwhile", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], tunnelLink("tun0", "tun"),
			evidence.Message{Capture: &evidence.Capture{
				Link: "tun0", Role: evidence.RoleInside, Started: true, Error: "network is down"}})
	}, verdict.Undecided, "WG0601"},
	{"an outside link that was captured as if it were inside", func(s map[string][]evidence.Message) {
		capture(s["probe/node-1"], "eth0", func(c *evidence.Capture) { c.Role = evidence.RoleInside })
	}, verdict.Undecided, "WG0604"},
}

// otherPods is a packet between pods that are none of the test's.
func otherPods(source, target int) evidence.Message {
	return evidence.Message{Sighting: &evidence.Sighting{
		Link: "eth0", Direction: "tx", Source: source, Target: target, Family: 4, By: evidence.LeakedByRange, Count: 8,
		Layers: "ethernet ipv4 tcp", OuterSource: podOf(source), OuterTarget: podOf(target), InnerSource: podOf(source),
		InnerTarget: podOf(target), Protocol: 6, SourcePort: 40001, TargetPort: 5432, Sample: []byte{1, 2, 3},
	}}
}

func podOf(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 42, byte(i), 77}) }

func tunnelLink(name, kind string) evidence.Message {
	return evidence.Message{
		Link: &evidence.Link{Index: 8, Name: name, Kind: kind, Up: true, Role: evidence.RoleInside, Why: "an overlay"},
	}
}

// through is what a tunnel saw of a pair's packets.
func through(link, direction string, source, target int) evidence.Message {
	return evidence.Message{Witness: &evidence.Witness{Link: link, Direction: direction, Family: 4,
		Seen: []evidence.Seen{{Source: source, Target: target, UDP: 2}}}}
}

// finding is what a check says of a pair.
func finding(t *testing.T, streams map[string][]evidence.Message, code, from, to string) verdict.Finding {
	t.Helper()
	for _, f := range Judge(record(t, streams)).Findings {
		if f.Code == code && f.Subject.Node == from && f.Subject.Peer == to {
			return f
		}
	}
	t.Fatalf("no %s", code)
	return verdict.Finding{}
}

// TestOtherPodsAreNamed: the text says whose packet it was, and the readings
// which.
func TestOtherPodsAreNamed(t *testing.T) {
	streams := healthy(3)
	itself, quoted, vxlan := otherPods(0, 2), otherPods(1, 0), otherPods(1, 2)
	itself.Sighting.InnerSource = netip.MustParseAddr("10.42.0.1")
	quoted.Sighting.Layers, quoted.Sighting.OuterSource, quoted.Sighting.OuterTarget = "ethernet ipv4 icmp",
		underlay(9), underlay(1)
	vxlan.Sighting.Layers, vxlan.Sighting.OuterSource, vxlan.Sighting.OuterTarget = "ethernet ipv4 udp:8472 vxlan "+
		"ethernet ipv4 tcp", underlay(1), underlay(2)
	streams["probe/node-1"] = append(streams["probe/node-1"], otherPods(0, 1), itself, quoted, vxlan,
		evidence.Message{Address: &evidence.Address{Link: "cni0", Prefix: netip.MustParsePrefix("10.42.0.1/24")}})
	for _, row := range []struct{ from, to, text string }{
		{"node-1", "node-2", "a packet of another pod (10.42.0.77:40001 → 10.42.1.77:5432, tcp) from node-1 to " +
			"node-2 is sent in PLAINTEXT without encapsulation: 8 frames"},
		{"node-1", "node-3", "a packet of node-1 itself (from an address in its pod range) (10.42.0.1:40001 →"},
		{"node-2", "node-1", "in PLAINTEXT as quoted by an ICMP error"},
		{"node-2", "node-3", "in PLAINTEXT inside VXLAN"},
	} {
		f := finding(t, streams, "WG0601", row.from, row.to)
		if f.Status != verdict.Fail || !strings.Contains(f.Text, row.text) || f.Variant != "past" {
			t.Errorf("%s, %s: %s", f.Status, f.Variant, f.Text)
		}
		if !strings.Contains(f.Readings[0].Text, "5432, tcp") || !strings.Contains(f.Readings[0].What, "by range") {
			t.Errorf("readings %+v", f.Readings)
		}
	}
	marked := firstLeak(0, 1)
	marked.Sighting.First = false
	streams["probe/node-1"] = append(streams["probe/node-1"], marked)
	if f := finding(t, streams, "WG0601", "node-1", "node-2"); !strings.HasPrefix(f.Text,
		"pod traffic from node-1 to node-2") {
		t.Errorf("the mark is not named first: %s", f.Text)
	}
}

// TestWatchedInside: the report says how much went through the tunnel besides.
func TestWatchedInside(t *testing.T) {
	streams := healthy(2)
	for _, node := range []string{"node-1", "node-2"} {
		each(streams["probe/"+node], func(m *evidence.Message) {
			if m.LinkCount != nil && m.LinkCount.Link == "flannel-wg" {
				m.LinkCount.TXPackets, m.LinkCount.RXPackets = [4]uint64{1, 100, 1100, 1200}, [4]uint64{1, 5, 505, 600}
			}
		})
	}
	// Of 1500 on each node, 2×10 are marked, and 2×75 first packets.
	want := "0 of 200 frames on eth0 of node-1, eth0 of node-2 contained plaintext; meanwhile 2660 packets without " +
		"this run's mark in the tunnels of node-1 and node-2"
	if f := finding(t, streams, "WG0601", "node-1", "node-2"); f.Status != verdict.Pass || f.Text != want {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
	for _, m := range streams["probe/node-2"] {
		if m.LinkCount != nil {
			m.LinkCount.Readings = 2
		}
	}
	if f := finding(t, streams, "WG0601", "node-1", "node-2"); f.Status != verdict.Pass ||
		strings.Contains(f.Text, "meanwhile") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

// TestUnwatchedTunnels: since minor version 1 a tunnel that is up is watched, or
// it is not known what went through it.
func TestUnwatchedTunnels(t *testing.T) {
	watched := evidence.Capture{Link: "tun0", Role: evidence.RoleInside, Started: true, Alive: true}
	for name, row := range map[string]struct {
		change func(*evidence.Capture)
		text   string
	}{
		"watched": {func(*evidence.Capture) {}, ""},
		"broken": {func(c *evidence.Capture) { c.Alive, c.Error = false, "network is down" },
			"tun0 of node-2 was not captured to the end: network is down"},
		"late":      {func(c *evidence.Capture) { c.Started = false }, "over the whole window"},
		"drops":     {func(c *evidence.Capture) { c.Drops = 3 }, "3 of the run's frames were lost"},
		"elsewhere": {func(c *evidence.Capture) { c.Link = "tun1" }, "tun0 of node-2 was not captured:"},
	} {
		t.Run(name, func(t *testing.T) {
			streams, c := healthy(3), watched
			row.change(&c)
			streams["probe/node-2"] = append(streams["probe/node-2"],
				tunnelLink("tun0", "tun"), evidence.Message{Capture: &c})
			for minor := range 2 {
				each(streams["plugin"], func(m *evidence.Message) {
					if m.Run != nil {
						m.Run.Minor = minor
					}
				})
				f, want := finding(t, streams, "WG0601", "node-1", "node-2"), verdict.Inconclusive
				if minor == 0 || row.text == "" {
					want = verdict.Pass
				}
				if f.Status != want || want == verdict.Inconclusive && !strings.Contains(f.Text, row.text) {
					t.Errorf("minor %d: %s, %s", minor, f.Status, f.Text)
				}
				if f := finding(t, streams, "WG0604", "node-1", "node-2"); f.Status != verdict.Pass {
					t.Errorf("minor %d: the captures of the links outside are doubted: %s", minor, f.Text)
				}
			}
		})
	}
}

// TestOverlayAbove: where a WireGuard of the machines is below an overlay, the
// overlay is the way in, and a TUN device never is.
func TestOverlayAbove(t *testing.T) {
	run := load(t, "host-healthy-vpn")
	before := Judge(run)
	if before.Profile.Below == nil || before.Verdict != verdict.Passed {
		t.Fatalf("%s, %s", before.Profile.Name, before.Verdict)
	}
	node := before.Graph.Nodes[0]
	for _, row := range []struct {
		kind    string
		verdict verdict.Verdict
	}{{"vxlan", verdict.Passed}, {"tun", verdict.Failed}} {
		with := recording.New()
		for _, stream := range run.Streams() {
			bye := uint32(0)
			for _, m := range run.Messages(stream) {
				if stream == evidence.StreamName("probe", node.Name) && m.Bye != nil {
					extra := through("over0", "tx", node.Index, before.Graph.Nodes[1].Index)
					link := tunnelLink("over0", row.kind)
					for _, add := range []*evidence.Message{&extra, &link} {
						add.Stream, add.Seq = stream, m.Seq+bye
						bye++
						with.Add(add)
					}
					last := *m
					last.Seq, last.Bye = m.Seq+bye, &evidence.Bye{Messages: m.Bye.Messages + bye}
					m = &last
				}
				with.Add(m)
			}
		}
		if after := Judge(with); after.Verdict != row.verdict {
			t.Errorf("%s: %s: %v", row.kind, after.Verdict, bad(after))
		}
	}
}
