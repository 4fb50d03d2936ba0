package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// brokenPaths are runs of which only the paths that no canary took are wrong.
var brokenPaths = []breakage{
	{"a rule for a part of the other node's pods", onNode1(
		ruled(evidence.Rule{Priority: 50, To: cidr("10.42.1.128/25"), Table: 100}), past("0.0.0.0/0", 100)), verdict.Failed, "WG0402"},
	{"a rule for a part of the own pods", onNode1(
		ruled(evidence.Rule{Priority: 50, From: cidr("10.42.0.128/25"), Table: 100}), past("0.0.0.0/0", 100)), verdict.Failed, "WG0402"},
	{"a rule for a mark that nothing sets", onNode1(
		ruled(evidence.Rule{Priority: 50, Mark: 0x4000, Mask: 0x4000, Table: 100}), past("0.0.0.0/0", 100)), verdict.Passed, ""},
	{"a rule for a port", onNode1(
		ruled(evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}, Table: 77}), past("10.42.1.0/24", 77)),
		verdict.Undecided, "WG0402"},
	{"a rule for a port, and it leaks", onNode1(
		ruled(evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}, Table: 77}), past("10.42.1.0/24", 77),
		evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: 0, Target: 1, Family: 4, By: "mark", Count: 1}}),
		verdict.Failed, "WG0402"},
	{"a second next hop", onNode1(
		evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.0/23"), Link: "flannel-wg", Table: 254, Hop: 1}},
		evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.0/23"), Link: "eth0", Table: 254, Hop: 2}}), verdict.Failed, "WG0402"},
	{"the routes were not read whole", onNode1(
		evidence.Message{Problem: &evidence.Problem{Class: evidence.ProblemUnsupported, What: "route", Text: "there are more"}}), verdict.Undecided, "WG0402"},
	{"the rules were not read", onNode1(
		evidence.Message{Problem: &evidence.Problem{Class: evidence.ProblemPermission, What: "rule", Text: "not permitted"}}), verdict.Undecided, "WG0402"},
	{"a rule of another program that leads into the tunnel", onNode1(
		ruled(evidence.Rule{Priority: 50, Mark: 0x80000, Mask: 0xff0000, Table: 254})), verdict.Passed, ""},
}

// A virtual server takes what is for a pod only where the host has its address too.
func TestPathsByVirtualServer(t *testing.T) {
	own := evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.1.9/32"), Link: "lo", Table: 255, Type: "local"}}
	server := func(s evidence.Selector) evidence.Message {
		return evidence.Message{Diversion: &evidence.Diversion{By: "ipvs", Effect: evidence.EffectDNAT, Hook: "input", Selector: s, Rule: "virtual server"}}
	}
	on := server(evidence.Selector{To: []netip.Prefix{cidr("10.42.1.9/32")}, Protocol: []uint8{6}})
	for _, test := range []struct {
		name string
		with []evidence.Message
		want verdict.Status
	}{
		{"an address of the host alone", []evidence.Message{own}, verdict.Pass},
		{"a server alone", []evidence.Message{on}, verdict.Pass},
		{"both", []evidence.Message{own, on}, verdict.Inconclusive},
		{"a server for a mark", []evidence.Message{own, server(evidence.Selector{MarkIs: 7, MarkMask: 0xffffffff})}, verdict.Inconclusive},
		{"a server on another address", []evidence.Message{own, server(evidence.Selector{To: []netip.Prefix{cidr("10.42.1.8/32")}})}, verdict.Pass},
		{"the servers were not read", []evidence.Message{{Inventory: &evidence.Inventory{What: evidence.InventoryIPVS, Text: "not permitted"}}}, verdict.Inconclusive},
	} {
		s := healthy(2)
		onNode1(test.with...)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", test.name, f.Status, test.want, f.Text)
		}
	}
}

// What Open vSwitch does with pods' packets is not read.
func TestPathsBehindOpenVSwitch(t *testing.T) {
	ovs := evidence.Message{Link: &evidence.Link{Index: 60, Name: "ovs-system", Kind: "openvswitch", Role: evidence.RoleInside}}
	port := evidence.Message{Link: &evidence.Link{Index: 61, Name: "pod-1", Kind: "veth", PeerNS: true, Master: "ovs-system", Up: true, Role: evidence.RoleInside}}
	card := evidence.Message{Link: &evidence.Link{Index: 62, Name: "eth1", Master: "ovs-system", Up: true, Role: evidence.RoleOutside}}
	for name, test := range map[string]struct {
		with []evidence.Message
		want verdict.Status
	}{
		"a pod":                 {[]evidence.Message{ovs, port}, verdict.Warn},
		"a card":                {[]evidence.Message{ovs, card}, verdict.Pass},
		"a pod and a clear way": {[]evidence.Message{ovs, port, past("10.42.1.128/25", 254)}, verdict.Fail},
	} {
		s := healthy(2)
		onNode1(test.with...)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", name, f.Status, test.want, f.Text)
		}
	}
}

// lightweight is an entry whose packets a lightweight tunnel takes.
func lightweight(encap, link string) evidence.Message {
	return evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.1.128/25"), Link: link, Table: 254, Type: "unicast", Encap: encap}}
}

// What leads on from where it leads to first.
func TestPathsThatLeadOn(t *testing.T) {
	veth := evidence.Message{Link: &evidence.Link{Index: 20, Name: "veth7", Kind: "veth", PeerNS: true, Up: true, Role: evidence.RoleOutside}}
	its := evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.9/32"), Link: "veth7", Table: 254, Type: "unicast"}}
	for _, test := range []struct {
		name string
		with []evidence.Message
		want verdict.Status
		says string
	}{
		{"SRv6 over the tunnel", []evidence.Message{lightweight("seg6", "flannel-wg")}, verdict.Inconclusive, "lightweight tunnel seg6"},
		{"BPF over the tunnel", []evidence.Message{lightweight("bpf", "flannel-wg")}, verdict.Inconclusive, "lightweight tunnel bpf"},
		{"one that is not known", []evidence.Message{lightweight("type 99", "flannel-wg")}, verdict.Inconclusive, "type 99"},
		{"metadata that WireGuard does not read", []evidence.Message{lightweight("ip", "flannel-wg")}, verdict.Pass, ""},
		{"metadata for another tunnel", []evidence.Message{lightweight("ip", "cni0")}, verdict.Inconclusive, "lightweight tunnel ip"},
		{"a statement to an overlay", []evidence.Message{insideLink("vx", "vxlan"), sending(evidence.EffectForward, "vx")}, verdict.Inconclusive, "no test packet was sent"},
		{"a copy to a tun", []evidence.Message{insideLink("tun7", "tun"), sending(evidence.EffectCopy, "tun7")}, verdict.Inconclusive, "no test packet was sent"},
		{"a statement to a pair that ends here", []evidence.Message{insideLink("veth8", "veth"), sending(evidence.EffectForward, "veth8")}, verdict.Inconclusive, "is not known"},
		{"a copy of what is for a Service", []evidence.Message{copyFor("10.43.0.10/32")}, verdict.Inconclusive, "replaced later"},
		{"a copy of what is for somebody outside", []evidence.Message{copyFor("203.0.113.9/32")}, verdict.Pass, ""},
		{"a statement to a queueing device", []evidence.Message{insideLink("ifb7", "ifb"), sending(evidence.EffectForward, "ifb7")}, verdict.Pass, ""},
		{"a statement on a pod's link that counts as leading out", []evidence.Message{veth, its, sendingFrom("veth7", evidence.EffectForward, "eth0")}, verdict.Inconclusive, "fwd to eth0"},
		{"a rule for a pod's link that counts as leading out", []evidence.Message{veth, its, ruled(evidence.Rule{Priority: 50, In: "veth7", Table: 100}), past("0.0.0.0/0", 100)}, verdict.Fail, "iif veth7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthy(2)
			onNode1(test.with...)(s)
			if f := pathFinding(t, s); f.Status != test.want || !strings.Contains(f.Text, test.says) {
				t.Errorf("%s %q, want %s %q", f.Status, f.Text, test.want, test.says)
			}
		})
	}
}

// copyFor is a statement that sends copies of what is for an address to the network.
func copyFor(to string) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "iptables-legacy", Effect: evidence.EffectCopy, Family: "ip", Table: "mangle", Chain: "PREROUTING",
		Hook: "prerouting", To: "192.0.2.9", Selector: evidence.Selector{To: []netip.Prefix{cidr(to)}}, Rule: "to " + to + " TEE (replaced later)"}}
}

// sending is a statement that gives packets for a database another link.
func sending(effect, to string) evidence.Message { return sendingFrom("cni0", effect, to) }

func sendingFrom(link, effect, to string) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: effect, Family: "netdev", Hook: "ingress", Link: link, To: to,
		Selector: evidence.Selector{In: []string{link}, Protocol: []uint8{6}, Target: []evidence.Ports{{From: 5432, To: 5432}}}, Rule: "fwd to " + to}}
}

func cidr(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func onNode1(messages ...evidence.Message) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) { s["probe/node-1"] = append(s["probe/node-1"], messages...) }
}

func ruled(r evidence.Rule) evidence.Message {
	r.Family = 4
	return evidence.Message{Rule: &r}
}

// past is an entry that leads past the tunnel.
func past(to string, table int) evidence.Message {
	return evidence.Message{Route: &evidence.Route{Destination: cidr(to), Link: "eth0", Gateway: netip.MustParseAddr("192.0.2.1"), Table: table, Type: "unicast"}}
}

func marking(s evidence.Selector, mark uint32) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectMark, Family: "ip", Table: "x", Chain: "y",
		Hook: "prerouting", Mark: mark, Mask: 0xffffffff, Selector: s, Rule: "meta mark set"}}
}

// pathFinding is what WG0402 says of the way from node-1 to node-2.
func pathFinding(t *testing.T, s map[string][]evidence.Message) verdict.Finding {
	t.Helper()
	return pathFindingOf(t, s, "node-1", "node-2")
}

func pathFindingOf(t *testing.T, s map[string][]evidence.Message, from, to string) verdict.Finding {
	t.Helper()
	j := Judge(record(t, s))
	for _, f := range j.Findings {
		if f.Code == "WG0402" && f.Subject.Node == from && f.Subject.Peer == to {
			return f
		}
	}
	t.Fatal("no finding")
	return verdict.Finding{}
}

// The kernel is asked as for a packet of the host itself. What a rule does with such
// packets says nothing of pods, whose packets are looked for.
func TestPathsOfTheHostItself(t *testing.T) {
	for name, test := range map[string]struct {
		rule   evidence.Rule
		leaks  bool
		routes verdict.Status // of WG0401
	}{
		"the host's own packets": {evidence.Rule{In: "lo"}, false, verdict.NotApplicable},
		"all but those":          {evidence.Rule{In: "lo", Not: true}, false, verdict.Fail},
		"and pods' were seen":    {evidence.Rule{In: "lo"}, true, verdict.Fail},
	} {
		s := healthy(2)
		test.rule.Priority, test.rule.Table = 50, 100
		onNode1(ruled(test.rule), past("10.42.1.0/24", 100))(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == podIP(1) {
				m.Route = &evidence.Route{For: podIP(1), Link: "eth0", Type: "unicast", Table: 100, Destination: cidr("10.42.1.0/24")}
			}
		})
		if test.leaks {
			onNode1(evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: 0, Target: 1, Family: 4,
				By: "mark", Layers: "ethernet ipv4 udp", Count: 7}})(s)
		}
		j := Judge(record(t, s))
		for _, f := range j.Findings {
			if f.Code == "WG0401" && f.Subject.Node == "node-1" && f.Status != test.routes {
				t.Errorf("%s: %s, want %s: %s", name, f.Status, test.routes, f.Text)
			}
		}
		if pass := test.routes == verdict.NotApplicable; pass != (j.Verdict == verdict.Passed) {
			t.Errorf("%s: %s: %s", name, j.Verdict, strings.Join(bad(j), "\n"))
		}
	}
}

// For each selector of a rule: one that leads past the tunnel, with a condition
// that every packet, some packets, or no packet of a pod meets.
func TestPathsBySelector(t *testing.T) {
	number := func(n int) *int { return &n }
	dscp := func(n uint8) *uint8 { return &n }
	for _, test := range []struct {
		name  string
		rule  evidence.Rule
		with  []evidence.Message
		want  verdict.Status
		says  string
		table int // 0 = 100
	}{
		{"from the own pods", evidence.Rule{From: cidr("10.42.0.0/24")}, nil, verdict.Fail, "from 10.42.0.0/24 lookup 100", 0},
		{"from one of them", evidence.Rule{From: cidr("10.42.0.7/32")}, nil, verdict.Fail, "from 10.42.0.7", 0},
		{"from others", evidence.Rule{From: cidr("10.42.7.0/24")}, nil, verdict.Pass, "", 0},
		{"to one pod", evidence.Rule{To: cidr("10.42.1.9/32")}, nil, verdict.Fail, "to 10.42.1.9", 0},
		{"to others", evidence.Rule{To: cidr("10.43.0.0/16")}, nil, verdict.Pass, "", 0},
		{"iif of pods", evidence.Rule{In: "cni0"}, nil, verdict.Fail, "iif cni0", 0},
		{"iif of the uplink", evidence.Rule{In: "eth0"}, nil, verdict.Pass, "", 0},
		{"iif of the host itself", evidence.Rule{In: "lo"}, nil, verdict.Pass, "", 0},
		{"iif that was not reported", evidence.Rule{In: "ppp7"}, nil, verdict.Inconclusive, "iif ppp7", 0},
		{"iif of a link that is gone", evidence.Rule{In: "ppp7", Detached: true}, nil, verdict.Pass, "", 0},
		{"not iif of a link that is gone", evidence.Rule{In: "ppp7", Detached: true, Not: true}, nil, verdict.Fail, "not", 0},
		{"iif of a link that was said to be gone", evidence.Rule{In: "cni0", Detached: true}, nil, verdict.Fail, "iif cni0", 0},
		{"oif", evidence.Rule{Out: "eth0"}, nil, verdict.Pass, "", 0},
		{"a mark that nothing sets", evidence.Rule{Mark: 0x77, Mask: 0xff}, nil, verdict.Pass, "", 0},
		{"a mark that is set on everything", evidence.Rule{Mark: 0x77, Mask: 0xff}, []evidence.Message{marking(evidence.Selector{}, 0x77)}, verdict.Fail, "mark 0x77", 0},
		{"a mark that is set on a port", evidence.Rule{Mark: 0x77, Mask: 0xff},
			[]evidence.Message{marking(evidence.Selector{Protocol: []uint8{6}, Target: []evidence.Ports{{From: 5432, To: 5432}}}, 0x77)}, verdict.Inconclusive, "no test packet was sent", 0},
		{"another mark", evidence.Rule{Mark: 0x77, Mask: 0xff}, []evidence.Message{marking(evidence.Selector{}, 0x4000)}, verdict.Pass, "", 0},
		{"a mark set for a Service", evidence.Rule{Mark: 0x4000, Mask: 0x4000},
			[]evidence.Message{marking(evidence.Selector{NotFrom: []netip.Prefix{cidr("10.42.0.0/16")}, To: []netip.Prefix{cidr("10.43.0.10/32")}}, 0x4000)}, verdict.Pass, "", 0},
		{"a mark set for a Service, whoever asks", evidence.Rule{Mark: 0x4000, Mask: 0x4000},
			[]evidence.Message{marking(evidence.Selector{To: []netip.Prefix{cidr("10.43.0.10/32")}}, 0x4000)}, verdict.Inconclusive, "is not known", 0},
		{"a mark set under what is not understood", evidence.Rule{Mark: 1, Mask: 1},
			[]evidence.Message{marking(evidence.Selector{Other: []string{"ct direction original"}}, 1)}, verdict.Inconclusive, "is not known", 0},
		{"tos", evidence.Rule{TOS: 0x10}, nil, verdict.Inconclusive, "tos 0x10", 0},
		{"dscp", evidence.Rule{DSCP: dscp(46)}, nil, verdict.Inconclusive, "dscp 46", 0},
		{"ipproto", evidence.Rule{Protocol: 17}, nil, verdict.Fail, "ipproto udp", 0},
		{"ipproto that no canary has", evidence.Rule{Protocol: 132}, nil, verdict.Inconclusive, "ipproto sctp", 0},
		{"sport", evidence.Rule{SourcePorts: &evidence.Ports{From: 53, To: 53}}, nil, verdict.Inconclusive, "sport 53", 0},
		{"dport", evidence.Rule{TargetPorts: &evidence.Ports{From: 80, To: 90}}, nil, verdict.Inconclusive, "dport 80-90", 0},
		{"users", evidence.Rule{Users: &[2]uint32{1000, 2000}}, nil, verdict.Pass, "", 0},
		{"user 0, which forwarded packets are of", evidence.Rule{Users: &[2]uint32{0, 0}}, nil, verdict.Fail, "uidrange 0-0", 0},
		{"suppressed", evidence.Rule{SuppressLength: number(0)}, nil, verdict.Pass, "", 0},
		{"not suppressed", evidence.Rule{SuppressLength: number(0)}, []evidence.Message{past("10.42.0.0/16", 100)}, verdict.Fail, "suppress_prefixlength 0", 0},
		{"l3mdev, and no domain", evidence.Rule{L3MDev: true}, nil, verdict.Pass, "", 0},
		{"l3mdev, a pod in a domain past the tunnel", evidence.Rule{L3MDev: true}, domain(100), verdict.Fail, "iif veth7 l3mdev lookup 100", 0},
		{"l3mdev, a pod in a domain of the tunnel", evidence.Rule{L3MDev: true}, domain(254), verdict.Pass, "", 0},
		{"l3mdev, a pod in a domain whose table was not recorded", evidence.Rule{L3MDev: true}, domain(0), verdict.Inconclusive, "l3mdev", 0},
		{"not from others", evidence.Rule{Not: true, From: cidr("10.42.7.0/24")}, nil, verdict.Fail, "not from 10.42.7.0/24", 0},
		{"not from the own pods", evidence.Rule{Not: true, From: cidr("10.42.0.0/16")}, nil, verdict.Pass, "", 0},
		{"goto past the tunnel", evidence.Rule{Action: "goto", Goto: 60}, []evidence.Message{ruled(evidence.Rule{Priority: 60, Table: 100})}, verdict.Fail, "lookup 100", 0},
		{"goto that passes over it", evidence.Rule{Action: "goto", Goto: 70},
			[]evidence.Message{ruled(evidence.Rule{Priority: 60, Table: 100}), ruled(evidence.Rule{Priority: 70, Table: 254})}, verdict.Pass, "", 0},
		{"refuses a part", evidence.Rule{To: cidr("10.42.1.128/25"), Action: "prohibit"}, nil, verdict.Pass, "", 0},
		{"unknown attributes", evidence.Rule{Other: []string{"attribute 99"}}, nil, verdict.Inconclusive, "attribute 99", 0},
		{"into the tunnel", evidence.Rule{Protocol: 6}, nil, verdict.Pass, "", 254},
		{"to a local table", evidence.Rule{Protocol: 6}, []evidence.Message{{Route: &evidence.Route{Destination: cidr("10.42.1.0/24"), Link: "lo", Table: 101, Type: "local"}}}, verdict.Pass, "", 101},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthy(3)
			test.rule.Priority, test.rule.Table = 50, 100
			switch {
			case test.rule.L3MDev:
				test.rule.Table = 0 // the kernel refuses another
			case test.table != 0:
				test.rule.Table = test.table
			}
			onNode1(ruled(test.rule), past("0.0.0.0/0", 100))(s)
			onNode1(test.with...)(s)
			f := pathFinding(t, s)
			if f.Status != test.want || !strings.Contains(f.Text, test.says) {
				t.Errorf("%s, want %s with %q: %s", f.Status, test.want, test.says, f.Text)
			}
		})
	}
}

// domain is a routing domain with a pod in it.
func domain(table int) []evidence.Message {
	return []evidence.Message{
		{Link: &evidence.Link{Index: 20, Name: "red", Kind: "vrf", Table: table, Up: true, Role: evidence.RoleInside}},
		{Link: &evidence.Link{Index: 21, Name: "veth7", Kind: "veth", PeerNS: true, Master: "red", Up: true, Role: evidence.RoleInside}},
		{Route: &evidence.Route{Destination: cidr("10.42.0.9/32"), Link: "veth7", Table: 254, Type: "unicast"}},
	}
}

// What was tried is judged by where it was seen.
func TestPathsByTry(t *testing.T) {
	rule := evidence.Rule{Priority: 50, Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}, Table: 77}
	base := func() map[string][]evidence.Message {
		s := healthy(2)
		onNode1(ruled(rule), past("10.42.1.0/24", 77))(s)
		tries := Tries(graph.New(record(t, s)))
		if len(tries) != 1 || tries[0].Port != 5432 || tries[0].Transport != "tcp" || tries[0].Node != 0 || tries[0].Target != 1 || tries[0].Addr != podIP(1) {
			t.Fatalf("%+v", tries)
		}
		each(s["plugin"], func(m *evidence.Message) {
			if m.Run != nil {
				m.Run.Tries = tries
			}
		})
		return s
	}
	seen := func(s map[string][]evidence.Message, in, out, received uint32) {
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{TrySeen: &evidence.TrySeen{ID: 1, Link: "flannel-wg", Direction: "tx", Count: in}})
		s["probe/node-2"] = append(s["probe/node-2"], evidence.Message{TrySeen: &evidence.TrySeen{ID: 1, Link: "flannel-wg", Direction: "rx", Count: out}})
		s["pod/node-2"] = append(s["pod/node-2"], evidence.Message{Tried: &evidence.Tried{ID: 1, Received: received}})
	}
	for _, test := range []struct {
		name string
		edit func(s map[string][]evidence.Message)
		want verdict.Status
	}{
		{"nothing was seen", func(map[string][]evidence.Message) {}, verdict.Inconclusive},
		{"in the tunnel", func(s map[string][]evidence.Message) { seen(s, 3, 3, 3) }, verdict.Pass},
		{"on one side alone", func(s map[string][]evidence.Message) { seen(s, 3, 0, 0) }, verdict.Inconclusive},
		{"more arrived than came out of the tunnel", func(s map[string][]evidence.Message) { seen(s, 3, 1, 3) }, verdict.Inconclusive},
		{"what came out is told of twice", func(s map[string][]evidence.Message) { seen(s, 3, 2, 4); seen(s, 3, 2, 4) }, verdict.Inconclusive},
		{"in the tunnel, by one of two next hops", func(s map[string][]evidence.Message) {
			each(s["probe/node-1"], func(m *evidence.Message) {
				if m.Route != nil && m.Route.Table == 77 {
					m.Route.Hop = 1
				}
			})
			onNode1(evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.1.0/24"), Link: "flannel-wg", Table: 77, Type: "unicast", Hop: 2}})(s)
			seen(s, 3, 3, 3)
		}, verdict.Inconclusive},
		{"it arrived past the tunnel", func(s map[string][]evidence.Message) { seen(s, 0, 0, 3) }, verdict.Fail},
		{"in clear", onNode1(evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: 0, Target: 1, Family: 4, By: "mark", Count: 1}}), verdict.Fail},
	} {
		s := base()
		test.edit(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", test.name, f.Status, test.want, f.Text)
		}
	}
}

// What the kernel says of the test pod must follow from what was read.
func TestPathsFitTheAnswer(t *testing.T) {
	s := healthy(2)
	each(s["probe/node-1"], func(m *evidence.Message) {
		if m.Rule != nil && m.Rule.Priority == 32766 {
			m.Rule.Not = true
		}
	})
	onNode1(ruled(evidence.Rule{Priority: 32000, Not: true, Table: 254}), ruled(evidence.Rule{Priority: 32001, Action: "unreachable"}))(s)
	if f := pathFinding(t, s); f.Status != verdict.Inconclusive || !strings.Contains(f.Text, "by the rules and tables that were read it is not") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

// A node that lists more rules than it reports has lost some.
func TestLostRules(t *testing.T) {
	for _, count := range []int{4, -1} {
		s := healthy(2)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Inventory != nil && m.Inventory.What == evidence.InventoryRules {
				m.Inventory.Count = count
			}
		})
		if f := pathFinding(t, s); f.Status != verdict.Inconclusive || !strings.Contains(f.Text, "and reported") {
			t.Errorf("%d: %s: %s", count, f.Status, f.Text)
		}
	}
}

// That the kernel's own rules are listed makes no route a rule's fault.
func TestPathsByRoute(t *testing.T) {
	s := healthy(2)
	onNode1(ruled(evidence.Rule{Table: 255}), ruled(evidence.Rule{Priority: 32766, Table: 254}), ruled(evidence.Rule{Priority: 32767, Table: 253}))(s)
	onNode1(past("10.42.0.0/23", 254))(s)
	if f := pathFinding(t, s); f.Status != verdict.Fail || f.Variant != "route" || f.Facts["table"] != "254" || f.Facts["link"] != "eth0" {
		t.Errorf("%s %s: %s", f.Status, f.Variant, f.Text)
	}
}

// What was not read leaves it open; a run that could not record it does not.
func TestPathsByInventory(t *testing.T) {
	for _, needed := range inventories {
		for _, incomplete := range []bool{false, true} {
			s := healthy(2)
			s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
				if m.Inventory == nil || m.Inventory.What != needed.what {
					return false
				}
				m.Inventory.Complete = false
				return !incomplete
			})
			if f := pathFinding(t, s); f.Status != verdict.Inconclusive || !strings.Contains(f.Text, needed.name) {
				t.Errorf("%s: %s, %s", needed.what, f.Status, f.Text)
			}
		}
	}
	s := healthy(2)
	if f := pathFinding(t, s); f.Status != verdict.Pass || !strings.Contains(f.Text, "3 rules, 1 route, 0 statements that mark or divert: all of 10.42.1.0/24 goes into flannel-wg") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
	onNode1(past("0.0.0.0/0", 254))(s)
	if f := pathFinding(t, s); f.Status != verdict.Pass || !strings.Contains(f.Text, "without this route it would leave by eth0 in clear") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

func TestPathsByStatement(t *testing.T) {
	statement := func(effect string, edit func(*evidence.Diversion)) evidence.Message {
		d := &evidence.Diversion{By: "nftables", Effect: effect, Family: "ip", Table: "x", Chain: "y", Hook: "prerouting"}
		edit(d)
		return evidence.Message{Diversion: d}
	}
	to := func(text string) evidence.Selector { return evidence.Selector{To: []netip.Prefix{cidr(text)}} }
	for _, test := range []struct {
		name string
		with evidence.Message
		want verdict.Status
	}{
		{"a copy out of the uplink", statement("copy", func(d *evidence.Diversion) { d.To = "eth0" }), verdict.Fail},
		{"a copy out of the uplink, for a part of the run only", statement("copy", func(d *evidence.Diversion) { d.To, d.Selector.Other = "eth0", forAWhile }), verdict.Inconclusive},
		{"IPsec for a part of the run only", statement("encrypt", func(d *evidence.Diversion) {
			d.By, d.Hook, d.Selector = "xfrm", "postrouting", to("10.42.1.0/24")
			d.Selector.Other = forAWhile
		}), verdict.Inconclusive},
		{"a mark that no rule looks at, for a part of the run only", statement("mark", func(d *evidence.Diversion) { d.Mark, d.Mask, d.Selector.Other = 7, 7, forAWhile }), verdict.Pass},
		{"a Service, for a part of the run only", statement("dnat", func(d *evidence.Diversion) { d.Selector = to("10.43.0.1/32"); d.Selector.Other = forAWhile }), verdict.Pass},
		{"a copy into the tunnel", statement("copy", func(d *evidence.Diversion) { d.To = "flannel-wg" }), verdict.Pass},
		{"a copy to nobody knows where", statement("copy", func(*evidence.Diversion) {}), verdict.Inconclusive},
		{"a copy of others' packets", statement("copy", func(d *evidence.Diversion) { d.To, d.Selector = "eth0", to("192.0.2.0/24") }), verdict.Pass},
		{"a copy of a port", statement("copy", func(d *evidence.Diversion) { d.To, d.Selector.Target = "eth0", []evidence.Ports{{From: 25, To: 25}} }), verdict.Inconclusive},
		{"a copy of ciphertext", statement("copy", func(d *evidence.Diversion) { d.To, d.Link, d.Hook, d.By = "eth1", "eth0", "egress", "tc" }), verdict.Pass},
		{"a pod's packets to the way into a link", statement("forward", func(d *evidence.Diversion) {
			d.To, d.Link, d.Hook, d.By = "the ingress of cni0", "cni0", "ingress", "tc"
		}), verdict.Inconclusive},
		{"a pod's packets to an ifb", statement("forward", func(d *evidence.Diversion) { d.To, d.Link, d.Hook, d.By = "cni0", "cni0", "ingress", "tc" }), verdict.Pass},
		{"a proxy", statement("proxy", func(*evidence.Diversion) {}), verdict.Inconclusive},
		{"a proxy for a mark that nothing sets", statement("proxy", func(d *evidence.Diversion) { d.Selector.MarkIs, d.Selector.MarkMask = 0x200, 0xf00 }), verdict.Pass},
		{"a Service", statement("dnat", func(d *evidence.Diversion) { d.Selector = to("10.43.0.1/32") }), verdict.Pass},
		{"a node port", statement("dnat", func(d *evidence.Diversion) { d.Selector.Other = []string{"fib daddr type local"} }), verdict.Pass},
		{"a port of the host", statement("dnat", func(d *evidence.Diversion) { d.Selector.Other = []string{"daddr type local"} }), verdict.Pass},
		{"a chain that bears the name of one for host ports", statement("dnat",
			func(d *evidence.Diversion) { d.Chain, d.Selector.Other = "CNI-DN-0123", []string{"statistic"} }), verdict.Inconclusive},
		{"another pod in the place of one", statement("dnat", func(d *evidence.Diversion) { d.Selector = to("10.42.1.9/32") }), verdict.Inconclusive},
		{"IPsec", statement("encrypt", func(d *evidence.Diversion) { d.By, d.Hook, d.Selector = "xfrm", "", to("10.42.1.0/24") }), verdict.Inconclusive},
		{"IPsec of others", statement("encrypt", func(d *evidence.Diversion) { d.By, d.Hook, d.Selector = "xfrm", "", to("192.0.2.0/24") }), verdict.Pass},
		{"a program", statement("bpf", func(d *evidence.Diversion) { d.By, d.Link, d.Hook, d.Program = "tc", "cni0", "ingress", "x" }), verdict.Inconclusive},
		{"a program of a network that is not there", statement("bpf", func(d *evidence.Diversion) {
			d.By, d.Link, d.Hook, d.Program = "tc", "cni0", "ingress", "cil_from_container"
		}), verdict.Inconclusive},
		{"a target that is not known", statement("bpf", func(d *evidence.Diversion) { d.Hook = "forward" }), verdict.Inconclusive},
		{"a target that is not known, for others", statement("bpf", func(d *evidence.Diversion) { d.Hook, d.Selector = "forward", to("192.0.2.0/24") }), verdict.Pass},
		{"a program on the uplink", statement("bpf", func(d *evidence.Diversion) { d.By, d.Link, d.Hook, d.Program = "tc", "eth0", "egress", "x" }), verdict.Pass},
	} {
		s := healthy(2)
		onNode1(test.with)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", test.name, f.Status, test.want, f.Text)
		}
	}
}

// forAWhile is the condition of what is in no reading and came and went between two.
var forAWhile = []string{"for a part of the run only"}

// What sets or clears a mark for a part of the run may have done so and may not.
func TestPathsByMarkForAWhile(t *testing.T) {
	other := marking(evidence.Selector{Other: forAWhile}, 0x77)
	clearing := marking(evidence.Selector{Other: forAWhile}, 0)
	rule := []evidence.Message{ruled(evidence.Rule{Priority: 50, Mark: 0x77, Mask: 0xff, Table: 77}), past("0.0.0.0/0", 77)}
	for name, test := range map[string]struct {
		with []evidence.Message
		want verdict.Status
	}{
		"set":                     {[]evidence.Message{other}, verdict.Inconclusive},
		"cleared, and set always": {[]evidence.Message{marking(evidence.Selector{}, 0x77), clearing}, verdict.Inconclusive},
		"cleared":                 {[]evidence.Message{clearing}, verdict.Pass},
	} {
		s := healthy(2)
		onNode1(append(rule, test.with...)...)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", name, f.Status, test.want, f.Text)
		}
	}
}

// A link that frames go no further from is a dead end for redirected ones only as long
// as they do not come in again by it, and nothing sends them on there.
func TestPathsByDeadEnds(t *testing.T) {
	to := func(link, at, hook string) evidence.Message {
		return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectForward, Family: "netdev", Link: at, Hook: hook, To: link, Rule: "fwd to " + link}}
	}
	lo := evidence.Message{Link: &evidence.Link{Index: 91, Name: "lo0", Type: "loopback", Up: true, Role: evidence.RoleInside}}
	for name, test := range map[string]struct {
		with []evidence.Message
		want verdict.Status
	}{
		"a queueing device":                   {[]evidence.Message{insideLink("ifb0", "ifb"), to("ifb0", "cni0", "ingress")}, verdict.Pass},
		"a queueing device that sends it on":  {[]evidence.Message{insideLink("ifb0", "ifb"), to("ifb0", "cni0", "ingress"), to("eth0", "ifb0", "egress")}, verdict.Inconclusive},
		"a dummy":                             {[]evidence.Message{insideLink("d0", "dummy"), to("d0", "cni0", "ingress")}, verdict.Pass},
		"the loopback, where it comes in":     {[]evidence.Message{lo, to("lo0", "cni0", "ingress")}, verdict.Inconclusive},
		"what is sent on, of no pod's packet": {[]evidence.Message{insideLink("ifb0", "ifb"), to("eth0", "ifb0", "egress")}, verdict.Pass},
	} {
		s := healthy(2)
		onNode1(test.with...)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", name, f.Status, test.want, f.Text)
		}
	}
}

// A port of the pods' bridge is a pod's, though it may count as leaving the host for want
// of a proof.
func TestPathsByStatementAtAPort(t *testing.T) {
	for name, test := range map[string]struct {
		link evidence.Link
		want verdict.Status
	}{
		"a pair":           {evidence.Link{Kind: "veth", PeerNS: true, Master: "cni0"}, verdict.Inconclusive},
		"a card":           {evidence.Link{Master: "cni0"}, verdict.Pass},
		"a pair elsewhere": {evidence.Link{Kind: "veth", PeerNS: true, Master: "br9"}, verdict.Pass},
	} {
		test.link.Index, test.link.Name, test.link.Up, test.link.Role = 92, "port9", true, evidence.RoleOutside
		s := healthy(2)
		copies := evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectCopy, Family: "netdev", Link: "port9", Hook: "ingress", To: "eth0", Rule: "dup to eth0"}}
		own := evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.0/24"), Link: "cni0", Table: 254, Type: "unicast"}}
		onNode1(evidence.Message{Link: &test.link}, own, copies)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", name, f.Status, test.want, f.Text)
		}
	}
}

// What a proxy takes by its mark counts where another statement sets that mark.
func TestPathsByMarkedStatement(t *testing.T) {
	proxy := evidence.Message{Diversion: &evidence.Diversion{By: "iptables-legacy", Effect: "proxy", Family: "ip", Hook: "prerouting",
		Selector: evidence.Selector{MarkIs: 0x200, MarkMask: 0xf00}}}
	for mark, want := range map[uint32]verdict.Status{0x100: verdict.Pass, 0x200: verdict.Inconclusive} {
		s := healthy(2)
		onNode1(proxy, marking(evidence.Selector{Protocol: []uint8{6}}, mark))(s)
		if f := pathFinding(t, s); f.Status != want {
			t.Errorf("%x: %s, want %s: %s", mark, f.Status, want, f.Text)
		}
	}
}

// Programs that the cluster's network attached without a name are its own.
func TestPathsByUnnamedProgram(t *testing.T) {
	program := evidence.Message{Diversion: &evidence.Diversion{By: "tc", Effect: "bpf", Link: "cni0", Hook: "ingress", ID: 7}}
	cilium := evidence.Message{Link: &evidence.Link{Index: 9, Name: "cilium_host", Kind: "veth", Role: evidence.RoleInside}}
	s := healthy(2)
	onNode1(program)(s)
	if f := pathFinding(t, s); f.Status != verdict.Inconclusive {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
	onNode1(cilium)(s)
	if f := pathFinding(t, s); f.Status != verdict.Pass {
		t.Errorf("with Cilium: %s: %s", f.Status, f.Text)
	}
	onNode1(evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: "bpf", Family: "ip", Hook: "prerouting", Rule: "target ROUTE"}})(s)
	if f := pathFinding(t, s); f.Status != verdict.Inconclusive {
		t.Errorf("a target that is not known, with Cilium: %s: %s", f.Status, f.Text)
	}
}

// A copy that the receiver makes of what came out of the tunnel is one as well.
func TestPathsAtArrival(t *testing.T) {
	s := healthy(2)
	s["probe/node-2"] = append(s["probe/node-2"], evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: "copy", Hook: "forward", To: "eth0",
		Selector: evidence.Selector{In: []string{"flannel-wg"}}}})
	if f := pathFinding(t, s); f.Status != verdict.Fail || f.Facts["node"] != "node-2" {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

// What other systems on a node do to what is theirs: a bridge that no pod is
// behind, a VPN's TUN device, a card that packets to pods do not leave by.
func TestPathsOfOtherSystems(t *testing.T) {
	docker, vpn := insideLink("docker0", "bridge"), insideLink("tun7", "tun")
	port := insideLink("veth9", "veth")
	port.Link.Master, port.Link.Index = "docker0", 77
	theirs := func(in, out, effect, hook string) evidence.Message {
		d := &evidence.Diversion{By: "iptables-legacy", Effect: effect, Family: "ip", Table: "mangle", Chain: "x", Hook: hook, Mark: 0x77, Mask: 0xff, Rule: "x"}
		if in != "" {
			d.Selector.In = []string{in}
		}
		if out != "" {
			d.Selector.Out = []string{out}
		}
		return evidence.Message{Diversion: d}
	}
	marked := []evidence.Message{ruled(evidence.Rule{Priority: 50, Mark: 0x77, Mask: 0xff, Table: 77}), past("0.0.0.0/0", 77)}
	for _, test := range []struct {
		name string
		with []evidence.Message
		want verdict.Status
	}{
		{"a rule for Docker's bridge", []evidence.Message{docker, ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}), past("0.0.0.0/0", 77)}, verdict.Pass},
		{"a rule for a VPN", []evidence.Message{vpn, ruled(evidence.Rule{Priority: 50, In: "tun7", Table: 77}), past("0.0.0.0/0", 77)}, verdict.Pass},
		{"a mark of what Docker's containers send", append(marked, docker, theirs("docker0", "", evidence.EffectMark, "prerouting")), verdict.Pass},
		{"a mark of what comes in by a port of Docker's", append(marked, docker, port, theirs("veth9", "", evidence.EffectMark, "prerouting")), verdict.Pass},
		{"a proxy for Docker's containers", []evidence.Message{docker, theirs("docker0", "", evidence.EffectProxy, "prerouting")}, verdict.Pass},
		{"a proxy for what leaves by a card", []evidence.Message{theirs("", "eth0", evidence.EffectProxy, "forward")}, verdict.Pass},
		{"a bridge that pods may be behind", []evidence.Message{docker, ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}), past("0.0.0.0/0", 77),
			{Route: &evidence.Route{Destination: cidr("10.42.0.128/25"), Link: "docker0", Table: 254}}}, verdict.Fail},
		{"a rule for Docker's bridge where each pod has a link of its own", append(linkOfItsOwn(), docker,
			ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}), past("0.0.0.0/0", 77)), verdict.Pass},
		{"a rule for a bridge of more than the pods", append(linkOfItsOwn(), docker,
			evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.0/15"), Link: "docker0", Table: 254}},
			ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}), past("0.0.0.0/0", 77)), verdict.Inconclusive},
		{"a pair that a pod may be behind", []evidence.Message{insideLink("veth9", "veth"), ruled(evidence.Rule{Priority: 50, In: "veth9", Table: 77}), past("0.0.0.0/0", 77)}, verdict.Inconclusive},
		{"a proxy for what leaves by the pods' bridge", []evidence.Message{theirs("", "cni0", evidence.EffectProxy, "forward")}, verdict.Inconclusive},
		{"a proxy for what leaves by a link that was not listed", []evidence.Message{theirs("", "veth99", evidence.EffectProxy, "forward")}, verdict.Inconclusive},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthy(2)
			if len(test.with) > 1 && test.with[0].Link != nil && test.with[0].Link.Name == "cali7" {
				s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
					return m.Route != nil && m.Route.Link == "cni0"
				})
			}
			onNode1(test.with...)(s)
			f := pathFinding(t, s)
			if back := pathFindingOf(t, s, "node-2", "node-1"); back.Status > f.Status {
				f = back
			}
			if f.Status != test.want {
				t.Errorf("%s %q, want %s", f.Status, f.Text, test.want)
			}
		})
	}
}

// linkOfItsOwn is a pod with a route and a link of its own, and the block of its node.
func linkOfItsOwn() []evidence.Message {
	link := insideLink("cali7", "veth")
	link.Link.PeerNS, link.Link.Index = true, 78
	return []evidence.Message{link, {Route: &evidence.Route{Destination: cidr("10.42.0.2/32"), Link: "cali7", Table: 254}},
		{Route: &evidence.Route{Destination: cidr("10.42.0.0/24"), Type: "blackhole", Table: 254}}}
}

// What is said to be at fault is what can be changed without harm to anything
// but pods.
func TestWhatIsAtFault(t *testing.T) {
	narrowed := func(m *evidence.Message) {
		if m.Route != nil && m.Route.Destination == cidr("10.42.0.0/16") {
			route := *m.Route
			route.Destination = cidr("10.42.1.0/25")
			m.Route = &route
		}
	}
	fallback := func(hop int) evidence.Message {
		m := past("0.0.0.0/0", 254)
		m.Route.Hop = hop
		return m
	}
	main := ruled(evidence.Rule{Priority: 40, Table: 254, SuppressLength: new(int)})
	*main.Rule.SuppressLength = 16
	from := func(text string) evidence.Message {
		return ruled(evidence.Rule{Priority: 50, From: cidr(text), Table: 100})
	}
	for _, test := range []struct {
		name    string
		change  func(*evidence.Message)
		with    []evidence.Message
		variant string
	}{
		{"a rule for some pods", nil, []evidence.Message{from("10.42.0.128/25"), past("0.0.0.0/0", 100)}, "rule"},
		{"two rules that one command would name", nil, []evidence.Message{from("203.0.113.0/24"), from("10.42.0.128/25"), past("0.0.0.0/0", 100)}, "rule without priority"},
		{"a VPN's rule for all, and its route for some pods", nil, []evidence.Message{ruled(evidence.Rule{Priority: 50, Table: 52}), past("10.42.1.128/25", 52)}, "route"},
		{"a VPN's rule for all, and its route for the world", nil, []evidence.Message{main, ruled(evidence.Rule{Priority: 50, Table: 52}), past("0.0.0.0/0", 52)}, "before"},
		{"a rule of a VPN for the main table, and a route there", nil, []evidence.Message{ruled(evidence.Rule{Priority: 50, Table: 254}), past("10.42.0.0/23", 254)}, "route"},
		{"the default for a part that the tunnel's route lacks", narrowed, []evidence.Message{fallback(0)}, "wide"},
		{"one of several defaults for it", narrowed, []evidence.Message{fallback(1), fallback(2)}, "wide"},
		{"the route of a company's network for it", narrowed, []evidence.Message{past("10.0.0.0/8", 254)}, "wide"},
		{"a second hop", nil, []evidence.Message{past("10.42.0.0/23", 254), {Route: &evidence.Route{Destination: cidr("10.42.0.0/23"), Link: "flannel-wg", Table: 254, Hop: 2}}}, "hop"},
	} {
		s := healthy(2)
		if test.change != nil {
			each(s["probe/node-1"], test.change)
		}
		if test.variant == "hop" {
			test.with[0].Route.Hop = 1
		}
		onNode1(test.with...)(s)
		f := pathFinding(t, s)
		variant := f.Variant
		if f.Facts["priority"] == "" && variant == "rule" {
			variant += " without priority"
		}
		if f.Status != verdict.Fail || variant != test.variant {
			t.Errorf("%s: %s, %s: %s, want %s", test.name, f.Status, variant, f.Text, test.variant)
		}
	}
}

// Without a route into the tunnel what then leads pods elsewhere is not at fault.
func TestMissingRouteIsNotAnothers(t *testing.T) {
	for to, variant := range map[string]string{"10.0.0.0/8": "none", "10.42.1.0/24": "hardware"} {
		s := healthy(2)
		each(s["probe/node-1"], func(m *evidence.Message) {
			switch {
			case m.Route == nil:
			case m.Route.For == podIP(1):
				m.Route = &evidence.Route{For: podIP(1), Destination: cidr(to), Link: "eth0", Table: 254, Type: "unicast"}
			case m.Route.Link == "flannel-wg":
				m.Route = past(to, 254).Route
			}
		})
		for _, f := range Judge(record(t, s)).Findings {
			if f.Code == "WG0401" && f.Subject.Node == "node-1" && (f.Status != verdict.Fail || f.Variant != variant) {
				t.Errorf("%s: %s %q: %s", to, f.Status, f.Variant, f.Text)
			}
		}
	}
}

// More rules than can be followed are harmless if no table that they lead to has
// another answer than the tunnel: one for each pod of a node is not rare.
func TestManyRules(t *testing.T) {
	for _, test := range []struct {
		name string
		more []evidence.Message
		want verdict.Status
	}{
		{"into the tunnel", nil, verdict.Pass},
		{"one table leads past it", []evidence.Message{past("10.42.1.77/32", 1150)}, verdict.Inconclusive},
		{"a rule that is not understood", []evidence.Message{ruled(evidence.Rule{Priority: 1, Action: "more"})}, verdict.Inconclusive},
	} {
		var messages []evidence.Message
		addr := podIP(0)
		for n := range 200 {
			messages = append(messages, ruled(evidence.Rule{Priority: 100 + n, From: netip.PrefixFrom(addr, 32), Table: 1000 + n}),
				evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.0/16"), Link: "flannel-wg", Table: 1000 + n, Type: "unicast"}})
			addr = addr.Next()
		}
		s := healthy(2)
		onNode1(append(messages, test.more...)...)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s: %s, want %s", test.name, f.Status, f.Text, test.want)
		}
	}
}

// What comes out of the tunnel is routed once more, by the receiver: it must stay
// there, whichever of its pods it is for.
func TestPathsBehindTheTunnel(t *testing.T) {
	away := past("0.0.0.0/0", 77)
	rule := func(r evidence.Rule) evidence.Message {
		r.Priority, r.Table = 50, 77
		return ruled(r)
	}
	database := evidence.Rule{In: "flannel-wg", Protocol: 6, TargetPorts: &evidence.Ports{From: 5432, To: 5432}}
	arrived := func(m *evidence.Message) {
		m.Run.Tries = []evidence.Try{{ID: 1, Node: 1, Target: 0, Family: 4, Transport: "tcp", Port: 5432}}
	}
	uplink := evidence.Message{Link: &evidence.Link{Index: 60, Name: "veth60", Kind: "veth", PeerNS: true, Up: true, Role: evidence.RoleOutside}}
	own := evidence.Message{Address: &evidence.Address{Link: "veth60", Prefix: cidr("198.51.100.1/24")}}
	route := func(to, link string) evidence.Message {
		return evidence.Message{Route: &evidence.Route{Destination: cidr(to), Link: link, Table: 254, Type: "unicast"}}
	}
	for _, test := range []struct {
		name    string
		run     func(*evidence.Message)
		with    []evidence.Message
		want    verdict.Status
		variant string
	}{
		{"nothing", nil, nil, verdict.Pass, ""},
		{"a rule for a part of the own pods", nil, []evidence.Message{rule(evidence.Rule{To: cidr("10.42.0.128/25")}), away}, verdict.Fail, "rule"},
		{"a rule for what a part of the other pods send", nil, []evidence.Message{rule(evidence.Rule{From: cidr("10.42.1.128/25")}), away}, verdict.Fail, "rule"},
		{"a rule for what comes out of the tunnel for a port", nil, []evidence.Message{rule(database), away}, verdict.Inconclusive, "rule"},
		{"the same, and it arrived", arrived, []evidence.Message{rule(database), away, {Tried: &evidence.Tried{ID: 1, Received: 1}}}, verdict.Pass, ""},
		{"a rule for what comes in by a card", nil, []evidence.Message{rule(evidence.Rule{In: "eth0"}), away}, verdict.Pass, ""},
		{"a rule for what others send", nil, []evidence.Message{rule(evidence.Rule{From: cidr("203.0.113.0/24")}), away}, verdict.Pass, ""},
		{"a route for one of the own pods", nil, []evidence.Message{past("10.42.0.77/32", 254)}, verdict.Fail, "route"},
		{"one for an address of the node", nil, []evidence.Message{past("10.42.0.77/32", 254), {Address: &evidence.Address{Link: "cni0", Prefix: cidr("10.42.0.77/24")}}}, verdict.Pass, ""},
		{"a route for a part into an overlay", nil, []evidence.Message{insideLink("vx", "vxlan"), route("10.42.0.128/25", "vx")}, verdict.Fail, "route"},
		{"a route for a part to another bridge", nil, []evidence.Message{insideLink("br7", "bridge"), route("10.42.0.128/25", "br7")}, verdict.Pass, ""},
		{"a route for a part into the tunnel", nil, []evidence.Message{route("10.42.0.128/25", "flannel-wg")}, verdict.Pass, ""},
		{"a link of a pod that was not proven", nil, []evidence.Message{uplink, {Capture: &evidence.Capture{Link: "veth60", Role: evidence.RoleOutside, Started: true, Alive: true}}, route("10.42.0.9/32", "veth60")}, verdict.Pass, ""},
		{"a pair that is a card", nil, []evidence.Message{uplink, own, route("10.42.0.9/32", "veth60")}, verdict.Fail, "route"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := healthy(2)
			if test.run != nil {
				each(s["plugin"], func(m *evidence.Message) {
					if m.Run != nil {
						test.run(m)
					}
				})
			}
			for _, m := range test.with {
				stream := "probe/node-1"
				if m.Tried != nil {
					stream = "pod/node-1"
				}
				s[stream] = append(s[stream], m)
			}
			f := pathFindingOf(t, s, "node-2", "node-1")
			if f.Status != test.want || f.Variant != test.variant {
				t.Errorf("%s %q: %s, want %s %q", f.Status, f.Variant, f.Text, test.want, test.variant)
			}
		})
	}
}
