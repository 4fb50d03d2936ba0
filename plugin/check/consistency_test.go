package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// contradictions are edits of a healthy recording's evidence after which it
// cannot be true any more, with the verdict and a part of what is said of it.
var contradictions = []struct {
	name    string
	edits   func(map[string][]evidence.Message)
	verdict verdict.Verdict
	says    string
}{
	{"a network card reported as inside", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "eth1", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleInside}}), verdict.Undecided,
		`eth1 of node-1 is a hardware link and cannot have the role "inside"`},
	{"a VLAN reported as inside", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "eth0.5", Kind: "vlan", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleInside}}),
		verdict.Undecided, "is a vlan link and cannot"},
	{"a link without a role", editLink("cni0", func(l *evidence.Link) { l.Role = "" }), verdict.Undecided,
		`cannot have the role ""`},
	{"a card reported as WireGuard", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "eth1", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleWireGuard}}), verdict.Undecided,
		`cannot have the role "wireguard"`},
	{"the tunnel is a dummy reported as WireGuard", editLink("flannel-wg", func(l *evidence.Link) { l.Kind = "dummy" }),
		verdict.Failed, "flannel-wg of node-1 is a dummy link, not WireGuard"},
	{"the tunnel is a tun without a control socket", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = slices.DeleteFunc(s["probe/node-1"],
			func(m evidence.Message) bool { return m.Socket != nil })
	}, verdict.Undecided, "flannel-wg of node-1 is a tun link"},
	{"the uplink reported as inside", editLink("eth0", func(l *evidence.Link) { l.Role = evidence.RoleInside }),
		verdict.Undecided, "no link that leaves the host"},

	{"the uplink was captured as if it were WireGuard",
		editCapture("eth0", func(c *evidence.Capture) { c.Role = evidence.RoleWireGuard }), verdict.Undecided,
		`made as of role "wireguard"`},
	{"a capture of a link that is not listed", add("probe/node-1", evidence.Message{Capture: &evidence.Capture{
		Link: "eth7", Role: evidence.RoleOutside, Started: true, Alive: true, Frames: 3, ControlRX: 1}}),
		verdict.Undecided, "eth7, which is not one of its links"},
	{"the capture counted nothing", editCapture("eth0", func(c *evidence.Capture) { c.Frames, c.Classes = 0, nil }),
		verdict.Undecided, "its capture counted none"},
	{"the capture counted one frame", editCapture("eth0", func(c *evidence.Capture) { c.Frames = 1 }),
		verdict.Undecided, "counted 1 frame"},
	{"the capture counted no WireGuard", editCapture("eth0",
		func(c *evidence.Capture) { delete(c.Classes, "wireguard") }), verdict.Undecided, "its capture counted none"},
	{"ciphertext and controls on the loopback only", edit(func(m *evidence.Message) {
		switch {
		case m.Tunnel != nil:
			m.Tunnel.Links = []string{"lo"}
		case m.Witness != nil && m.Witness.Link == "eth0":
			m.Witness.Link = "lo"
		case m.Capture != nil && m.Capture.Link == "flannel-wg":
			*m = evidence.Message{Capture: &evidence.Capture{Link: "lo", Role: evidence.RoleInside,
				Started: true, Alive: true, Frames: 200, ControlTX: 2,
				ControlRX: 1, Classes: map[string]uint64{"wireguard": 116}}}
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
	{"the hellos of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Hello != nil }),
		verdict.Undecided, `it was written on "node-2"`},
	{"a pod's stream with a probe's hello", func(s map[string][]evidence.Message) {
		s["pod/node-1"][0].Hello = &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-1"}
	}, verdict.Undecided, `by "probe", and not by a pod`},
	{"a second hello", add("probe/node-1",
		evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-1"}}),
		verdict.Undecided, "describes who writes it"},
	{"the addresses of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Address != nil }),
		verdict.Undecided, "eth0 of node-1 has the address 192.0.2.12 of node-2"},
	{"the devices of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Device != nil }),
		verdict.Failed, "publishes the key"},
	{"the routing tables of two nodes are swapped", swap(func(m *evidence.Message) bool { return m.Route != nil }),
		verdict.Undecided, ""},
	{"a probe on a node that the run does not have", add("probe/node-9",
		evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-9"}}),
		verdict.Undecided, "of a node that the run does not have"},
	{"a first look at one", add("look/node-9",
		evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: "probe", Node: "node-9"}}),
		verdict.Undecided, "of a node that the run does not have"},
	{"a node without a probe", func(s map[string][]evidence.Message) { delete(s, "probe/node-2") },
		verdict.Undecided, ""},
	{"a node without a pod's stream", func(s map[string][]evidence.Message) { delete(s, "pod/node-2") },
		verdict.Undecided, ""},
	{"a link is reported twice, once as inside", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
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
	{"marked packets are counted twice, first as none",
		twice("probe/node-1", func(m evidence.Message) *evidence.Message {
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
	{"a capture is reported twice, once with drops", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Capture == nil {
			return nil
		}
		other := *m.Capture
		other.Bytes++
		return &evidence.Message{Capture: &other}
	}), verdict.Undecided, "describes the capture on eth0 in two ways"},
	{"a peer's counters are reported twice", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Count == nil {
			return nil
		}
		other := *m.Count
		other.RX[evidence.ReadingAfter] += 9
		return &evidence.Message{Count: &other}
	}), verdict.Undecided, "describes the counters of a peer of flannel-wg in two ways"},
	{"a tunnel's messages are reported twice", twice("probe/node-1", func(m evidence.Message) *evidence.Message {
		if m.Tunnel == nil {
			return nil
		}
		return &evidence.Message{Tunnel: m.Tunnel}
	}), verdict.Undecided, "describes the messages between"},
	{"the canaries of a pair are reported twice", twice("pod/node-1", func(m evidence.Message) *evidence.Message {
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

	{"a capture saw more leave than it saw",
		editCapture("eth0", func(c *evidence.Capture) { c.TXFrames = c.Frames + 1 }), verdict.Undecided,
		"the counts of the capture on eth0 of node-1 do not add up"},
	{"a capture saw more bytes leave than it saw",
		editCapture("eth0", func(c *evidence.Capture) { c.TXBytes = c.Bytes + 1 }), verdict.Undecided, "do not add up"},
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
	{"half a pair reported as inside", add("probe/node-1", evidence.Message{Link: &evidence.Link{
		Index: 9, Name: "veth9", Kind: "veth", Type: "ether", MTU: 1500, Up: true, Role: evidence.RoleInside}}),
		verdict.Undecided, "veth9 of node-1 is a veth link and cannot"},
	{"a counter that jumps behind the last canary", edit(func(m *evidence.Message) {
		if m.Count != nil {
			m.Count.RX[evidence.ReadingAfter] = 1<<64 - 1
		}
	}), verdict.Undecided, "cannot have counted"},

	{"a node's message did not fit the record", func(s map[string][]evidence.Message) {
		s["plugin"] = append(s["plugin"], evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemInternal, What: "account",
			Text: "a node message of 9000 bytes is over the limit of 8192"}})
	}, verdict.Undecided, "a node message of 9000 bytes"},
	{"the run placed pods on more nodes than are known", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Run != nil {
				m.Run.Nodes = 3
			}
		})
	}, verdict.Undecided, "placed its pods on 3 nodes, and its record describes 2"},
	{"a pod on a node that is not described", add("plugin", evidence.Message{Pod: &evidence.Pod{
		Role: "pod", Node: "node-3", Name: "pod-3", Ready: true}}),
		verdict.Undecided, "a pod on node-3, a node that it does not describe"},
	{"a node that takes part is not Ready", func(s map[string][]evidence.Message) {
		each(s["plugin"], func(m *evidence.Message) {
			if m.Node != nil && m.Node.Index == 1 {
				m.Node.Ready = false
			}
		})
	}, verdict.Undecided, "node-2 (it is not Ready)"},
	{"a problem of an unknown collector", add("probe/node-1", evidence.Message{Problem: &evidence.Problem{
		Class: evidence.ProblemTimeout, What: "telescope", Text: "fog"}}), verdict.Undecided,
		"telescope on node-1: fog"},
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
