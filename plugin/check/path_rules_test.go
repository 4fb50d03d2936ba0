package check

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

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
				m.Route = &evidence.Route{For: podIP(1), Link: "eth0",
					Type: "unicast", Table: 100, Destination: cidr("10.42.1.0/24")}
			}
		})
		if test.leaks {
			onNode1(evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: 0,
				Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp", Count: 7}})(s)
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
		{"from the own pods", evidence.Rule{From: cidr("10.42.0.0/24")}, nil, verdict.Fail,
			"from 10.42.0.0/24 lookup 100", 0},
		{"from one of them", evidence.Rule{From: cidr("10.42.0.7/32")}, nil, verdict.Fail, "from 10.42.0.7", 0},
		{"from others", evidence.Rule{From: cidr("10.42.7.0/24")}, nil, verdict.Pass, "", 0},
		{"to one pod", evidence.Rule{To: cidr("10.42.1.9/32")}, nil, verdict.Fail, "to 10.42.1.9", 0},
		{"to others", evidence.Rule{To: cidr("10.43.0.0/16")}, nil, verdict.Pass, "", 0},
		{"iif of pods", evidence.Rule{In: "cni0"}, nil, verdict.Fail, "iif cni0", 0},
		{"iif of the uplink", evidence.Rule{In: "eth0"}, nil, verdict.Pass, "", 0},
		{"iif of the host itself", evidence.Rule{In: "lo"}, nil, verdict.Pass, "", 0},
		{"iif that was not reported", evidence.Rule{In: "ppp7"}, nil, verdict.Inconclusive, "iif ppp7", 0},
		{"iif of a link that is gone", evidence.Rule{In: "ppp7", Detached: true}, nil, verdict.Pass, "", 0},
		{"not iif of a link that is gone", evidence.Rule{In: "ppp7", Detached: true, Not: true}, nil,
			verdict.Fail, "not", 0},
		{"iif of a link that was said to be gone", evidence.Rule{In: "cni0", Detached: true}, nil,
			verdict.Fail, "iif cni0", 0},
		{"oif", evidence.Rule{Out: "eth0"}, nil, verdict.Pass, "", 0},
		{"a mark that nothing sets", evidence.Rule{Mark: 0x77, Mask: 0xff}, nil, verdict.Pass, "", 0},
		{"a mark that is set on everything", evidence.Rule{Mark: 0x77, Mask: 0xff},
			[]evidence.Message{marking(evidence.Selector{}, 0x77)}, verdict.Fail, "mark 0x77", 0},
		{"a mark that is set on a port", evidence.Rule{Mark: 0x77, Mask: 0xff},
			[]evidence.Message{
				marking(evidence.Selector{Protocol: []uint8{6}, Target: []evidence.Ports{{From: 5432, To: 5432}}},
					0x77),
			}, verdict.Inconclusive, "no test packet was sent", 0},
		{"another mark", evidence.Rule{Mark: 0x77, Mask: 0xff},
			[]evidence.Message{marking(evidence.Selector{}, 0x4000)}, verdict.Pass, "", 0},
		{"a mark set for a Service", evidence.Rule{Mark: 0x4000, Mask: 0x4000},
			[]evidence.Message{
				marking(evidence.Selector{NotFrom: []netip.Prefix{cidr("10.42.0.0/16")},
					To: []netip.Prefix{cidr("10.43.0.10/32")}}, 0x4000),
			}, verdict.Pass, "", 0},
		{"a mark set for a Service, whoever asks", evidence.Rule{Mark: 0x4000, Mask: 0x4000},
			[]evidence.Message{marking(evidence.Selector{To: []netip.Prefix{cidr("10.43.0.10/32")}}, 0x4000)},
			verdict.Inconclusive, "is not known", 0},
		{"a mark set under what is not understood", evidence.Rule{Mark: 1, Mask: 1},
			[]evidence.Message{marking(evidence.Selector{Other: []string{"ct direction original"}}, 1)},
			verdict.Inconclusive, "is not known", 0},
		{"tos", evidence.Rule{TOS: 0x10}, nil, verdict.Inconclusive, "tos 0x10", 0},
		{"dscp", evidence.Rule{DSCP: dscp(46)}, nil, verdict.Inconclusive, "dscp 46", 0},
		{"ipproto", evidence.Rule{Protocol: 17}, nil, verdict.Fail, "ipproto udp", 0},
		{"ipproto that no canary has", evidence.Rule{Protocol: 132}, nil, verdict.Inconclusive, "ipproto sctp", 0},
		{"sport", evidence.Rule{SourcePorts: &evidence.Ports{From: 53, To: 53}}, nil,
			verdict.Inconclusive, "sport 53", 0},
		{"dport", evidence.Rule{TargetPorts: &evidence.Ports{From: 80, To: 90}}, nil, verdict.Inconclusive,
			"dport 80-90", 0},
		{"users", evidence.Rule{Users: &[2]uint32{1000, 2000}}, nil, verdict.Pass, "", 0},
		{"user 0, which forwarded packets are of", evidence.Rule{Users: &[2]uint32{0, 0}}, nil, verdict.Fail,
			"uidrange 0-0", 0},
		{"suppressed", evidence.Rule{SuppressLength: number(0)}, nil, verdict.Pass, "", 0},
		{"not suppressed", evidence.Rule{SuppressLength: number(0)}, []evidence.Message{past("10.42.0.0/16", 100)},
			verdict.Fail, "suppress_prefixlength 0", 0},
		{"l3mdev, and no domain", evidence.Rule{L3MDev: true}, nil, verdict.Pass, "", 0},
		{"l3mdev, a pod in a domain past the tunnel", evidence.Rule{L3MDev: true}, domain(100), verdict.Fail,
			"iif veth7 l3mdev lookup 100", 0},
		{"l3mdev, a pod in a domain of the tunnel", evidence.Rule{L3MDev: true}, domain(254), verdict.Pass, "", 0},
		{"l3mdev, a pod in a domain whose table was not recorded", evidence.Rule{L3MDev: true}, domain(0),
			verdict.Inconclusive, "l3mdev", 0},
		{"not from others", evidence.Rule{Not: true, From: cidr("10.42.7.0/24")}, nil, verdict.Fail,
			"not from 10.42.7.0/24", 0},
		{"not from the own pods", evidence.Rule{Not: true, From: cidr("10.42.0.0/16")}, nil, verdict.Pass, "", 0},
		{"goto past the tunnel", evidence.Rule{Action: "goto", Goto: 60},
			[]evidence.Message{ruled(evidence.Rule{Priority: 60, Table: 100})}, verdict.Fail, "lookup 100", 0},
		{"goto that passes over it", evidence.Rule{Action: "goto", Goto: 70},
			[]evidence.Message{ruled(evidence.Rule{Priority: 60, Table: 100}),
				ruled(evidence.Rule{Priority: 70, Table: 254})}, verdict.Pass, "", 0},
		{"refuses a part", evidence.Rule{To: cidr("10.42.1.128/25"), Action: "prohibit"}, nil, verdict.Pass, "", 0},
		{"unknown attributes", evidence.Rule{Other: []string{"attribute 99"}}, nil, verdict.Inconclusive,
			"attribute 99", 0},
		{"into the tunnel", evidence.Rule{Protocol: 6}, nil, verdict.Pass, "", 254},
		{"to a local table", evidence.Rule{Protocol: 6},
			[]evidence.Message{
				{Route: &evidence.Route{Destination: cidr("10.42.1.0/24"), Link: "lo", Table: 101, Type: "local"}},
			}, verdict.Pass, "", 101},
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
		{Link: &evidence.Link{Index: 21, Name: "veth7", Kind: "veth",
			PeerNS: true, Master: "red", Up: true, Role: evidence.RoleInside}},
		{Route: &evidence.Route{Destination: cidr("10.42.0.9/32"), Link: "veth7", Table: 254, Type: "unicast"}},
	}
}

// That the kernel's own rules are listed makes no route a rule's fault.
func TestPathsByRoute(t *testing.T) {
	s := healthy(2)
	onNode1(ruled(evidence.Rule{Table: 255}), ruled(evidence.Rule{Priority: 32766, Table: 254}),
		ruled(evidence.Rule{Priority: 32767, Table: 253}))(s)
	onNode1(past("10.42.0.0/23", 254))(s)
	if f := pathFinding(t, s); f.Status != verdict.Fail || f.Variant != "route" || f.Facts["table"] != "254" ||
		f.Facts["link"] != "eth0" {
		t.Errorf("%s %s: %s", f.Status, f.Variant, f.Text)
	}
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
		{"two rules that one command would name", nil,
			[]evidence.Message{from("203.0.113.0/24"), from("10.42.0.128/25"), past("0.0.0.0/0", 100)},
			"rule without priority"},
		{"a VPN's rule for all, and its route for some pods", nil,
			[]evidence.Message{ruled(evidence.Rule{Priority: 50, Table: 52}), past("10.42.1.128/25", 52)}, "route"},
		{"a VPN's rule for all, and its route for the world", nil,
			[]evidence.Message{main, ruled(evidence.Rule{Priority: 50, Table: 52}), past("0.0.0.0/0", 52)}, "before"},
		{"a rule of a VPN for the main table, and a route there", nil,
			[]evidence.Message{ruled(evidence.Rule{Priority: 50, Table: 254}), past("10.42.0.0/23", 254)}, "route"},
		{"the default for a part that the tunnel's route lacks", narrowed, []evidence.Message{fallback(0)}, "wide"},
		{"one of several defaults for it", narrowed, []evidence.Message{fallback(1), fallback(2)}, "wide"},
		{"the route of a company's network for it", narrowed, []evidence.Message{past("10.0.0.0/8", 254)}, "wide"},
		{"a second hop", nil,
			[]evidence.Message{past("10.42.0.0/23", 254),
				{Route: &evidence.Route{Destination: cidr("10.42.0.0/23"), Link: "flannel-wg", Table: 254, Hop: 2}}},
			"hop"},
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
				m.Route = &evidence.Route{For: podIP(1), Destination: cidr(to), Link: "eth0",
					Table: 254, Type: "unicast"}
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
		{"a rule that is not understood", []evidence.Message{ruled(evidence.Rule{Priority: 1, Action: "more"})},
			verdict.Inconclusive},
	} {
		var messages []evidence.Message
		addr := podIP(0)
		for n := range 200 {
			messages = append(messages,
				ruled(evidence.Rule{Priority: 100 + n, From: netip.PrefixFrom(addr, 32), Table: 1000 + n}),
				evidence.Message{
					Route: &evidence.Route{Destination: cidr("10.42.0.0/16"), Link: "flannel-wg", Table: 1000 + n,
						Type: "unicast"},
				})
			addr = addr.Next()
		}
		s := healthy(2)
		onNode1(append(messages, test.more...)...)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s: %s, want %s", test.name, f.Status, f.Text, test.want)
		}
	}
}
