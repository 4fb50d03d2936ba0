package preflight

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

var yes = true

// unseen takes away what arrived at node-2 from node-1.
func unseen(s said) said {
	return s.each("probe/node-2", func(m *evidence.Message) bool { return m.PortSeen == nil })
}

// udpPort is the condition of a rule for the tunnel's port.
var udpPort = &evidence.Selector{Protocol: []uint8{17}, Target: []evidence.Ports{{From: 51820, To: 51820}}}

// dropping is a cluster where nothing arrives at node-2 and a node has a rule.
func dropping(node string, rule evidence.Firewall) said {
	s := unseen(healthy(2))
	s.add("probe/"+node, evidence.Message{Firewall: &rule})
	return s
}

// strict has the way back from node-2 leave by another link than what arrives.
func strict(s said) said {
	s.add("probe/node-2", evidence.Message{Link: &evidence.Link{
		Index: 3, Name: "eth1", MTU: 1500, Up: true, Role: evidence.RoleOutside,
	}})
	return s.each("probe/node-2", func(m *evidence.Message) bool {
		switch {
		case m.Link != nil && m.Link.Name == "eth0":
			m.Link.ReversePath = 1
		case m.Route != nil:
			m.Route.Link = "eth1"
		}
		return true
	})
}

// encrypting is a cluster whose network plugin has its tunnel already.
func encrypting() said {
	s := healthy(2).each("plugin", func(m *evidence.Message) bool {
		if m.Node != nil {
			m.Node.Annotations["flannel.alpha.coreos.com/backend-type"] = "wireguard"
			if m.Node.Name == "node-1" {
				m.Node.Annotations["k3s.io/node-args"] = `["server","--flannel-backend","wireguard-native"]`
			}
		}
		return true
	})
	for _, probe := range []string{"probe/node-1", "probe/node-2"} {
		s.each(probe, func(m *evidence.Message) bool {
			if m.PortUse != nil {
				m.PortUse = &evidence.PortUse{Port: tunnelPort, Taken: true, Error: "address already in use"}
			}
			return m.PortSeen == nil
		})
		s.add(probe, evidence.Message{Device: &evidence.Device{Name: "flannel-wg", Port: 51820}})
	}
	return s
}

// publishing gives node-2 another published address, to which node-1 sends by a route.
func publishing(s said, addr string, route evidence.Route) said {
	published := netip.MustParseAddr(addr)
	s.each("plugin", func(m *evidence.Message) bool {
		if m.Node != nil && m.Node.Name == "node-2" {
			m.Node.Annotations["flannel.alpha.coreos.com/public-ip"] = addr
		}
		return true
	})
	return s.each("probe/node-1", func(m *evidence.Message) bool {
		switch {
		case m.Route != nil:
			route.For = published
			m.Route = &route
		case m.PortSent != nil:
			sent := *m.PortSent
			sent.Addr = published
			m.PortSent = &sent
		}
		return true
	})
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name    string
		said    said
		verdict Verdict
		code    string // of the first finding
		variant string
		text    string // in it
		fix     string // in its title, note and commands
	}{
		{"all that is needed", healthy(2), Ready, "", "", "", ""},
		{"no module", healthy(2).each("trial/node-2", func(m *evidence.Message) bool {
			if m.Trial != nil {
				m.Trial = &evidence.Trial{Missing: true, Error: "operation not supported", TUN: true}
			}
			return true
		}), NotReady, "WG0203", "", "knows no links of the kind wireguard", "modprobe wireguard"},
		{"modules are locked", healthy(2).each("trial/node-2", func(m *evidence.Message) bool {
			if m.Trial != nil {
				m.Trial = &evidence.Trial{Missing: true, Error: "operation not supported", NoModules: &yes}
			}
			return true
		}), NotReady, "WG0203", "locked", "kernel.modules_disabled is 1", "modules-load.d"},
		{"no permission in the pod", healthy(2).each("trial/node-2", func(m *evidence.Message) bool {
			if m.Trial != nil {
				m.Trial = &evidence.Trial{Error: "operation not permitted"}
			}
			return true
		}), Undecided, "WG0203", "untried", "could not make a WireGuard link: operation not permitted", "NET_ADMIN"},
		{"no trial", healthy(2).each("trial/node-2", func(m *evidence.Message) bool { return m.Trial == nil }),
			Undecided, "WG0203", "untried", "no WireGuard link was tried on node-2", "ip link add wg-test type wireguard"},
		{"a rule drops the port", dropping("node-2", evidence.Firewall{
			Tool: "nftables", Family: "inet", Table: "sabotage", Chain: "input", Base: "input", Hook: "input", Effect: "drop",
			Port: 51820, Rule: "udp dport 51820 drop", Handle: 4, Number: 1, When: udpPort,
		}), NotReady, "WG0501", "nft-rule", "node-2 drops what arrives from node-1",
			"nft insert rule inet sabotage input position 4 ip saddr 192.0.2.1 udp dport 51820 accept"},
		{"a rule of the sender drops the port", dropping("node-1", evidence.Firewall{
			Tool: "nftables", Family: "inet", Table: "sabotage", Chain: "out", Base: "out", Hook: "output", Effect: "drop",
			Port: 51820, Rule: "udp dport 51820 drop", Handle: 4, Number: 1, When: udpPort,
		}), NotReady, "WG0501", "output-nft-rule", "node-1 drops what it sends to node-2",
			"nft insert rule inet sabotage out position 4 ip daddr 192.0.2.2 udp dport 51820 accept"},
		{"the policy of a chain drops the port", dropping("node-2", evidence.Firewall{
			Tool: "nftables", Family: "ip", Table: "filter", Chain: "INPUT", Base: "INPUT", Hook: "input", Effect: "drop",
			Rule: "policy drop", Number: 3, When: &evidence.Selector{},
		}), NotReady, "WG0501", "iptables-policy", "accepts no UDP port 51820",
			"iptables-nft -t filter -A INPUT --source 192.0.2.1 -p udp --dport 51820 -j ACCEPT"},
		{"a rule translates the port", dropping("node-2", evidence.Firewall{
			Tool: "nftables", Family: "ip", Table: "nat", Chain: "SERVICES", Base: "PREROUTING", Hook: "prerouting", Effect: "dnat",
			Port: 51820, Rule: "udp dport 51820 dnat to 10.42.0.9", When: udpPort,
		}), NotReady, "WG0501", "dnat", "translates the target of UDP port 51820", "another UDP port than 51820"},
		{"rp_filter drops what arrives", strict(unseen(healthy(2))), NotReady, "WG0501", "reverse-path",
			"rp_filter of eth0 on node-2 is strict (1), and the route back to 192.0.2.1 leaves by eth1", "rp_filter=2"},
		{"a rule that is not understood", dropping("node-2", evidence.Firewall{
			Tool: "nftables", Family: "inet", Table: "guard", Chain: "input", Base: "input", Hook: "input", Effect: "drop",
			Rule: "@th,16,16 0xca6c drop", When: &evidence.Selector{Other: []string{"@th,16,16 0xca6c"}},
		}), NotReady, "WG0501", "doubtful", "whose conditions were not all understood", "Find out whether the rule"},
		{"lost between the nodes", unseen(healthy(2)), NotReady, "WG0501", "network", "lost between them", "security groups"},
		{"not sent", unseen(healthy(2)).each("probe/node-1", func(m *evidence.Message) bool {
			if m.PortSent != nil {
				sent := *m.PortSent
				sent.Sent, sent.Error = 0, "operation not permitted"
				m.PortSent = &sent
			}
			return true
		}), NotReady, "WG0501", "output", "could not be sent: operation not permitted", "from leaving node-1"},
		{"nothing is known of a direction", healthy(2).each("probe/node-1", func(m *evidence.Message) bool {
			return m.PortSent == nil
		}), Undecided, "WG0501", "untried", "did not say that it sent anything", ""},
		{"the port is taken", unseen(healthy(2)).each("probe/node-2", func(m *evidence.Message) bool {
			if m.PortUse != nil {
				m.PortUse = &evidence.PortUse{Port: tunnelPort, Taken: true, Error: "address already in use"}
			}
			return true
		}), NotReady, "WG0204", "", "another program on node-2 has UDP port 51820", "ss -lunp 'sport = :51820'"},
		{"another WireGuard has the port", func() said {
			s := unseen(healthy(2)).each("probe/node-2", func(m *evidence.Message) bool { return m.PortUse == nil })
			s.add("probe/node-2", evidence.Message{Device: &evidence.Device{Name: "wg0", Port: 51820}},
				evidence.Message{PortUse: &evidence.PortUse{Port: tunnelPort, Taken: true}})
			return s
		}(), NotReady, "WG0204", "device", "wg0, a WireGuard device on node-2, has UDP port 51820", "wg0"},
		{"the tunnel itself has the port", encrypting(), Ready, "", "", "", ""},
		{"the tunnel runs in userspace", encrypting().each("trial/node-2", func(m *evidence.Message) bool {
			if m.Trial != nil {
				m.Trial = &evidence.Trial{Missing: true, Error: "operation not supported", TUN: true}
			}
			return true
		}), Ready, "WG0203", "", "the tunnel that is there runs in userspace", "modprobe wireguard"},
		{"the path carries less than the links", healthy(2).each("probe/node-2", func(m *evidence.Message) bool {
			if m.PortSeen != nil {
				seen := *m.PortSeen
				seen.Largest = 1400
				m.PortSeen = &seen
			}
			return true
		}), NotReady, "WG0503", "fits", "packets of 1400 bytes arrive from node-1 at node-2", "\"MTU\": 1400"},
		{"room for a tunnel over IPv4", healthy(2).each("probe/node-2", func(m *evidence.Message) bool {
			if m.PortSeen != nil {
				seen := *m.PortSeen
				seen.Largest = 1480
				m.PortSeen = &seen
			}
			return true
		}), Ready, "", "", "", ""},
		{"a private address behind a gateway", publishing(unseen(healthy(2)), "10.9.0.2", evidence.Route{
			Link: "eth0", Gateway: netip.MustParseAddr("192.0.2.254"), Destination: netip.MustParsePrefix("0.0.0.0/0"),
		}), NotReady, "WG0306", "private", "publishes a private address", "node-external-ip"},
		{"an address that a NAT does not forward", publishing(unseen(healthy(2)), "198.51.100.7", evidence.Route{Link: "eth0"}),
			NotReady, "WG0501", "forwarded", "a NAT has to forward it", "port forwarding"},
		{"an address that a NAT forwards", publishing(healthy(2), "198.51.100.7", evidence.Route{Link: "eth0"}),
			Ready, "WG0306", "translated", "which none of its links has", ""},
		{"a node with an old kernel is not Ready", func() said {
			s := healthy(2)
			s.add("plugin", evidence.Message{Node: &evidence.Node{
				Index: -1, Name: "node-3", Excluded: "it is not Ready", NotReady: "KubeletNotReady: cni plugin not initialized",
				Kernel: "3.10.0-1160.el7.x86_64", OSImage: "CentOS Linux 7 (Core)", OS: "linux",
			}})
			return s
		}(), NotReady, "WG0102", "old", "kernel 3.10.0-1160.el7.x86_64, which is older than 5.6", "move to a later system"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Judge(test.said.recorded())
			if r.Verdict != test.verdict {
				t.Errorf("%s, want %s: %+v", r.Verdict, test.verdict, r.Findings)
			}
			if test.code == "" {
				if len(r.Findings) > 0 {
					t.Errorf("found %+v, want nothing", r.Findings)
				}
				return
			}
			if len(r.Findings) == 0 {
				t.Fatal("nothing was found")
			}
			f := r.Findings[0]
			if f.Code != test.code || f.Variant != test.variant || !strings.Contains(f.Text, test.text) {
				t.Errorf("found %s %q: %s", f.Code, f.Variant, f.Text)
			}
			fix, err := json.Marshal(f.Fix)
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\"`, `"`).Replace(string(fix))
			if !strings.Contains(plain, test.fix) {
				t.Errorf("the fix is %s, want %q in it", plain, test.fix)
			}
		})
	}
}

// What is alike is one finding, with the commands for all of it.
func TestAlike(t *testing.T) {
	small := func(s said, node string, largest int) said {
		return s.each("probe/"+node, func(m *evidence.Message) bool {
			if m.PortSeen != nil {
				seen := *m.PortSeen
				seen.Largest = largest
				m.PortSeen = &seen
			}
			return true
		})
	}
	for _, test := range []struct {
		name  string
		said  said
		alike []int // of each finding, how many others have it
	}{
		{"nothing arrives at a node", healthy(4).each("probe/node-2", func(m *evidence.Message) bool {
			return m.PortSeen == nil
		}), []int{2}},
		{"a small path between all", small(small(small(healthy(3), "node-1", 1400), "node-2", 1400), "node-3", 1400), []int{5}},
		{"two sizes", small(small(healthy(2), "node-1", 1300), "node-2", 1400), []int{0, 0}},
	} {
		r := Judge(test.said.recorded())
		var alike []int
		for _, f := range r.Findings {
			alike = append(alike, len(f.Alike))
		}
		if !slices.Equal(alike, test.alike) {
			t.Errorf("%s: %v, want %v: %+v", test.name, alike, test.alike, r.Findings)
		}
	}
}

// Taking a message away never makes a cluster ready that is not.
func TestLessEvidenceIsNoBetter(t *testing.T) {
	whole := unseen(healthy(2))
	for stream, messages := range whole {
		for i := range messages {
			less := said{}
			for other := range whole {
				for k, m := range whole[other] {
					if other != stream || k != i {
						less.add(other, m)
					}
				}
			}
			if r := Judge(less.recorded()); r.Verdict == Ready {
				t.Errorf("ready without message %d of %s: %+v", i, stream, messages[i])
			}
		}
	}
}

// Without any of what shows that a node is ready, it is not known to be.
func TestMissingEvidenceIsNotReady(t *testing.T) {
	for stream, without := range map[string]func(*evidence.Message) bool{
		"probe/node-1": func(m *evidence.Message) bool { return m.PortSent == nil },
		"probe/node-2": func(m *evidence.Message) bool { return m.PortSeen == nil },
		"trial/node-1": func(m *evidence.Message) bool { return m.Trial == nil },
	} {
		if r := Judge(healthy(2).each(stream, without).recorded()); r.Verdict == Ready {
			t.Errorf("ready without a part of %s", stream)
		}
	}
}

// Of a family that no pod has, what does not arrive is a warning.
func TestFamilyWithoutPods(t *testing.T) {
	s := healthy(2)
	six := evidence.Port{Family: 6, Port: 51821}
	s.add("probe/node-2", evidence.Message{PortUse: &evidence.PortUse{Port: six, Bound: true}})
	s.add("probe/node-1", evidence.Message{PortSent: &evidence.PortSent{
		Peer: 1, Port: six, Addr: netip.MustParseAddr("2001:db8::2"), Sent: 60, Largest: 1500,
	}})
	r := Judge(s.recorded())
	if r.Verdict != Ready || len(r.Findings) != 1 || r.Findings[0].Status != verdict.Warn {
		t.Errorf("%s: %+v", r.Verdict, r.Findings)
	}
}

func TestExitCode(t *testing.T) {
	for v, want := range map[Verdict]int{Ready: 0, NotReady: 1, Undecided: 3} {
		if got := v.ExitCode(); got != want {
			t.Errorf("%s: %d", v, got)
		}
	}
}

// A node whose tunnel runs in userspace is not one whose kernel makes links.
func TestPlanOfUserspace(t *testing.T) {
	r := Judge(encrypting().each("trial/node-2", func(m *evidence.Message) bool {
		if m.Trial != nil {
			m.Trial = &evidence.Trial{Missing: true, Error: "operation not supported", TUN: true}
		}
		return true
	}).recorded())
	if title := r.Plan.Stages[0].Title; !strings.Contains(title, "the tunnel runs in userspace on node-2") {
		t.Errorf("the plan begins: %s", title)
	}
}
