package check

import (
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
	brokenCluster, brokenLeaks, brokenPeers, brokenRoutes, brokenInstrument, brokenOthers, brokenPaths, brokenCounts, brokenControls,
	brokenReports, brokenSystems, brokenScope,
)

// brokenCluster is what else goes wrong in a cluster: devices, links, pods and what is
// counted.
var brokenCluster = []breakage{
	{"a family that the pods do not have was asked for", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Run != nil {
				m.Run.Families = []int{4, 6}
			}
		})
	}, verdict.Undecided, "WG0107"},
	{"the receiver's host drops the port", func(s map[string][]evidence.Message) {
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
		undelivered(s)
	}, verdict.Failed, "WG0501"},
	{"configured and not started", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				m.Node.Annotations["flannel.alpha.coreos.com/backend-type"] = "vxlan"
				m.Node.Annotations["k3s.io/node-args"] = `["server","--flannel-backend","wireguard-native"]`
			}
		})
	}, verdict.Failed, "WG0104"},
	{"the probe may not read the device", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Device != nil || m.Peer != nil || m.Count != nil
		})
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemPermission, What: "device", On: "flannel-wg", Text: "operation not permitted"}})
	}, verdict.Undecided, "WG0202"},
	{"a network policy drops the canaries", undelivered, verdict.Failed, "WG0502"},
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
	{"a device that counts nothing, though the pods reach each other", func(s map[string][]evidence.Message) {
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
	}, verdict.Failed, "WG0603"},
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
