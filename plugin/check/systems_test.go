package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Systems of which there is no real recording: each is the healthy run with the
// devices, routes and annotations that the system makes, and what goes wrong there.
var brokenSystems = []breakage{
	{"Kilo, granularity full", kiloMesh("full", "a", "a", "a"), verdict.Passed, ""},
	{"Kilo, each node in a location of its own", kiloMesh("location", "a", "b", "c"), verdict.Passed, ""},
	{"Kilo, two nodes in one location", func(s map[string][]evidence.Message) {
		kiloMesh("location", "a", "a", "b")(s)
		annotate(s, func(i int, a map[string]string) {
			if i == 1 {
				delete(a, "kilo.squat.ai/wireguard-ip")
			}
		})
		leakBetween(s, 0, 1, "ethernet ipv4 ipv4 udp")
		leakBetween(s, 1, 2, "ethernet ipv4 ipv4 udp")
		// Up to node-1 the leader of its location has it in clear, beyond it is in the tunnel.
		s["probe/node-3"] = append(s["probe/node-3"], through("kilo0", "tx", 2, 1), through("kilo0", "rx", 1, 2))
	}, verdict.Failed, "WG0101"},
	{"Kilo, two nodes in one location, and an earlier failure elsewhere", func(s map[string][]evidence.Message) {
		kiloMesh("cross", "a", "a", "b")(s)
		leakBetween(s, 0, 1, "ethernet ipv4 ipv4 udp")
		annotate(s, func(i int, a map[string]string) {
			if i == 2 {
				a["kilo.squat.ai/key"] = publicKey(8)
			}
		})
	}, verdict.Failed, "WG0101"},
	{"Kilo, a node publishes the key of an earlier device", func(s map[string][]evidence.Message) {
		kiloMesh("full", "a", "a", "a")(s)
		annotate(s, func(i int, a map[string]string) {
			if i == 1 {
				a["kilo.squat.ai/key"] = publicKey(8)
			}
		})
	}, verdict.Failed, "WG0301"},
	{"Antrea behind Open vSwitch", antreaMesh, verdict.Passed, ""},
	{"Antrea, a node without a key", func(s map[string][]evidence.Message) {
		antreaMesh(s)
		annotate(s, func(i int, a map[string]string) {
			if i == 1 {
				clear(a)
			}
		})
	}, verdict.Failed, "WG0301"},
	{"Antrea, a node without the device", func(s map[string][]evidence.Message) {
		antreaMesh(s)
		withoutDevice(s, "probe/node-2", "antrea-wg0")
		undelivered(s)
	}, verdict.Failed, "WG0201"},
	{"flannel's vxlan over KubeSpan", overKubeSpan, verdict.Passed, ""},
	{"an unknown network over KubeSpan", func(s map[string][]evidence.Message) {
		overKubeSpan(s)
		annotate(s, func(_ int, a map[string]string) {
			for key := range a {
				if strings.HasPrefix(key, "flannel") || strings.HasPrefix(key, "k3s") {
					delete(a, key)
				}
			}
		})
	}, verdict.Passed, ""},
	{"KubeSpan takes pods' packets itself", advertised, verdict.Passed, ""},
	{"KubeSpan lets a peer that is down be bypassed", func(s map[string][]evidence.Message) {
		overKubeSpan(s)
		leakBetween(s, 0, 1, "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp")
	}, verdict.Failed, "WG0401"},
	{"KubeSpan is not enabled on a node", func(s map[string][]evidence.Message) {
		overKubeSpan(s)
		annotate(s, func(i int, a map[string]string) {
			if i == 2 {
				delete(a, "networking.talos.dev/kubespan-public-key")
			}
		})
	}, verdict.Failed, "WG0301"},
	{"a tunnel that no profile knows, inside of KubeSpan", func(s map[string][]evidence.Message) {
		seenInside(s)
		annotate(s, func(i int, a map[string]string) {
			clear(a)
			a["networking.talos.dev/kubespan-public-key"] = publicKey(40 + i)
		})
	}, verdict.Passed, ""},
	{"an unknown network over WireGuard of the machines", func(s map[string][]evidence.Message) {
		overMachines(s, 50)
		ofNoKnownSystem(s)
	}, verdict.Passed, ""},
	{"flannel's host-gw over WireGuard of the machines", func(s map[string][]evidence.Message) {
		overMachines(s, 0)
		backendOf(s, "host-gw")
		bareBelow(s, true)
	}, verdict.Passed, ""},
	{"the same, and the peers lack the pods' addresses", func(s map[string][]evidence.Message) {
		overMachines(s, 0)
		backendOf(s, "host-gw")
		bareBelow(s, false)
		undelivered(s)
	}, verdict.Failed, "WG0304"},
	{"the machines' WireGuard is down, and another route is left", func(s map[string][]evidence.Message) {
		overMachines(s, 50)
		each(s["probe/node-1"], func(m *evidence.Message) {
			switch {
			case m.Link != nil && m.Link.Name == "wg0":
				m.Link.Up = false
			case m.Route != nil && m.Route.Link == "wg0":
				m.Route.Link, m.Route.Gateway = "eth0", netip.MustParseAddr("192.0.2.1")
			}
		})
		for peer := 1; peer < 3; peer++ {
			leakBetween(s, 0, peer, "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp")
		}
	}, verdict.Failed, "WG0201"},
	{"the machines' WireGuard is missing on one node", func(s map[string][]evidence.Message) {
		overMachines(s, 50)
		withoutDevice(s, "probe/node-3", "wg0")
		each(s["probe/node-3"], func(m *evidence.Message) {
			if m.Route != nil && m.Route.Link == "wg0" {
				m.Route.Link = "eth0"
			}
		})
		for peer := range 2 {
			leakBetween(s, 2, peer, "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp")
		}
	}, verdict.Failed, "WG0201"},
	{"the machines' WireGuard is not used", func(s map[string][]evidence.Message) {
		overMachines(s, 50)
		for i := range 3 {
			each(s[fmt.Sprintf("probe/node-%d", i+1)], func(m *evidence.Message) {
				if m.Witness != nil && m.Witness.Link == "wg0" {
					m.Witness.Link = "gone"
				}
			})
			s[fmt.Sprintf("probe/node-%d", i+1)] = slices.DeleteFunc(s[fmt.Sprintf("probe/node-%d", i+1)],
				func(m evidence.Message) bool { return m.Witness != nil && m.Witness.Link == "gone" })
		}
		annotate(s, func(i int, a map[string]string) { a["flannel.alpha.coreos.com/public-ip"] = underlay(i).String() })
		for from := range 3 {
			for to := range 3 {
				if from != to {
					leakBetween(s, from, to, "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp")
				}
			}
		}
	}, verdict.Failed, "WG0601"},
	{"checksums are left to a link that does not compute them", func(s map[string][]evidence.Message) {
		overMachines(s, 50)
		for i := range 3 {
			each(s[fmt.Sprintf("pod/node-%d", i+1)], func(m *evidence.Message) {
				for n := 0; m.Canary != nil && n < len(m.Canary.Rows); n++ {
					if row := &m.Canary.Rows[n]; row.Transport != "icmp" {
						row.Answered, row.Received = 0, 0
					}
				}
			})
		}
	}, verdict.Failed, "WG0502"},
	{"Submariner's device next to the tunnel", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{
				Link: &evidence.Link{Index: 12, Name: "submariner", Kind: "wireguard", Up: true, MTU: 1420,
					Role: evidence.RoleWireGuard},
			},
			evidence.Message{
				Capture: &evidence.Capture{Link: "submariner", Role: evidence.RoleWireGuard,
					Started: true, Alive: true},
			},
			evidence.Message{
				Device: &evidence.Device{Name: "submariner", Index: 12, PublicKey: publicKey(50), Port: 4500},
			})
	}, verdict.Passed, ""},
	{"IPsec in place of WireGuard", overIPsec, verdict.Undecided, "WG0605"},
	{"IPsec, and what it decrypts passes the card once more", func(s map[string][]evidence.Message) {
		overIPsec(s)
		arrivesInClear(s)
	}, verdict.Undecided, "WG0601"},
	{"IPsec, and packets leave in clear", func(s map[string][]evidence.Message) {
		overIPsec(s)
		leak := seenInClear(0, 1)
		s["probe/node-1"] = append(s["probe/node-1"], leak)
	}, verdict.Failed, "WG0601"},
	{"IPsec, and packets arrive in clear that its policy leaves out", func(s map[string][]evidence.Message) {
		overIPsec(s)
		arrivesInClear(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Diversion != nil {
				m.Diversion.Selector.Protocol = []uint8{6}
			}
		})
	}, verdict.Failed, "WG0601"},
	{"IPsec, and packets arrive in clear on a card without ESP", func(s map[string][]evidence.Message) {
		overIPsec(s)
		arrivesInClear(s)
		capture(s["probe/node-2"], "eth0", func(c *evidence.Capture) { c.Classes = nil })
	}, verdict.Failed, "WG0601"},
}

// systemWords are the variant of what a system's failure is about, and parts of its text.
var systemWords = map[string]words{
	"Kilo, two nodes in one location": {"WG0101", "design",
		"4 of the 6 directions are not encrypted by design: node-1 and node-2 are in one location (a)"},
	"KubeSpan lets a peer that is down be bypassed": {"WG0401", "bypass",
		"what node-1 sends to node-2 (192.0.2.11) goes out of eth0 in clear and not into kubespan: " +
			"no mark leads it there"},
	"the same, and the peers lack the pods' addresses": {"WG0304", "pods",
		"on node-1 the peer of node-2 has its address 100.64.0.11, but not its pods' 10.42.1.0/24"},
	"the machines' WireGuard is down, and another route is left": {"WG0201", "below",
		"wg0 of node-1, the WireGuard below the network plugin, is down"},
	"the machines' WireGuard is missing on one node": {"WG0201", "below",
		"wg0 of node-3, the WireGuard below the network plugin, is missing"},
	"the machines' WireGuard is not used": {"WG0601", "unused",
		"wg0 of node-1, a WireGuard device that reaches node-2 as 100.64.0.11, is not used for it"},
	"checksums are left to a link that does not compute them": {"WG0502", "checksum",
		"those of ICMP do, through flannel.1 as well"},
	"IPsec, and what it decrypts passes the card once more": {"WG0601", "decrypted",
		"they may be what IPsec decrypted on node-2"},
}

func TestSystems(t *testing.T) { checkWords(t, brokenSystems, systemWords) }

// What is not encrypted by design is the one cause: no peer, key or route that such a
// design does not have is called a fault, and the pair that is encrypted is proven.
func TestDesignIsTheOnlyCause(t *testing.T) {
	s := healthy(3)
	brokenSystems[slices.IndexFunc(brokenSystems, func(b breakage) bool {
		return b.name == "Kilo, two nodes in one location"
	})].breaks(s)
	// The node that does not lead has its device down and without a key, as Kilo leaves it.
	each(s["probe/node-2"], func(m *evidence.Message) {
		switch {
		case m.Link != nil && m.Link.Name == "kilo0":
			m.Link.Up = false
		case m.Device != nil:
			m.Device.PublicKey, m.Device.Peers = "", 0
		}
	})
	s["probe/node-2"] = slices.DeleteFunc(s["probe/node-2"], func(m evidence.Message) bool {
		return m.Peer != nil || m.Count != nil || m.Tunnel != nil
	})
	for _, node := range []string{"probe/node-1", "probe/node-3"} {
		s[node] = slices.DeleteFunc(s[node], func(m evidence.Message) bool {
			return m.Peer != nil && m.Peer.PublicKey == publicKey(1) ||
				m.Count != nil && m.Count.PublicKey == publicKey(1) ||
				m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(1)
		})
	}
	j := Judge(record(t, s))
	for _, c := range j.Causes {
		if c.Code != "WG0101" && c.Status == verdict.Fail {
			t.Errorf("another cause: %s %s: %s", c.Code, c.Subject, c.Text)
		}
	}
	if j.Causes[0].Code != "WG0101" || j.Causes[0].LeakCount == 0 {
		t.Errorf("%+v", j.Causes[0].Finding)
	}
	for _, p := range j.Pairs {
		between := p.Subject.Node != "node-2" && p.Subject.Peer != "node-2"
		if encrypted := p.Steps[verdict.P4Ciphertext] == verdict.Pass; encrypted != between {
			t.Errorf("%s: ciphertext %s", p.Subject, p.Steps[verdict.P4Ciphertext])
		}
	}
}

// A real recording of what KubeSpan does, a mark that leads flannel's vxlan into a
// WireGuard of the machines, with what Talos writes to its nodes.
func TestKubeSpanOnARecording(t *testing.T) {
	run := load(t, "host-report-by-mark")
	keys := map[string]string{}
	for _, n := range Judge(run).Graph.Nodes {
		keys[n.Name] = n.Device("wg0").PublicKey
	}
	// What the filters' reader says of the statement that marks, which it left out when this was recorded.
	judged := func(marking ...evidence.Selector) *Judgement {
		out := recording.New()
		for _, stream := range run.Streams() {
			for _, m := range run.Messages(stream) {
				other := *m
				switch {
				case m.Node != nil:
					node := *m.Node
					node.Annotations = maps.Clone(node.Annotations)
					node.Annotations["networking.talos.dev/kubespan-public-key"] = keys[node.Name]
					other.Node = &node
				case m.Bye != nil && strings.HasPrefix(stream, "probe/"):
					for _, selector := range marking {
						out.Add(&evidence.Message{Stream: stream, Seq: other.Seq, Diversion: &evidence.Diversion{
							By: "nftables", Effect: evidence.EffectMark, Family: "inet", Table: "talos",
							Chain: "kubespan_outgoing", Hook: "output", Mark: 0x40, Mask: 0x60, Selector: selector,
						}})
						other.Seq++
					}
					other.Bye = &evidence.Bye{Messages: m.Bye.Messages + uint32(len(marking))}
				}
				out.Add(&other)
			}
		}
		return Judge(out)
	}
	nodes := evidence.Selector{
		To: []netip.Prefix{netip.MustParsePrefix("192.0.2.11/32"), netip.MustParsePrefix("192.0.2.12/32")},
	}
	j := judged(nodes)
	if j.Profile.Name != "flannel-vxlan-over-kubespan" || j.Verdict != verdict.Passed {
		t.Errorf("%s, %s:\n%s", j.Profile.Name, j.Verdict, strings.Join(bad(j), "\n"))
	}
	for _, code := range []string{"WG0201", "WG0301", "WG0302", "WG0304"} {
		if !slices.ContainsFunc(j.Findings,
			func(f verdict.Finding) bool { return f.Code == code && f.Status == verdict.Pass }) {
			t.Errorf("%s passes nowhere", code)
		}
	}
	for name, row := range map[string]struct {
		marking []evidence.Selector
		verdict verdict.Verdict
	}{
		"by the port of the overlay": {
			[]evidence.Selector{{Protocol: []uint8{17}, Target: []evidence.Ports{{From: 8472, To: 8472}}}},
			verdict.Undecided,
		},
		"behind a rule for its own packets": {[]evidence.Selector{{To: nodes.To, NotOut: []string{"lo"},
			Other: []string{"no earlier rule of kubespan_outgoing applies"}}}, verdict.Passed},
		"a part of the nodes":          {[]evidence.Selector{{To: nodes.To[:1]}}, verdict.Failed},
		"it was not read what does it": {nil, verdict.Undecided},
	} {
		if j := judged(row.marking...); j.Verdict != row.verdict {
			t.Errorf("%s: %s, want %s:\n%s", name, j.Verdict, row.verdict, strings.Join(bad(j), "\n"))
		}
	}
}

// Of a TUN device that nobody can ask the report shows what was on the wire: messages
// in WireGuard's format where a connection is direct, none where it is relayed.
func TestWhatTheWireShowsOfATUN(t *testing.T) {
	for frames, want := range map[uint64]string{40: "40 messages in WireGuard's format",
		0: "the connection is relayed, or on another port"} {
		s := healthy(3)
		overTUN(s, "tailscale0", "")
		backendOf(s, "extension")
		for i := range 3 {
			capture(s[fmt.Sprintf("probe/node-%d", i+1)], "eth0", func(c *evidence.Capture) {
				c.Classes = map[string]uint64{"wireguard": frames}
			})
		}
		j := Judge(record(t, s))
		said := ""
		for _, r := range j.FirstCause.Readings {
			said += r.What + ": " + r.Text + "\n"
		}
		if j.Verdict != verdict.Undecided || j.FirstCause.Code != "WG0101" ||
			!strings.Contains(said, "UDP port 41641 on links that leave the host: ") || !strings.Contains(said, want) {
			t.Errorf("%s %s:\n%s\nwant %q", j.Verdict, j.FirstCause.Code, said, want)
		}
		for _, f := range j.Findings {
			if f.Status == verdict.Fail {
				t.Errorf("%s fails: %s", f.Code, f.Text)
			}
		}
	}
}

// Of several layers the report names both: the network plugin's tunnel, and the one
// of the machines that it is inside of.
func TestLayersAreNamed(t *testing.T) {
	for name, want := range map[string]string{
		"host-inside-wireguard": "K3s with Flannel, backend wireguard, inside of wg0",
		"host-inside-tun":       "K3s with Flannel, backend wireguard, inside of wg0",
		"host-healthy-vpn":      "K3s with Flannel, backend vxlan, over WireGuard of the machines",
		"vm-healthy-wireguard":  "K3s with Flannel, backend wireguard",
	} {
		if j := Judge(load(t, name)); j.Profile.Title != want || j.Verdict != verdict.Passed {
			t.Errorf("%s: %s, %q, want %q", name, j.Verdict, j.Profile.Title, want)
		}
	}
}

// A real recording of flannel's vxlan over WireGuard of the machines, in which that of
// one node goes down: its routes go with it, and the overlay leaves by the default route.
func TestMachinesWireGuardGoesDown(t *testing.T) {
	run := load(t, "host-healthy-vpn")
	out := recording.New()
	for _, stream := range run.Streams() {
		for _, m := range run.Messages(stream) {
			other := *m
			of := stream == "probe/node-1"
			switch {
			case of && m.Link != nil && m.Link.Name == "wg0":
				link := *m.Link
				link.Up = false
				other.Link = &link
			case of && m.Route != nil && m.Route.Link == "wg0":
				route := *m.Route
				route.Link, route.Gateway = "eth0", netip.MustParseAddr("192.0.2.1")
				other.Route = &route
			case of && m.Witness != nil && m.Witness.Link == "wg0":
				other.Witness = &evidence.Witness{Link: "wg0", Direction: m.Witness.Direction, Family: m.Witness.Family}
			case of && m.Bye != nil:
				leak := seenInClear(0, 1)
				leak.Stream, leak.Seq = stream, m.Seq
				out.Add(&leak)
				other.Seq, other.Bye = m.Seq+1, &evidence.Bye{Messages: m.Bye.Messages + 1}
			}
			out.Add(&other)
		}
	}
	j := Judge(out)
	if j.Verdict != verdict.Failed || j.FirstCause.Code != "WG0201" || j.FirstCause.Variant != "below" ||
		!strings.Contains(j.FirstCause.Text, "wg0 of node-1, the WireGuard below the network plugin, is down") {
		t.Errorf("%s %+v", j.Verdict, j.FirstCause)
	}
	if j.Causes[0].LeakCount == 0 {
		t.Error("the leak is not explained by it")
	}
}

// What carries the traffic in place of WireGuard is named, and never called WireGuard.
func TestOtherEncryptionIsNamed(t *testing.T) {
	s := healthy(3)
	overIPsec(s)
	j := Judge(record(t, s))
	named := 0
	for _, f := range j.Findings {
		if strings.Contains(f.Text, "IPsec may: policies of the kernel on 3 of 3 nodes, 270 frames of ESP") &&
			strings.Contains(f.Text, "That is not WireGuard, and it is not proven") {
			named++
		}
		if f.Status == verdict.Pass && (f.Code == "WG0602" || f.Code == "WG0605") {
			t.Errorf("%s: %s", f.Code, f.Text)
		}
	}
	if named == 0 {
		t.Errorf("it is not named: %v", bad(j))
	}
}
