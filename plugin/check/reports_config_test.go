package check

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// annotate changes the annotations of all nodes.
func annotate(s map[string][]evidence.Message, change func(i int, annotations map[string]string)) {
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil && m.Node.Index >= 0 {
			change(m.Node.Index, m.Node.Annotations)
		}
	})
}

// brokenReports are what public reports describe of configurations, addresses and
// nodes, see reportWords.
var brokenReports = []breakage{
	{"report 7: K3s has Tailscale carry the pods' packets", func(s map[string][]evidence.Message) {
		overTUN(s, "tailscale0", "")
		backendOf(s, "extension")
		arguments(s, `"--vpn-auth","name=tailscale,(hidden)"`)
	}, verdict.Undecided, "WG0101"},
	{"report 7: the first WireGuard backend of K3s", func(s map[string][]evidence.Message) {
		backendOf(s, "extension")
		arguments(s, `"--flannel-backend","wireguard"`)
	}, verdict.Passed, ""},
	{"report 8: an overlay over a TUN device", func(s map[string][]evidence.Message) {
		overTUN(s, "tailscale0", "flannel.1")
		backendOf(s, "vxlan")
	}, verdict.Undecided, "WG0101"},
	{"report 8: the same, and a leak", func(s map[string][]evidence.Message) {
		overTUN(s, "tailscale0", "flannel.1")
		backendOf(s, "vxlan")
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:8472 vxlan ethernet ipv4 udp",
				Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"report 9: a network that allocates addresses itself", func(s map[string][]evidence.Message) {
		ofNoKnownSystem(s)
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil {
				m.Node.PodCIDRs = []netip.Prefix{podRange((m.Node.Index + 1) % 3)}
			}
		})
	}, verdict.Passed, ""},
	{"report 9: the same, and a pod of one node belongs to another's peer", func(s map[string][]evidence.Message) {
		ofNoKnownSystem(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Peer != nil && m.Peer.PublicKey == publicKey(2) {
				m.Peer.AllowedIPs = append(m.Peer.AllowedIPs, netip.PrefixFrom(podIP(1), 32))
			}
		})
	}, verdict.Failed, "WG0304"},
	{"report 10: a mark leads the overlay's packets into the machines' WireGuard", byMark, verdict.Passed, ""},
	{"report 11: the tunnel is inside of another WireGuard", insideWireGuard, verdict.Undecided, "WG0604"},
	{"report 11: the tunnel is inside of a TUN device", func(s map[string][]evidence.Message) {
		insideWireGuard(s)
		ofTUN(s)
	}, verdict.Undecided, "WG0604"},
	{"report 11: another WireGuard, in which the messages were seen", seenInside, verdict.Passed, ""},
	{"report 11: the same, and a leak next to both", func(s map[string][]evidence.Message) {
		seenInside(s)
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp", Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"report 11: the same, and no control on the wire", func(s map[string][]evidence.Message) {
		seenInside(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Witness != nil && m.Witness.Link == "eth0" {
				m.Witness.Seen = nil
			}
		})
	}, verdict.Undecided, "WG0604"},
	{"report 11: the same, and no control on the card", func(s map[string][]evidence.Message) {
		seenInside(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Capture != nil && m.Capture.Link == "eth0" {
				m.Capture.ControlTX, m.Capture.ControlRX = 0, 0
			}
		})
	}, verdict.Undecided, "WG0604"},
	{"report 11: the same, and the outer one was not seen on the wire", func(s map[string][]evidence.Message) {
		seenInside(s)
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Tunnel != nil && m.Tunnel.Local.Port() == 51900
		})
	}, verdict.Undecided, "WG0602"},
	{"report 11: the same, and the outer one carries less than went into it", func(s map[string][]evidence.Message) {
		seenInside(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil && m.Tunnel.Local.Port() == 51900 {
				m.Tunnel.TX.Bytes = 1000
			}
		})
	}, verdict.Undecided, "WG0602"},
	{"report 11: the same, and some messages next to the outer one", func(s map[string][]evidence.Message) {
		seenInside(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil && m.Tunnel.Local.Port() == 51820 {
				m.Tunnel.Links = []string{"eth0", "wg0"}
			}
		})
	}, verdict.Undecided, "WG0602"},
	{"report 11: the same, and less ciphertext than packets arrived", func(s map[string][]evidence.Message) {
		seenInside(s)
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil && m.Tunnel.Local.Port() == 51820 {
				m.Tunnel.TX.Sizes = m.Tunnel.TX.Sizes[:1]
			}
		})
	}, verdict.Failed, "WG0602"},
	{"report 11: messages on a WireGuard into which no route leads", func(s map[string][]evidence.Message) {
		seenInside(s)
		for i := range 3 {
			name := fmt.Sprintf("probe/node-%d", i+1)
			s[name] = slices.DeleteFunc(s[name], func(m evidence.Message) bool {
				return m.Route != nil && m.Route.For.IsValid() && m.Route.Link == "wg0"
			})
		}
	}, verdict.Undecided, "WG0604"},
	{"report 11: a TUN device, in which the messages were seen", func(s map[string][]evidence.Message) {
		seenInside(s)
		ofTUN(s)
	}, verdict.Passed, ""},
	{"report 13: a private address behind the default gateway", func(s map[string][]evidence.Message) {
		overGateway(s)
		unanswered(s)
	}, verdict.Failed, "WG0306"},
	{"report 13: the same, and the servers have --flannel-external-ip", func(s map[string][]evidence.Message) {
		overGateway(s)
		unanswered(s)
		arguments(s, `"--flannel-backend","wireguard-native","--flannel-external-ip"`)
	}, verdict.Failed, "WG0306"},
	{"report 13: a router between private networks", overGateway, verdict.Passed, ""},
	{"report 14: all nodes publish one address that they all have", func(s map[string][]evidence.Message) {
		annotate(s, func(_ int, a map[string]string) { a["flannel.alpha.coreos.com/public-ip"] = "10.0.2.15" })
		for i := range 3 {
			name := fmt.Sprintf("probe/node-%d", i+1)
			s[name] = append(s[name], address("eth0", "10.0.2.15/24"),
				address("eth1", fmt.Sprintf("192.168.56.%d/24", 2+i)),
				evidence.Message{
					Link: &evidence.Link{Index: 9, Name: "eth1", Up: true, MTU: 1500, Role: evidence.RoleOutside},
				},
				evidence.Message{
					Capture: &evidence.Capture{Link: "eth1", Role: evidence.RoleOutside, Started: true,
						Alive: true, ControlTX: 1},
				})
		}
	}, verdict.Failed, "WG0106"},
	{"report 14: the same without another card", func(s map[string][]evidence.Message) {
		annotate(s, func(_ int, a map[string]string) { a["flannel.alpha.coreos.com/public-ip"] = "10.0.2.15" })
		for i := range 3 {
			name := fmt.Sprintf("probe/node-%d", i+1)
			s[name] = append(s[name], address("eth0", "10.0.2.15/24"))
		}
	}, verdict.Failed, "WG0106"},
	{"report 16: an agent whose kernel has no WireGuard", func(s map[string][]evidence.Message) {
		s["plugin"] = append(s["plugin"], notReadyNode("3.10.0-957.el7.x86_64", "CentOS Linux 7 (Core)"))
	}, verdict.Undecided, "WG0102"},
	{"report 16: an agent that is not Ready for another reason", func(s map[string][]evidence.Message) {
		s["plugin"] = append(s["plugin"], notReadyNode("5.4.0-216-generic", "Ubuntu 20.04.6 LTS"))
	}, verdict.Undecided, "WG0102"},
	{"report 16: the backend in an agent's configuration", func(s map[string][]evidence.Message) {
		annotate(s, func(i int, a map[string]string) {
			a["k3s.io/node-args"] = `["agent","--flannel-backend","wireguard-native"]`
			if i == 0 {
				a["k3s.io/node-args"] = `["server","--flannel-backend","wireguard-native"]`
			}
		})
	}, verdict.Passed, ""},
	{"the configured backend would end the encryption",
		func(s map[string][]evidence.Message) { arguments(s, `"--cluster-cidr","10.42.0.0/16"`) },
		verdict.Failed, "WG0104"},
	{"K3s was configured not to run Flannel, which runs by its own manifest", func(s map[string][]evidence.Message) {
		arguments(s, `"--flannel-backend","none"`)
	}, verdict.Passed, ""},
	{"a node has no lease, since it has no pod range", func(s map[string][]evidence.Message) {
		withoutLease(s)
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil && m.Node.Index == 2 {
				m.Node.PodCIDRs = nil
			}
		})
	}, verdict.Failed, "WG0101"},
	{"a node has no lease", withoutLease, verdict.Failed, "WG0101"},
	{"a node with another backend", func(s map[string][]evidence.Message) {
		annotate(s, func(i int, a map[string]string) {
			if i == 2 {
				a["flannel.alpha.coreos.com/backend-type"] = "host-gw"
			}
		})
	}, verdict.Failed, "WG0101"},
	{"report 21: behind a NAT without keepalives", func(s map[string][]evidence.Message) { throughNAT(s, 0) },
		verdict.Passed, ""},
	{"report 21: behind a NAT with keepalives", func(s map[string][]evidence.Message) { throughNAT(s, 25) },
		verdict.Passed, ""},
	{"report 21: a source port that is rewritten, without keepalives",
		func(s map[string][]evidence.Message) { otherPort(s, 0) },
		verdict.Passed, ""},
	{"flannel 2200: each node takes its own port for that of the others", func(s map[string][]evidence.Message) {
		each(s["probe/node-1"], func(m *evidence.Message) {
			switch {
			case m.Device != nil:
				m.Device.Port = 51999
			case m.Peer != nil:
				m.Peer.Endpoint = netip.AddrPortFrom(m.Peer.Endpoint.Addr(), 51999)
			}
		})
		for n := range 2 {
			count(s[fmt.Sprintf("probe/node-%d", n+2)], 0,
				func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
			lost(s, 0, n+1)
			lost(s, n+1, 0)
		}
	}, verdict.Failed, "WG0306"},
}

// recordedReports are the lab's scenarios of the same reports.
var recordedReports = map[string]expectation{
	"host-report-vpn-auth": {verdict.Passed, "", nil},
	"host-report-inside": {verdict.Undecided, "WG0602",
		[]string{"flannel-wg of node-1 reaches node-2 through wg0, another WireGuard device", "variant inside"}},
	// flannel-wg inside of another WireGuard, and of a TUN device, with its messages
	// counted there and a control next to it.
	"host-inside-wireguard": {verdict.Passed, "", nil},
	"host-inside-tun":       {verdict.Passed, "", nil},
	"host-inside-leak":      {verdict.Failed, "WG0401", []string{"via eth0 instead of flannel-wg"}},
	"host-report-private": {verdict.Failed, "WG0306", []string{
		"node-2 publishes 10.99.0.2, a private address that node-1 reaches only through its default gateway",
		"variant external"}},
	"host-report-same-address": {verdict.Failed, "WG0106",
		[]string{"10.0.2.15", "on eth1 they differ", "variant same"}},
	"host-report-not-ready": {verdict.Undecided, "WG0102", []string{
		"cni plugin not initialized; CentOS Linux 7 (Core), kernel 3.10.0", "variant old"}},
	"host-report-no-lease": {verdict.Failed, "WG0101", []string{"no lease for node-2", "variant unleased"}},
	"host-report-backend-unnamed": {verdict.Failed, "WG0104",
		[]string{"when it starts again it runs vxlan", "variant unnamed"}},
	"host-report-nat-silent": {verdict.Passed, "", nil},
	"host-report-tun": {verdict.Undecided, "WG0101",
		[]string{"goes into wg0, a TUN device whose program cannot be asked", "variant tun"}},
	"host-report-by-mark": {verdict.Passed, "", nil},
}

// reportWords are the variant of what a report is about, a part of its text, and
// the code where it only warns.
var reportWords = map[string]words{
	"report 7: K3s has Tailscale carry the pods' packets": {"WG0101", "tun",
		"K3s with Tailscale (--vpn-auth): what node-1 sends to node-2 goes into tailscale0"},
	"report 7: the first WireGuard backend of K3s": {"WG0101", "", delegated},
	"report 8: an overlay over a TUN device": {"WG0101", "tun",
		"what node-1 sends to node-2 goes into tailscale0, a TUN device whose program cannot be asked"},
	"report 8: the same, and a leak": {"WG0601", "vxlan", "in PLAINTEXT inside VXLAN"},
	"report 11: the tunnel is inside of another WireGuard": {"WG0604", "inside",
		"flannel-wg of node-1 reaches node-2 through wg0, another WireGuard device"},
	"report 11: the tunnel is inside of a TUN device": {"WG0604",
		"inside", "flannel-wg of node-1 reaches node-2 through wg0, a TUN device"},
	"report 13: a private address behind the default gateway": {"WG0306", "private",
		"node-2 publishes 192.168.36.11, a private address that node-1 reaches only through its default gateway " +
			"192.0.2.1"},
	"report 13: the same, and the servers have --flannel-external-ip": {"WG0306", "external",
		"node-2 publishes 192.168.36.11"},
	"report 14: all nodes publish one address that they all have": {"WG0106", "same",
		"node-1 has it on eth0; on eth1 they differ, node-1 has 192.168.56.2 there"},
	"report 14: the same without another card": {"WG0106", "same",
		"each of them has this address, node-1 has it on eth0"},
	"one endpoint for two nodes": {"WG0106", "", "publish the same endpoint"},
	"report 16: an agent whose kernel has no WireGuard": {"WG0102", "old",
		"KubeletNotReady: cni plugin not initialized; CentOS Linux 7 (Core), kernel 3.10.0-957.el7.x86_64, " +
			"which is older than 5.6"},
	"report 16: an agent that is not Ready for another reason": {"WG0102", "notready",
		"KubeletNotReady: cni plugin not initialized; Ubuntu 20.04.6 LTS"},
	"report 16: the backend in an agent's configuration": {"WG0104", "agent",
		"may stop them when they start again"},
	"the configured backend would end the encryption": {"WG0104", "unnamed",
		"when it starts again it runs vxlan"},
	"configured and not started": {"WG0104", "unlike",
		"last started with the backend wireguard, but its lease says vxlan"},
	"a node has no lease, since it has no pod range": {"WG0101", "rangeless",
		"node-3 has no pod range"},
	"a node has no lease": {"WG0101", "unleased",
		"the network plugin wrote no lease for node-3"},
	"a node with another backend": {"WG0101", "mixed",
		"host-gw on node-3, wireguard on node-1, node-2"},
	"report 21: behind a NAT without keepalives": {"WG0702", "",
		"node-2 is behind a NAT: node-1 sends to 203.0.113.9:40001, where node-2 was last heard, and node-2 sends no " +
			"keepalives"},
	"report 21: a source port that is rewritten, without keepalives": {"WG0702", "",
		"rewrites the source port of node-2"},
	"flannel 2200: each node takes its own port for that of the others": {"WG0306", "own",
		"to port 51999, on which its own flannel-wg listens"},
}

// delegated is a part of what is said where nothing is wrong or to be fixed.
const delegated = "a program that is not the network plugin's own"

func TestReportsOfConfigurations(t *testing.T) { checkWords(t, broken, reportWords) }

// arguments gives node-1 those of a K3s server.
func arguments(s map[string][]evidence.Message, flags string) {
	annotate(s, func(i int, a map[string]string) {
		if i == 0 {
			a["k3s.io/node-args"] = `["server",` + flags + `]`
		}
	})
}

func backendOf(s map[string][]evidence.Message, backend string) {
	annotate(s, func(_ int, a map[string]string) { a["flannel.alpha.coreos.com/backend-type"] = backend })
}

// ofNoKnownSystem leaves nothing by which a network is known.
func ofNoKnownSystem(s map[string][]evidence.Message) {
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			m.Node.Annotations = nil
		}
	})
}

func withoutLease(s map[string][]evidence.Message) {
	annotate(s, func(i int, a map[string]string) {
		if i == 2 {
			clear(a)
		}
	})
}

func notReadyNode(kernel, image string) evidence.Message {
	return evidence.Message{Node: &evidence.Node{Index: -1, Name: "node-9", Excluded: "it is not Ready",
		NotReady: "KubeletNotReady: cni plugin not initialized", Kernel: kernel, OSImage: image}}
}
