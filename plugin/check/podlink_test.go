package check

import (
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// podVeth adds to node-1 a veth that counts as outside, with a capture that saw
// its own looped control.
func podVeth(s map[string][]evidence.Message) {
	on1(evidence.Message{
		Link: &evidence.Link{Index: 9, Name: "veth9", Kind: "veth", Up: true, PeerNS: true, Role: evidence.RoleOutside,
			Why: "a port of a bridge with an address that is not the pods'"},
	},
		evidence.Message{
			Capture: &evidence.Capture{Link: "veth9", Role: evidence.RoleOutside, Started: true, Alive: true,
				Frames: 20, ControlTX: 1},
		},
		evidence.Message{LinkCount: &evidence.LinkCount{Link: "veth9", Index: 9, Readings: evidence.Readings}})(s)
}

func crossed(link, direction string, source, target int) evidence.Message {
	return evidence.Message{
		Sighting: &evidence.Sighting{Link: link, Direction: direction, Source: source, Target: target, Family: 4,
			By: "mark", Layers: "ethernet ipv4 udp", Count: 9},
	}
}

// What crosses veth9 of node-1 (index 0), and what is to be judged of it.
var podLinks = []struct {
	name   string
	breaks func(map[string][]evidence.Message)
	want   verdict.Verdict
}{
	{"own pods' packets arrive, and those for them leave",
		on1(crossed("veth9", "rx", 0, 1), crossed("veth9", "tx", 1, 0)), verdict.Passed},
	{"own pods' packets arrive", on1(crossed("veth9", "rx", 0, 1)), verdict.Passed},
	{"packets for own pods leave: a copy out of an uplink would too", on1(crossed("veth9", "tx", 1, 0)),
		verdict.Failed},
	{"own pods' packets leave: an uplink", on1(crossed("veth9", "tx", 0, 1)), verdict.Failed},
	{"other pods' packets arrive: an uplink", on1(crossed("veth9", "rx", 1, 0)), verdict.Failed},
	{"both ways of both: a hub", on1(crossed("veth9", "rx", 0, 1), crossed("veth9", "tx", 0, 1)), verdict.Failed},
	{"one packet of an own pod leaves among many that arrive",
		on1(crossed("veth9", "rx", 0, 1), crossed("veth9", "tx", 1, 0), crossed("veth9", "tx", 0, 2)), verdict.Failed},
	{"the same on a card", on1(crossed("eth0", "rx", 0, 1), crossed("eth0", "tx", 1, 0)), verdict.Failed},
	{"the link carries ciphertext", func(s map[string][]evidence.Message) {
		on1(crossed("veth9", "rx", 0, 1))(s)
		capture(s["probe/node-1"], "veth9", func(c *evidence.Capture) { c.Classes = map[string]uint64{"wireguard": 3} })
	}, verdict.Failed},
	{"a control arrived on it", func(s map[string][]evidence.Message) {
		on1(crossed("veth9", "rx", 0, 1))(s)
		capture(s["probe/node-1"], "veth9", func(c *evidence.Capture) { c.ControlRX = 1 })
	}, verdict.Failed},
	{"the way to another node leads out of it", func(s map[string][]evidence.Message) {
		on1(crossed("veth9", "rx", 0, 1))(s)
		route(s["probe/node-1"], evidence.Route{For: underlay(2), Link: "veth9"})
	}, verdict.Failed},
	{"it leads out on another node as well", func(s map[string][]evidence.Message) {
		on1(crossed("veth9", "rx", 0, 1))(s)
		s["probe/node-2"] = append(s["probe/node-2"], crossed("eth0", "rx", 0, 1))
	}, verdict.Failed},
}

func TestPodLinks(t *testing.T) {
	for _, test := range podLinks {
		t.Run(test.name, func(t *testing.T) {
			streams := healthy(3)
			podVeth(streams)
			test.breaks(streams)
			if j := Judge(record(t, streams)); j.Verdict != test.want {
				t.Errorf("%s, want %s: %v", j.Verdict, test.want, bad(j))
			}
		})
	}
}
