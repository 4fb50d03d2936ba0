package check

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// carriers are changes of who carries the traffic, with the verdict.
var carriers = []struct {
	name, recording string
	edits           func(map[string][]evidence.Message)
	verdict         verdict.Verdict
	cause           string
	warns           string
}{
	{"both families over one device, published for IPv4 alone and without an address of IPv6", "host-healthy-dual-auto",
		func(s map[string][]evidence.Message) {
			each(s["plugin"], func(m *evidence.Message) {
				if m.Node != nil {
					delete(m.Node.Annotations, "flannel.alpha.coreos.com/backend-v6-data")
				}
			})
			for _, stream := range []string{"probe/node-1", "probe/node-2"} {
				s[stream] = slices.DeleteFunc(s[stream], func(m evidence.Message) bool {
					return m.Address != nil && m.Address.Link == "flannel-wg" && m.Address.Prefix.Addr().Is6()
				})
			}
		}, verdict.Passed, "", "node-1 has no flannel-wg-v6: its flannel-wg saw the IPv6 traffic of the pods"},
	{"an unknown network", "host-healthy-wireguard", unannounced, verdict.Passed, "", ""},
	{"an unknown network, whose routes lead elsewhere", "host-healthy-wireguard",
		func(s map[string][]evidence.Message) {
			unannounced(s)
			misroute(s)
		}, verdict.Passed, "", ""},
	{"an unknown network, of which no WireGuard link saw anything",
		"host-healthy-wireguard", func(s map[string][]evidence.Message) {
			unannounced(s)
			misroute(s)
			unseen(s)
		}, verdict.Undecided, "WG0605", ""},
	{"the same, with a leak", "host-healthy-wireguard", func(s map[string][]evidence.Message) {
		unannounced(s)
		misroute(s)
		unseen(s)
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp", Count: 7}})
	}, verdict.Failed, "WG0601", ""},
	{"Cilium, whose routes lead to its own pair of links", "host-cilium-native", func(s map[string][]evidence.Message) {
		for _, messages := range s {
			each(messages, func(m *evidence.Message) {
				if m.Route != nil && m.Route.For.IsValid() && m.Route.Mark == 0 {
					m.Route = &evidence.Route{For: m.Route.For, Link: "cilium_host", Type: "unicast", Table: 254}
				}
			})
		}
	}, verdict.Passed, "", ""},
	{"an overlay over WireGuard whose peers cover the pods as well", "host-healthy-vpn",
		func(s map[string][]evidence.Message) {
			unannounced(s)
			for stream, ranges := range map[string]string{"probe/node-1": "10.42.1.0/24",
				"probe/node-2": "10.42.0.0/24"} {
				each(s[stream], func(m *evidence.Message) {
					if m.Peer != nil && m.Peer.Device == "wg0" {
						peer := *m.Peer
						peer.AllowedIPs = append(slices.Clone(peer.AllowedIPs), netip.MustParsePrefix(ranges))
						m.Peer = &peer
					}
				})
			}
		}, verdict.Passed, "", ""},
	{"an unknown overlay over WireGuard of the machines", "host-healthy-vpn", unannounced, verdict.Passed, "", ""},
	{"the same on the kernel's WireGuard", "vm-healthy-vpn", unannounced, verdict.Passed, "", ""},
	{"VXLAN that a rule leads into WireGuard", "host-healthy-vpn", func(s map[string][]evidence.Message) {
		for _, messages := range s {
			each(messages, func(m *evidence.Message) {
				if m.Route != nil && m.Route.Link == "wg0" {
					route := *m.Route
					route.Link = "eth0"
					m.Route = &route
				}
			})
		}
	}, verdict.Passed, "", ""},
	{"an unknown overlay next to the WireGuard of the machines",
		"host-vpn-unused", unannounced, verdict.Failed, "WG0601", ""},
	{"Cilium, on nodes that had Flannel's VXLAN before", "host-cilium-native", once("vxlan"), verdict.Passed, "", ""},
	{"Cilium, on nodes that had Flannel's routes before", "host-cilium-native", once("host-gw"),
		verdict.Passed, "", ""},
	{"Cilium, on nodes that had Flannel's WireGuard before", "host-cilium-native", once("wireguard"),
		verdict.Passed, "", ""},
	{"Calico, on nodes that had Flannel's WireGuard before", "vm-calico-felix", once("wireguard"),
		verdict.Passed, "", ""},
	{"Cilium without its WireGuard", "host-cilium-native", unseen, verdict.Failed, "WG0605", ""},
	{"an unrelated device with one key on two nodes", "host-healthy-wireguard", func(s map[string][]evidence.Message) {
		for _, stream := range []string{"probe/node-1", "probe/node-2"} {
			s[stream] = append(s[stream],
				evidence.Message{
					Link: &evidence.Link{Index: 77, Name: "wg9", Kind: "wireguard", Up: true,
						Role: evidence.RoleWireGuard},
				},
				evidence.Message{
					Device: &evidence.Device{Name: "wg9", Index: 77, PublicKey: publicKey(77), Port: 5555},
				})
		}
	}, verdict.Passed, "", ""},
	{"an unrelated device with the key of another node's tunnel",
		"host-healthy-wireguard", func(s map[string][]evidence.Message) {
			key := ""
			each(s["probe/node-2"], func(m *evidence.Message) {
				if m.Device != nil {
					key = m.Device.PublicKey
				}
			})
			s["probe/node-1"] = append(s["probe/node-1"],
				evidence.Message{
					Link: &evidence.Link{Index: 77, Name: "wg9", Kind: "wireguard", Up: true,
						Role: evidence.RoleWireGuard},
				},
				evidence.Message{Device: &evidence.Device{Name: "wg9", Index: 77, PublicKey: key, Port: 5555}})
		}, verdict.Failed, "WG0303", ""},
}

// unannounced removes what the network plugin says of itself.
func unannounced(s map[string][]evidence.Message) {
	each(s["plugin"], func(m *evidence.Message) {
		if m.Node != nil {
			m.Node.Annotations = nil
		}
	})
}

// once leaves Flannel's annotations on nodes that have another network now.
func once(backend string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node == nil {
				return
			}
			const prefix = "flannel.alpha.coreos.com/"
			m.Node.Annotations = map[string]string{prefix + "backend-type": backend,
				prefix + "backend-data": fmt.Sprintf(`{"PublicKey":%q,"Port":51820}`, publicKey(m.Node.Index)),
				prefix + "public-ip":    underlay(m.Node.Index).String()}
		})
	}
}

// misroute has the kernel answer that pods are reached through eth0.
func misroute(s map[string][]evidence.Message) {
	for _, messages := range s {
		each(messages, func(m *evidence.Message) {
			if m.Route != nil && m.Route.Link == "flannel-wg" {
				route := *m.Route
				route.Link = "eth0"
				route.Destination = netip.Prefix{}
				m.Route = &route
			}
		})
	}
}

// unseen removes the marked packets from every WireGuard link.
func unseen(s map[string][]evidence.Message) {
	for stream := range s {
		s[stream] = slices.DeleteFunc(s[stream], func(m evidence.Message) bool {
			return m.Witness != nil && m.Witness.Link != "eth0"
		})
	}
}

// The carrier is the WireGuard link that saw the marks, whatever the profile
// and the routes say; if none did and nothing leaked, there is no failure.
func TestCarrierIsKnownByEvidence(t *testing.T) {
	for _, test := range carriers {
		streams := streamsOf(t, test.recording)
		test.edits(streams)
		j := Judge(record(t, streams))
		if j.Verdict != test.verdict {
			t.Errorf("%s: %s, want %s: %v", test.name, j.Verdict, test.verdict, bad(j))
			continue
		}
		if test.cause != "" && j.FirstCause.Code != test.cause {
			t.Errorf("%s: first cause %s: %s, want %s", test.name, j.FirstCause.Code, j.FirstCause.Text, test.cause)
		}
		warned := slices.ContainsFunc(j.Findings,
			func(f verdict.Finding) bool { return f.Status == verdict.Warn && f.Text == test.warns })
		if test.warns != "" && !warned {
			t.Errorf("%s: it does not warn of %q", test.name, test.warns)
		}
		for _, p := range j.Pairs {
			if p.Steps[verdict.P7Keys] == verdict.Pass && p.Notes[verdict.P7Keys] == "" {
				t.Errorf("%s: P7 passes without a word", test.name)
			}
		}
	}
}
