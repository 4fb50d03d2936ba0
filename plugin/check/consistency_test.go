package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// streamsOf returns a recording's messages by stream, to be changed and
// recorded again.
func streamsOf(t *testing.T, name string) map[string][]evidence.Message {
	streams := map[string][]evidence.Message{}
	whole := load(t, name)
	for _, stream := range whole.Streams() {
		for _, m := range whole.Messages(stream) {
			if m.Bye != nil {
				continue
			}
			changed := *m
			changed.Seq = 0
			streams[stream] = append(streams[stream], changed)
		}
	}
	return streams
}

// edit calls change for every message of the probe on node-1.
func edit(change func(m *evidence.Message)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) { each(s["probe/node-1"], change) }
}

func editLink(name string, change func(l *evidence.Link)) func(map[string][]evidence.Message) {
	return edit(func(m *evidence.Message) {
		if m.Link != nil && m.Link.Name == name {
			change(m.Link)
		}
	})
}

func editCapture(name string, change func(c *evidence.Capture)) func(map[string][]evidence.Message) {
	return edit(func(m *evidence.Message) {
		if m.Capture != nil && m.Capture.Link == name {
			change(m.Capture)
		}
	})
}

// twice adds, in front of and behind the messages of one kind, changed copies.
func twice(stream string, changed func(m evidence.Message) *evidence.Message) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		for i := range s[stream] {
			if other := changed(s[stream][i]); other != nil {
				s[stream] = slices.Insert(s[stream], i, *other)
				return
			}
		}
	}
}

func add(stream string, messages ...evidence.Message) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) { s[stream] = append(s[stream], messages...) }
}

// swap exchanges the messages of one kind between the probes of two nodes.
func swap(which func(*evidence.Message) bool) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		taken := map[string][]evidence.Message{}
		for _, stream := range []string{"probe/node-1", "probe/node-2"} {
			for _, m := range s[stream] {
				if which(&m) {
					taken[stream] = append(taken[stream], m)
				}
			}
			s[stream] = slices.DeleteFunc(s[stream], func(m evidence.Message) bool { return which(&m) })
		}
		s["probe/node-1"] = slices.Concat(taken["probe/node-2"], s["probe/node-1"])
		s["probe/node-2"] = slices.Concat(taken["probe/node-1"], s["probe/node-2"])
		for _, stream := range []string{"probe/node-1", "probe/node-2"} { // hello is the first
			slices.SortStableFunc(s[stream], func(a, b evidence.Message) int { return first(b) - first(a) })
		}
	}
}

func first(m evidence.Message) int {
	if m.Hello != nil {
		return 1
	}
	return 0
}

// contradictions are edits of a healthy recording's evidence after which it
// cannot be true any more, with the verdict and a part of what is said of it.
var contradictions = []struct {
	name    string
	edits   func(map[string][]evidence.Message)
	verdict verdict.Verdict
	says    string
}{
	{"a network card told as inside", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "eth1", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleInside}}), verdict.Undecided, `eth1 of node-1 is a hardware link and cannot have the role "inside"`},
	{"a VLAN told as inside", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "eth0.5", Kind: "vlan", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleInside}}), verdict.Undecided, "is a vlan link and cannot"},
	{"a link without a role", editLink("cni0", func(l *evidence.Link) { l.Role = "" }), verdict.Undecided, `cannot have the role ""`},
	{"a card told as WireGuard", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "eth1", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleWireGuard}}), verdict.Undecided, `cannot have the role "wireguard"`},
	{"the tunnel is a dummy told as WireGuard", editLink("flannel-wg", func(l *evidence.Link) { l.Kind = "dummy" }), verdict.Failed, "flannel-wg of node-1 is a dummy link, not WireGuard"},
	{"the tunnel is a tun without a control socket", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool { return m.Socket != nil })
	}, verdict.Undecided, "flannel-wg of node-1 is a tun link"},
	{"the uplink told as inside", editLink("eth0", func(l *evidence.Link) { l.Role = evidence.RoleInside }), verdict.Undecided, "no link that leaves the host"},

	{"the uplink was captured as if it were WireGuard", editCapture("eth0", func(c *evidence.Capture) { c.Role = evidence.RoleWireGuard }), verdict.Undecided, `made as of role "wireguard"`},
	{"a capture of a link that is not listed", add("probe/node-1", evidence.Message{Capture: &evidence.Capture{
		Link: "eth7", Role: evidence.RoleOutside, Started: true, Alive: true, Frames: 3, ControlRX: 1}}), verdict.Undecided, "eth7, which is not one of its links"},
	{"the capture counted nothing", editCapture("eth0", func(c *evidence.Capture) { c.Frames, c.Classes = 0, nil }), verdict.Undecided, "its capture counted none"},
	{"the capture counted one frame", editCapture("eth0", func(c *evidence.Capture) { c.Frames = 1 }), verdict.Undecided, "counted 1 frame"},
	{"the capture counted no WireGuard", editCapture("eth0", func(c *evidence.Capture) { delete(c.Classes, "wireguard") }), verdict.Undecided, "its capture counted none"},
	{"ciphertext and controls on the loopback only", edit(func(m *evidence.Message) {
		switch {
		case m.Tunnel != nil:
			m.Tunnel.Links = []string{"lo"}
		case m.Witness != nil && m.Witness.Link == "eth0":
			m.Witness.Link = "lo"
		case m.Capture != nil && m.Capture.Link == "flannel-wg":
			*m = evidence.Message{Capture: &evidence.Capture{Link: "lo", Role: evidence.RoleInside, Started: true, Alive: true,
				Frames: 200, ControlTX: 2, ControlRX: 1, Classes: map[string]uint64{"wireguard": 116}}}
		}
	}), verdict.Undecided, "seen on lo, which is not one of its external interfaces"},

	{"the tunnel was not captured", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"], func(m evidence.Message) bool {
			return m.Capture != nil && m.Capture.Link == "flannel-wg"
		})
	}, verdict.Undecided, "packets of the run were seen on flannel-wg of node-1"},
	{"the hello of another node", edit(func(m *evidence.Message) {
		if m.Hello != nil {
			m.Hello = &evidence.Hello{Schema: m.Hello.Schema, Role: "probe", Node: "node-2"}
		}
	}), verdict.Undecided, `it was written on "node-2", and not on node-1`},
	{"the hello of no node", edit(func(m *evidence.Message) {
		if m.Hello != nil {
			m.Hello = &evidence.Hello{Schema: m.Hello.Schema, Role: "probe"}
		}
	}), verdict.Undecided, `it was written on "", and not on node-1`},
	{"the hellos of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Hello != nil }), verdict.Undecided,
		`it was written on "node-2"`},
	{"a pod's stream with a probe's hello", func(s map[string][]evidence.Message) {
		s["pod/node-1"][0].Hello = &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-1"}
	}, verdict.Undecided, `by "probe", and not by a pod`},
	{"a second hello", add("probe/node-1", evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-1"}}),
		verdict.Undecided, "describes who writes it"},
	{"the addresses of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Address != nil }), verdict.Undecided,
		"eth0 of node-1 has the address 192.0.2.12 of node-2"},
	{"the devices of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Device != nil }), verdict.Failed, "publishes the key"},
	{"the routing tables of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Route != nil }), verdict.Undecided, ""},
	{"a probe on a node that the run does not have", add("probe/node-9",
		evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-9"}}), verdict.Undecided,
		"of a node that the run does not have"},
	{"a first look at one", add("look/node-9",
		evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-9"}}), verdict.Undecided,
		"of a node that the run does not have"},
	{"a node without a probe", func(s map[string][]evidence.Message) { delete(s, "probe/node-2") }, verdict.Undecided, ""},
	{"a node without a pod's account", func(s map[string][]evidence.Message) { delete(s, "pod/node-2") }, verdict.Undecided, ""},
	{"a link is told of twice, once as inside", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Link == nil || m.Link.Name != "eth0" {
			return nil
		}
		other := *m.Link
		other.Role = evidence.RoleInside
		return &evidence.Message{Link: &other}
	}), verdict.Undecided, "describes the link"},
	{"a device has two keys", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Device == nil {
			return nil
		}
		other := *m.Device
		other.PublicKey = publicKey(9)
		return &evidence.Message{Device: &other}
	}), verdict.Undecided, "describes the device flannel-wg in two ways"},
	{"marked packets are counted twice, first as none", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Witness == nil || m.Witness.Link != "flannel-wg" {
			return nil
		}
		other := *m.Witness
		other.Seen = slices.Clone(other.Seen)
		for i := range other.Seen {
			other.Seen[i].UDP, other.Seen[i].TCP = 0, 0
		}
		return &evidence.Message{Witness: &other}
	}), verdict.Undecided, "describes the marked packets on flannel-wg in two ways"},
	{"a capture is told of twice, once with drops", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Capture == nil {
			return nil
		}
		other := *m.Capture
		other.Bytes++
		return &evidence.Message{Capture: &other}
	}), verdict.Undecided, "describes the capture on eth0 in two ways"},
	{"a peer's counters are told of twice", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Count == nil {
			return nil
		}
		other := *m.Count
		other.RX[evidence.ReadingAfter] += 9
		return &evidence.Message{Count: &other}
	}), verdict.Undecided, "describes the counters of a peer of flannel-wg in two ways"},
	{"a tunnel's messages are told of twice", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Tunnel == nil {
			return nil
		}
		return &evidence.Message{Tunnel: m.Tunnel}
	}), verdict.Undecided, "describes the messages between"},
	{"the canaries of a pair are told of twice", twice("pod/node-1", func(m evidence.Message) *evidence.Message {
		if m.Canary == nil {
			return nil
		}
		other := *m.Canary
		other.Rows = other.Rows[1:]
		return &evidence.Message{Canary: &other}
	}), verdict.Undecided, "describes the test packets of its pod and that of node-2 in two ways"},
	{"nine of four readings", edit(func(m *evidence.Message) {
		if m.Count != nil {
			m.Count.Readings = 9
		}
	}), verdict.Undecided, "the counters of a peer"},

	{"a capture saw more leave than it saw", editCapture("eth0", func(c *evidence.Capture) { c.TXFrames = c.Frames + 1 }), verdict.Undecided, "the counts of the capture on eth0 of node-1 do not add up"},
	{"a capture saw more bytes leave than it saw", editCapture("eth0", func(c *evidence.Capture) { c.TXBytes = c.Bytes + 1 }), verdict.Undecided, "do not add up"},
	{"a capture has more of a class than frames", editCapture("eth0", func(c *evidence.Capture) {
		c.Classes = map[string]uint64{"wireguard": c.Classes["wireguard"], "tcp": c.Frames + 1}
	}), verdict.Undecided, "do not add up"},
	{"classes of a capture that overflow", editCapture("eth0", func(c *evidence.Capture) {
		c.Classes = map[string]uint64{"wireguard": c.Classes["wireguard"], "tcp": 1<<64 - 1}
	}), verdict.Undecided, "do not add up"},
	{"ciphertext that no link saw", edit(func(m *evidence.Message) {
		if m.Tunnel != nil {
			m.Tunnel.Links = nil
		}
	}), verdict.Undecided, "were seen on none of its links"},
	{"half a pair told as inside", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "veth9", Kind: "veth", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleInside}}), verdict.Undecided, "veth9 of node-1 is a veth link and cannot"},
	{"a counter that jumps behind the last canary", edit(func(m *evidence.Message) {
		if m.Count != nil {
			m.Count.RX[evidence.ReadingAfter] = 1<<64 - 1
		}
	}), verdict.Undecided, "cannot have counted"},

	{"a node's message did not fit the record", func(s map[string][]evidence.Message) {
		s["plugin"] = append(s["plugin"], evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemInternal, What: "account", Text: "a node message of 9000 bytes is over the limit of 8192"}})
	}, verdict.Undecided, "a node message of 9000 bytes"},
	{"the run placed pods on more nodes than are known", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Run != nil {
				m.Run.Nodes = 3
			}
		})
	}, verdict.Undecided, "placed its pods on 3 nodes, and its record describes 2"},
	{"a pod on a node that is not described", add("plugin", evidence.Message{Pod: &evidence.Pod{
		Role: "pod", Node: "node-3", Name: "pod-3", Ready: true}}), verdict.Undecided, "a pod on node-3, a node that it does not describe"},
	{"a node that takes part is not Ready", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil && m.Node.Index == 1 {
				m.Node.Ready = false
			}
		})
	}, verdict.Undecided, "node-2 (it is not Ready)"},
	{"a problem of an unknown collector", add("probe/node-1", evidence.Message{Problem: &evidence.Problem{
		Class: evidence.ProblemTimeout, What: "telescope", Text: "fog"}}), verdict.Undecided, "telescope on node-1: fog"},
	{"a problem of an unknown class", add("probe/node-1", evidence.Message{Problem: &evidence.Problem{
		Class: "curse", What: "firewall", Text: "fog"}}), verdict.Undecided, "firewall on node-1: fog"},
}

// Evidence that contradicts itself proves nothing, whatever the order in which
// it came.
func TestContradictions(t *testing.T) {
	for _, test := range contradictions {
		for _, reversed := range []bool{false, true} {
			streams := streamsOf(t, "host-healthy-wireguard")
			test.edits(streams)
			if reversed {
				for _, messages := range streams {
					slices.Reverse(messages[1:]) // hello stays the first
				}
			}
			j := Judge(record(t, streams))
			if j.Verdict != test.verdict {
				t.Errorf("%s: %s, want %s", test.name, j.Verdict, test.verdict)
				continue
			}
			if !strings.Contains(j.FirstCause.Text, test.says) {
				t.Errorf("%s: %q is not in %q", test.name, test.says, j.FirstCause.Text)
			}
			for _, p := range j.Pairs {
				if p.Steps[verdict.P7Keys] == verdict.Pass && p.Notes[verdict.P7Keys] == "" {
					t.Errorf("%s: P7 passes without a word", test.name)
				}
			}
		}
	}
}

// What is healthy stays so: links that are down, more cards, ports of switches.
func TestConsistentLinks(t *testing.T) {
	for _, link := range []evidence.Link{
		{Name: "eth1", Type: "ether", Role: evidence.RoleInside, Why: "down: nothing crosses it"},
		{Name: "ovs-system", Kind: "openvswitch", Type: "ether", Up: true, Role: evidence.RoleInside},
		{Name: "sit0", Kind: "sit", Type: "sit", Up: true, Role: evidence.RoleInside},
		{Name: "tailscale0", Kind: "tun", Type: "none", Up: true, Role: evidence.RoleInside},
		{Name: "wg9", Kind: "wireguard", Type: "none", Up: true, Role: evidence.RoleWireGuard},
	} {
		streams := streamsOf(t, "host-healthy-wireguard")
		link.Index = 77
		streams["probe/node-1"] = append(streams["probe/node-1"], evidence.Message{Link: &link})
		if j := Judge(record(t, streams)); j.Verdict != verdict.Passed {
			t.Errorf("%s: %s: %v", link.Name, j.Verdict, bad(j))
		}
	}
}

// A run that asked for small canaries only says nothing of large ones.
func TestNoFullSizeWasAskedFor(t *testing.T) {
	streams := streamsOf(t, "host-healthy-wireguard")
	each(streams["plugin"], func(m *evidence.Message) {
		if m.Run != nil {
			m.Run.Sizes = []int{64}
		}
	})
	for _, p := range Judge(record(t, streams)).Pairs {
		if strings.Contains(p.Notes[verdict.P1Delivered], "up to") {
			t.Errorf("%s: %s", p.Subject, p.Notes[verdict.P1Delivered])
		}
	}
}

// carriers are changes of who carries the traffic, with the verdict.
var carriers = []struct {
	name, recording string
	edits           func(map[string][]evidence.Message)
	verdict         verdict.Verdict
	cause           string
	warns           string
}{
	{"both families over one device, published for IPv4 alone and without an address of IPv6", "host-healthy-dual-auto", func(s map[string][]evidence.Message) {
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
	{"an unknown network, whose routes lead elsewhere", "host-healthy-wireguard", func(s map[string][]evidence.Message) {
		unannounced(s)
		misroute(s)
	}, verdict.Passed, "", ""},
	{"an unknown network, of which no WireGuard link saw anything", "host-healthy-wireguard", func(s map[string][]evidence.Message) {
		unannounced(s)
		misroute(s)
		unseen(s)
	}, verdict.Undecided, "WG0605", ""},
	{"the same, with a leak", "host-healthy-wireguard", func(s map[string][]evidence.Message) {
		unannounced(s)
		misroute(s)
		unseen(s)
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
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
	{"an overlay over WireGuard whose peers cover the pods as well", "host-healthy-vpn", func(s map[string][]evidence.Message) {
		unannounced(s)
		for stream, ranges := range map[string]string{"probe/node-1": "10.42.1.0/24", "probe/node-2": "10.42.0.0/24"} {
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
	{"an unknown overlay beside the WireGuard of the machines", "host-vpn-unused", unannounced, verdict.Failed, "WG0601", ""},
	{"Cilium, on nodes that had Flannel's VXLAN before", "host-cilium-native", once("vxlan"), verdict.Passed, "", ""},
	{"Cilium, on nodes that had Flannel's routes before", "host-cilium-native", once("host-gw"), verdict.Passed, "", ""},
	{"Cilium, on nodes that had Flannel's WireGuard before", "host-cilium-native", once("wireguard"), verdict.Passed, "", ""},
	{"Calico, on nodes that had Flannel's WireGuard before", "vm-calico-felix", once("wireguard"), verdict.Passed, "", ""},
	{"Cilium without its WireGuard", "host-cilium-native", unseen, verdict.Failed, "WG0605", ""},
	{"an unrelated device with one key on two nodes", "host-healthy-wireguard", func(s map[string][]evidence.Message) {
		for _, stream := range []string{"probe/node-1", "probe/node-2"} {
			s[stream] = append(s[stream],
				evidence.Message{Link: &evidence.Link{Index: 77, Name: "wg9", Kind: "wireguard", Up: true, Role: evidence.RoleWireGuard}},
				evidence.Message{Device: &evidence.Device{Name: "wg9", Index: 77, PublicKey: publicKey(77), Port: 5555}})
		}
	}, verdict.Passed, "", ""},
	{"an unrelated device with the key of another node's tunnel", "host-healthy-wireguard", func(s map[string][]evidence.Message) {
		key := ""
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Device != nil {
				key = m.Device.PublicKey
			}
		})
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Link: &evidence.Link{Index: 77, Name: "wg9", Kind: "wireguard", Up: true, Role: evidence.RoleWireGuard}},
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
		warned := slices.ContainsFunc(j.Findings, func(f verdict.Finding) bool { return f.Status == verdict.Warn && f.Text == test.warns })
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
