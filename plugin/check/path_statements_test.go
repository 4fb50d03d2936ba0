package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// A virtual server takes what is for a pod only where the host has its address too.
func TestPathsByVirtualServer(t *testing.T) {
	own := evidence.Message{
		Route: &evidence.Route{Destination: cidr("10.42.1.9/32"), Link: "lo", Table: 255, Type: "local"},
	}
	server := func(s evidence.Selector) evidence.Message {
		return evidence.Message{
			Diversion: &evidence.Diversion{By: "ipvs", Effect: evidence.EffectDNAT, Hook: "input", Selector: s,
				Rule: "virtual server"},
		}
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
		{"a server for a mark", []evidence.Message{own, server(evidence.Selector{MarkIs: 7, MarkMask: 0xffffffff})},
			verdict.Inconclusive},
		{"a server on another address",
			[]evidence.Message{own, server(evidence.Selector{To: []netip.Prefix{cidr("10.42.1.8/32")}})}, verdict.Pass},
		{"the servers were not read",
			[]evidence.Message{{Inventory: &evidence.Inventory{What: evidence.InventoryIPVS, Text: "not permitted"}}},
			verdict.Inconclusive},
	} {
		s := healthy(2)
		onNode1(test.with...)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", test.name, f.Status, test.want, f.Text)
		}
	}
}

func TestPathsByStatement(t *testing.T) {
	statement := func(effect string, edit func(*evidence.Diversion)) evidence.Message {
		d := &evidence.Diversion{By: "nftables", Effect: effect, Family: "ip", Table: "x", Chain: "y",
			Hook: "prerouting"}
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
		{"a copy out of the uplink, for a part of the run only",
			statement("copy", func(d *evidence.Diversion) { d.To, d.Selector.Other = "eth0", forAWhile }),
			verdict.Inconclusive},
		{"IPsec for a part of the run only", statement("encrypt", func(d *evidence.Diversion) {
			d.By, d.Hook, d.Selector = "xfrm", "postrouting", to("10.42.1.0/24")
			d.Selector.Other = forAWhile
		}), verdict.Inconclusive},
		{"a mark that no rule looks at, for a part of the run only",
			statement("mark", func(d *evidence.Diversion) { d.Mark, d.Mask, d.Selector.Other = 7, 7, forAWhile }),
			verdict.Pass},
		{"a Service, for a part of the run only",
			statement("dnat", func(d *evidence.Diversion) {
				d.Selector = to("10.43.0.1/32")
				d.Selector.Other = forAWhile
			}), verdict.Pass},
		{"a copy into the tunnel", statement("copy", func(d *evidence.Diversion) { d.To = "flannel-wg" }),
			verdict.Pass},
		{"a copy to nobody knows where", statement("copy", func(*evidence.Diversion) {}), verdict.Inconclusive},
		{"a copy of others' packets", statement("copy",
			func(d *evidence.Diversion) { d.To, d.Selector = "eth0", to("192.0.2.0/24") }), verdict.Pass},
		{"a copy of a port", statement("copy", func(d *evidence.Diversion) {
			d.To, d.Selector.Target = "eth0", []evidence.Ports{{From: 25, To: 25}}
		}), verdict.Inconclusive},
		{"a copy of ciphertext", statement("copy", func(d *evidence.Diversion) {
			d.To, d.Link, d.Hook, d.By = "eth1", "eth0", "egress", "tc"
		}), verdict.Pass},
		{"a pod's packets to the way into a link", statement("forward", func(d *evidence.Diversion) {
			d.To, d.Link, d.Hook, d.By = "the ingress of cni0", "cni0", "ingress", "tc"
		}), verdict.Inconclusive},
		{"a pod's packets to an ifb", statement("forward", func(d *evidence.Diversion) {
			d.To, d.Link, d.Hook, d.By = "cni0", "cni0", "ingress", "tc"
		}), verdict.Pass},
		{"a proxy", statement("proxy", func(*evidence.Diversion) {}), verdict.Inconclusive},
		{"a proxy for a mark that nothing sets", statement("proxy",
			func(d *evidence.Diversion) { d.Selector.MarkIs, d.Selector.MarkMask = 0x200, 0xf00 }), verdict.Pass},
		{"a Service", statement("dnat", func(d *evidence.Diversion) { d.Selector = to("10.43.0.1/32") }), verdict.Pass},
		{"a node port", statement("dnat", func(d *evidence.Diversion) {
			d.Selector.Other = []string{"fib daddr type local"}
		}), verdict.Pass},
		{"a port of the host", statement("dnat", func(d *evidence.Diversion) {
			d.Selector.Other = []string{"daddr type local"}
		}), verdict.Pass},
		{"a chain that bears the name of one for host ports", statement("dnat",
			func(d *evidence.Diversion) { d.Chain, d.Selector.Other = "CNI-DN-0123", []string{"statistic"} }),
			verdict.Inconclusive},
		{"another pod in the place of one",
			statement("dnat", func(d *evidence.Diversion) { d.Selector = to("10.42.1.9/32") }), verdict.Inconclusive},
		{"IPsec", statement("encrypt", func(d *evidence.Diversion) {
			d.By, d.Hook, d.Selector = "xfrm", "", to("10.42.1.0/24")
		}), verdict.Inconclusive},
		{"IPsec of others", statement("encrypt", func(d *evidence.Diversion) {
			d.By, d.Hook, d.Selector = "xfrm", "", to("192.0.2.0/24")
		}), verdict.Pass},
		{"a program", statement("bpf", func(d *evidence.Diversion) {
			d.By, d.Link, d.Hook, d.Program = "tc", "cni0", "ingress", "x"
		}), verdict.Inconclusive},
		{"a program of a network that is not there", statement("bpf", func(d *evidence.Diversion) {
			d.By, d.Link, d.Hook, d.Program = "tc", "cni0", "ingress", "cil_from_container"
		}), verdict.Inconclusive},
		{"a target that is not known", statement("bpf", func(d *evidence.Diversion) { d.Hook = "forward" }),
			verdict.Inconclusive},
		{"a target that is not known, for others", statement("bpf",
			func(d *evidence.Diversion) { d.Hook, d.Selector = "forward", to("192.0.2.0/24") }), verdict.Pass},
		{"a program on the uplink", statement("bpf", func(d *evidence.Diversion) {
			d.By, d.Link, d.Hook, d.Program = "tc", "eth0", "egress", "x"
		}), verdict.Pass},
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
	rule := []evidence.Message{ruled(evidence.Rule{Priority: 50, Mark: 0x77, Mask: 0xff, Table: 77}),
		past("0.0.0.0/0", 77)}
	for name, test := range map[string]struct {
		with []evidence.Message
		want verdict.Status
	}{
		"set": {[]evidence.Message{other}, verdict.Inconclusive},
		"cleared, and set always": {[]evidence.Message{marking(evidence.Selector{}, 0x77), clearing},
			verdict.Inconclusive},
		"cleared": {[]evidence.Message{clearing}, verdict.Pass},
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
		return evidence.Message{
			Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectForward, Family: "netdev", Link: at,
				Hook: hook, To: link, Rule: "fwd to " + link},
		}
	}
	lo := evidence.Message{
		Link: &evidence.Link{Index: 91, Name: "lo0", Type: "loopback", Up: true, Role: evidence.RoleInside},
	}
	for name, test := range map[string]struct {
		with []evidence.Message
		want verdict.Status
	}{
		"a queueing device": {
			[]evidence.Message{insideLink("ifb0", "ifb"), to("ifb0", "cni0", "ingress")}, verdict.Pass,
		},
		"a queueing device that sends it on": {
			[]evidence.Message{insideLink("ifb0", "ifb"), to("ifb0", "cni0", "ingress"), to("eth0", "ifb0", "egress")},
			verdict.Inconclusive,
		},
		"a dummy": {
			[]evidence.Message{insideLink("d0", "dummy"), to("d0", "cni0", "ingress")}, verdict.Pass,
		},
		"the loopback, where it comes in": {[]evidence.Message{lo, to("lo0", "cni0", "ingress")},
			verdict.Inconclusive},
		"what is sent on, of no pod's packet": {
			[]evidence.Message{insideLink("ifb0", "ifb"), to("eth0", "ifb0", "egress")}, verdict.Pass,
		},
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
		copies := evidence.Message{
			Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectCopy, Family: "netdev", Link: "port9",
				Hook: "ingress", To: "eth0", Rule: "dup to eth0"},
		}
		own := evidence.Message{
			Route: &evidence.Route{Destination: cidr("10.42.0.0/24"), Link: "cni0", Table: 254, Type: "unicast"},
		}
		onNode1(evidence.Message{Link: &test.link}, own, copies)(s)
		if f := pathFinding(t, s); f.Status != test.want {
			t.Errorf("%s: %s, want %s: %s", name, f.Status, test.want, f.Text)
		}
	}
}

// What a proxy takes by its mark counts where another statement sets that mark.
func TestPathsByMarkedStatement(t *testing.T) {
	proxy := evidence.Message{Diversion: &evidence.Diversion{By: "iptables-legacy", Effect: "proxy", Family: "ip",
		Hook: "prerouting", Selector: evidence.Selector{MarkIs: 0x200, MarkMask: 0xf00}}}
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
	program := evidence.Message{
		Diversion: &evidence.Diversion{By: "tc", Effect: "bpf", Link: "cni0", Hook: "ingress", ID: 7},
	}
	cilium := evidence.Message{
		Link: &evidence.Link{Index: 9, Name: "cilium_host", Kind: "veth", Role: evidence.RoleInside},
	}
	s := healthy(2)
	onNode1(program)(s)
	if f := pathFinding(t, s); f.Status != verdict.Inconclusive {
		t.Errorf("%s: %s", f.Status, f.Text)
	}
	onNode1(cilium)(s)
	if f := pathFinding(t, s); f.Status != verdict.Pass {
		t.Errorf("with Cilium: %s: %s", f.Status, f.Text)
	}
	onNode1(evidence.Message{
		Diversion: &evidence.Diversion{By: "nftables", Effect: "bpf",
			Family: "ip", Hook: "prerouting", Rule: "target ROUTE"},
	})(s)
	if f := pathFinding(t, s); f.Status != verdict.Inconclusive {
		t.Errorf("a target that is not known, with Cilium: %s: %s", f.Status, f.Text)
	}
}

// What Open vSwitch does with pods' packets is not read.
func TestPathsBehindOpenVSwitch(t *testing.T) {
	ovs := evidence.Message{
		Link: &evidence.Link{Index: 60, Name: "ovs-system", Kind: "openvswitch", Role: evidence.RoleInside},
	}
	port := evidence.Message{
		Link: &evidence.Link{Index: 61, Name: "pod-1", Kind: "veth", PeerNS: true, Master: "ovs-system", Up: true,
			Role: evidence.RoleInside},
	}
	card := evidence.Message{
		Link: &evidence.Link{Index: 62, Name: "eth1", Master: "ovs-system", Up: true, Role: evidence.RoleOutside},
	}
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
	return evidence.Message{
		Route: &evidence.Route{Destination: cidr("10.42.1.128/25"),
			Link: link, Table: 254, Type: "unicast", Encap: encap},
	}
}

// What leads on from where it leads to first.
func TestPathsThatLeadOn(t *testing.T) {
	veth := evidence.Message{
		Link: &evidence.Link{Index: 20, Name: "veth7", Kind: "veth",
			PeerNS: true, Up: true, Role: evidence.RoleOutside},
	}
	its := evidence.Message{
		Route: &evidence.Route{Destination: cidr("10.42.0.9/32"), Link: "veth7", Table: 254, Type: "unicast"},
	}
	for _, test := range []struct {
		name string
		with []evidence.Message
		want verdict.Status
		says string
	}{
		{"SRv6 over the tunnel", []evidence.Message{lightweight("seg6", "flannel-wg")}, verdict.Inconclusive,
			"lightweight tunnel seg6"},
		{"BPF over the tunnel", []evidence.Message{lightweight("bpf", "flannel-wg")}, verdict.Inconclusive,
			"lightweight tunnel bpf"},
		{"one that is not known", []evidence.Message{lightweight("type 99", "flannel-wg")},
			verdict.Inconclusive, "type 99"},
		{"metadata that WireGuard does not read", []evidence.Message{lightweight("ip", "flannel-wg")},
			verdict.Pass, ""},
		{"metadata for another tunnel", []evidence.Message{lightweight("ip", "cni0")}, verdict.Inconclusive,
			"lightweight tunnel ip"},
		{"a statement to an overlay",
			[]evidence.Message{insideLink("vx", "vxlan"), sending(evidence.EffectForward, "vx")}, verdict.Inconclusive,
			"no test packet was sent"},
		{"a copy to a tun", []evidence.Message{insideLink("tun7", "tun"), sending(evidence.EffectCopy, "tun7")},
			verdict.Inconclusive, "no test packet was sent"},
		{"a statement to a pair that ends here",
			[]evidence.Message{insideLink("veth8", "veth"), sending(evidence.EffectForward, "veth8")},
			verdict.Inconclusive, "is not known"},
		{"a copy of what is for a Service", []evidence.Message{copyFor("10.43.0.10/32")}, verdict.Inconclusive,
			"replaced later"},
		{"a copy of what is for somebody outside", []evidence.Message{copyFor("203.0.113.9/32")}, verdict.Pass, ""},
		{"a statement to a queueing device",
			[]evidence.Message{insideLink("ifb7", "ifb"), sending(evidence.EffectForward, "ifb7")}, verdict.Pass, ""},
		{"a statement on a pod's link that counts as leading out",
			[]evidence.Message{veth, its, sendingFrom("veth7", evidence.EffectForward, "eth0")},
			verdict.Inconclusive, "fwd to eth0"},
		{"a rule for a pod's link that counts as leading out",
			[]evidence.Message{veth, its, ruled(evidence.Rule{Priority: 50, In: "veth7", Table: 100}),
				past("0.0.0.0/0", 100)}, verdict.Fail, "iif veth7"},
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
	return evidence.Message{Diversion: &evidence.Diversion{By: "iptables-legacy", Effect: evidence.EffectCopy,
		Family: "ip", Table: "mangle", Chain: "PREROUTING", Hook: "prerouting", To: "192.0.2.9",
		Selector: evidence.Selector{To: []netip.Prefix{cidr(to)}}, Rule: "to " + to + " TEE (replaced later)"}}
}

// sending is a statement that gives packets for a database another link.
func sending(effect, to string) evidence.Message { return sendingFrom("cni0", effect, to) }

func sendingFrom(link, effect, to string) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: effect, Family: "netdev",
		Hook: "ingress", Link: link, To: to, Selector: evidence.Selector{In: []string{link}, Protocol: []uint8{6},
			Target: []evidence.Ports{{From: 5432, To: 5432}}}, Rule: "fwd to " + to}}
}

// What other systems on a node do to what is theirs: a bridge that no pod is
// behind, a VPN's TUN device, a card that packets to pods do not leave by.
func TestPathsOfOtherSystems(t *testing.T) {
	docker, vpn := insideLink("docker0", "bridge"), insideLink("tun7", "tun")
	port := insideLink("veth9", "veth")
	port.Link.Master, port.Link.Index = "docker0", 77
	theirs := func(in, out, effect, hook string) evidence.Message {
		d := &evidence.Diversion{By: "iptables-legacy", Effect: effect, Family: "ip", Table: "mangle", Chain: "x",
			Hook: hook, Mark: 0x77, Mask: 0xff, Rule: "x"}
		if in != "" {
			d.Selector.In = []string{in}
		}
		if out != "" {
			d.Selector.Out = []string{out}
		}
		return evidence.Message{Diversion: d}
	}
	marked := []evidence.Message{ruled(evidence.Rule{Priority: 50, Mark: 0x77, Mask: 0xff, Table: 77}),
		past("0.0.0.0/0", 77)}
	for _, test := range []struct {
		name string
		with []evidence.Message
		want verdict.Status
	}{
		{"a rule for Docker's bridge",
			[]evidence.Message{docker, ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}),
				past("0.0.0.0/0", 77)}, verdict.Pass},
		{"a rule for a VPN", []evidence.Message{vpn, ruled(evidence.Rule{Priority: 50, In: "tun7", Table: 77}),
			past("0.0.0.0/0", 77)}, verdict.Pass},
		{"a mark of what Docker's containers send",
			append(marked, docker, theirs("docker0", "", evidence.EffectMark, "prerouting")), verdict.Pass},
		{"a mark of what comes in by a port of Docker's",
			append(marked, docker, port, theirs("veth9", "", evidence.EffectMark, "prerouting")), verdict.Pass},
		{"a proxy for Docker's containers",
			[]evidence.Message{docker, theirs("docker0", "", evidence.EffectProxy, "prerouting")}, verdict.Pass},
		{"a proxy for what leaves by a card", []evidence.Message{theirs("", "eth0", evidence.EffectProxy, "forward")},
			verdict.Pass},
		{"a bridge that pods may be behind",
			[]evidence.Message{docker, ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}),
				past("0.0.0.0/0", 77), {
					Route: &evidence.Route{Destination: cidr("10.42.0.128/25"), Link: "docker0", Table: 254},
				}}, verdict.Fail},
		{"a rule for Docker's bridge where each pod has a link of its own", append(linkOfItsOwn(), docker,
			ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}), past("0.0.0.0/0", 77)), verdict.Pass},
		{"a rule for a bridge of more than the pods", append(linkOfItsOwn(), docker,
			evidence.Message{Route: &evidence.Route{Destination: cidr("10.42.0.0/15"), Link: "docker0", Table: 254}},
			ruled(evidence.Rule{Priority: 50, In: "docker0", Table: 77}), past("0.0.0.0/0", 77)), verdict.Inconclusive},
		{"a pair that a pod may be behind",
			[]evidence.Message{insideLink("veth9", "veth"), ruled(evidence.Rule{Priority: 50, In: "veth9", Table: 77}),
				past("0.0.0.0/0", 77)}, verdict.Inconclusive},
		{"a proxy for what leaves by the pods' bridge",
			[]evidence.Message{theirs("", "cni0", evidence.EffectProxy, "forward")}, verdict.Inconclusive},
		{"a proxy for what leaves by a link that was not listed",
			[]evidence.Message{theirs("", "veth99", evidence.EffectProxy, "forward")}, verdict.Inconclusive},
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
	return []evidence.Message{link,
		{Route: &evidence.Route{Destination: cidr("10.42.0.2/32"), Link: "cali7", Table: 254}},
		{Route: &evidence.Route{Destination: cidr("10.42.0.0/24"), Type: "blackhole", Table: 254}}}
}
