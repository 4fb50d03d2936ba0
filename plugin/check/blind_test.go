package check

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// on1 adds messages to what the probe on node-1 says.
func on1(messages ...evidence.Message) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) { s["probe/node-1"] = append(s["probe/node-1"], messages...) }
}

// link1 changes a link of node-1.
func link1(name string, change func(*evidence.Link)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Link != nil && m.Link.Name == name {
				change(m.Link)
			}
		})
	}
}

func counters1(change func(*evidence.LinkCount)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.LinkCount != nil && m.LinkCount.Link == "eth0" {
				change(m.LinkCount)
			}
		})
	}
}

func tcProgram(name string) evidence.Message {
	return evidence.Message{
		Diversion: &evidence.Diversion{By: "tc", Effect: evidence.EffectBPF, Link: "eth0", Hook: "ingress",
			Program: name, ID: 7},
	}
}

func mirror(to string) evidence.Message {
	return evidence.Message{
		Diversion: &evidence.Diversion{By: "tc", Effect: evidence.EffectForward, Link: "veth1", Hook: "ingress", To: to,
			Rule: "action mirred"},
	}
}

func insideLink(name, kind string) evidence.Message {
	return evidence.Message{Link: &evidence.Link{Index: 9, Name: name, Kind: kind, Up: true, Role: evidence.RoleInside}}
}

func event(e evidence.LinkEvent) evidence.Message { return evidence.Message{LinkEvent: &e} }

func without1(what string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Inventory != nil && m.Inventory.What == what {
				m.Inventory.What = "something else"
			}
		})
	}
}

// containerEnded has a container's link removed that had counted so many frames,
// of which 10 were from before the captures and so many were captured.
func containerEnded(counted, captured uint64) func(map[string][]evidence.Message) {
	return on1(
		evidence.Message{
			Link: &evidence.Link{Index: 9, Name: "vethd", Kind: "veth",
				Type: "ether", Up: true, PeerNS: true, Role: evidence.RoleOutside},
		},
		evidence.Message{
			Capture: &evidence.Capture{Link: "vethd", Role: evidence.RoleOutside, Started: true, Frames: captured,
				TXFrames: captured, Error: "network is down"},
		},
		evidence.Message{
			Problem: &evidence.Problem{Class: evidence.ProblemMissing,
				What: "capture", On: "vethd", Text: "network is down"},
		},
		evidence.Message{
			LinkCount: &evidence.LinkCount{Link: "vethd", Index: 9,
				Readings: 2, TXPackets: [evidence.Readings]uint64{8, 10}},
		},
		event(evidence.LinkEvent{Link: "vethd", Index: 9, What: "removed", Kind: "veth", Role: evidence.RoleOutside,
			TXPackets: counted}),
	)
}

// containerBegan has a container's link appear after the first reading.
func containerBegan(counted, captured uint64) func(map[string][]evidence.Message) {
	return on1(
		evidence.Message{
			Capture: &evidence.Capture{Link: "vethd", Role: evidence.RoleOutside, Started: true, Alive: true,
				Frames: captured, TXFrames: captured, ControlTX: 1},
		},
		evidence.Message{
			LinkCount: &evidence.LinkCount{Link: "vethd", Index: 9,
				Readings: 3, TXPackets: [evidence.Readings]uint64{0, 3, 3 + counted, 3 + counted}},
		},
	)
}

// containerGone has a container's link of which so many readings were taken, and
// no capture.
func containerGone(readings int, events ...string) func(map[string][]evidence.Message) {
	count := &evidence.LinkCount{Link: "vethd", Index: 9, Readings: readings}
	for i := range readings {
		count.TXPackets[i] = 7
	}
	messages := []evidence.Message{
		{Link: &evidence.Link{Index: 9, Name: "vethd", Kind: "veth",
			Type: "ether", Up: true, PeerNS: true, Role: evidence.RoleOutside}},
		{LinkCount: count},
	}
	for _, what := range events {
		messages = append(messages, event(evidence.LinkEvent{
			Link: "vethd", Index: 9, What: what, Role: evidence.RoleOutside, TXPackets: 8,
		}))
	}
	return on1(messages...)
}

// blindSpots are runs with a blind spot, or with what looks like one, on node-1.
var blindSpots = []struct {
	name   string
	spoils func(map[string][]evidence.Message)
	want   verdict.Status
	says   string
}{
	{"nothing", on1(), verdict.Pass, "no link sent more"},
	{"an XDP program on a card", link1("eth0", func(l *evidence.Link) { l.XDP = &evidence.XDP{Mode: "native", ID: 7} }),
		verdict.Inconclusive, "the XDP program 7 (native) on eth0"},
	{"an XDP program on a pod's link",
		on1(evidence.Message{
			Link: &evidence.Link{Index: 9, Name: "veth1", Kind: "veth",
				Up: true, Role: evidence.RoleInside, XDP: &evidence.XDP{Mode: "generic", ID: 8}},
		}), verdict.Inconclusive, "the XDP program 8 (generic) on veth1"},
	{"an XDP program on a link that is down",
		on1(evidence.Message{
			Link: &evidence.Link{Index: 9, Name: "eth9", Role: evidence.RoleInside, XDP: &evidence.XDP{ID: 8}},
		}), verdict.Pass, ""},
	{"an unknown BPF program", on1(tcProgram("redirector")),
		verdict.Inconclusive, "the BPF program 7 (redirector) at ingress of eth0"},
	{"Cilium's program without Cilium", on1(tcProgram("cil_from_netdev")), verdict.Inconclusive, "cil_from_netdev"},
	{"Cilium's program",
		on1(tcProgram("cil_from_netdev"),
			evidence.Message{
				Link: &evidence.Link{Index: 9, Name: "cilium_host", Kind: "veth", Role: evidence.RoleInside},
			}), verdict.Pass, ""},
	{"Cilium's program, attached by tcx",
		on1(tcProgram(""),
			evidence.Message{
				Link: &evidence.Link{Index: 9, Name: "cilium_host", Kind: "veth", Role: evidence.RoleInside},
			}), verdict.Pass, ""},
	{"a program of tcx without a name", on1(tcProgram("")), verdict.Inconclusive, "without a name"},
	{"a redirect to a card", on1(mirror("eth0")), verdict.Inconclusive, "sends frames to eth0"},
	{"a redirect to a link that is not known", on1(mirror("link 77")), verdict.Inconclusive, "link 77"},
	{"a redirect to the queueing device of a bandwidth limit",
		on1(mirror("bwp1"),
			evidence.Message{Link: &evidence.Link{Index: 9, Name: "bwp1", Kind: "ifb", Role: evidence.RoleInside}}),
		verdict.Pass, ""},
	{"a redirect into WireGuard", on1(mirror("flannel-wg")), verdict.Pass, ""},
	{"a redirect to an overlay",
		on1(mirror("vx"),
			evidence.Message{Link: &evidence.Link{Index: 9, Name: "vx", Kind: "vxlan", Role: evidence.RoleInside}}),
		verdict.Inconclusive, "to vx"},
	{"a redirect to a bridge that leads out",
		on1(mirror("br0"), insideLink("br0", "bridge"),
			evidence.Message{
				Link: &evidence.Link{Index: 10, Name: "eth9", Master: "br0", Up: true, Role: evidence.RoleOutside},
			}), verdict.Inconclusive, "to br0"},
	{"a redirect to a bridge of pods",
		on1(mirror("br0"), insideLink("br0", "bridge"),
			evidence.Message{
				Link: &evidence.Link{Index: 10, Name: "veth9", Kind: "veth", Master: "br0", PeerNS: true, Up: true,
					Role: evidence.RoleInside},
			}), verdict.Pass, ""},
	{"a redirect to a pair that ends on this host", on1(mirror("veth8"), insideLink("veth8", "veth")),
		verdict.Inconclusive, "to veth8"},
	{"a redirect to a tun", on1(mirror("tun8"), insideLink("tun8", "tun")), verdict.Inconclusive, "to tun8"},
	{"a redirect to a tunnel that is down",
		on1(mirror("ip6t"),
			evidence.Message{Link: &evidence.Link{Index: 9, Name: "ip6t", Kind: "ip6tnl", Role: evidence.RoleInside}}),
		verdict.Inconclusive, "to ip6t"},
	{"a flow table",
		on1(evidence.Message{
			Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectForward, Rule: "flow add @ft"},
		}), verdict.Inconclusive, "flow table"},
	{"an offload that nothing uses", link1("eth0", func(l *evidence.Link) { l.Offloads = []string{"hw-tc-offload"} }),
		verdict.Warn, "hw-tc-offload"},
	{"a link that came and went",
		on1(event(evidence.LinkEvent{Link: "late0", Index: 9, What: "added", Role: evidence.RoleOutside}),
			event(evidence.LinkEvent{Link: "late0", Index: 9, What: "removed", Role: evidence.RoleOutside,
				TXPackets: 8})), verdict.Inconclusive, "late0 appeared while the captures ran, sent 8 frames"},
	{"a link that came and went unused",
		on1(event(evidence.LinkEvent{Link: "late0", Index: 9, What: "added", Role: evidence.RoleOutside}),
			event(evidence.LinkEvent{Link: "late0", Index: 9, What: "removed", Role: evidence.RoleOutside})),
		verdict.Pass, ""},
	{"a link that came",
		on1(event(evidence.LinkEvent{Link: "late0", Index: 9, What: "added", Role: evidence.RoleOutside})),
		verdict.Inconclusive, "late0 began to lead out"},
	{"a link whose role is not known", on1(event(evidence.LinkEvent{Link: "late0", Index: 9, What: "added"})),
		verdict.Inconclusive, "late0"},
	{"a link that began to lead out",
		on1(event(evidence.LinkEvent{Link: "veth9", Index: 9, What: "role", Role: evidence.RoleOutside})),
		verdict.Inconclusive, "veth9 began to lead out"},
	{"a pod that started",
		on1(event(evidence.LinkEvent{Link: "veth9", Index: 9, What: "added", Role: evidence.RoleInside})),
		verdict.Pass, ""},
	{"a pod that ended",
		on1(event(evidence.LinkEvent{Link: "veth9", Index: 9, What: "removed", Role: evidence.RoleInside,
			TXPackets: 9})), verdict.Pass, ""},
	{"a program attached meanwhile",
		on1(event(evidence.LinkEvent{Link: "veth9", Index: 9, What: "xdp", Role: evidence.RoleInside})),
		verdict.Inconclusive, "XDP program"},
	{"a captured link that was removed",
		on1(event(evidence.LinkEvent{Link: "eth0", Index: 2, What: "removed", Role: evidence.RoleOutside})),
		verdict.Inconclusive, "eth0 was removed"},
	{"a change that is not known", on1(event(evidence.LinkEvent{Link: "eth7", Index: 9, What: "moved"})),
		verdict.Inconclusive, "an unknown way"},
	{"more sent than captured, by a veth", func(s map[string][]evidence.Message) {
		link1("eth0", func(l *evidence.Link) { l.Kind = "veth" })(s)
		counters1(func(c *evidence.LinkCount) { c.TXBytes[2], c.TXBytes[3] = 11101, 11200 })(s)
	}, verdict.Inconclusive, "eth0 sent 47 frames of 10001 bytes, and 50 frames of 10000 bytes were captured"},
	{"as much sent as captured, by a veth", func(s map[string][]evidence.Message) {
		link1("eth0", func(l *evidence.Link) { l.Kind = "veth" })(s)
		counters1(func(c *evidence.LinkCount) { c.TXBytes[2], c.TXBytes[3] = 11100, 11200 })(s)
	}, verdict.Pass, ""},
	{"more frames sent than captured, by a veth", func(s map[string][]evidence.Message) {
		link1("eth0", func(l *evidence.Link) { l.Kind = "veth" })(s)
		counters1(func(c *evidence.LinkCount) { c.TXPackets[2], c.TXPackets[3] = 62, 62 })(s)
	}, verdict.Inconclusive, "51 frames"},
	{"a little more sent than captured, by a card",
		counters1(func(c *evidence.LinkCount) { c.TXBytes[2], c.TXBytes[3] = 200000, 200000 }), verdict.Pass, ""},
	{"much more sent than captured, by a card",
		counters1(func(c *evidence.LinkCount) { c.TXBytes[2], c.TXBytes[3] = 1<<20, 1<<20 }), verdict.Inconclusive,
		"were captured leaving it"},
	{"counters that went backwards", counters1(func(c *evidence.LinkCount) { c.TXBytes[3] = 5 }),
		verdict.Inconclusive, "backwards"},
	{"counters of 32 bits that began again", counters1(func(c *evidence.LinkCount) {
		c.TXBytes = [evidence.Readings]uint64{1<<32 - 2000, 1<<32 - 1000, 8000, 9000}
	}), verdict.Pass, ""},
	{"counters of 32 bits that began again, and much was sent", counters1(func(c *evidence.LinkCount) {
		c.TXBytes = [evidence.Readings]uint64{1<<32 - 2000, 1<<32 - 1000, 1 << 20, 1 << 20}
	}), verdict.Inconclusive, "were captured leaving it"},
	{"counters that were not read", counters1(func(c *evidence.LinkCount) { c.Link = "eth8" }),
		verdict.Inconclusive, "not read"},
	{"counters that were read thrice", counters1(func(c *evidence.LinkCount) { c.Readings = 3 }),
		verdict.Inconclusive, "not read"},
	{"counters that conflict",
		on1(evidence.Message{LinkCount: &evidence.LinkCount{Link: "eth0", Index: 2, Readings: 4}}),
		verdict.Inconclusive, "differ"},
	{"changes of links that were lost",
		on1(evidence.Message{Inventory: &evidence.Inventory{What: evidence.InventoryLinks, Text: "too many"}}),
		verdict.Inconclusive, "too many"},
	{"changes of links that were not listened for", without1(evidence.InventoryLinks), verdict.Inconclusive,
		"changes of links"},
	{"filters that were not read", without1(evidence.InventoryTC), verdict.Inconclusive, "traffic control"},
}

func TestBlindSpots(t *testing.T) {
	for _, test := range blindSpots {
		t.Run(test.name, func(t *testing.T) {
			streams := healthy(2)
			test.spoils(streams)
			for _, f := range Judge(record(t, streams)).Findings {
				if f.Code != "WG0611" || f.Subject.Node != "node-1" {
					continue
				}
				if f.Status != test.want || !strings.Contains(f.Text, test.says) {
					t.Errorf("%s %q, want %s %q", f.Status, f.Text, test.want, test.says)
				}
			}
		})
	}
}

// Links of containers that come and go around the captures are not a blind spot,
// where the counters show that all was captured.
func TestContainers(t *testing.T) {
	for _, test := range []struct {
		name   string
		spoils func(map[string][]evidence.Message)
		want   verdict.Verdict
	}{
		{"ended", containerEnded(19, 9), verdict.Passed},
		{"ended, and sent more than was captured", containerEnded(20, 9), verdict.Undecided},
		{"ended, and its counters went backwards", containerEnded(9, 9), verdict.Undecided},
		{"began before the captures", containerBegan(9, 9), verdict.Passed},
		{"began before the captures, and sent more than was captured", containerBegan(10, 9), verdict.Undecided},
		{"ended before the captures", containerGone(1), verdict.Passed},
		{"ended while the captures were opened", containerGone(1, "down", "removed"), verdict.Passed},
		{"went away and came back", containerGone(1, "removed", "added"), verdict.Undecided},
		{"was never captured", containerGone(4), verdict.Undecided},
		{"was not captured, and ended meanwhile", containerGone(2), verdict.Undecided},
	} {
		streams := healthy(2)
		test.spoils(streams)
		if j := Judge(record(t, streams)); j.Verdict != test.want {
			t.Errorf("%s: %s, want %s: %v", test.name, j.Verdict, test.want, bad(j))
		}
	}
}

// A recording of an earlier version lacks nothing that it could have had.
func TestBlindSpotsOfEarlierVersions(t *testing.T) {
	streams := healthy(2)
	each(streams[evidence.PluginStream], func(m *evidence.Message) {
		if m.Run != nil {
			m.Run.Minor = 0
		}
	})
	j := Judge(record(t, streams))
	for _, f := range j.Findings {
		if f.Code == "WG0611" && f.Status != verdict.NotApplicable {
			t.Errorf("%+v", f)
		}
	}
	if j.Verdict != verdict.Passed {
		t.Error(j.Verdict, bad(j))
	}
}
