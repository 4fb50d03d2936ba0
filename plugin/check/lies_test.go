package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// database are the packets of a port that no test packet has.
var database = evidence.Selector{Protocol: []uint8{6}, Target: []evidence.Ports{{From: 5432, To: 5432}}}

// markedBy is a statement of somebody's own table that marks some of pods' packets.
func markedBy(hook string, selector evidence.Selector, mark, mask uint32) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectMark, Family: "ip",
		Table: "own", Chain: hook, Hook: hook, Mark: mark, Mask: mask, Selector: selector, Rule: "meta mark set"}}
}

// pastBy is an entry that leads to a range by a link.
func pastBy(to, link, kind string, table int) evidence.Message {
	return evidence.Message{Route: &evidence.Route{Destination: cidr(to), Link: link, Table: table, Type: kind}}
}

// Attempts to have a PASS while some packets of pods leave in clear that nobody sent
// meanwhile: what would send them past the tunnel is there all the same, and a PASS
// would be a lie.
func TestNoLiePasses(t *testing.T) {
	const node, there = "probe/node-1", "10.42.247.0/26"
	rule := func(r evidence.Rule) evidence.Message {
		r.Family = 4
		return evidence.Message{Rule: &r}
	}
	port := evidence.Ports{From: 5432, To: 5432}
	for _, test := range []struct {
		name, of string
		add      []evidence.Message
	}{
		{"a mark by which Cilium takes packets for encrypted, on one port", "host-cilium-encrypted",
			[]evidence.Message{markedBy("postrouting", database, 0xe00, 0xf00)}},
		{"the same before routing", "host-cilium-encrypted",
			[]evidence.Message{markedBy("prerouting", database, 0xe00, 0xffffffff)}},
		{"the same in Cilium's tunnel, on the overlay's datagrams", "host-cilium-tunnel",
			[]evidence.Message{markedBy("output", evidence.Selector{Protocol: []uint8{17},
				Target: []evidence.Ports{{From: 8472, To: 8472}}, Source: []evidence.Ports{{From: 40000, To: 50000}}},
				0xe00, 0xf00)}},
		{"a rule for one port past Cilium's programs", "host-cilium-encrypted", []evidence.Message{
			rule(evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &port, Table: 77}), pastBy("0.0.0.0/0",
				"eth1", "unicast", 77)}},
		{"the mark by which Calico's own datagrams skip its table, on one port", "vm-calico-healthy",
			[]evidence.Message{markedBy("prerouting", database, 0x100000, 0x100000)}},
		{"a rule for one port in front of Calico's", "vm-calico-healthy", []evidence.Message{
			rule(evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &port, Table: 254})}},
		{"a part of a block that Calico's table throws", "vm-calico-healthy",
			[]evidence.Message{pastBy("10.42.247.32/27", "", "throw", 1)}},
		{"a single address of a block past Calico's tunnel", "vm-calico-healthy",
			[]evidence.Message{pastBy("10.42.247.61/32", "eth0", "unicast", 1)}},
		{"a rule for the host's own packets, and one for all others behind it", "host-healthy-wireguard",
			[]evidence.Message{
				rule(evidence.Rule{Priority: 50, In: "lo", Table: 77}),
				rule(evidence.Rule{Priority: 51, Protocol: 6, TargetPorts: &port, Table: 77}),
				pastBy("10.42.1.0/24", "eth0", "unicast", 77)}},
	} {
		s := streamsOf(t, test.of)
		if strings.Contains(test.of, "calico") && !hasRange(s, there) {
			t.Fatalf("%s: no node has %s", test.of, there)
		}
		if j := Judge(record(t, s)); j.Verdict != verdict.Passed {
			t.Fatalf("%s: %s", test.of, j.Verdict)
		}
		s[node] = append(s[node], test.add...)
		if j := Judge(record(t, s)); j.Verdict == verdict.Passed {
			t.Errorf("%s: %s", test.name, j.Verdict)
		} else {
			t.Logf("%s: %s, %s: %s", test.name, j.Verdict, j.FirstCause.Code, j.FirstCause.Text)
		}
	}
}

// The same in networks that no lab has.
func TestNoLiePassesMade(t *testing.T) {
	type streams = map[string][]evidence.Message
	// whole is KubeSpan over an underlay whose route was read as well.
	whole := func(s streams) {
		overKubeSpan(s)
		for _, probe := range []string{"probe/node-1", "probe/node-2", "probe/node-3"} {
			s[probe] = append(s[probe], pastBy("192.0.2.0/24", "eth0", "unicast", mainTable))
		}
	}
	// narrower gives the statement by which KubeSpan marks packets a further condition.
	narrower := func(narrow func(*evidence.Selector)) func(streams) {
		return func(s streams) {
			whole(s)
			each(s["probe/node-1"], func(m *evidence.Message) {
				if m.Diversion != nil && m.Diversion.Mark == 0x40 {
					d := *m.Diversion
					d.Chain = "outgoing"
					narrow(&d.Selector)
					m.Diversion = &d
				}
			})
		}
	}
	for _, test := range []struct {
		name  string
		whole func(streams) // passes
		lie   func(streams)
	}{
		{"KubeSpan marks some of the overlay's datagrams only", whole, narrower(func(s *evidence.Selector) {
			s.Source = []evidence.Ports{{From: 1, To: 40000}}
		})},
		{"KubeSpan marks what nothing before it accepted", whole, narrower(func(s *evidence.Selector) {
			s.Other = []string{"no earlier rule of outgoing applies"}
		})},
		{"another statement takes KubeSpan's mark from some of them", whole, func(s streams) {
			whole(s)
			s["probe/node-1"] = append(s["probe/node-1"], markedBy("output", evidence.Selector{
				Protocol: []uint8{17}, Source: []evidence.Ports{{From: 40000, To: 50000}}}, 0, 0x60))
		}},
		{"a packet from pod to pod is called one of a class of which nothing is promised", func(s streams) {
			asked(s)
			noAnnotations(s)
		}, func(s streams) {
			asked(s)
			noAnnotations(s)
			hopInClear(s, evidence.ClassNodePort, 2, 1, podIP(2), podIP(1))
		}},
		{"the same in clear by design between nodes", asked, func(s streams) {
			asked(s)
			hopInClear(s, evidence.ClassNodeNode, 2, 1, podIP(2), podIP(1))
		}},
	} {
		s := healthy(3)
		test.whole(s)
		if j := Judge(record(t, s)); j.Verdict != verdict.Passed {
			t.Errorf("%s: %s without it: %s", test.name, j.Verdict, strings.Join(bad(j), "\n"))
		}
		s = healthy(3)
		test.lie(s)
		if j := Judge(record(t, s)); j.Verdict == verdict.Passed {
			t.Errorf("%s: %s", test.name, j.Verdict)
		} else {
			t.Logf("%s: %s, %s: %s", test.name, j.Verdict, j.FirstCause.Code, j.FirstCause.Text)
		}
	}
}

// An address that stands for a node's pods is not a pod: what is known of it proves
// nothing of a node on which no test pod ran, whatever else the run has.
func TestSamplesProveNothing(t *testing.T) {
	for name, lie := range map[string]func(s map[string][]evidence.Message){
		"of all nodes": func(s map[string][]evidence.Message) { sampledAs(s, 254) },
		"of one node, at its test pod's own address": func(s map[string][]evidence.Message) {
			each(s["plugin"], func(m *evidence.Message) {
				if m.Pod != nil && m.Pod.Role == "pod" && m.Pod.Node == "node-1" {
					pod := *m.Pod
					pod.Role = "sample"
					m.Pod = &pod
				}
			})
		},
	} {
		s := healthy(3)
		lie(s)
		if j := Judge(record(t, s)); j.Verdict == verdict.Passed {
			t.Errorf("%s: %s", name, j.Verdict)
		}
	}
}

// Where the pods of a node are is not always known. Then a PASS is about the test pods,
// and says so.
func TestUnknownRangesAreNotProven(t *testing.T) {
	for _, ranges := range []string{"", "10.42.7.0/24"} {
		s := healthy(3)
		noAnnotations(s)
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node == nil || m.Node.Index != 1 {
				return
			}
			m.Node.PodCIDRs = nil
			if ranges != "" {
				m.Node.PodCIDRs = []netip.Prefix{cidr(ranges)}
			}
		})
		j := Judge(record(t, s))
		said := slices.ContainsFunc(j.Profile.Scope, func(line profile.Scope) bool {
			return !line.Proven && line.What == "pods other than the test pods on 1 of 3 nodes"
		})
		if j.Verdict != verdict.Passed || !said {
			t.Errorf("%q: %s, %+v", ranges, j.Verdict, j.Profile.Scope)
		}
	}
}

// hasRange reports whether a node has a pod range.
func hasRange(s map[string][]evidence.Message, text string) (has bool) {
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			for _, podRange := range m.Node.PodCIDRs {
				has = has || podRange == netip.MustParsePrefix(text)
			}
		}
	})
	return has
}
