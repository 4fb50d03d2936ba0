package check

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// askedFor are the classes of asked.
var askedFor = evidence.Classes[:evidence.ClassEnded.Number()-1]

// clusterIP is the address of the Service of a node's test pod.
func clusterIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 43, 0, byte(10 + i)}) }

// dnsNode is the index of the node that has the only pod of the cluster's DNS.
const dnsNode = 1

// asked makes a run one that was asked for Services, hosts and DNS, in a cluster whose
// network promises what Flannel's does: what is for a node's address is in clear, all
// else in the tunnel.
func asked(s map[string][]evidence.Message) {
	for i := range s[evidence.PluginStream] {
		if run := s[evidence.PluginStream][i].Run; run != nil {
			run.Scope = []string{evidence.ScopeServices, evidence.ScopeHosts, evidence.ScopeDNS}
			run.DNS = []evidence.DNSServer{{Node: dnsNode, Addr: netip.AddrPortFrom(podIP(dnsNode).Next(), 53)}}
		}
	}
	clear := []evidence.Class{evidence.ClassNodePortFar, evidence.ClassPodNode, evidence.ClassNodeNode}
	for from := range 3 {
		for to := range 3 {
			for _, one := range evidence.Classes {
				if from != to && one.Class != evidence.ClassEnded && (one.Class != evidence.ClassDNS || to == dnsNode) {
					classTraffic(s, one.Class, from, to)
					if slices.Contains(clear, one.Class) {
						hopInClear(s, one.Class, from, to, underlay(from), underlay(to))
					} else {
						inTunnel(s, one.Class, from, to)
					}
				}
			}
		}
	}
}

func stream(role string, node int) string {
	return evidence.StreamName(role, []string{"node-1", "node-2", "node-3"}[node])
}

// classTraffic is what the two ends count of three packets that are all answered.
func classTraffic(s map[string][]evidence.Message, class evidence.Class, from, to int) {
	sender, receiver := "pod", "pod"
	if class.FromNode() {
		sender = "probe"
	}
	if class.ToNode() {
		receiver = "probe"
	}
	addr := netip.AddrPortFrom(clusterIP(to), evidence.PodClassPort)
	s[stream(sender, from)] = append(s[stream(sender, from)], evidence.Message{Classed: &evidence.Classed{
		Class: class, Peer: to, Family: 4, Addr: addr, Sent: 3, Answered: 3}})
	if class == evidence.ClassDNS {
		return // no agent answers
	}
	s[stream(receiver, to)] = append(s[stream(receiver, to)], evidence.Message{Classed: &evidence.Classed{
		Class: class, Peer: from, Family: 4, Received: 3}})
}

// inTunnel is what the probes saw of them in the tunnel.
func inTunnel(s map[string][]evidence.Message, class evidence.Class, from, to int) {
	for _, answer := range []bool{false, true} {
		source, target := from, to
		if answer {
			source, target = to, from
		}
		for direction, at := range map[string]int{"tx": source, "rx": target} {
			s[stream("probe", at)] = append(s[stream("probe", at)], evidence.Message{ClassSeen: &evidence.ClassSeen{
				Class: class, Link: "flannel-wg", Direction: direction, Source: source, Target: target, Family: 4,
				Answer: answer, Count: 3}})
		}
	}
}

// inClear is what they saw of them on the wire, with the outermost addresses of what
// was sent.
func hopInClear(s map[string][]evidence.Message, class evidence.Class, from, to int,
	outerSource, outerTarget netip.Addr) {
	for _, answer := range []bool{false, true} {
		leak := evidence.Sighting{Link: "eth0", Direction: "tx", Source: from, Target: to, Family: 4,
			By: evidence.LeakedByMark, Class: class, Answer: answer,
			Layers: "ethernet ipv4 udp", OuterSource: outerSource, OuterTarget: outerTarget, Count: 3}
		if answer {
			leak.Source, leak.Target, leak.OuterSource, leak.OuterTarget = to, from, outerTarget, outerSource
		}
		at := stream("probe", leak.Source)
		s[at] = append(s[at], evidence.Message{Sighting: &leak})
	}
}

// editClass has keep look at all that is said of a class: it may change it, and returns
// false for what is to go.
func editClass(s map[string][]evidence.Message, class evidence.Class, keep func(m *evidence.Message) bool) {
	for name := range s {
		s[name] = slices.DeleteFunc(s[name], func(m evidence.Message) bool {
			ours := m.Classed != nil && m.Classed.Class == class || m.ClassSeen != nil && m.ClassSeen.Class == class ||
				m.Sighting != nil && m.Sighting.Class == class
			return ours && !keep(&m)
		})
	}
}

func noClassSeen(m *evidence.Message) bool { return m.ClassSeen == nil }

// brokenScope is what becomes of runs that were asked for more than pods.
var brokenScope = []breakage{
	{"Services and nodes are as Flannel promises", asked, verdict.Passed, ""},
	{"hosts alone were asked for, and nothing is known of Services", func(s map[string][]evidence.Message) {
		asked(s)
		for i := range s[evidence.PluginStream] {
			if run := s[evidence.PluginStream][i].Run; run != nil {
				run.Scope = []string{evidence.ScopeHosts}
			}
		}
		for _, class := range []evidence.Class{evidence.ClassClusterIP, evidence.ClassNodePort,
			evidence.ClassNodePortFar} {
			editClass(s, class, func(*evidence.Message) bool { return false })
		}
	}, verdict.Passed, ""},
	{"what is for a Service leaks", func(s map[string][]evidence.Message) {
		asked(s)
		hopInClear(s, evidence.ClassClusterIP, 0, 1, podIP(0), podIP(1))
	}, verdict.Failed, "WG0621"},
	{"what is for a Service leaks, and a stream ends early", func(s map[string][]evidence.Message) {
		asked(s)
		hopInClear(s, evidence.ClassNodePort, 0, 1, podIP(0), podIP(1))
		capture(s["probe/node-1"], "eth0", func(c *evidence.Capture) { c.Drops = 1 })
	}, verdict.Failed, "WG0621"},
	{"a node's packets to pods leak, which Flannel promises to carry", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassNodePod, noClassSeen)
		hopInClear(s, evidence.ClassNodePod, 2, 1, underlay(2), podIP(1))
	}, verdict.Failed, "WG0621"},
	{"the same in a network that promises nothing of it", func(s map[string][]evidence.Message) {
		asked(s)
		noAnnotations(s)
		hopInClear(s, evidence.ClassNodePod, 2, 1, underlay(2), podIP(1))
		hopInClear(s, evidence.ClassNodePort, 2, 1, underlay(2), podIP(1))
	}, verdict.Passed, ""},
	{"but of what pods send to a Service", func(s map[string][]evidence.Message) {
		asked(s)
		noAnnotations(s)
		hopInClear(s, evidence.ClassClusterIP, 2, 1, podIP(2), podIP(1))
	}, verdict.Failed, "WG0621"},
	{"and nothing of a first hop", func(s map[string][]evidence.Message) {
		asked(s)
		noAnnotations(s)
	}, verdict.Passed, ""},
	{"a leak of a class that was not asked for", func(s map[string][]evidence.Message) {
		hopInClear(s, evidence.ClassNodeNode, 0, 1, underlay(0), underlay(1))
	}, verdict.Failed, "WG0601"},
	{"pods leak, and so does what they send to Services", func(s map[string][]evidence.Message) {
		asked(s)
		hopInClear(s, evidence.ClassClusterIP, 0, 1, podIP(0), podIP(1))
		hopInClear(s, "", 0, 1, podIP(0), podIP(1))
	}, verdict.Failed, "WG0601"},
	{"no answer comes back from a Service", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassClusterIP, func(m *evidence.Message) bool {
			if m.Classed != nil {
				m.Classed.Answered = 0
			}
			return true
		})
	}, verdict.Undecided, "WG0621"},
	{"what came by a Service was not in the tunnel", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassNodePort, noClassSeen)
	}, verdict.Undecided, "WG0621"},
	{"answers of a Service's pod were not in the tunnel", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassClusterIP,
			func(m *evidence.Message) bool { return m.ClassSeen == nil || !m.ClassSeen.Answer })
	}, verdict.Undecided, "WG0621"},
	{"nothing translates a Service's address", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassClusterIP, func(m *evidence.Message) bool {
			if m.Classed != nil {
				m.Classed.Answered, m.Classed.Received = 0, 0
			}
			return m.ClassSeen == nil
		})
		untranslated(s, 0, 1)
	}, verdict.Undecided, "WG0621"},
	{"a Service's address was translated late", func(s map[string][]evidence.Message) {
		asked(s)
		untranslated(s, 0, 1)
	}, verdict.Passed, ""},
	{"another node than the sender's translates a Service's address", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassClusterIP, noClassSeen)
		untranslated(s, 0, 1)
	}, verdict.Failed, "WG0621"},
	{"nodes do not answer each other, of which nothing is promised", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassNodeNode, func(*evidence.Message) bool { return false })
	}, verdict.Passed, ""},
	{"a probe that cannot answer in a family: of what goes to nodes nothing is promised",
		func(s map[string][]evidence.Message) {
			asked(s)
			editClass(s, evidence.ClassNodeNode, func(*evidence.Message) bool { return false })
			s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Problem: &evidence.Problem{
				Class: evidence.ProblemUnsupported, What: "answer", On: "IPv6", Text: "address family not supported"}})
		}, verdict.Passed, ""},
	{"questions to the DNS leak", func(s map[string][]evidence.Message) {
		asked(s)
		hopInClear(s, evidence.ClassDNS, 0, dnsNode, podIP(0), podIP(dnsNode))
	}, verdict.Failed, "WG0621"},
	{"questions to a node without a DNS leak", func(s map[string][]evidence.Message) {
		asked(s)
		hopInClear(s, evidence.ClassDNS, 0, 2, podIP(0), podIP(2))
	}, verdict.Failed, "WG0601"},
	{"the DNS answers, and nothing of that was in the tunnel: somebody on the node answers for it",
		func(s map[string][]evidence.Message) {
			asked(s)
			editClass(s, evidence.ClassDNS, noClassSeen)
		}, verdict.Undecided, "WG0621"},
	{"a node gives questions that it sends past the tunnel an address of its own",
		func(s map[string][]evidence.Message) {
			asked(s)
			hopInClear(s, evidence.ClassDNS, 0, dnsNode, underlay(0), podIP(dnsNode))
		}, verdict.Failed, "WG0621"},
	{"the DNS asks another server about it", func(s map[string][]evidence.Message) {
		asked(s)
		passedOn(s, clusterIP(9))
	}, verdict.Passed, ""},
	{"the other server is a pod of the node that asks", func(s map[string][]evidence.Message) {
		asked(s)
		passedOn(s, podIP(0).Next())
	}, verdict.Failed, "WG0621"},
	{"no pod of the DNS was found", func(s map[string][]evidence.Message) {
		asked(s)
		withoutServers(s)
	}, verdict.Undecided, "WG0621"},
	{"an agent that is older than the plugin", func(s map[string][]evidence.Message) {
		asked(s)
		editClass(s, evidence.ClassNodePod, func(*evidence.Message) bool { return false })
	}, verdict.Undecided, "WG0621"},
}

// passedOn is the DNS asking another server what it was asked, in clear.
func passedOn(s map[string][]evidence.Message, other netip.Addr) {
	at := stream("probe", dnsNode)
	for _, direction := range []string{evidence.DirectionTX, evidence.DirectionRX} {
		leak := &evidence.Sighting{Link: "eth0", Direction: direction, Source: 0, Target: dnsNode, Family: 4,
			By: evidence.LeakedByMark, Class: evidence.ClassDNS, Answer: direction == evidence.DirectionRX,
			Layers: "ethernet ipv4 udp", OuterSource: podIP(dnsNode), OuterTarget: other, Count: 3}
		if leak.Answer {
			leak.Source, leak.Target, leak.OuterSource, leak.OuterTarget = dnsNode, 0, other, podIP(dnsNode)
		}
		s[at] = append(s[at], evidence.Message{Sighting: leak})
	}
}

// withoutServers takes away all pods of the DNS, so that nothing was sent to any.
func withoutServers(s map[string][]evidence.Message) {
	editClass(s, evidence.ClassDNS, func(*evidence.Message) bool { return false })
	plugin := s[evidence.PluginStream]
	for i := range plugin {
		if run := plugin[i].Run; run != nil {
			run.DNS = nil
		}
	}
	s[evidence.PluginStream] = append(plugin, evidence.Message{Problem: &evidence.Problem{
		Class: evidence.ProblemMissing, What: "DNS", Text: "no such pod here"}})
}

// untranslated is a packet that left with the address of the Service itself.
func untranslated(s map[string][]evidence.Message, from, to int) {
	at := stream("probe", from)
	s[at] = append(s[at],
		evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: from, Target: to,
			Family: 4, By: evidence.LeakedByMark, Class: evidence.ClassClusterIP, Layers: "ethernet ipv4 udp",
			OuterSource: podIP(from), OuterTarget: clusterIP(to), Count: 3}})
}

// noAnnotations makes the network one that no profile knows.
func noAnnotations(s map[string][]evidence.Message) {
	for i := range s[evidence.PluginStream] {
		if n := s[evidence.PluginStream][i].Node; n != nil {
			n.Annotations = nil
		}
	}
}

// The cells of one pair: what was seen decides, and only then what is promised.
func TestCells(t *testing.T) {
	edit := func(class evidence.Class, keep func(*evidence.Message) bool) func(map[string][]evidence.Message) {
		return func(s map[string][]evidence.Message) { editClass(s, class, keep) }
	}
	for _, row := range []struct {
		name   string
		breaks func(s map[string][]evidence.Message)
		class  evidence.Class
		cell   Cell
		why    string
	}{
		{"all in the tunnel", nil, evidence.ClassClusterIP, CellEncrypted,
			"3 packets and 3 answers seen in the tunnel, entering and leaving"},
		{"a node's own", nil, evidence.ClassNodePod, CellEncrypted,
			"3 packets and 3 answers seen in the tunnel, entering and leaving"},
		{"for a node's address", nil, evidence.ClassPodNode, CellByDesign,
			"6 packets seen in clear: it is for the address of a node, which this network does not encrypt"},
		{"the first hop", nil, evidence.ClassNodePortFar, CellByDesign,
			"6 packets seen in clear: the first hop is to the address of a node, which this network does not encrypt"},
		{"in the tunnel though nothing is promised", func(s map[string][]evidence.Message) {
			editClass(s, evidence.ClassNodeNode, func(m *evidence.Message) bool { return m.Sighting == nil })
			inTunnel(s, evidence.ClassNodeNode, 0, 1)
		}, evidence.ClassNodeNode, CellEncrypted, "3 packets and 3 answers seen in the tunnel, entering and leaving"},
		{"answers alone in clear", func(s map[string][]evidence.Message) {
			hopInClear(s, evidence.ClassNodePort, 0, 1, podIP(0), podIP(1))
			editClass(s, evidence.ClassNodePort,
				func(m *evidence.Message) bool { return m.Sighting == nil || m.Sighting.Answer })
		}, evidence.ClassNodePort, CellLeak, "3 packets seen in clear"},
		{"none arrived", edit(evidence.ClassNodePod, func(m *evidence.Message) bool {
			return m.Classed != nil && m.Classed.Sent > 0
		}),
			evidence.ClassNodePod, CellNotProven, "none of 3 packets arrived"},
		{"nothing sent", edit(evidence.ClassNodePod, func(*evidence.Message) bool { return false }),
			evidence.ClassNodePod, CellNotProven, "nothing was sent"},
		{"a Service that was not admitted", func(s map[string][]evidence.Message) {
			editClass(s, evidence.ClassClusterIP, func(*evidence.Message) bool { return false })
			s[evidence.PluginStream] = append(s[evidence.PluginStream], evidence.Message{Problem: &evidence.Problem{
				Class: evidence.ProblemAdmission, What: "service", Text: "no node ports here"}})
		}, evidence.ClassClusterIP, CellNotProven, "nothing was sent: no node ports here"},
		{"the DNS", nil, evidence.ClassDNS, CellEncrypted,
			"3 packets and 3 answers seen in the tunnel, entering and leaving"},
		{"no question was answered", edit(evidence.ClassDNS, func(m *evidence.Message) bool {
			if m.Classed != nil {
				m.Classed.Answered = 0
			}
			return m.Classed != nil
		}), evidence.ClassDNS, CellNotProven, "none of 3 questions to 10.43.0.11:9477 was answered"},
		{"no DNS", withoutServers, evidence.ClassDNS, CellNotProven, "nothing was sent: no such pod here"},
		{"frames were lost", func(s map[string][]evidence.Message) {
			capture(s["probe/node-2"], "eth0", func(c *evidence.Capture) { c.Drops = 40 })
		}, evidence.ClassClusterIP, CellNotProven, "the capture on eth0 of node-2 dropped 40 of 140 frames"},
	} {
		s := healthy(3)
		asked(s)
		if row.breaks != nil {
			row.breaks(s)
		}
		j := Judge(record(t, s))
		cells := j.ClassesOf(j.Graph.Edge(j.Graph.Node("node-1"), j.Graph.Node("node-2"), 4))
		at := slices.IndexFunc(cells, func(c ClassCell) bool { return c.Class == row.class })
		if at < 0 || cells[at].Cell != row.cell || cells[at].Why != row.why || len(cells) != len(askedFor) {
			t.Errorf("%s: %+v", row.name, cells)
		}
	}
}

// To a node without a pod of the DNS no question is sent, and nothing is said of it.
func TestClassesOfANodeWithoutDNS(t *testing.T) {
	s := healthy(3)
	asked(s)
	j := Judge(record(t, s))
	for to, want := range map[string]int{"node-2": len(askedFor), "node-3": len(askedFor) - 1} {
		if cells := j.ClassesOf(j.Graph.Edge(j.Graph.Node("node-1"), j.Graph.Node(to), 4)); len(cells) != want {
			t.Errorf("%s: %+v", to, cells)
		}
	}
}

// Law: what a network promises never makes a leak of what was not seen, nor a proof of
// what was.
func TestPromisesDoNotProve(t *testing.T) {
	s := healthy(3)
	asked(s)
	editClass(s, evidence.ClassClusterIP, noClassSeen)
	hopInClear(s, evidence.ClassNodePort, 0, 1, underlay(0), podIP(1))
	j := Judge(record(t, s))
	e := j.Graph.Edge(j.Graph.Node("node-1"), j.Graph.Node("node-2"), 4)
	for _, promises := range []profile.Promises{profile.PodHops(), profile.BackendHops(), profile.AllHops(), {}} {
		j.Profile.Promises = promises
		for _, cell := range j.ClassesOf(e) {
			seen := cell.Class == evidence.ClassNodePod || cell.Class == evidence.ClassDNS
			clear := !seen && cell.Class != evidence.ClassClusterIP
			switch {
			case (cell.Cell == CellEncrypted) != seen,
				(cell.Cell == CellLeak || cell.Cell == CellByDesign) != clear,
				(cell.Cell == CellLeak) != (clear && promises[cell.Class].Encrypted):
				t.Errorf("%v: %+v", promises, cell)
			}
		}
	}
}

// What recorded runs show of each class, in order: encrypted, in clear by the network's
// design, a leak, or not proven.
func TestCellsOfRecordings(t *testing.T) {
	letters := map[Cell]string{CellEncrypted: "e", CellByDesign: "d", CellLeak: "L", CellNotProven: "?"}
	for name, want := range map[string]string{
		"host-scope-healthy": "eedded", "host-scope-hosts": "ded", "host-scope-no-proxy": "??dded",
		"host-cilium-scope": "eddddd", "host-cilium-scope-node": "eeeeee", "host-cilium-scope-opted-out": "eddddd",
		"host-cilium-tunnel-scope": "eedded", "host-cilium-kpr": "eeeddd", "host-cilium-tunnel-kpr": "eeeded",
		"host-scope-ended": "e", "host-cilium-scope-ended": "e", "host-cilium-tunnel-ended": "e",
		"vm-calico-scope-ended": "L", "vm-calico-scope-ended-refused": "e",
		"vm-calico-scope": "eedded", "vm-calico-scope-hosts": "eeeeee",
	} {
		j := Judge(load(t, name))
		for e := range j.Graph.Edges() {
			got := ""
			for _, cell := range j.ClassesOf(e) {
				got += letters[cell.Cell]
			}
			if got != want {
				t.Errorf("%s, %s to %s: %s, want %s", name, e.From.Name, e.To.Name, got, want)
			}
		}
	}
}
