package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// breakage is one thing that is broken in a healthy run of three nodes, mostly
// between node-1 and node-2, and the verdict and first cause that must come of
// it.
type breakage struct {
	name    string
	breaks  func(s map[string][]evidence.Message)
	verdict verdict.Verdict
	cause   string
}

// socket makes a tun device of that name a userspace WireGuard.
var socket = evidence.Message{
	Socket: &evidence.Socket{Path: "/var/run/wireguard/flannel-wg.sock", Device: "flannel-wg"},
}

// broken are all of them.
var broken = slices.Concat(
	brokenCluster, brokenInstrument, brokenOthers, brokenPaths, brokenCounts, brokenControls,
	brokenReports, brokenSystems, brokenScope,
)

// brokenCluster is what goes wrong in a cluster, or with what is reported of it.
var brokenCluster = []breakage{
	{"a leak in VXLAN", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp",
				Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"a leak between two nodes, and missed answers between two others", func(s map[string][]evidence.Message) {
		lost(s, 0, 1)
		s["probe/node-3"] = append(s["probe/node-3"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 2, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp",
				Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"nodes that lose frames answer too late", func(s map[string][]evidence.Message) {
		undelivered(s)
		capture(s["probe/node-2"], "eth0", func(c *evidence.Capture) { c.Drops = 40 })
	}, verdict.Undecided, "WG0604"},
	{"a test pod hardly gets the processor", func(s map[string][]evidence.Message) {
		lost(s, 0, 1)
		s["pod/node-2"] = append(s["pod/node-2"],
			evidence.Message{
				Problem: &evidence.Problem{Class: evidence.ProblemStarved, What: "answer",
					Text: "it did not get the processor for 9.3 s while canaries travelled"},
			})
	}, verdict.Undecided, "WG0502"},
	{"a new pod's first packets leak", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], firstLeak(0, 1))
	}, verdict.Failed, "WG0609"},
	{"a pod answers a new pod's first packets in clear", func(s map[string][]evidence.Message) {
		s["probe/node-3"] = append(s["probe/node-3"], firstLeak(2, 0))
	}, verdict.Failed, "WG0609"},
	{"a new pod's packets leak, and those of the others", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], firstLeak(0, 1),
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp", Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"the first packets of a new pod were not seen", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Witness != nil {
				m.Witness.Seen[0].First = 0
			}
		})
	}, verdict.Undecided, "WG0609"},
	{"a new pod never became Ready", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Pod != nil && m.Pod.Role == "newcomer" {
				m.Pod.Ready = false
			}
		})
	}, verdict.Undecided, "WG0609"},
	{"a family that the pods do not have was asked for", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Run != nil {
				m.Run.Families = []int{4, 6}
			}
		})
	}, verdict.Undecided, "WG0107"},
	{"a leak that names no pair", func(s map[string][]evidence.Message) {
		s["probe/node-3"] = append(s["probe/node-3"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "rx",
				Source: -1, Target: 77, Family: 4, By: "mark", Layers: "ethernet", Count: 1}})
	}, verdict.Failed, "WG0608"},
	{"the leak's stream is cut short", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "flow", Count: 1}})
		s["probe/node-2"] = s["probe/node-2"][:5]
	}, verdict.Failed, "WG0601"},
	{"the route leads past the tunnel", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Route != nil && m.Route.For == podIP(1) {
				m.Route = &evidence.Route{For: podIP(1), Link: "flannel.1", Type: "unicast"}
			}
		})
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp",
				Count: 7}})
	}, verdict.Failed, "WG0401"},
	{"the receiver's host drops the port", func(s map[string][]evidence.Message) {
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
		undelivered(s)
	}, verdict.Failed, "WG0501"},
	{"a stale key", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Peer != nil && m.Peer.PublicKey == publicKey(1) {
				p := *m.Peer
				p.PublicKey = publicKey(8)
				m.Peer = &p
			}
		})
	}, verdict.Failed, "WG0302"},
	{"the published key is another's", func(s map[string][]evidence.Message) {
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Device != nil {
				d := *m.Device
				d.PublicKey = publicKey(9)
				m.Device = &d
			}
		})
	}, verdict.Failed, "WG0301"},
	{"two nodes share a key", func(s map[string][]evidence.Message) {
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Device != nil {
				d := *m.Device
				d.PublicKey = publicKey(0)
				m.Device = &d
			}
		})
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil && m.Node.Index == 1 {
				m.Node.Annotations["flannel.alpha.coreos.com/backend-data"] = `{"PublicKey":"` + publicKey(0) + `"}`
			}
		})
	}, verdict.Failed, "WG0303"},
	{"another peer has a part of the pod range", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Peer != nil && m.Peer.PublicKey == publicKey(2) {
				p := *m.Peer
				p.AllowedIPs = append(slices.Clone(p.AllowedIPs), netip.MustParsePrefix("10.42.1.128/25"))
				m.Peer = &p
			}
		})
	}, verdict.Failed, "WG0304"},
	{"the peer has only a part of the pod range", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Peer != nil && m.Peer.PublicKey == publicKey(1) {
				p := *m.Peer
				p.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.42.1.0/25")}
				m.Peer = &p
			}
		})
	}, verdict.Failed, "WG0304"},
	{"the endpoint is another's", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Peer != nil && m.Peer.PublicKey == publicKey(1) {
				p := *m.Peer
				p.Endpoint = netip.MustParseAddrPort("192.0.2.77:51820")
				m.Peer = &p
			}
		})
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
		undelivered(s)
	}, verdict.Failed, "WG0306"},
	{"configured and not started", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				m.Node.Annotations["flannel.alpha.coreos.com/backend-type"] = "vxlan"
				m.Node.Annotations["k3s.io/node-args"] = `["server","--flannel-backend","wireguard-native"]`
			}
		})
	}, verdict.Failed, "WG0104"},
	{"one endpoint for two nodes", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				m.Node.Annotations["flannel.alpha.coreos.com/public-ip"] = "192.0.2.10"
			}
		})
	}, verdict.Failed, "WG0106"},
	{"an overwrite that stuck", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				m.Node.Annotations["k3s.io/node-args"] = `["server","--flannel-backend=wireguard-native"]`
				m.Node.Annotations["flannel.alpha.coreos.com/public-ip-overwrite"] = "203.0.113.9"
			}
		})
	}, verdict.Passed, ""},
	{"an overwrite as configured", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				m.Node.Annotations["k3s.io/node-args"] = `["server","--flannel-backend","wireguard-native","--flannel-external-ip","true"]`
				m.Node.Annotations["flannel.alpha.coreos.com/public-ip-overwrite"] = "203.0.113.9"
			}
		})
	}, verdict.Passed, ""},
	{"the probe may not read the device", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil
		})
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemPermission, What: "device", On: "flannel-wg", Text: "operation not permitted"}})
	}, verdict.Undecided, "WG0202"},
	{"a network policy drops the canaries", undelivered, verdict.Failed, "WG0502"},
	{"handshakes in the window", func(s map[string][]evidence.Message) {
		for i := range 3 {
			each(s[fmt.Sprintf("probe/node-%d", i+1)], func(m *evidence.Message) {
				if m.Tunnel != nil {
					to := int(m.Tunnel.Remote.Addr().As4()[3]) - 10
					m.Tunnel.TX.Handshakes = []evidence.Handshake{{Type: 1, For: publicKey(to)}}
				}
			})
		}
	}, verdict.Passed, ""},
	{"an old pod with the MTU of before", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Link: &evidence.Link{
			Index: 20, Name: "veth1", Kind: "veth", MTU: 1450, Up: true, PeerNS: true, Master: "cni0",
			Role: evidence.RoleInside}})
	}, verdict.Passed, ""},
	{"a userspace device", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Device != nil {
				m.Device.Userspace = true
			}
		})
	}, verdict.Passed, ""},
	{"the port is taken", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Link != nil && m.Link.Name == "flannel-wg" {
				m.Link.Up = false
			}
		})
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Device: &evidence.Device{Name: "wg0", PublicKey: publicKey(50), Port: 51820}})
	}, verdict.Failed, "WG0201"},
	{"encrypted packets do not fit the network below", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Link != nil && m.Link.Name == "eth0" {
				m.Link.MTU = 1400
			}
		})
		each(s["pod/node-1"], func(m *evidence.Message) {
			if m.Canary != nil && m.Canary.Peer == 1 {
				m.Canary.Rows[2].Answered = 0
			}
		})
	}, verdict.Failed, "WG0504"},
	{"another family was not tested", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				m.Node.PodCIDRs = append(slices.Clone(m.Node.PodCIDRs), netip.MustParsePrefix("2001:db8:42::/64"))
			}
		})
	}, verdict.Passed, ""},
	{"the device is a tun that only bears the name", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Link != nil && m.Link.Name == "flannel-wg" {
				m.Link = &evidence.Link{Index: 3, Name: "flannel-wg", Kind: "tun", Up: true, Role: evidence.RoleInside,
					Why: "a tun without WireGuard's control socket"}
			}
		})
	}, verdict.Failed, "WG0201"},
	{"the tunnel left by two addresses", func(s map[string][]evidence.Message) {
		for i := range s["probe/node-1"] {
			if whole := s["probe/node-1"][i].Tunnel; whole != nil && whole.Remote.Addr() == underlay(1) {
				half := *whole
				half.TX.Data, half.TX.Bytes, half.TX.Sizes = 4, 512, whole.TX.Sizes[:1]
				half.TX.Indices = []evidence.IndexRange{{Index: whole.TX.Indices[0].Index, Min: 5, Max: 8, Messages: 4}}
				half.RX = evidence.Flow{}
				other := *whole
				other.Local = netip.MustParseAddrPort("192.0.2.200:51820")
				other.TX.Data, other.TX.Bytes, other.TX.Sizes = whole.TX.Data-4, whole.TX.Bytes-512, whole.TX.Sizes[1:]
				other.TX.Indices = []evidence.IndexRange{
					{Index: whole.TX.Indices[0].Index, Min: 9, Max: 16, Messages: whole.TX.Data - 4},
				}
				s["probe/node-1"][i].Tunnel = &half
				s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Tunnel: &other})
				return
			}
		}
	}, verdict.Passed, ""},
	{"a second link without a cable", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{
				Link: &evidence.Link{Index: 9, Name: "eth1", Up: true, NoCarrier: true, Role: evidence.RoleOutside},
			},
			evidence.Message{
				Capture: &evidence.Capture{Link: "eth1", Role: evidence.RoleOutside, Started: true, Alive: true},
			})
	}, verdict.Passed, ""},
	{"a cable was plugged in meanwhile", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{
				Link: &evidence.Link{Index: 9, Name: "eth1", Up: true, NoCarrier: true, Role: evidence.RoleOutside},
			},
			evidence.Message{
				Capture: &evidence.Capture{Link: "eth1", Role: evidence.RoleOutside, Started: true,
					Alive: true, Frames: 1},
			})
	}, verdict.Undecided, "WG0604"},
	{"a probe's stream broke off", func(s map[string][]evidence.Message) { delete(s, "probe/node-2") },
		verdict.Undecided, "WG0103"},
	{"a pod did not start", func(s map[string][]evidence.Message) {
		delete(s, "pod/node-2")
		s["plugin"] = append(s["plugin"],
			evidence.Message{
				Problem: &evidence.Problem{Class: evidence.ProblemImage,
					What: "place", On: "node-2", Text: "ErrImagePull"},
			})
	}, verdict.Undecided, "WG0103"},
	{"a node was not tested", func(s map[string][]evidence.Message) {
		s["plugin"] = append(s["plugin"],
			evidence.Message{Node: &evidence.Node{Index: -1, Name: "node-9", Excluded: "not ready"}})
	}, verdict.Undecided, "WG0102"},
	{"nothing but keepalives on the wire", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil {
				m.Tunnel = &evidence.Tunnel{Local: m.Tunnel.Local, Remote: m.Tunnel.Remote, Links: m.Tunnel.Links,
					TX: evidence.Flow{Keepalives: 20, Bytes: 640}, RX: m.Tunnel.RX}
			}
		})
	}, verdict.Failed, "WG0602"},
	{"the kernel counted less than the canaries", func(s map[string][]evidence.Message) {
		count(s["probe/node-1"], 1, func(c *evidence.Count) { c.TX = [4]uint64{1000, 1000, 1100, 1100} })
	}, verdict.Failed, "WG0603"},
	{"the receiver was restarted and lost a session, the sender counted what it sent in it",
		func(s map[string][]evidence.Message) {
			count(s["probe/node-2"], 0, func(c *evidence.Count) {
				c.RX[evidence.ReadingDrained] -= 300
				c.RX[evidence.ReadingAfter] -= 300
			})
		}, verdict.Passed, ""},
	{"more was captured than the kernel authenticated", func(s map[string][]evidence.Message) {
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Tunnel != nil {
				tunnel := *m.Tunnel
				tunnel.RX.Bytes += 5000
				m.Tunnel = &tunnel
			}
		})
	}, verdict.Undecided, "WG0603"},
	{"a counter repeats on the wire", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil {
				m.Tunnel.TX.Indices[0].Repeats = 1
			}
		})
	}, verdict.Failed, "WG0602"},
	{"a handshake for another key", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil {
				m.Tunnel.TX.Handshakes = []evidence.Handshake{{Type: 1, For: publicKey(7)}}
			}
		})
	}, verdict.Failed, "WG0607"},
	{"a handshake for another peer, which has allowed IPs", func(s map[string][]evidence.Message) {
		oldKey(s, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")})
	}, verdict.Failed, "WG0607"},
	{"the handshake is old", func(s map[string][]evidence.Message) {
		count(s["probe/node-1"], 1, func(c *evidence.Count) { c.Age = 211e9 })
	}, verdict.Failed, "WG0606"},
	{"not seen inside the tunnel", func(s map[string][]evidence.Message) {
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Witness != nil && m.Witness.Link == "flannel-wg" {
				m.Witness = &evidence.Witness{Link: "flannel-wg", Direction: m.Witness.Direction, Family: 4}
			}
		})
	}, verdict.Failed, "WG0605"},
	{"large packets are lost", func(s map[string][]evidence.Message) {
		each(s["pod/node-1"], func(m *evidence.Message) {
			if m.Canary != nil {
				m.Canary.Rows[2].Answered = 0
			}
		})
	}, verdict.Failed, "WG0503"},
	{"a route that refuses", func(s map[string][]evidence.Message) {
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Error: "invalid argument"})
		s["probe/node-1"] = append(s["probe/node-1"],
			entry("10.42.0.0/16", "flannel-wg", "unicast", 254), entry("10.42.1.0/24", "", "blackhole", 254))
		undelivered(s)
	}, verdict.Failed, "WG0401"},
	{"a route past the tunnel for a part of the pods, not for the test pod", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			entry("10.42.0.0/16", "flannel-wg", "unicast", 254), entry("10.42.1.128/25", "eth0", "unicast", 254))
	}, verdict.Failed, "WG0401"},
	{"such a route in a table that no rule leads to", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.1.128/25", "eth0", "unicast", 77))
	}, verdict.Passed, ""},
	{"a route past the tunnel for a part of the own pods", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.0.128/25", "eth0", "unicast", 254))
	}, verdict.Failed, "WG0402"},
	{"a part of the pods is refused", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], entry("10.42.1.128/25", "", "unreachable", 254))
	}, verdict.Failed, "WG0401"},
	{"a leak in a format of its own", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp", OuterSource: underlay(0),
				OuterTarget: underlay(1), Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"no route into the tunnel", func(s map[string][]evidence.Message) {
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "eth0", Type: "unicast", Table: 254})
		s["probe/node-1"] = append(s["probe/node-1"], entry("0.0.0.0/0", "eth0", "unicast", 254))
		undelivered(s)
	}, verdict.Failed, "WG0401"},
	{"a rule that leads to another table", func(s map[string][]evidence.Message) {
		route(s["probe/node-1"], evidence.Route{For: podIP(1), Link: "eth0", Type: "unicast", Table: 52})
		s["probe/node-1"] = append(s["probe/node-1"],
			entry("10.42.0.0/16", "flannel-wg", "unicast", 254), entry("10.42.0.0/16", "eth0", "unicast", 52),
			evidence.Message{
				Rule: &evidence.Rule{Family: 4, Priority: 5210, To: netip.MustParsePrefix("10.42.0.0/16"), Table: 52},
			})
	}, verdict.Failed, "WG0401"},
	{"the device's program hangs", func(s map[string][]evidence.Message) {
		s["probe/node-2"] = slices.DeleteFunc(s["probe/node-2"], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil
		})
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Link != nil && m.Link.Name == "flannel-wg" {
				m.Link.Kind = "tun"
			}
		})
		s["probe/node-2"] = append(s["probe/node-2"], socket, evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemTimeout, What: "device", On: "flannel-wg", Text: "the device did not answer"}})
		for _, pair := range [][2]int{{0, 1}, {1, 0}, {1, 2}, {2, 1}} {
			lost(s, pair[0], pair[1])
		}
	}, verdict.Failed, "WG0202"},
	{"the device's program is slow to answer, and works", func(s map[string][]evidence.Message) {
		s["probe/node-2"] = slices.DeleteFunc(s["probe/node-2"], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil
		})
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Link != nil && m.Link.Name == "flannel-wg" {
				m.Link.Kind = "tun"
			}
		})
		s["probe/node-2"] = append(s["probe/node-2"], socket, evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemTimeout, What: "device", On: "flannel-wg", Text: "the device did not answer"}})
	}, verdict.Undecided, "WG0202"},
	{"preshared keys that differ", func(s map[string][]evidence.Message) {
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(0) {
				tunnel := *m.Tunnel
				tunnel.RX.Responses = 3
				m.Tunnel = &tunnel
			}
		})
		undelivered(s)
	}, verdict.Failed, "WG0501"},
	{"a device that counts nothing, and a leak in a shape like WireGuard's", func(s map[string][]evidence.Message) {
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:51820 wireguard", Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"a device that counts nothing, though the pods reach each other", func(s map[string][]evidence.Message) {
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
	}, verdict.Failed, "WG0603"},
	{"an endpoint that changes in the window", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			switch {
			case m.Peer != nil && m.Peer.PublicKey == publicKey(1):
				p := *m.Peer
				p.Endpoint = netip.MustParseAddrPort("203.0.113.9:51820")
				m.Peer = &p
			case m.Tunnel != nil && m.Tunnel.Remote.Addr() == underlay(1):
				tunnel := *m.Tunnel
				tunnel.TX.Sizes = []evidence.SizeCount{{Size: 128, Count: 2}, {Size: 400, Count: 2},
					{Size: 1452, Count: 2}}
				m.Tunnel = &tunnel
			}
		})
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Witness != nil && m.Witness.Link == "eth0" && m.Witness.Direction == "rx" &&
				m.Witness.Seen[0].Source == 0 {
				m.Witness = &evidence.Witness{Link: "eth0", Direction: "rx", Family: 4}
			}
		})
	}, verdict.Undecided, "WG0604"},
	{"the device is missing because its port is taken", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil || m.Link != nil && m.Link.Name == "flannel-wg"
		})
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Device: &evidence.Device{Name: "wg0", PublicKey: publicKey(50), Port: 51820}})
	}, verdict.Failed, "WG0201"},
	{"large packets and the segments of TCP are lost", func(s map[string][]evidence.Message) {
		each(s["pod/node-1"], func(m *evidence.Message) {
			if m.Canary != nil {
				m.Canary.Rows[2].Answered = 0
				m.Canary.Rows = append(m.Canary.Rows, evidence.CanaryRow{Transport: "tcp", Size: 1392, Sent: 3})
			}
		})
	}, verdict.Failed, "WG0503"},
	{"TCP stalls at full size alone", func(s map[string][]evidence.Message) {
		each(s["pod/node-1"], func(m *evidence.Message) {
			if m.Canary != nil {
				m.Canary.Rows = append(m.Canary.Rows, evidence.CanaryRow{Transport: "tcp", Size: 1392, Sent: 3})
			}
		})
	}, verdict.Failed, "WG0503"},
	{"mixed backends", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil && m.Node.Index == 2 {
				m.Node.Annotations["flannel.alpha.coreos.com/backend-type"] = "vxlan"
			}
		})
	}, verdict.Failed, "WG0101"},
}

// firstLeak is a leak sample of a new pod's first packets, or their answers.
func firstLeak(source, target int) evidence.Message {
	return evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: source,
		Target: target, Family: 4, By: "mark", First: true, Layers: "ethernet ipv4 udp", Count: 40}}
}
