package check

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The evidence of public reports that no lab makes, each of a run in which nothing else
// is wrong.

// with1 adds to what the probe on node-1 says.
func with1(s streams, more ...evidence.Message) streams {
	s["probe/node-1"] = append(s["probe/node-1"], more...)
	return s
}

// unforwarded: the tunnel works, and what node-1's pod sends does not arrive at
// node-2's. more is what node-2's probe says besides.
func unforwarded(more ...evidence.Message) streams {
	s := healthy(3)
	undelivered(s)
	s["probe/node-2"] = append(s["probe/node-2"], more...)
	return s
}

// firewalldRejects is the last rule of firewalld's chain for a hook.
func firewalldRejects(hook string) evidence.Message {
	return rewritten(inputRule("drop", "filter_"+strings.ToUpper(hook), "reject", evidence.Selector{}),
		func(f *evidence.Firewall) {
			f.Tool, f.Family, f.Table, f.Base, f.Hook = "firewalld", "inet", "firewalld", f.Chain, hook
		})
}

func tableIsFull() evidence.Message {
	return evidence.Message{
		StackCount: &evidence.StackCount{Name: evidence.ConntrackDrop, Rise: 12, Level: 262100, Of: 262144},
	}
}

func notForwarding(family int) streams {
	s := unforwarded()
	for _, link := range []string{"flannel-wg", "cni0"} {
		onLink(s, link, func(l *evidence.Link) { l.NoForwarding = []int{family} })
	}
	return s
}

// seenIn: what node-1's pod sends node-2's is seen entering node-1's tunnel and
// leaving node-2's as given, nil for as it is.
func seenIn(entering, leaving *evidence.Witness) streams {
	s := unforwarded()
	for name, in := range map[string]struct {
		direction string
		seen      *evidence.Witness
	}{"probe/node-1": {"tx", entering}, "probe/node-2": {"rx", leaving}} {
		each(s[name], func(m *evidence.Message) {
			if m.Witness == nil || m.Witness.Link != "flannel-wg" || m.Witness.Direction != in.direction ||
				in.seen == nil {
				return
			}
			w := *m.Witness
			w.Seen = slices.DeleteFunc(slices.Clone(w.Seen),
				func(seen evidence.Seen) bool { return seen.Source+seen.Target == 1 })
			m.Witness = &w
		})
	}
	return s
}

func withoutModule() streams {
	s := unforwarded()
	s["probe/node-2"] = slices.DeleteFunc(s["probe/node-2"], func(m evidence.Message) bool {
		return m.Device != nil || m.Peer != nil || m.Count != nil || m.Link != nil && m.Link.Name == "flannel-wg"
	})
	each(s["probe/node-2"], func(m *evidence.Message) {
		if m.Module != nil {
			m.Module = &evidence.Module{Name: "wireguard"}
		}
	})
	return s
}

// withoutMainRule: of node-1's policy rules only that for local addresses is left.
func withoutMainRule() streams {
	s := with1(unforwarded(), evidence.Message{Rule: &evidence.Rule{Family: 4, Priority: 0, Table: 255}})
	for _, addr := range []netip.Addr{podIP(1), podIP(2), underlay(1), underlay(2)} {
		route(s["probe/node-1"], evidence.Route{For: addr, Error: "network is unreachable"})
	}
	return s
}

// overVPN: a VPN of node-1 has a route for the cluster's whole range, next to the
// tunnel's or in its place.
func overVPN(alongside bool) streams {
	whole := netip.MustParsePrefix("10.42.0.0/16")
	s := unforwarded()
	s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
		return m.Route != nil && m.Route.Destination == whole && !alongside
	})
	route(s["probe/node-1"],
		evidence.Route{For: podIP(1), Link: "tun0", Type: "unicast", Table: 254, Destination: whole})
	return with1(s, entry(whole.String(), "tun0", "unicast", 254), otherLink("tun0", "tun"))
}

func tailscaleTable() streams {
	s := with1(unforwarded(), entry("10.42.1.0/24", "tailscale0", "unicast", 52), otherLink("tailscale0", "tun"),
		evidence.Message{Rule: &evidence.Rule{Family: 4, Priority: 5270, Table: 52}})
	route(s["probe/node-1"],
		evidence.Route{For: podIP(1), Link: "tailscale0", Type: "unicast", Table: 52, Destination: podRange(1)})
	return s
}

func bridgeWithin() streams {
	s := with1(unforwarded(), entry("10.42.1.0/24", "br-5a1", "unicast", 254), otherLink("br-5a1", "bridge"))
	route(s["probe/node-1"],
		evidence.Route{For: podIP(1), Link: "br-5a1", Type: "unicast", Table: 254, Destination: podRange(1)})
	return s
}

func otherLink(name, kind string) evidence.Message {
	return evidence.Message{
		Link: &evidence.Link{Index: 8, Name: name, Kind: kind, Up: true, MTU: 1500, Role: evidence.RoleInside},
	}
}

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

var (
	viaGateway = evidence.Route{Link: "eth0", Type: "unicast",
		Table: 254, Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1")}
	onTheSpot = evidence.Route{Link: "eth0", Type: "unicast",
		Table: 254, Destination: netip.MustParsePrefix("192.0.2.0/24")}
)

// republished: node-2 publishes another address, and the others send there.
func republished(s streams, to netip.Addr, by evidence.Route) streams {
	name := "flannel.alpha.coreos.com/public-ip"
	if to.Is6() {
		name = "flannel.alpha.coreos.com/public-ipv6"
	}
	annotate(s, func(i int, a map[string]string) {
		if i == 1 {
			a[name] = to.String()
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
				answer := by
				answer.For = to
				m.Route = &answer
			}
		})
	}
	return s
}

// sameNAT: node-1 and node-2 publish one address with a port each.
func sameNAT() streams {
	s := republished(notArriving(unacceptedRun()), netip.MustParseAddr("203.0.113.9"), viaGateway)
	annotate(s, func(i int, a map[string]string) {
		if i == 0 {
			a["flannel.alpha.coreos.com/public-ip"] = "203.0.113.9"
			a["flannel.alpha.coreos.com/backend-data"] = strings.Replace(a["flannel.alpha.coreos.com/backend-data"],
				"51820", "51829", 1)
		}
	})
	each(s["probe/node-1"], func(m *evidence.Message) {
		switch {
		case m.Device != nil:
			m.Device.Port = 51829
		case m.Tunnel != nil:
			tunnel := *m.Tunnel
			tunnel.Local = netip.AddrPortFrom(tunnel.Local.Addr(), 51829)
			m.Tunnel = &tunnel
		}
	})
	return s
}

// podAt: the test pod on node-2 has another address, to which node-1 has a route.
func podAt(ip string, by evidence.Route) streams {
	s := unforwarded()
	by.For = netip.MustParseAddr(ip)
	each(s["plugin"], func(m *evidence.Message) {
		if m.Pod != nil && m.Pod.Role == "pod" && m.Pod.Node == "node-2" {
			m.Pod.IPs = []netip.Addr{by.For}
		}
	})
	for _, name := range []string{"probe/node-1", "probe/node-3"} {
		each(s[name], func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == podIP(1) {
				answer := by
				m.Route = &answer
			}
		})
	}
	return s
}
