package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// TestObserve prints.
func TestObserve(t *testing.T) {
	for _, r := range moreReports {
		j := Judge(record(t, r.run()))
		t.Logf("=== %s [%s]: %v", r.name, r.source, j.Verdict)
		if j.FirstCause == nil {
			for _, f := range j.Findings {
				if f.Status == verdict.Warn {
					t.Logf("    warn %s %s", f.Code, f.Text)
				}
			}
			continue
		}
		for _, c := range j.Causes {
			t.Logf("    cause %v %s %s", c.Kind, c.Code, c.Subject)
		}
		f := j.FirstCause
		t.Logf("    %s %q: %s", f.Code, f.Variant, f.Text)
		for _, rd := range f.Readings {
			t.Logf("       | %s %s: %s", rd.Node, rd.What, rd.Text)
		}
		for _, s := range []string{remedy.K3s} {
			hint, ok := remedy.For(*f, s)
			t.Logf("    %v %s", ok, hint.Title)
			for _, st := range hint.Steps {
				t.Logf("      $ %s: %s", st.On, st.Command)
			}
			t.Logf("      %s", hint.Note)
		}
	}
	_ = slices.Contains([]string{}, "")
	_ = strings.Contains
}

type moreReport struct {
	name, source string
	run          func() streams
}

func mask(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// notArriving: what node-1 sends to node-2 leaves and does not arrive.
func notArriving(s streams) streams {
	each(s["probe/node-2"], func(m *evidence.Message) {
		if m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(0) {
			tunnel := *m.Tunnel
			tunnel.RX = evidence.Flow{}
			m.Tunnel = &tunnel
		}
	})
	return s
}

// republish changes the endpoint of node-2 for the others.
func republish(s streams, to netip.Addr, route evidence.Route) {
	annotate(s, func(i int, a map[string]string) {
		if i == 1 {
			a["flannel.alpha.coreos.com/public-ip"] = to.String()
		}
	})
	for _, name := range []string{"probe/node-1", "probe/node-3"} {
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Peer != nil && m.Peer.PublicKey == publicKey(1):
				m.Peer.Endpoint = netip.AddrPortFrom(to, 51820)
			case m.Count != nil && m.Count.PublicKey == publicKey(1):
				m.Count.Endpoint = netip.AddrPortFrom(to, 51820)
			case m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(1):
				tunnel := *m.Tunnel
				tunnel.Remote = netip.AddrPortFrom(to, 51820)
				m.Tunnel = &tunnel
			case m.Route != nil && m.Route.For == underlay(1):
				answer := route
				answer.For = to
				m.Route = &answer
			}
		})
	}
}

var viaGateway = evidence.Route{Link: "eth0", Type: "unicast", Table: 254,
	Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1")}

var moreReports = []moreReport{
	{"firewalld, no zone for the pods", "flannel#2055", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-2"] = append(s["probe/node-2"], rewritten(forwardRule("drop", "reject", evidence.Selector{}), func(f *evidence.Firewall) {
			f.Tool, f.Family, f.Table, f.Base, f.Chain = "firewalld", "inet", "firewalld", "filter_FORWARD", "filter_FORWARD"
		}))
		return s
	}},
	{"firewalld, port not open", "k3s", func() streams {
		return unacceptedRun(rewritten(inputRule("drop", "filter_INPUT", "reject", evidence.Selector{}), func(f *evidence.Firewall) {
			f.Tool, f.Family, f.Table, f.Base = "firewalld", "inet", "firewalld", "filter_INPUT"
		}))
	}},
	{"Oracle, FORWARD REJECT", "k3s#4847", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-2"] = append(s["probe/node-2"], forwardRule("drop", "reject with icmp type host-prohibited", evidence.Selector{}))
		return s
	}},
	{"LAN in the pod range: cni0 takes the endpoint", "k3s#588 k3s#179", func() streams {
		s := unsentRun(evidence.Message{Neighbour: &evidence.Neighbour{Address: netip.MustParseAddr("10.42.0.11"), Link: "cni0", State: "failed"}})
		republish(s, netip.MustParseAddr("10.42.0.11"), evidence.Route{Link: "cni0", Type: "unicast", Table: 254, Destination: podRange(0)})
		return s
	}},
	{"another CNI config", "flannel#1437", func() streams {
		s := healthy(3)
		undelivered(s)
		each(s["plugin"], func(m *evidence.Message) {
			if m.Pod != nil && m.Pod.Role == "pod" && m.Pod.Node == "node-2" {
				m.Pod.IPs = []netip.Addr{netip.MustParseAddr("10.88.0.5")}
			}
		})
		for _, name := range []string{"probe/node-1", "probe/node-3"} {
			each(s[name], func(m *evidence.Message) {
				if m.Route != nil && m.Route.For == podIP(1) {
					answer := viaGateway
					answer.For = netip.MustParseAddr("10.88.0.5")
					m.Route = &answer
				}
			})
		}
		return s
	}},
	{"IPVS takes the other's address", "k3s#2804", func() streams {
		s := unsentRun(evidence.Message{Link: &evidence.Link{Index: 8, Name: "kube-ipvs0", Kind: "dummy", MTU: 1500, Role: evidence.RoleInside}},
			address("kube-ipvs0", "192.0.2.11/32"))
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Link: "lo", Type: "local", Table: 255})
		return s
	}},
	{"a virtual address is published, and moved", "kube-vip#1385", func() streams {
		s := notArriving(unacceptedRun())
		s["probe/node-3"] = append(s["probe/node-3"], address("eth0", "192.0.2.100/32"))
		republish(s, netip.MustParseAddr("192.0.2.100"), evidence.Route{Link: "eth0", Type: "unicast", Table: 254, Destination: mask("192.0.2.0/24")})
		return s
	}},
	{"public address of a NAT", "flannel#1052", func() streams {
		s := notArriving(unacceptedRun())
		republish(s, netip.MustParseAddr("203.0.113.9"), viaGateway)
		return s
	}},
	{"hairpin", "k3s#2701", func() streams {
		s := notArriving(unacceptedRun())
		republish(s, netip.MustParseAddr("203.0.113.9"), viaGateway)
		annotate(s, func(i int, a map[string]string) {
			if i == 0 {
				a["flannel.alpha.coreos.com/public-ip"] = "203.0.113.9"
				a["flannel.alpha.coreos.com/backend-data"] = strings.Replace(a["flannel.alpha.coreos.com/backend-data"], "51820", "51829", 1)
			}
		})
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Device != nil {
				m.Device.Port = 51829
			}
			if m.Tunnel != nil {
				tunnel := *m.Tunnel
				tunnel.Local = netip.AddrPortFrom(tunnel.Local.Addr(), 51829)
				m.Tunnel = &tunnel
			}
		})
		return s
	}},
	{"DHCP gave another address", "flannel#760", func() streams {
		s := unsentRun(evidence.Message{Neighbour: &evidence.Neighbour{Address: netip.MustParseAddr("192.0.2.77"), Link: "eth0", State: "failed"}})
		republish(s, netip.MustParseAddr("192.0.2.77"), evidence.Route{Link: "eth0", Type: "unicast", Table: 254, Destination: mask("192.0.2.0/24")})
		return s
	}},
	{"ip_forward 0", "acs-engine#3394", func() streams {
		s := healthy(3)
		undelivered(s)
		onLink(s, "flannel-wg", func(l *evidence.Link) { l.NoForwarding = []int{4} })
		onLink(s, "cni0", func(l *evidence.Link) { l.NoForwarding = []int{4} })
		return s
	}},
	{"conntrack full", "kubernetes#71261", func() streams {
		return unacceptedRun(evidence.Message{StackCount: &evidence.StackCount{Name: evidence.ConntrackDrop, Rise: 12, Level: 262100, Of: 262144}})
	}},
	{"a VPN has the cluster's range", "office VPN", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Route != nil && m.Route.Destination == mask("10.42.0.0/16")
		})
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.0.0/16", "tun0", "unicast", 254),
			evidence.Message{Link: &evidence.Link{Index: 8, Name: "tun0", Kind: "tun", Up: true, MTU: 1500, Role: evidence.RoleInside}})
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "tun0", Type: "unicast", Table: 254, Destination: mask("10.42.0.0/16")})
		return s
	}},
	{"a VPN has the cluster's range beside", "office VPN", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.0.0/16", "tun0", "unicast", 254),
			evidence.Message{Link: &evidence.Link{Index: 8, Name: "tun0", Kind: "tun", Up: true, MTU: 1500, Role: evidence.RoleInside}})
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "tun0", Type: "unicast", Table: 254, Destination: mask("10.42.0.0/16")})
		return s
	}},
	{"Tailscale's table", "k3s#7772", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.1.0/24", "tailscale0", "unicast", 52),
			evidence.Message{Rule: &evidence.Rule{Family: 4, Priority: 5270, Table: 52}},
			evidence.Message{Link: &evidence.Link{Index: 8, Name: "tailscale0", Kind: "tun", Up: true, MTU: 1280, Role: evidence.RoleInside}})
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "tailscale0", Type: "unicast", Table: 52, Destination: mask("10.42.1.0/24")})
		return s
	}},
	{"a stale blackhole", "rke2#11170", func() streams {
		s := healthy(3)
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.1.0/25", "", "blackhole", 254))
		return s
	}},
	{"networkd removed all rules", "systemd#41350", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Rule: &evidence.Rule{Family: 4, Priority: 0, Table: 255}})
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Error: "network is unreachable"})
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Error: "network is unreachable"})
		return s
	}},
	{"Secure Boot", "ansible-role-wireguard#130", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-2"] = slices.DeleteFunc(s["probe/node-2"], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil || m.Link != nil && m.Link.Name == "flannel-wg"
		})
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Module != nil {
				m.Module = &evidence.Module{Name: "wireguard"}
			}
		})
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil && m.Node.Index == 1 {
				m.Node.OSImage, m.Node.Kernel = "Rocky Linux 8.10 (Green Obsidian)", "4.18.0-553.el8.x86_64"
			}
		})
		return s
	}},
	{"stale subnet.env: range of node-3", "flannel#1343", func() streams {
		s := healthy(3)
		undelivered(s)
		stale := netip.MustParseAddr("10.42.2.9")
		each(s["plugin"], func(m *evidence.Message) {
			if m.Pod != nil && m.Pod.Role == "pod" && m.Pod.Node == "node-2" {
				m.Pod.IPs = []netip.Addr{stale}
			}
		})
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == podIP(1) {
				m.Route = &evidence.Route{For: stale, Link: "flannel-wg", Type: "unicast", Table: 254}
			}
		})
		return s
	}},
	{"docker network within the pod range", "docker", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.1.0/24", "br-5a1", "unicast", 254),
			evidence.Message{Link: &evidence.Link{Index: 8, Name: "br-5a1", Kind: "bridge", Up: true, MTU: 1500, Role: evidence.RoleInside}})
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "br-5a1", Type: "unicast", Table: 254, Destination: mask("10.42.1.0/24")})
		return s
	}},
	{"kube-proxy's own rule", "any", func() streams {
		s := healthy(3)
		undelivered(s)
		s["probe/node-2"] = append(s["probe/node-2"], rewritten(forwardRule("drop", "(conntrack) drop", evidence.Selector{Other: []string{"conntrack"}}), func(f *evidence.Firewall) {
			f.Chain = "KUBE-FORWARD"
		}))
		return s
	}},
	{"kubelet's own rule", "any", func() streams {
		return unacceptedRun(inputRule("drop", "KUBE-FIREWALL", "mark drop", evidence.Selector{MarkIs: 0x8000, MarkMask: 0x8000}))
	}},
	{"node behind NAT, no keepalive", "kilo#26", func() streams { s := healthy(3); throughNAT(s, 0); return s }},
	{"IPv6 temporary", "k", func() streams { return healthy(3) }},
}
