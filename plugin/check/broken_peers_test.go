package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// brokenPeers are keys, allowed IPs and endpoints that are not those of the peer, and
// handshakes.
var brokenPeers = []breakage{
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
}
