package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// nameDevice gives the tunnel's device another name on all nodes.
func nameDevice(s map[string][]evidence.Message, name string) {
	rename := func(field *string) {
		if *field == "flannel-wg" {
			*field = name
		}
	}
	for i := range 3 {
		each(s[fmt.Sprintf("probe/node-%d", i+1)], func(m *evidence.Message) {
			switch {
			case m.Link != nil:
				rename(&m.Link.Name)
			case m.Capture != nil:
				rename(&m.Capture.Link)
			case m.Device != nil:
				rename(&m.Device.Name)
			case m.Peer != nil:
				rename(&m.Peer.Device)
			case m.Count != nil:
				rename(&m.Count.Device)
			case m.Route != nil:
				rename(&m.Route.Link)
			case m.Witness != nil:
				rename(&m.Witness.Link)
			case m.LinkCount != nil:
				rename(&m.LinkCount.Link)
			}
		})
	}
}

// kiloMesh is what Kilo makes, with a location for each node, all of them leading theirs.
//
//	pod — kube-bridge — kilo0 10.4.0.(i) — eth0 192.0.2.(10+i) — wire
func kiloMesh(granularity string, locations ...string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		nameDevice(s, "kilo0")
		annotate(s, func(i int, a map[string]string) {
			clear(a)
			a["kilo.squat.ai/key"] = publicKey(i)
			a["kilo.squat.ai/endpoint"] = netip.AddrPortFrom(underlay(i), 51820).String()
			a["kilo.squat.ai/internal-ip"] = underlay(i).String() + "/24"
			a["kilo.squat.ai/location"] = locations[i]
			a["kilo.squat.ai/granularity"] = granularity
			a["kilo.squat.ai/wireguard-ip"] = fmt.Sprintf("10.4.0.%d/16", i+1)
		})
	}
}

// antreaMesh is what Antrea makes: pods are ports of Open vSwitch.
//
//	pod — ovs-system — antrea-gw0 — antrea-wg0 — eth0 192.0.2.(10+i) — wire
func antreaMesh(s map[string][]evidence.Message) {
	nameDevice(s, "antrea-wg0")
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		s[name] = append(s[name],
			evidence.Message{
				Link: &evidence.Link{Index: 20, Name: "ovs-system", Kind: "openvswitch", MTU: 1500,
					Role: evidence.RoleInside, Why: "a virtual switch"},
			},
			evidence.Message{
				Link: &evidence.Link{Index: 21, Name: "antrea-gw0", Kind: "openvswitch", Up: true, MTU: 1420,
					Role: evidence.RoleInside, Why: "a virtual switch"},
			},
			evidence.Message{
				Link: &evidence.Link{Index: 22, Name: "pod-1", Kind: "veth", Up: true, MTU: 1420, Master: "ovs-system",
					PeerNS: true, Role: evidence.RoleInside, Why: "leads to a local pod"},
			})
		each(s[name], func(m *evidence.Message) {
			if m.Route != nil && m.Route.Link == "cni0" {
				m.Route.Link = "antrea-gw0"
			}
		})
	}
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			m.Node.Addresses = []evidence.NodeAddress{{Type: "InternalIP", Addr: underlay(m.Node.Index).String()}}
		}
	})
	annotate(s, func(i int, a map[string]string) {
		clear(a)
		a["node.antrea.io/wireguard-public-key"] = publicKey(i)
	})
}

// overKubeSpan is byMark with what Talos writes to its nodes.
func overKubeSpan(s map[string][]evidence.Message) {
	byMark(s)
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			m.Node.Addresses = []evidence.NodeAddress{{Type: "InternalIP", Addr: underlay(m.Node.Index).String()}}
		}
	})
	annotate(s, func(i int, a map[string]string) { a["networking.talos.dev/kubespan-public-key"] = publicKey(i) })
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		var others []netip.Prefix
		for j := range 3 {
			if i != j {
				others = append(others, netip.PrefixFrom(underlay(j), 32))
			}
		}
		s[name] = append(s[name], marksFor("output", others),
			evidence.Message{
				Rule: &evidence.Rule{Family: 4, Priority: 32500, Mark: 0x40, Mask: 0x60, Table: 180, Action: "lookup"},
			},
			evidence.Message{
				Route: &evidence.Route{Destination: netip.MustParsePrefix("0.0.0.0/0"), Link: "kubespan",
					Type: "unicast", Table: 180},
			})
	}
}

// marksFor is the statement of KubeSpan that marks what is for some addresses.
func marksFor(hook string, to []netip.Prefix) evidence.Message {
	return evidence.Message{Diversion: &evidence.Diversion{By: "nftables", Effect: evidence.EffectMark, Family: "inet",
		Table: "talos", Chain: "kubespan_" + hook, Hook: hook,
		Mark: 0x40, Mask: 0x60, Selector: evidence.Selector{To: to}}}
}

// advertised has KubeSpan take pods' packets as they are (advertiseKubernetesNetworks).
func advertised(s map[string][]evidence.Message) {
	overKubeSpan(s)
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		s[name] = slices.DeleteFunc(s[name],
			func(m evidence.Message) bool { return m.Witness != nil && m.Witness.Link == "flannel.1" })
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Peer != nil:
				m.Peer.AllowedIPs = append(m.Peer.AllowedIPs, podRange(int(m.Peer.Endpoint.Addr().As4()[3])-10))
			case m.Tunnel != nil:
				for _, flow := range []*evidence.Flow{&m.Tunnel.TX, &m.Tunnel.RX} {
					flow.Sizes = []evidence.SizeCount{{Size: 128, Count: 4}, {Size: 400, Count: 2},
						{Size: 1452, Count: 2}}
				}
			}
		})
		var others []netip.Prefix
		for j := range 3 {
			if i != j {
				others = append(others, podRange(j))
			}
		}
		s[name] = append(s[name], marksFor("prerouting", others))
	}
}

// overMachines has an overlay, which adds some bytes, send to addresses of the nodes
// that are in a WireGuard of the machines.
//
//	pod — cni0 — flannel.1 — wg0 100.64.0.(10+i) — eth0 192.0.2.(10+i) — wire
func overMachines(s map[string][]evidence.Message, bytes int) {
	byMark(s)
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Link != nil && m.Link.Name == "kubespan":
				m.Link.Name = "wg0"
			case m.Capture != nil && m.Capture.Link == "kubespan":
				m.Capture.Link = "wg0"
			case m.Device != nil:
				m.Device.Name = "wg0"
			case m.Peer != nil:
				m.Peer.Device = "wg0"
				m.Peer.AllowedIPs = []netip.Prefix{
					netip.PrefixFrom(vpnAddress(int(m.Peer.Endpoint.Addr().As4()[3])-10), 32),
				}
			case m.Count != nil:
				m.Count.Device = "wg0"
			case m.Witness != nil && m.Witness.Link == "kubespan":
				m.Witness.Link = "wg0"
			case m.LinkCount != nil && m.LinkCount.Link == "kubespan":
				m.LinkCount.Link = "wg0"
			case m.Tunnel != nil:
				for _, flow := range []*evidence.Flow{&m.Tunnel.TX, &m.Tunnel.RX} {
					flow.Sizes = []evidence.SizeCount{
						{Size: dataSize(28+64+bytes, 1420), Count: 4}, {Size: dataSize(28+333+bytes, 1420), Count: 2},
						{Size: dataSize(28+1392+bytes, 1420), Count: 2},
					}
				}
			}
		})
		s[name] = append(s[name], address("wg0", vpnAddress(i).String()+"/24"))
		for j := range 3 {
			if i != j {
				s[name] = append(s[name],
					evidence.Message{
						Route: &evidence.Route{For: vpnAddress(j), Link: "wg0", Type: "unicast", Table: 254},
					})
			}
		}
	}
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			m.Node.Addresses = []evidence.NodeAddress{{Type: "InternalIP", Addr: vpnAddress(m.Node.Index).String()}}
		}
	})
	annotate(s, func(i int, a map[string]string) { a["flannel.alpha.coreos.com/public-ip"] = vpnAddress(i).String() })
}

// bareBelow has pods' packets enter wg0 as they are, and its peers have their addresses or not.
func bareBelow(s map[string][]evidence.Message, allowed bool) {
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		s[name] = slices.DeleteFunc(s[name], func(m evidence.Message) bool {
			return m.Link != nil && m.Link.Name == "flannel.1" || m.Capture != nil && m.Capture.Link == "flannel.1" ||
				m.Witness != nil && m.Witness.Link == "flannel.1"
		})
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Route != nil && m.Route.Link == "flannel.1":
				m.Route.Link = "wg0"
			case m.Peer != nil && allowed:
				m.Peer.AllowedIPs = append(m.Peer.AllowedIPs, podRange(int(m.Peer.Endpoint.Addr().As4()[3])-10))
			}
		})
	}
}

// leakBetween has what two nodes' pods send each other leave in clear in place of the tunnel.
func leakBetween(s map[string][]evidence.Message, a, b int, layers string) {
	for _, way := range [][2]int{{a, b}, {b, a}} {
		from, to := way[0], way[1]
		name := fmt.Sprintf("probe/node-%d", from+1)
		leak := seenInClear(from, to)
		leak.Sighting.Layers = layers
		s[name] = append(s[name], leak)
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Witness != nil && m.Witness.Link != "eth0":
				m.Witness.Seen = slices.DeleteFunc(slices.Clone(m.Witness.Seen), func(seen evidence.Seen) bool {
					return seen.Source+seen.Target == from+to && seen.Control == 0 &&
						(seen.Source == from || seen.Target == from)
				})
			case m.Route != nil && m.Route.For == podIP(to) && m.Route.Link != "flannel.1":
				m.Route = &evidence.Route{For: podIP(to), Destination: podRange(to), Link: "eth0",
					Type: "unicast", Table: 254}
			}
		})
	}
}

// withoutDevice takes a device of a node away, with all that is known of it.
func withoutDevice(s map[string][]evidence.Message, stream, device string) {
	s[stream] = slices.DeleteFunc(s[stream], func(m evidence.Message) bool {
		return m.Link != nil && m.Link.Name == device || m.Capture != nil && m.Capture.Link == device ||
			m.Device != nil && m.Device.Name == device || m.Peer != nil && m.Peer.Device == device ||
			m.Count != nil && m.Count.Device == device || m.Witness != nil && m.Witness.Link == device ||
			m.LinkCount != nil && m.LinkCount.Link == device
	})
}

// overIPsec has IPsec carry pods' packets in place of WireGuard.
//
//	pod — cni0 — eth0 192.0.2.(10+i), a policy for all pods — wire
func overIPsec(s map[string][]evidence.Message) {
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		s[name] = slices.DeleteFunc(s[name], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil || m.Tunnel != nil ||
				m.Link != nil && m.Link.Name == "flannel-wg" || m.Capture != nil && m.Capture.Link == "flannel-wg" ||
				m.Witness != nil && m.Witness.Link == "flannel-wg" ||
				m.LinkCount != nil && m.LinkCount.Link == "flannel-wg"
		})
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Route != nil && m.Route.Link == "flannel-wg":
				m.Route.Link = "eth0"
			case m.Capture != nil:
				m.Capture.Classes = map[string]uint64{"esp": 90}
			}
		})
		s[name] = append(s[name],
			evidence.Message{Diversion: &evidence.Diversion{By: "xfrm", Effect: evidence.EffectEncrypt,
				Hook: "postrouting", Selector: evidence.Selector{
					To: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/16")},
				}}})
	}
	ofNoKnownSystem(s)
}

// arrivesInClear is what a card shows of packets that IPsec decrypts.
func arrivesInClear(s map[string][]evidence.Message) {
	leak := seenInClear(0, 1)
	leak.Sighting.Direction = evidence.DirectionRX
	s["probe/node-2"] = append(s["probe/node-2"], leak)
}
