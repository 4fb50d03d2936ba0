package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// vpnAddress is where a node is reached in a VPN of the machines.
func vpnAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{100, 64, 0, byte(10 + i)}) }

// overTUN has pods' packets carried by a TUN device without a control socket in
// place of the WireGuard device, which no probe can then read: directly, or
// inside of an overlay's packets between the addresses of the VPN.
//
//	pod — cni0 — (flannel.1 —) tailscale0 100.64.0.(10+i) — eth0 — wire
func overTUN(s map[string][]evidence.Message, tun, overlay string) {
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		s[name] = slices.DeleteFunc(s[name], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil || m.Tunnel != nil
		})
		first := tun
		if overlay != "" {
			first = overlay
		}
		var also []evidence.Message
		for n := range s[name] {
			m := &s[name][n]
			switch {
			case m.Link != nil && m.Link.Name == "flannel-wg":
				m.Link = &evidence.Link{Index: 3, Name: tun, Kind: "tun",
					Up: true, MTU: 1280, Role: evidence.RoleInside, Why: "a tun device"}
			case m.Capture != nil && m.Capture.Link == "flannel-wg":
				m.Capture.Link, m.Capture.Role = tun, evidence.RoleInside
			case m.Capture != nil:
				m.Capture.Classes = nil
			case m.Route != nil && m.Route.Link == "flannel-wg":
				m.Route.Link = first
			case m.Route != nil && m.Route.For.IsValid() && m.Route.Link == "eth0":
				m.Route = &evidence.Route{For: vpnAddress(int(m.Route.For.As4()[3]) - 10), Link: tun,
					Type: "unicast", Table: 52}
			case m.Witness != nil && m.Witness.Link == "flannel-wg":
				m.Witness.Link = tun
				if overlay != "" {
					inner := *m.Witness
					inner.Link = overlay
					also = append(also, evidence.Message{Witness: &inner})
				}
			case m.Witness != nil:
				m.Witness = &evidence.Witness{Link: m.Witness.Link, Direction: m.Witness.Direction, Family: 4}
			case m.LinkCount != nil && m.LinkCount.Link == "flannel-wg":
				m.LinkCount.Link = tun
			}
		}
		if overlay != "" {
			also = append(also,
				evidence.Message{
					Link: &evidence.Link{Index: 7, Name: overlay, Kind: "vxlan", Up: true, MTU: 1230,
						Role: evidence.RoleInside, Why: "an overlay"},
				},
				evidence.Message{
					Capture: &evidence.Capture{Link: overlay, Role: evidence.RoleInside, Started: true, Alive: true,
						Frames: 100, Bytes: 20000, TXFrames: 50, TXBytes: 10000},
				})
		}
		s[name] = append(s[name], also...)
	}
	annotate(s, func(i int, a map[string]string) {
		delete(a, "flannel.alpha.coreos.com/backend-data")
		a["flannel.alpha.coreos.com/public-ip"] = vpnAddress(i).String()
	})
}

// byMark has the overlay's packets be led by a firewall mark into a WireGuard of
// the machines, to which no route without a mark leads.
//
//	pod — cni0 — flannel.1 — (mark) — kubespan — eth0 192.0.2.(10+i) — wire
func byMark(s map[string][]evidence.Message) {
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		var also []evidence.Message
		for n := range s[name] {
			m := &s[name][n]
			switch {
			case m.Link != nil && m.Link.Name == "flannel-wg":
				m.Link.Name = "kubespan"
			case m.Capture != nil && m.Capture.Link == "flannel-wg":
				m.Capture.Link = "kubespan"
			case m.Device != nil:
				m.Device.Name = "kubespan"
			case m.Peer != nil:
				m.Peer.Device = "kubespan"
				m.Peer.AllowedIPs = []netip.Prefix{netip.PrefixFrom(m.Peer.Endpoint.Addr(), 32)}
			case m.Count != nil:
				m.Count.Device = "kubespan"
			case m.Route != nil && m.Route.Link == "flannel-wg":
				m.Route.Link = "flannel.1"
			case m.Tunnel != nil:
				for _, flow := range []*evidence.Flow{&m.Tunnel.TX, &m.Tunnel.RX} {
					flow.Sizes = []evidence.SizeCount{
						{Size: dataSize(28+64+50, 1420), Count: 4}, {Size: dataSize(28+333+50, 1420), Count: 2},
						{Size: dataSize(28+1392+50, 1420), Count: 2},
					}
				}
			case m.Witness != nil && m.Witness.Link == "flannel-wg":
				m.Witness.Link = "kubespan"
				inner := *m.Witness
				inner.Link = "flannel.1"
				also = append(also, evidence.Message{Witness: &inner})
			case m.LinkCount != nil && m.LinkCount.Link == "flannel-wg":
				m.LinkCount.Link = "kubespan"
			}
		}
		s[name] = append(s[name], also...)
		s[name] = append(s[name],
			evidence.Message{
				Link: &evidence.Link{Index: 7, Name: "flannel.1", Kind: "vxlan", Up: true, MTU: 1370,
					Role: evidence.RoleInside, Why: "an overlay"},
			},
			evidence.Message{
				Capture: &evidence.Capture{Link: "flannel.1", Role: evidence.RoleInside, Started: true, Alive: true,
					Frames: 100, Bytes: 20000, TXFrames: 50, TXBytes: 10000},
			})
	}
	backendOf(s, "vxlan")
}

// ofTUN makes the outer WireGuard of insideWireGuard a TUN device that nobody can ask.
func ofTUN(s map[string][]evidence.Message) {
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		s[name] = slices.DeleteFunc(s[name], func(m evidence.Message) bool {
			return m.Device != nil && m.Device.Name == "wg0" || m.Peer != nil && m.Peer.Device == "wg0" ||
				m.Tunnel != nil && m.Tunnel.Local.Port() == 51900
		})
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Link != nil && m.Link.Name == "wg0":
				m.Link = &evidence.Link{Index: 5, Name: "wg0", Kind: "tun", Up: true, MTU: 1420,
					Role: evidence.RoleInside, Why: "a tun device"}
			case m.Capture != nil && m.Capture.Link == "wg0":
				m.Capture.Role = evidence.RoleInside
			}
		})
	}
}

// seenInside has the tunnel's endpoints lie in another WireGuard of the
// machines.
//
//	pod — cni0 — flannel-wg — wg0 100.64.0.(10+i) — eth0 — wire
func seenInside(s map[string][]evidence.Message) {
	outer := evidence.Flow{Data: 12, Bytes: 6000, DataBytes: 6000,
		Indices: []evidence.IndexRange{{Index: 9, Max: 11, Messages: 12}}}
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		for n := range s[name] {
			m := &s[name][n]
			inner := func(at netip.AddrPort) netip.AddrPort {
				return netip.AddrPortFrom(vpnAddress(int(at.Addr().As4()[3])-10), at.Port())
			}
			switch {
			case m.Peer != nil:
				m.Peer.Endpoint = inner(m.Peer.Endpoint)
			case m.Count != nil:
				m.Count.Endpoint = inner(m.Count.Endpoint)
			case m.Route != nil && m.Route.For.IsValid() && m.Route.Link == "eth0":
				m.Route = &evidence.Route{For: vpnAddress(int(m.Route.For.As4()[3]) - 10), Link: "wg0",
					Type: "unicast", Table: 254}
			case m.Tunnel != nil:
				m.Tunnel.Local, m.Tunnel.Remote, m.Tunnel.Links = inner(m.Tunnel.Local), inner(m.Tunnel.Remote),
					[]string{"wg0"}
			}
		}
		s[name] = append(s[name],
			evidence.Message{
				Link: &evidence.Link{Index: 5, Name: "wg0", Kind: "wireguard", Up: true, MTU: 1420,
					Role: evidence.RoleWireGuard, Why: "kind wireguard"},
			},
			evidence.Message{
				Device: &evidence.Device{Name: "wg0", Index: 5, PublicKey: publicKey(40 + i), Port: 51900, Peers: 2},
			},
			evidence.Message{Capture: &evidence.Capture{Link: "wg0",
				Role: evidence.RoleWireGuard, Started: true, Alive: true,
				Frames: 100, Bytes: 20000, TXFrames: 50, TXBytes: 10000, Classes: map[string]uint64{"wireguard": 90}}})
		for j := range 3 {
			if i == j {
				continue
			}
			remote := netip.AddrPortFrom(underlay(j), 51900)
			s[name] = append(s[name],
				evidence.Message{
					Peer: &evidence.Peer{Device: "wg0", PublicKey: publicKey(40 + j), Endpoint: remote,
						AllowedIPs: []netip.Prefix{netip.PrefixFrom(vpnAddress(j), 32)}},
				},
				evidence.Message{
					Count: &evidence.Count{Device: "wg0", Index: 5, PublicKey: publicKey(40 + j), Endpoint: remote,
						Readings: 4, Handshake: 1, Age: 30e9},
				},
				evidence.Message{Tunnel: &evidence.Tunnel{Local: netip.AddrPortFrom(underlay(i), 51900), Remote: remote,
					Links: []string{"eth0"}, TX: outer, RX: outer}})
		}
	}
	annotate(s, func(i int, a map[string]string) {
		a["flannel.alpha.coreos.com/public-ip"] = vpnAddress(i).String()
	})
}

// insideWireGuard is seenInside without the inner tunnel's messages, which no
// earlier version counted where they go into another tunnel, and whose controls
// all go there.
func insideWireGuard(s map[string][]evidence.Message) {
	seenInside(s)
	for i := range 3 {
		name := fmt.Sprintf("probe/node-%d", i+1)
		s[name] = slices.DeleteFunc(s[name], func(m evidence.Message) bool {
			return m.Tunnel != nil && m.Tunnel.Local.Port() != 51900
		})
		each(s[name], func(m *evidence.Message) {
			switch {
			case m.Witness != nil && m.Witness.Link == "eth0":
				m.Witness.Seen = nil
			case m.Tunnel != nil:
				m.Tunnel.TX, m.Tunnel.RX = evidence.Flow{}, evidence.Flow{}
			case m.Capture != nil && m.Capture.Link == "wg0":
				m.Capture = &evidence.Capture{Link: "wg0", Role: m.Capture.Role, Started: true, Alive: true}
			}
		})
	}
}
