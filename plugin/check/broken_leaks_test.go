package check

import (
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// brokenLeaks are packets that leave in clear, of test pods and of new pods, and what keeps
// answers from coming in time.
var brokenLeaks = []breakage{
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
	{"a leak in a format of its own", func(s map[string][]evidence.Message) {
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp", OuterSource: underlay(0),
				OuterTarget: underlay(1), Count: 7}})
	}, verdict.Failed, "WG0601"},
	{"a device that counts nothing, and a leak in a shape like WireGuard's", func(s map[string][]evidence.Message) {
		count(s["probe/node-2"], 0, func(c *evidence.Count) { c.RX = [4]uint64{1000, 1000, 1000, 1000} })
		s["probe/node-1"] = append(s["probe/node-1"],
			evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx",
				Source: 0, Target: 1, Family: 4, By: "mark", Layers: "ethernet ipv4 udp:51820 wireguard", Count: 7}})
	}, verdict.Failed, "WG0601"},
}

// firstLeak is a leak sample of a new pod's first packets, or their answers.
func firstLeak(source, target int) evidence.Message {
	return evidence.Message{Sighting: &evidence.Sighting{Link: "eth0", Direction: "tx", Source: source,
		Target: target, Family: 4, By: "mark", First: true, Layers: "ethernet ipv4 udp", Count: 40}}
}
