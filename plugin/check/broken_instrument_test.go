package check

import (
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// brokenInstrument is what keeps a run from seeing a leak: captures, controls,
// and readings that they rest on.
var brokenInstrument = []breakage{
	{"the capture lost frames", func(s map[string][]evidence.Message) {
		capture(s["probe/node-1"], "eth0", func(c *evidence.Capture) { c.Drops = 3 })
		each(s["probe/node-1"], func(m *evidence.Message) {
			if m.Tunnel != nil {
				m.Tunnel = &evidence.Tunnel{Local: m.Tunnel.Local, Remote: m.Tunnel.Remote}
			}
		})
	}, verdict.Undecided, "WG0604"},
	{"the capture cut frames short", func(s map[string][]evidence.Message) {
		capture(s["probe/node-1"], "eth0", func(c *evidence.Capture) { c.Truncated = 1 })
	}, verdict.Undecided, "WG0604"},
	{"the capture died", func(s map[string][]evidence.Message) {
		capture(s["probe/node-1"], "eth0", func(c *evidence.Capture) { c.Alive = false })
	}, verdict.Undecided, "WG0604"},
	{"no control was seen", func(s map[string][]evidence.Message) {
		capture(s["probe/node-2"], "eth0", func(c *evidence.Capture) { c.ControlRX, c.ControlTX = 0, 0 })
	}, verdict.Undecided, "WG0604"},
	{"only another node's control arrived", func(s map[string][]evidence.Message) {
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Witness != nil && m.Witness.Link == "eth0" && m.Witness.Direction == "rx" &&
				m.Witness.Seen[0].Source == 0 {
				m.Witness = &evidence.Witness{Link: "eth0", Direction: "rx", Family: 4}
			}
		})
	}, verdict.Undecided, "WG0604"},
	{"no control arrived, and no NAT is there that could have kept it", func(s map[string][]evidence.Message) {
		each(s["probe/node-2"], func(m *evidence.Message) {
			if m.Witness != nil && m.Witness.Link == "eth0" && m.Witness.Direction == "rx" &&
				m.Witness.Seen[0].Source == 0 {
				m.Witness = &evidence.Witness{Link: "eth0", Direction: "rx", Family: 4}
			}
		})
		s["probe/node-2"] = append(s["probe/node-2"],
			evidence.Message{Address: &evidence.Address{Link: "eth0", Prefix: netip.PrefixFrom(underlay(1), 24)}})
	}, verdict.Undecided, "WG0604"},
	{"a second link was not watched", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Link: &evidence.Link{Index: 9, Name: "eth1", Up: true, Role: evidence.RoleOutside}})
	}, verdict.Undecided, "WG0604"},
	{"a link began to lead out meanwhile", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemMissing, What: "capture", On: "eth7",
			Text: "this link began to lead out of the host while the capture ran"}})
	}, verdict.Undecided, "WG0604"},
	{"the addresses could not be read", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemTimeout, What: "address", Text: "interrupted"}})
	}, verdict.Undecided, "WG0604"},
	{"the packet filter could not be read", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"], evidence.Message{Problem: &evidence.Problem{
			Class: evidence.ProblemPermission, What: "firewall", Text: "not permitted"}})
	}, verdict.Passed, ""},
	{"a program takes frames before any capture", func(s map[string][]evidence.Message) {
		link1("eth0", func(l *evidence.Link) { l.XDP = &evidence.XDP{Mode: "generic", ID: 7} })(s)
	}, verdict.Undecided, "WG0611"},
}
