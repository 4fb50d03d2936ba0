package check

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// What checks that only inform find in runs in which all traffic is encrypted.
var informing = []struct {
	name   string
	change func(map[string][]evidence.Message)
	code   string
	advice bool
	status verdict.Status
	texts  []string
}{
	{"nothing to say", func(map[string][]evidence.Message) {}, "WG0802", false, verdict.Pass,
		[]string{"the network plugin encrypts pod traffic and not that of the host network; nothing shows"}},
	{"addresses of examples are not public", func(map[string][]evidence.Message) {}, "WG0802",
		false, verdict.Pass, nil},
	{"public addresses", func(s map[string][]evidence.Message) {
		published(s, map[string]string{"node-1": "9.9.9.1", "node-2": "9.9.9.2", "node-3": "9.9.9.3"})
	}, "WG0802", true, verdict.Pass, []string{"not that of the host network",
		"the nodes are reached at public addresses: node-1, node-2, node-3"}},
	{"public and private addresses", func(s map[string][]evidence.Message) {
		published(s, map[string]string{"node-1": "2a01:4f8::1", "node-2": "10.0.0.2", "node-3": "100.64.0.3"})
		wordsOf(s, func(n *evidence.Node) { n.Annotations["flannel.alpha.coreos.com/public-ip"] = "" })
	}, "WG0802", true, verdict.Pass,
		[]string{"some nodes are reached at public addresses (node-1), others at private ones (node-2, node-3)"}},
	{"regions", func(s map[string][]evidence.Message) {
		label(s, "topology.kubernetes.io/region", "a", "b", "b")
		label(s, "topology.kubernetes.io/zone", "a1", "b1", "b2")
	}, "WG0802", true, verdict.Pass, []string{"the nodes are in 2 regions: a, b"}},
	{"zones, and control-plane nodes", func(s map[string][]evidence.Message) {
		label(s, "topology.kubernetes.io/zone", "a1", "b1", "b2")
		label(s, "node-role.kubernetes.io/control-plane", "true", "true")
	}, "WG0802", true, verdict.Pass, []string{"3 zones: a1, b1, b2; 2 control-plane nodes talk to each other there"}},
	{"one region is not a second site", func(s map[string][]evidence.Message) {
		label(s, "topology.kubernetes.io/region", "a", "a", "a")
	}, "WG0802", false, verdict.Pass, nil},
	{"a NAT", func(s map[string][]evidence.Message) { throughNAT(s, 25) }, "WG0802", true, verdict.Pass,
		[]string{"a NAT is in front of node-2"}},
	{"a mesh", func(s map[string][]evidence.Message) {
		objects(s, map[string]map[string]string{"Namespaces//meshes": {"istio-injection=enabled": "3"}})
	}, "WG0802", true, verdict.Pass,
		[]string{"pods in namespaces of a mesh (istio-injection=enabled on 3) encrypt what they send"}},
	{"no backend that encrypts", func(s map[string][]evidence.Message) {
		wordsOf(s, func(n *evidence.Node) { n.Annotations["flannel.alpha.coreos.com/backend-type"] = "vxlan" })
	}, "WG0802", false, verdict.NotApplicable, []string{"no WireGuard is known to be meant for the pods' traffic"}},

	{"no preshared key", func(map[string][]evidence.Message) {},
		"WG0803", false, verdict.Pass, []string{"no peer has a preshared key"}},
	{"preshared keys", func(s map[string][]evidence.Message) {
		shared(s, "probe/node-1", "probe/node-2", "probe/node-3")
	},
		"WG0803", false, verdict.Pass, []string{"each of 6 peers has a preshared key"}},
	{"a preshared key for one", func(s map[string][]evidence.Message) { shared(s, "probe/node-1") },
		"WG0803", true, verdict.Pass,
		[]string{"2 of 6 peers have a preshared key, the others do not: node-2 for node-1 has none"}},
	{"devices that were not read", func(s map[string][]evidence.Message) { delete(s, "probe/node-2") },
		"WG0803", false, verdict.NotApplicable, []string{"the evidence of the probe on node-2 is incomplete"}},

	{"an earlier version", func(map[string][]evidence.Message) {},
		"WG0804", false, verdict.NotApplicable, []string{"not read on node-1, node-2, node-3"}},
	{"no FIPS mode", func(s map[string][]evidence.Message) { inFIPS(s) }, "WG0804", false, verdict.Pass,
		[]string{"no node is in FIPS mode"}},
	{"FIPS mode", func(s map[string][]evidence.Message) { inFIPS(s, "node-2") }, "WG0804", true, verdict.Pass,
		[]string{"node-2 is in FIPS mode", "ChaCha20-Poly1305"}},
	{"FIPS mode of two", func(s map[string][]evidence.Message) { inFIPS(s, "node-2", "node-3") }, "WG0804",
		true, verdict.Pass, []string{"node-2, node-3 are in FIPS mode"}},

	{"a system that fails closed", func(map[string][]evidence.Message) {}, "WG0805", false, verdict.Pass,
		[]string{"is dropped"}},
	{"a network that is not known", func(s map[string][]evidence.Message) {
		wordsOf(s, func(n *evidence.Node) { n.Annotations = nil })
	}, "WG0805", false, verdict.NotApplicable, []string{"not known"}},

	{"no labels of a control plane", func(map[string][]evidence.Message) {}, "WG0806", false, verdict.NotApplicable,
		[]string{"no node of the run"}},
	{"all control-plane nodes", func(s map[string][]evidence.Message) {
		label(s, "node-role.kubernetes.io/control-plane", "true")
	}, "WG0806", false, verdict.Pass, []string{"1 control-plane node took part"}},
	{"a control-plane node that was left out", func(s map[string][]evidence.Message) {
		s[evidence.PluginStream] = append(s[evidence.PluginStream], evidence.Message{Node: &evidence.Node{
			Index: -1, Name: "server-9", Excluded: "left out",
			Chosen: true, Labels: map[string]string{"node-role.kubernetes.io/etcd": "true"}}})
	}, "WG0806", true, verdict.Pass, []string{"left out on request: server-9"}},
}

func TestInforming(t *testing.T) {
	for _, test := range informing {
		s := healthy(3)
		test.change(s)
		j := Judge(record(t, s))
		f := foundIn(j, test.code)
		if f.Advice != test.advice || f.Status != test.status {
			t.Errorf("%s: advice %t, status %s: %s", test.name, f.Advice, f.Status, f.Text)
		}
		for _, text := range test.texts {
			if !strings.Contains(f.Text, text) {
				t.Errorf("%s: %q lacks %q", test.name, f.Text, text)
			}
		}
		if _, known := remedy.For(f, j.Profile.RunsAs); f.Advice && !known {
			t.Errorf("%s: nothing says what can be done", test.name)
		}
	}
}

// What a profile alone knows: systems that send in plaintext what has no peer, nodes
// that opt out, a WireGuard of the machines, one that takes in the host network.
func TestInformingOfProfiles(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*profile.Profile)
		code   string
		advice bool
		text   string
	}{
		{"fails open", func(p *profile.Profile) { p.FailClosed = false }, "WG0805", true,
			"fails open: traffic with a node that it has no peer for is sent in plaintext"},
		{"machines", func(p *profile.Profile) { p.Encrypts, p.Below = false, &profile.Overlay{} }, "WG0805", true,
			"a WireGuard of the machines fails open"},
		{"machines", func(p *profile.Profile) { p.Encrypts, p.Below = false, &profile.Overlay{} }, "WG0802", false,
			"a WireGuard of the machines encrypts"},
		{"hosts", func(p *profile.Profile) { p.EncryptsHosts = true }, "WG0802", false,
			"and what goes between the nodes themselves"},
		{"hosts but one", func(p *profile.Profile) {
			p.EncryptsHosts = true
			p.OptedOut = func(n *graph.Node) bool { return n.Name == "node-2" }
		}, "WG0802", false, "but not with those that opt out of it: node-2"},
		{"opted out", func(p *profile.Profile) { p.OptedOut = func(n *graph.Node) bool { return n.Name == "node-1" } },
			"WG0806", true, "configured not to encrypt their own traffic: node-1"},
		{"opted out, but not of the control plane",
			func(p *profile.Profile) { p.OptedOut = func(n *graph.Node) bool { return n.Name == "node-2" } },
			"WG0806", false, "1 control-plane node took part"},
	} {
		s := healthy(3)
		label(s, "node-role.kubernetes.io/control-plane", "true")
		label(s, "topology.kubernetes.io/region", "a", "b", "b")
		g := graph.New(record(t, s))
		p := profile.Decide(g)
		test.change(&p)
		r := judge(g, p, verdict.Detailed)
		if f := foundIn(&Judgement{Result: r}, test.code); f.Advice != test.advice ||
			!strings.Contains(f.Text, test.text) {
			t.Errorf("%s: advice %t, %s: %s", test.name, f.Advice, f.Status, f.Text)
		}
	}
}

// Flannel's WireGuard that is sent through one of the machines encrypts twice.
func TestEncryptedTwice(t *testing.T) {
	f := foundIn(Judge(load(t, "host-inside-wireguard")), "WG0802")
	if !f.Advice || f.Variant != "twice" || !strings.Contains(f.Text, "what flannel-wg of node-1 sends goes into wg0") {
		t.Errorf("%s %q: %s", f.Status, f.Variant, f.Text)
	}
}

// Advice counts nothing: verdict, exit code and warnings are those without it, with
// --fail-on warn too.
func TestAdviceCountsNothing(t *testing.T) {
	without := Judge(record(t, healthy(3)))
	advised := 0
	for name, streams := range informed() {
		j := Judge(record(t, streams))
		code, reason := j.Exit(true)
		wasCode, _ := without.Exit(true)
		if len(j.Advice()) == 0 {
			continue
		}
		advised++
		if j.Verdict != without.Verdict || j.Warnings() != without.Warnings() || code != wasCode || reason != "" ||
			j.FirstCause != nil {
			t.Errorf("%s: %s, %d warnings, exit code %d %s", name, j.Verdict, j.Warnings(), code, reason)
		}
	}
	if advised == 0 {
		t.Error("nothing was advised")
	}
}

// informed are the runs of informing that pass.
func informed() map[string]map[string][]evidence.Message {
	runs := map[string]map[string][]evidence.Message{}
	for _, test := range informing {
		s := healthy(3)
		test.change(s)
		if test.advice && !strings.Contains(test.name, "addresses") { // an endpoint that nobody sends to
			runs[test.name] = s
		}
	}
	return runs
}

func foundIn(j *Judgement, code string) verdict.Finding {
	at := slices.IndexFunc(j.Findings, func(f verdict.Finding) bool { return f.Code == code })
	if at < 0 {
		return verdict.Finding{Text: "no such finding"}
	}
	return j.Findings[at]
}

// wordsOf changes what the API says of every node.
func wordsOf(s map[string][]evidence.Message, change func(*evidence.Node)) {
	each(s[evidence.PluginStream], func(m *evidence.Message) {
		if m.Node != nil {
			node := *m.Node
			node.Annotations = maps.Clone(m.Node.Annotations)
			node.Labels = maps.Clone(m.Node.Labels)
			if node.Labels == nil {
				node.Labels = map[string]string{}
			}
			change(&node)
			m.Node = &node
		}
	})
}

// published has nodes publish addresses, and have them as their internal ones.
func published(s map[string][]evidence.Message, addresses map[string]string) {
	wordsOf(s, func(n *evidence.Node) {
		n.Annotations["flannel.alpha.coreos.com/public-ip"] = addresses[n.Name]
		n.Addresses = []evidence.NodeAddress{{Type: "InternalIP", Addr: addresses[n.Name]}}
	})
}

// label gives the nodes a label, in their order, those without a value none.
func label(s map[string][]evidence.Message, name string, values ...string) {
	wordsOf(s, func(n *evidence.Node) {
		if n.Index >= 0 && n.Index < len(values) {
			n.Labels[name] = values[n.Index]
		}
	})
}

func objects(s map[string][]evidence.Message, objects map[string]map[string]string) {
	each(s[evidence.PluginStream], func(m *evidence.Message) {
		if m.Cluster != nil {
			cluster := *m.Cluster
			cluster.Objects = objects
			m.Cluster = &cluster
		}
	})
}

// shared gives all peers of some nodes a preshared key.
func shared(s map[string][]evidence.Message, streams ...string) {
	for _, stream := range streams {
		each(s[stream], func(m *evidence.Message) {
			if m.Peer != nil {
				peer := *m.Peer
				peer.Preshared = true
				m.Peer = &peer
			}
		})
	}
}

// inFIPS has all probes read whether their nodes are in FIPS mode: these are.
func inFIPS(s map[string][]evidence.Message, nodes ...string) {
	for stream := range s {
		each(s[stream], func(m *evidence.Message) {
			if m.Hello != nil && m.Hello.Role == "probe" {
				hello := *m.Hello
				fips := slices.Contains(nodes, hello.Node)
				hello.FIPS = &fips
				m.Hello = &hello
			}
		})
	}
}

// Addresses of the Internet, and others.
func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"9.9.9.9": true, "2a01:4f8::1": true, "::ffff:9.9.9.9": true,
		"10.0.0.1": false, "100.64.1.1": false, "192.0.2.1": false, "203.0.113.9": false, "2001:db8::1": false,
		"fd00::1": false, "fe80::1": false, "127.0.0.1": false, "169.254.1.1": false, "224.0.0.1": false,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %t", addr, got)
		}
	}
}
