package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// ofCalico is a recording of a healthy Calico as streams that can be changed: Felix on
// the kernel's WireGuard, whose nodes node1 and node2 have 10.42.0.0/24 and 10.42.1.0/24.
func ofCalico(t *testing.T) map[string][]evidence.Message {
	t.Helper()
	whole, streams := load(t, "vm-calico-felix"), map[string][]evidence.Message{}
	for _, stream := range whole.Streams() {
		for _, m := range whole.Messages(stream) {
			if m.Bye == nil {
				streams[stream] = append(streams[stream], *m)
			}
		}
	}
	return streams
}

// surveyedAs changes what the API says of a node.
func surveyedAs(streams map[string][]evidence.Message, name string, change func(*evidence.Node)) {
	each(streams["plugin"], func(m *evidence.Message) {
		if m.Node != nil && m.Node.Name == name {
			node := *m.Node
			change(&node)
			m.Node = &node
		}
	})
}

func annotatedAs(streams map[string][]evidence.Message, name, annotation, value string) {
	surveyedAs(streams, name, func(n *evidence.Node) {
		kept := map[string]string{}
		for key, was := range n.Annotations {
			kept[key] = was
		}
		kept[annotation] = value
		if value == "" {
			delete(kept, annotation)
		}
		n.Annotations = kept
	})
}

// configuredAs replaces an object of Calico's.
func configuredAs(streams map[string][]evidence.Message, object string, fields map[string]string) {
	each(streams["plugin"], func(m *evidence.Message) {
		if m.Cluster == nil {
			return
		}
		about := *m.Cluster
		about.Objects = map[string]map[string]string{object: fields}
		for name, was := range m.Cluster.Objects {
			if name != object {
				about.Objects[name] = was
			}
		}
		m.Cluster = &about
	})
}

// blocks are ranges that Calico's IPAM assigned.
func blocks(streams map[string][]evidence.Message, node string, ranges ...string) {
	surveyedAs(streams, node, func(n *evidence.Node) {
		n.PodCIDRs, n.IPAM = nil, evidence.IPAMCalico
		for _, text := range ranges {
			n.PodCIDRs = append(n.PodCIDRs, netip.MustParsePrefix(text))
		}
	})
}

// tableEntry adds an entry of a routing table to what a probe read.
func tableEntry(streams map[string][]evidence.Message, probe, to, link, kind string, table int) {
	route := &evidence.Route{Destination: netip.MustParsePrefix(to), Link: link, Table: table, Type: kind}
	streams[probe] = append(streams[probe], evidence.Message{Route: route})
}

// allows adds to the allowed IPs of the one peer of a node.
func allowedIPs(streams map[string][]evidence.Message, probe string, ranges ...string) {
	each(streams[probe], func(m *evidence.Message) {
		if m.Peers == nil {
			return
		}
		peers := *m.Peers
		peers.AllowedIPs = [][]netip.Prefix{slices.Clone(m.Peers.AllowedIPs[0])}
		for _, text := range ranges {
			peers.AllowedIPs[0] = append(peers.AllowedIPs[0], netip.MustParsePrefix(text))
		}
		m.Peers = &peers
	})
}

// throws has node1 keep the pods of node2 out of its tunnel, as Felix does it, and their
// packets leave in clear.
func throws(streams map[string][]evidence.Message) {
	each(streams["probe/node1"], func(m *evidence.Message) {
		if m.Route == nil || m.Route.Mark != 0 || m.Route.Link != "wireguard.cali" {
			return
		}
		route := *m.Route
		if route.For.IsValid() {
			route.Link, route.Table, route.Destination = "eth0", mainTable, netip.MustParsePrefix("0.0.0.0/0")
		} else {
			route.Link, route.Type = "", "throw"
		}
		m.Route = &route
	})
	streams["probe/node1"] = append(streams["probe/node1"], evidence.Message{Sighting: &evidence.Sighting{
		Link: "eth0", Direction: evidence.DirectionTX, Source: 0, Target: 1, Family: 4, By: evidence.LeakedByMark,
		Layers: "ethernet ipv4 udp", Count: 7, InnerSource: netip.MustParseAddr("10.42.0.3"),
		InnerTarget: netip.MustParseAddr("10.42.1.3"), Sample: []byte{0x45, 0},
	}})
}

// What a healthy Calico can look like, and what goes wrong in it, made of a recording of one.
func TestCalico(t *testing.T) {
	const key = "projectcalico.org/WireguardPublicKey"
	type streams = map[string][]evidence.Message
	for _, test := range []struct {
		name    string
		change  func(streams)
		verdict verdict.Verdict
		cause   string
		says    []string // of the first cause
	}{
		{"as it was", func(streams) {}, verdict.Passed, "", nil},
		{"an IPAM of its own", func(s streams) {
			blocks(s, "node1", "10.42.0.0/26", "10.42.0.64/26")
			blocks(s, "node2", "10.42.1.0/26")
		}, verdict.Passed, "", nil},
		{"an IPAM of its own, recorded by an earlier version", func(s streams) {
			surveyedAs(s, "node1", func(n *evidence.Node) {
				n.PodCIDRs = []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")}
			})
			surveyedAs(s, "node2", func(n *evidence.Node) {
				n.PodCIDRs = []netip.Prefix{netip.MustParsePrefix("10.42.0.0/24")}
			})
		}, verdict.Passed, "", nil},
		{"the same, and its annotations are not Calico's", func(s streams) {
			for _, name := range []string{"node1", "node2"} {
				surveyedAs(s, name, func(n *evidence.Node) {
					n.Annotations, n.PodCIDRs = nil, []netip.Prefix{netip.MustParsePrefix("10.42.7.0/24")}
				})
			}
		}, verdict.Passed, "", nil},
		{"a node that has no block yet", func(s streams) { blocks(s, "node2"); blocks(s, "node1", "10.42.0.0/26") },
			verdict.Passed, "", nil},
		{"two pools", func(s streams) {
			blocks(s, "node1", "10.42.0.0/26")
			blocks(s, "node2", "10.42.1.0/26", "10.99.4.64/26")
			allowedIPs(s, "probe/node1", "10.99.4.64/26")
			tableEntry(s, "probe/node1", "10.99.4.64/26", "wireguard.cali", "unicast", 1)
		}, verdict.Passed, "", nil},
		{"two pools, one of which no peer has", func(s streams) {
			blocks(s, "node1", "10.42.0.0/26")
			blocks(s, "node2", "10.42.1.0/26", "10.99.4.64/26")
			tableEntry(s, "probe/node1", "10.99.4.64/26", "wireguard.cali", "unicast", 1)
		}, verdict.Failed, "WG0304", []string{"10.99.4.64/26"}},
		{"two pools, one of which is thrown out of the tunnel", func(s streams) {
			blocks(s, "node1", "10.42.0.0/26")
			blocks(s, "node2", "10.42.1.0/26", "10.99.4.64/26")
			allowedIPs(s, "probe/node1", "10.99.4.64/26")
			tableEntry(s, "probe/node1", "10.99.4.64/26", "", "throw", 1)
		}, verdict.Failed, "WG0402", []string{"10.99.4.64/26", "eth0"}},
		{"an address borrowed from the other node's block", func(s streams) {
			blocks(s, "node1", "10.42.0.0/26")
			blocks(s, "node2", "10.42.1.0/26")
			tableEntry(s, "probe/node1", "10.42.1.9/32", "", "throw", 1)
			tableEntry(s, "probe/node1", "10.42.1.9/32", "calice0906292e2", "unicast", mainTable)
			allowedIPs(s, "probe/node2", "10.42.1.9/32")
			tableEntry(s, "probe/node2", "10.42.1.9/32", "wireguard.cali", "unicast", 1)
		}, verdict.Passed, "", nil},
		{"a block that moved: the test pod is on the node that had it", func(s streams) {
			blocks(s, "node1", "10.42.0.0/26", "10.42.8.0/26")
			blocks(s, "node2", "10.42.9.0/26")
			allowedIPs(s, "probe/node2", "10.42.8.0/26")
			tableEntry(s, "probe/node2", "10.42.8.0/26", "wireguard.cali", "unicast", 1)
			allowedIPs(s, "probe/node1", "10.42.9.0/26")
			tableEntry(s, "probe/node1", "10.42.9.0/26", "wireguard.cali", "unicast", 1)
		}, verdict.Passed, "", nil},
		{"routes of BGP in the main table, which comes after", func(s streams) {
			blocks(s, "node1", "10.42.0.0/26")
			blocks(s, "node2", "10.42.1.0/26")
			tableEntry(s, "probe/node1", "10.42.1.0/26", "eth0", "unicast", mainTable)
			tableEntry(s, "probe/node2", "10.42.0.0/26", "eth0", "unicast", mainTable)
		}, verdict.Passed, "", nil},
		{"host encryption", func(s streams) {
			configuredAs(s, "FelixConfiguration//default", map[string]string{
				"wireguardEnabled": "true", "wireguardHostEncryptionEnabled": "true"})
			allowedIPs(s, "probe/node1", "198.51.100.12/32")
			allowedIPs(s, "probe/node2", "198.51.100.11/32")
		}, verdict.Passed, "", nil},
		{"its configuration was not read", func(s streams) {
			configuredAs(s, "FelixConfiguration//default", nil)
		}, verdict.Passed, "", nil},
		{"IPv6 was switched off, and was asked for", func(s streams) {
			each(s["plugin"], func(m *evidence.Message) {
				if m.Run != nil {
					run := *m.Run
					run.Families = []int{4, 6}
					m.Run = &run
				}
				if m.Pod != nil && m.Pod.Role == "pod" {
					pod := *m.Pod
					pod.IPs = append(slices.Clone(pod.IPs), netip.MustParseAddr("2001:db8:42::"+pod.Node[4:]))
					m.Pod = &pod
				}
			})
		}, verdict.Failed, "WG0201", []string{"no tunnel for IPv6", "variant ipv6"}},
		{"a key is missing", func(s streams) { throws(s); annotatedAs(s, "node2", key, "") }, verdict.Failed, "WG0301",
			[]string{"node2 publishes no WireGuard key", "node1 therefore keeps", "throw 10.42.1.0/24 table 1"}},
		{"a node whose kernel has no WireGuard", func(s streams) {
			throws(s)
			annotatedAs(s, "node2", key, "")
			s["probe/node2"] = slices.DeleteFunc(s["probe/node2"], func(m evidence.Message) bool {
				return m.Link != nil && m.Link.Name == "wireguard.cali" || m.Device != nil || m.Peers != nil ||
					m.Count != nil
			})
		}, verdict.Failed, "WG0201", []string{"node2 has no wireguard.cali", "node1 therefore keeps",
			"variant missing"}},
		{"a key of two nodes", func(s streams) {
			throws(s)
			annotatedAs(s, "node2", key, "4ufH5SLFKtlAffXwD44rhZPxCYclby5I+nK5HPrJykk=")
		}, verdict.Failed, "WG0301", []string{"node2 publishes the key 4ufH5SLFKtlA", "holds jk7QRIR6bvSB",
			"throw 10.42.1.0/24 table 1"}},
		{"a key that the device does not hold", func(s streams) {
			annotatedAs(s, "node2", key, "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=")
		}, verdict.Failed, "WG0301", []string{"node2 publishes the key YWFhYWFhYWFh"}},
		{"thrown out of the tunnel for no reason", func(s streams) { throws(s) }, verdict.Failed, "WG0401",
			[]string{"the route throw 10.42.1.0/24 table 1 keeps it out of the tunnel", "variant thrown"}},
		{"a configuration of its own", func(s streams) {
			throws(s)
			annotatedAs(s, "node2", key, "")
			configuredAs(s, "FelixConfiguration//node.node2", map[string]string{"wireguardEnabled": "false"})
		}, verdict.Failed, "WG0101", []string{"wireguard on node1", "unencapsulated on node2", "variant mixed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := ofCalico(t)
			test.change(s)
			j := Judge(record(t, s))
			text, cause := "", ""
			if j.FirstCause != nil {
				cause = j.FirstCause.Code
				text = j.FirstCause.Text + "\nvariant " + j.FirstCause.Variant
				for _, r := range j.FirstCause.Readings {
					text += "\n" + r.Node + " " + r.What + " " + r.Text
				}
			}
			if j.Verdict != test.verdict || cause != test.cause {
				t.Errorf("%s by %q, want %s by %q:\n%s\n%s",
					j.Verdict, cause, test.verdict, test.cause, text, strings.Join(bad(j), "\n"))
			}
			for _, part := range test.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in\n%s", part, text)
				}
			}
		})
	}
}

// A device without the address that was assigned to it is shown, and proves nothing wrong.
func TestCalicoDeviceWithoutAddress(t *testing.T) {
	s := ofCalico(t)
	annotatedAs(s, "node2", "projectcalico.org/IPv4WireguardInterfaceAddr", "10.42.1.77")
	j := Judge(record(t, s))
	found := false
	for _, f := range j.Findings {
		found = found || f.Code == "WG0201" && f.Status == verdict.Warn && strings.Contains(f.Text, "10.42.1.77") &&
			f.Variant == "unaddressed"
	}
	if j.Verdict != verdict.Passed || !found {
		t.Errorf("%s, found %v", j.Verdict, found)
	}
}

// Without WireGuard the report says what to switch on.
func TestCalicoWithoutWireGuard(t *testing.T) {
	s := ofCalico(t)
	throws(s)
	configuredAs(s, "FelixConfiguration//default", map[string]string{"wireguardEnabled": "false"})
	for _, name := range []string{"node1", "node2"} {
		annotatedAs(s, name, "projectcalico.org/WireguardPublicKey", "")
	}
	r := record(t, s)
	j := Judge(r)
	if j.Verdict != verdict.Failed || j.FirstCause == nil || j.FirstCause.Code != "WG0601" {
		t.Errorf("%s by %+v", j.Verdict, j.FirstCause)
	}
	if p := j.Profile; p.RunsAs != "calico" || p.Encrypts {
		t.Errorf("profile %s", p.Name)
	}
}
