package check

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// edited is a recording with messages added to the probe's stream of node-1.
func edited(t *testing.T, name string, change func(*evidence.Message), more ...evidence.Message) *recording.Recording {
	t.Helper()
	whole, edited := load(t, name), recording.New()
	for _, stream := range whole.Streams() {
		last := uint32(0)
		for _, m := range whole.Messages(stream) {
			copied := *m
			if change != nil && stream == "probe/node-1" {
				change(&copied)
			}
			if stream == "probe/node-1" && m.Bye != nil {
				for _, added := range more {
					added.Stream, added.Seq = stream, last+1
					last++
					edited.Add(&added)
				}
				copied.Seq = last + 1
				copied.Bye = &evidence.Bye{Messages: last + 1}
			}
			last = max(last, copied.Seq)
			edited.Add(&copied)
		}
	}
	return edited
}

// Edits of a recording of a healthy cluster, as a fault or a liar would make
// them, and what must be said of them.
func TestPathMutations(t *testing.T) {
	const healthy, vpn = "host-healthy-wireguard", "host-healthy-vpn"
	hop := func(to string, links ...string) (messages []evidence.Message) {
		for i, link := range links {
			messages = append(messages,
				evidence.Message{
					Route: &evidence.Route{Destination: cidr(to), Link: link, Table: 254, Type: "unicast", Hop: i + 1},
				})
		}
		return messages
	}
	for _, test := range []struct {
		name, recording string
		change          func(*evidence.Message)
		more            []evidence.Message
		verdict         verdict.Verdict
		says            string
	}{
		{"nothing", healthy, nil, nil, verdict.Passed, ""},
		{"a rule to a part", healthy, nil,
			[]evidence.Message{ruled(evidence.Rule{Priority: 50, To: cidr("10.42.1.128/25"), Table: 100}),
				past("0.0.0.0/0", 100)}, verdict.Failed, "WG0402 10.42.1.128/25"},
		{"a rule to one pod", healthy, nil,
			[]evidence.Message{ruled(evidence.Rule{Priority: 50, To: cidr("10.42.1.77/32"), Table: 100}),
				past("0.0.0.0/0", 100)}, verdict.Failed, "WG0402 10.42.1.77"},
		{"a rule from a part", healthy, nil,
			[]evidence.Message{ruled(evidence.Rule{Priority: 50, From: cidr("10.42.0.192/26"), Table: 100}),
				past("0.0.0.0/0", 100)}, verdict.Failed, "WG0402 from 10.42.0.192/26"},
		{"a rule for kube-proxy's mark", healthy, nil,
			[]evidence.Message{ruled(evidence.Rule{Priority: 50, Mark: 0x4000, Mask: 0xffffffff, Table: 100}),
				past("0.0.0.0/0", 100)}, verdict.Undecided, "WG0402 fwmark 0x4000"},
		{"a second hop of all pods", healthy, func(m *evidence.Message) {
			if m.Route != nil && m.Route.Destination == cidr("10.42.0.0/16") {
				route := *m.Route
				route.Hop = 1
				m.Route = &route
			}
		}, []evidence.Message{
			{Route: &evidence.Route{Destination: cidr("10.42.0.0/16"),
				Link: "eth0", Table: 254, Type: "unicast", Hop: 2}},
		}, verdict.Failed, "WG0402 next hops"},
		{"a /23 with two hops", healthy, nil, hop("10.42.0.0/23", "flannel-wg", "eth0"), verdict.Failed,
			"WG0402 next hops"},
		{"a /23 past the tunnel", healthy, nil, []evidence.Message{past("10.42.0.0/23", 254)}, verdict.Failed,
			"WG0402 10.42.0.0/23"},
		{"tables cut short", healthy, nil,
			[]evidence.Message{
				{Problem: &evidence.Problem{Class: evidence.ProblemUnsupported, What: "route",
					Text: "there are more table entries than are reported"}},
			}, verdict.Undecided, "WG0402 more table entries"},
		{"rules unreadable", healthy, nil,
			[]evidence.Message{
				{Problem: &evidence.Problem{Class: evidence.ProblemPermission, What: "rule",
					Text: "operation not permitted"}},
			}, verdict.Undecided, "WG0402 not permitted"},
		{"tables missing", healthy, func(m *evidence.Message) {
			if m.Route != nil && !m.Route.For.IsValid() {
				m.Route, m.Module = nil, &evidence.Module{Name: "wireguard", Loaded: true}
			}
		}, nil, verdict.Undecided, "WG0402 no entry"},
		{"an unknown network, another pod past the tunnel", unknownNetwork, nil,
			[]evidence.Message{past("10.42.1.99/32", 254)}, verdict.Failed, "WG0402 10.42.1.99"},
		{"WireGuard below, another pod past the overlay", vpn, nil, []evidence.Message{past("10.42.1.99/32", 254)},
			verdict.Failed, "WG0402 10.42.1.99"},
		{"WireGuard below, the overlay's packets past it", vpn, nil, []evidence.Message{
			ruled(evidence.Rule{Priority: 50, To: cidr("198.18.0.0/16"), Table: 100}), past("0.0.0.0/0",
				100)}, verdict.Failed, "WG0402 198.18.0"},
		{"WireGuard below, the overlay's port past it", vpn, nil,
			below(evidence.Rule{Protocol: 17, TargetPorts: &evidence.Ports{From: 8472, To: 8472}}), verdict.Failed,
			"WG0402 dport 8472"},
		{"WireGuard below, what its own address sends past it", vpn,
			nil, below(evidence.Rule{From: cidr("198.18.0.11/32")}), verdict.Failed, "WG0402 from 198.18.0.11"},
		{"WireGuard below, some of the overlay's flows past it", vpn,
			nil, below(evidence.Rule{Protocol: 17, SourcePorts: &evidence.Ports{From: 32768, To: 40000}}),
			verdict.Undecided, "WG0402 sport 32768"},
		{"WireGuard below, a port that sockets are not given", vpn, nil,
			below(evidence.Rule{Protocol: 17, SourcePorts: &evidence.Ports{From: 53, To: 53}}), verdict.Passed, ""},
		{"what a node sends itself is marked", "host-healthy-paths",
			nil, []evidence.Message{ruled(evidence.Rule{Priority: 50, Mark: 0x77, Mask: 0xff, Table: 100}),
				past("0.0.0.0/0", 100), sent(evidence.EffectMark, evidence.Selector{}), sent(evidence.EffectDNAT,
					evidence.Selector{})}, verdict.Passed, ""},
		{"WireGuard below, TCP past it", vpn, nil, below(evidence.Rule{Protocol: 6}), verdict.Passed, ""},
		{"WireGuard below, what another address sends past it", vpn,
			nil, below(evidence.Rule{From: cidr("203.0.113.9/32")}), verdict.Passed, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := test.recording
			if name == unknownNetwork {
				name = healthy
			}
			said := edited(t, name, test.change, test.more...)
			if test.recording == unknownNetwork {
				said = withoutAnnotations(t, said)
			}
			j := Judge(said)
			if j.Verdict != test.verdict {
				t.Fatalf("%s, want %s: %v", j.Verdict, test.verdict, bad(j))
			}
			code, part, _ := strings.Cut(test.says, " ")
			if test.says != "" && (j.FirstCause.Code != code || !strings.Contains(j.FirstCause.Text, part)) {
				t.Errorf("%s %s, want %s", j.FirstCause.Code, j.FirstCause.Text, test.says)
			}
		})
	}
}

// Statements that an overlay's own packets meet before the WireGuard below it.
func TestPathsOfAnOverlay(t *testing.T) {
	marked := func(s evidence.Selector) []evidence.Message {
		return append(below(evidence.Rule{Mark: 0x77, Mask: 0xff}), sent(evidence.EffectMark, s))
	}
	remote := func(to, host string) evidence.Message {
		d := &evidence.Diversion{By: "fdb", Effect: evidence.EffectTunnel, Link: "flannel.1", To: host,
			Rule: "lladdr 02:00:00:00:00:07 dst " + host}
		if to != "" {
			d.Selector.To = []netip.Prefix{cidr(to)}
		}
		return evidence.Message{Diversion: d}
	}
	outside := past("203.0.113.0/24", 254)
	onOverlay := evidence.Message{
		Route: &evidence.Route{Destination: cidr("10.42.1.77/32"), Link: "flannel.1", Table: 254, Type: "unicast"},
	}
	one := func(effect string, s evidence.Selector) []evidence.Message {
		return []evidence.Message{sent(effect, s)}
	}
	for _, test := range []struct {
		name string
		with []evidence.Message
		want verdict.Status
		says string
	}{
		{"nothing", nil, verdict.Pass, ""},
		{"all are marked", marked(evidence.Selector{}), verdict.Fail, "fwmark 0x77"},
		{"its port is marked",
			marked(evidence.Selector{Protocol: []uint8{17}, Target: []evidence.Ports{{From: 8472, To: 8472}}}),
			verdict.Fail, "fwmark 0x77"},
		{"some are marked", marked(evidence.Selector{Other: []string{"statistic"}}),
			verdict.Inconclusive, "fwmark 0x77"},
		{"others are marked", marked(evidence.Selector{Protocol: []uint8{6}}), verdict.Pass, ""},
		{"another target", one(evidence.EffectDNAT, evidence.Selector{Protocol: []uint8{17}}), verdict.Inconclusive,
			"another address"},
		{"another target for others",
			one(evidence.EffectDNAT, evidence.Selector{To: []netip.Prefix{cidr("10.43.0.1/32")}}), verdict.Pass, ""},
		{"copies", one(evidence.EffectCopy, evidence.Selector{To: []netip.Prefix{cidr("198.18.0.0/24")}}),
			verdict.Inconclusive, "copies"},
		{"a pod by another host past the tunnel",
			[]evidence.Message{outside, onOverlay, remote("10.42.1.77/32", "203.0.113.9")},
			verdict.Fail, "203.0.113.9"},
		{"a pod by another host past the tunnel, for a part of the run only",
			[]evidence.Message{outside, onOverlay, forAPart(remote("10.42.1.77/32", "203.0.113.9"))},
			verdict.Inconclusive, "203.0.113.9"},
		{"the other node's own link by another host past the tunnel",
			[]evidence.Message{outside, remote("10.42.1.0/32", "203.0.113.9")}, verdict.Fail, "203.0.113.9"},
		{"a neighbour that nothing leads to", []evidence.Message{outside, remote("10.42.1.99/32", "203.0.113.9")},
			verdict.Inconclusive, "203.0.113.9"},
		{"a pod by another host in the tunnel", []evidence.Message{onOverlay, remote("10.42.1.77/32", "198.18.0.99")},
			verdict.Pass, ""},
		{"another node's pods", []evidence.Message{outside, remote("10.42.7.0/32", "203.0.113.9")}, verdict.Pass, ""},
		{"what no entry is for", []evidence.Message{outside, remote("", "203.0.113.9")},
			verdict.Inconclusive, "203.0.113.9"},
		{"a host that cannot be read", []evidence.Message{remote("10.42.1.0/32", "")}, verdict.Inconclusive, "lladdr"},
		{"where the overlay sends was not read",
			[]evidence.Message{{Inventory: &evidence.Inventory{What: evidence.InventoryFDB, Text: "not permitted"}}},
			verdict.Inconclusive, "not permitted"},
		{"copies of pods' packets into the overlay",
			[]evidence.Message{forwardHook(evidence.Selector{Out: []string{"flannel.1"}})}, verdict.Fail, "copies"},
		{"copies of pods' packets out of the overlay's link", []evidence.Message{atLink("egress", "flannel.1")},
			verdict.Fail, "copies"},
		{"copies of what goes elsewhere", []evidence.Message{forwardHook(evidence.Selector{Out: []string{"eth1"}})},
			verdict.Pass, ""},
		{"copies of what leaves elsewhere", one(evidence.EffectCopy, evidence.Selector{Out: []string{"eth0"}}),
			verdict.Pass, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := streamsOf(t, "host-healthy-vpn")
			each(s["plugin"], func(m *evidence.Message) {
				if m.Run != nil {
					m.Run.Minor = 1
				}
			})
			each(healthy(2)["probe/node-1"], func(m *evidence.Message) {
				if m.Inventory != nil {
					onNode1(evidence.Message{Inventory: m.Inventory})(s)
				}
			})
			onNode1(test.with...)(s)
			if f := pathFinding(t, s); f.Status != test.want || !strings.Contains(f.Text, test.says) {
				t.Errorf("%s, want %s with %q: %s", f.Status, test.want, test.says, f.Text)
			}
		})
	}
}

// Statements that an overlay's packets meet at the other node, where they come out of
// the WireGuard below it.
func TestPathsOfAnOverlayAtArrival(t *testing.T) {
	at := func(hook string, s evidence.Selector) evidence.Message {
		return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectDNAT,
			Family: "ip", Table: "nat", Chain: "KUBE-X", Hook: hook,
			To: "203.0.113.9", Selector: s, Rule: "dnat to 203.0.113.9"}}
	}
	local := []string{toHost}
	udp := func(port uint16) evidence.Selector {
		return evidence.Selector{Protocol: []uint8{17}, Target: []evidence.Ports{{From: port, To: port}}, Other: local}
	}
	from := func(s evidence.Selector, port uint16) evidence.Selector {
		s.Source = []evidence.Ports{{From: port, To: port}}
		return s
	}
	on := func(s evidence.Selector, link string) evidence.Selector {
		s.In = []string{link}
		return s
	}
	for _, test := range []struct {
		name string
		with evidence.Message
		want verdict.Status
	}{
		{"the overlay's port", at("prerouting", udp(8472)), verdict.Inconclusive},
		{"some of its flows", at("prerouting", from(udp(8472), 40000)), verdict.Inconclusive},
		{"all that is for the host", at("prerouting", evidence.Selector{Other: local}), verdict.Inconclusive},
		{"what comes out of the tunnel", at("prerouting", on(udp(8472), "wg0")), verdict.Inconclusive},
		{"what comes in by the card", at("prerouting", on(udp(8472), "eth0")), verdict.Pass},
		{"another port", at("prerouting", udp(30443)), verdict.Pass},
		{"TCP", at("prerouting", evidence.Selector{Protocol: []uint8{6}, Other: local}), verdict.Pass},
		{"another hook", at("forward", udp(8472)), verdict.Pass},
		{"copies of what comes out of the overlay", atLink("ingress", "flannel.1"), verdict.Fail},
		{"copies of what comes out of the overlay, in the filter",
			forwardHook(evidence.Selector{In: []string{"flannel.1"}}), verdict.Fail},
		{"copies of what comes in elsewhere", atLink("ingress", "eth1"), verdict.Pass},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := streamsOf(t, "host-healthy-vpn")
			each(s["plugin"], func(m *evidence.Message) {
				if m.Run != nil {
					m.Run.Minor = 1
				}
			})
			each(healthy(2)["probe/node-1"], func(m *evidence.Message) {
				if m.Inventory != nil {
					onNode1(evidence.Message{Inventory: m.Inventory})(s)
				}
			})
			s["probe/node-2"] = append(s["probe/node-2"], test.with)
			if f := pathFinding(t, s); f.Status != test.want {
				t.Errorf("%s, want %s: %s", f.Status, test.want, f.Text)
			}
		})
	}
}

// forAPart makes a statement one that was there between two readings only.
func forAPart(m evidence.Message) evidence.Message {
	m.Diversion.Selector.Other = append(m.Diversion.Selector.Other, forAWhile...)
	return m
}

// forwardHook copies what is forwarded to the card, atLink what passes a link.
func forwardHook(s evidence.Selector) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectCopy, Family: "ip",
		Table: "x", Chain: "y", Hook: "forward", To: "eth0", Selector: s, Rule: "dup to eth0"}}
}

func atLink(hook, link string) evidence.Message {
	m := forwardHook(evidence.Selector{})
	m.Diversion.Family, m.Diversion.Hook, m.Diversion.Link = "netdev", hook, link
	return m
}

// sent is a statement for what a node sends itself.
func sent(effect string, s evidence.Selector) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: effect, Family: "ip",
		Table: "mangle", Chain: "OUTPUT", Hook: "output", Mark: 0x77, Mask: 0xff, Selector: s, Rule: effect}}
}

// below is a rule for packets between the machines, and the table that leads past
// their WireGuard.
func below(r evidence.Rule) []evidence.Message {
	r.Priority, r.To, r.Table = 50, cidr("198.18.0.0/16"), 100
	return []evidence.Message{ruled(r), past("0.0.0.0/0", 100)}
}

const unknownNetwork = "a network that is not known"

// withoutAnnotations makes a cluster one whose network is not known.
func withoutAnnotations(t *testing.T, whole *recording.Recording) *recording.Recording {
	t.Helper()
	edited := recording.New()
	for _, stream := range whole.Streams() {
		for _, m := range whole.Messages(stream) {
			copied := *m
			if m.Node != nil {
				node := *m.Node
				node.Annotations = map[string]string{}
				copied.Node = &node
			}
			edited.Add(&copied)
		}
	}
	return edited
}

// A part of a range that leads to no other link than the default is not known to
// be that node's, where the network is not known: only what leads to its test pod is.
func TestUnknownRanges(t *testing.T) {
	s := healthy(2)
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			m.Node.Annotations = nil
		}
	})
	each(s["probe/node-1"], func(m *evidence.Message) {
		if m.Route == nil {
			return
		}
		if block := netip.MustParsePrefix("10.42.1.0/26"); m.Route.For == podIP(1) ||
			m.Route.Destination == cidr("10.42.0.0/16") {
			m.Route.Destination = block
		}
	})
	onNode1(past("0.0.0.0/0", 254))(s)
	if f := pathFinding(t, s); f.Status != verdict.Pass || !strings.Contains(f.Text, "10.42.1.0/26") {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
}

// Pods of a range for which the record had no room were not watched, so that nothing is
// proven of all pods. What was seen in clear is a leak all the same.
func TestRangesWithoutRoom(t *testing.T) {
	s := healthy(2)
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil && m.Node.Name == "node-2" {
			m.Node.RangesLeft = 36
		}
	})
	const want = "36 pod ranges of node-2 had no room in the record: pods there were not watched"
	j := Judge(record(t, s))
	if j.Verdict != verdict.Undecided || j.FirstCause == nil || !strings.Contains(j.FirstCause.Text, want) {
		t.Errorf("%s: %+v", j.Verdict, j.FirstCause)
	}
	if f := pathFinding(t, s); f.Status != verdict.Inconclusive || f.Text != want {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Sighting: &evidence.Sighting{
		Link: "eth0", Direction: "tx", Source: 0, Target: 1, Family: 4, By: evidence.LeakedByMark, Count: 1}})
	if j := Judge(record(t, s)); j.Verdict != verdict.Failed {
		t.Errorf("%s beside a leak", j.Verdict)
	}
}
