package check

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// secondCard gives node-1 another link that leaves the host, with a capture.
func secondCard(s map[string][]evidence.Message, link evidence.Link, capture evidence.Capture) {
	link.Index, link.Name, link.Up, link.Role = 9, "eth1", true, evidence.RoleOutside
	capture.Link, capture.Role, capture.Started, capture.Alive = "eth1", evidence.RoleOutside, true, true
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Link: &link}, evidence.Message{Capture: &capture})
}

// countedOn adds what that link counted while canaries travelled.
func countedOn(s map[string][]evidence.Message, packets, bytes uint64) {
	readings := func(n uint64) [evidence.Readings]uint64 { return [evidence.Readings]uint64{5, 5, 5 + n, 5 + n} }
	s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{LinkCount: &evidence.LinkCount{
		Link: "eth1", Index: 9, Readings: evidence.Readings, TXPackets: readings(packets), TXBytes: readings(bytes),
	}})
}

// withLink returns a row in which a second link of a kind captured and counted some.
func withLink(
	name string, link evidence.Link, captured evidence.Capture, packets, bytes uint64, want verdict.Verdict,
) breakage {
	cause := ""
	if want == verdict.Undecided {
		cause = "WG0604"
	}
	return breakage{name, func(s map[string][]evidence.Message) {
		secondCard(s, link, captured)
		countedOn(s, packets, bytes)
	}, want, cause}
}

// otherWay moves node-1's controls for node-2 to another link, on which they leave.
func otherWay(s map[string][]evidence.Message) {
	each(s["probe/node-1"], func(m *evidence.Message) {
		if m.Witness != nil && m.Witness.Link == "eth0" && m.Witness.Direction == "tx" &&
			m.Witness.Seen[0].Target == 1 {
			m.Witness = &evidence.Witness{Link: "eth1", Direction: "tx", Family: 4, Seen: m.Witness.Seen}
		}
	})
}

// unheard removes node-1's controls where they arrive at node-2.
func unheard(s map[string][]evidence.Message) {
	each(s["probe/node-2"], func(m *evidence.Message) {
		if m.Witness != nil && m.Witness.Link == "eth0" && m.Witness.Direction == "rx" &&
			m.Witness.Seen[0].Source == 0 {
			m.Witness = &evidence.Witness{Link: "eth0", Direction: "rx", Family: 4}
		}
	})
}

// behindNAT gives node-2 an address that is not where node-1 sends to, and the
// API's word for one.
func behindNAT(internal ...string) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		unheard(s)
		s["probe/node-2"] = append(s["probe/node-2"], evidence.Message{Address: &evidence.Address{
			Link: "eth0", Prefix: netip.MustParsePrefix("198.51.100.7/24"),
		}})
		each(s[evidence.PluginStream], func(m *evidence.Message) {
			if m.Node == nil || m.Node.Index != 1 {
				return
			}
			node := *m.Node
			for _, addr := range internal {
				node.Addresses = append(slices.Clone(node.Addresses),
					evidence.NodeAddress{Type: "InternalIP", Addr: addr})
			}
			m.Node = &node
		})
	}
}

var (
	ppp    = evidence.Link{Type: "ppp"}
	backup = evidence.Link{Type: "ether", Backup: true}
)

// brokenControls are links that controls cannot or need not cross.
var brokenControls = []breakage{
	{"controls and ciphertext take different cards", func(s map[string][]evidence.Message) {
		secondCard(s, evidence.Link{}, evidence.Capture{ControlTX: 3})
		countedOn(s, 0, 0)
		otherWay(s)
	}, verdict.Passed, ""},
	{"ciphertext takes a card that showed no control", func(s map[string][]evidence.Message) {
		tunnel(s["probe/node-1"], 1, func(t *evidence.Tunnel) { t.Links = []string{"eth0", "eth7"} })
	}, verdict.Undecided, "WG0604"},
	withLink("a link that takes no control, idle", ppp, evidence.Capture{}, 0, 0, verdict.Passed),
	withLink("a link that takes no control and shows its own frames",
		ppp, evidence.Capture{Frames: 9, Bytes: 900}, 9, 900, verdict.Passed),
	withLink("the same with frames that were merged",
		ppp, evidence.Capture{Frames: 2, Bytes: 950}, 9, 1000, verdict.Passed),
	withLink("the same with fewer than it counted",
		ppp, evidence.Capture{Frames: 8, Bytes: 800}, 9, 900, verdict.Undecided),
	withLink("the same with none of those it counted", ppp, evidence.Capture{}, 1, 40, verdict.Undecided),
	withLink("a member of a bond that is not in use",
		backup, evidence.Capture{Frames: 1, Bytes: 60}, 1, 60, verdict.Passed),
	withLink("a second card without a control",
		evidence.Link{Type: "ether"}, evidence.Capture{Frames: 9, Bytes: 900}, 9, 900, verdict.Undecided),
	{"a link that takes no control and was not counted", func(s map[string][]evidence.Message) {
		secondCard(s, ppp, evidence.Capture{Frames: 9, Bytes: 900})
	}, verdict.Undecided, "WG0604"},
	{"a NAT of which the API knows too kept the control", behindNAT("198.51.100.7"), verdict.Passed, ""},
	{"a NAT of which only the receiver speaks", behindNAT(underlay(1).String()), verdict.Undecided, "WG0604"},
	{"a NAT of which the API says nothing", behindNAT(), verdict.Undecided, "WG0604"},
}
