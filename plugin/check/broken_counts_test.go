package check

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// seenBy changes what one node's WireGuard link shows of what goes from another
// node to a third, or from itself.
func seenBy(s map[string][]evidence.Message, node, direction string, source, target int, change func(*evidence.Seen)) {
	each(s["probe/"+node], func(m *evidence.Message) {
		if m.Witness == nil || m.Witness.Link != "flannel-wg" || m.Witness.Direction != direction {
			return
		}
		changed := *m.Witness
		changed.Seen = slices.Clone(changed.Seen)
		for i := range changed.Seen {
			if changed.Seen[i].Source == source && changed.Seen[i].Target == target {
				change(&changed.Seen[i])
			}
		}
		m.Witness = &changed
	})
}

// between1and2 changes what is seen of what node-1's pod sends to node-2's, on both links.
func between1and2(change func(*evidence.Seen)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		seenBy(s, "node-1", "tx", 0, 1, change)
		seenBy(s, "node-2", "rx", 0, 1, change)
	}
}

// ofLeaving and ofArriving change the ciphertext from node-1 to node-2.
func ofLeaving(change func(*evidence.Flow)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		tunnel(s["probe/node-1"], 1, func(t *evidence.Tunnel) { copied(&t.TX, change) })
	}
}

func ofArriving(change func(*evidence.Flow)) func(map[string][]evidence.Message) {
	return func(s map[string][]evidence.Message) {
		tunnel(s["probe/node-2"], 0, func(t *evidence.Tunnel) { copied(&t.RX, change) })
	}
}

func copied(f *evidence.Flow, change func(*evidence.Flow)) {
	f.Indices, f.Sizes = slices.Clone(f.Indices), slices.Clone(f.Sizes)
	change(f)
}

// brokenCounts are packets that arrived and were not in the tunnel, next to
// what a network may do to ciphertext.
var brokenCounts = []breakage{
	{"the answers went in and no UDP canary",
		between1and2(func(s *evidence.Seen) { s.UDP = s.UDPAnswers }), verdict.Failed, "WG0605"},
	{"the UDP canaries went in twice and no answer",
		between1and2(func(s *evidence.Seen) { s.UDPAnswers = 0 }), verdict.Failed, "WG0605"},
	{"one UDP canary did not go in", between1and2(func(s *evidence.Seen) { s.UDP-- }), verdict.Failed, "WG0605"},
	{"the TCP canary did not go in, its answer did",
		between1and2(func(s *evidence.Seen) { s.TCP = s.TCPAnswers }), verdict.Failed, "WG0605"},
	{"UDP stands in for TCP",
		between1and2(func(s *evidence.Seen) { s.UDP, s.TCP, s.TCPAnswers = 600, 0, 0 }), verdict.Failed, "WG0605"},
	{"no echo request went in",
		between1and2(func(s *evidence.Seen) { s.ICMP = s.ICMPAnswers }), verdict.Failed, "WG0605"},
	{"no echo reply went in", between1and2(func(s *evidence.Seen) { s.ICMPAnswers = 0 }), verdict.Failed, "WG0605"},
	{"a canary went in and another came out", func(s map[string][]evidence.Message) {
		seenBy(s, "node-2", "rx", 0, 1, func(s *evidence.Seen) { s.UDP-- })
	}, verdict.Failed, "WG0605"},
	{"a canary came out that had not gone in", func(s map[string][]evidence.Message) {
		seenBy(s, "node-1", "tx", 0, 1, func(s *evidence.Seen) { s.UDP-- })
	}, verdict.Failed, "WG0605"},
	{"one of the first packets went in",
		between1and2(func(s *evidence.Seen) { s.First = 1 }), verdict.Undecided, "WG0609"},
	{"some of the first packets went in",
		between1and2(func(s *evidence.Seen) { s.First = 74 }), verdict.Undecided, "WG0609"},
	{"the answers to another new pod's first packets went in",
		between1and2(func(s *evidence.Seen) { s.FirstAnswers = 1 }),
		verdict.Undecided, "WG0609"},

	{"a canary was lost and sent again", func(s map[string][]evidence.Message) {
		rowsOf(s["pod/node-1"], 1, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
			rows[1].Sent = 2
			return rows
		})
		seenBy(s, "node-1", "tx", 0, 1, func(s *evidence.Seen) { s.UDP++ })
	}, verdict.Passed, ""},
	{"a canary was lost before the tunnel", func(s map[string][]evidence.Message) {
		rowsOf(s["pod/node-1"], 1, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
			rows[1].Sent = 2
			return rows
		})
	}, verdict.Passed, ""},
	{"an echo was lost", func(s map[string][]evidence.Message) {
		rowsOf(s["pod/node-1"], 1, func(rows []evidence.CanaryRow) []evidence.CanaryRow {
			rows[4].Answered = 0
			return rows
		})
		seenBy(s, "node-2", "rx", 0, 1, func(s *evidence.Seen) { s.ICMP-- })
		ofArriving(func(f *evidence.Flow) { f.Sizes[0].Count-- })(s)
	}, verdict.Passed, ""},

	{"one message of a size fewer left than canaries of it arrived",
		ofLeaving(func(f *evidence.Flow) { f.Sizes[1].Count-- }), verdict.Failed, "WG0602"},
	{"one message of a size fewer arrived than canaries of it",
		ofArriving(func(f *evidence.Flow) { f.Sizes[1].Count-- }), verdict.Failed, "WG0602"},
	{"one size stands in for another",
		ofLeaving(func(f *evidence.Flow) { f.Sizes[0].Count, f.Sizes[1].Count = 0, 6 }), verdict.Failed, "WG0602"},
	{"no ciphertext of an echo reply",
		ofLeaving(func(f *evidence.Flow) { f.Sizes[0].Count-- }), verdict.Failed, "WG0602"},
	{"a counter left twice", ofLeaving(func(f *evidence.Flow) { f.Indices[0].Repeats = 1 }), verdict.Failed, "WG0602"},
	{"the network repeats datagrams",
		ofArriving(func(f *evidence.Flow) { f.Indices[0].Repeats = 3 }), verdict.Passed, ""},
	{"a session of one message",
		ofLeaving(func(f *evidence.Flow) { f.Indices[0].Messages = 1 }), verdict.Undecided, "WG0602"},
	{"a session of more messages than counters",
		ofLeaving(func(f *evidence.Flow) { f.Indices[0].Min = f.Indices[0].Max }),
		verdict.Undecided, "WG0602"},
	{"counters leave that no session reaches",
		ofLeaving(func(f *evidence.Flow) { f.Indices[0].Max = 1 << 63 }), verdict.Failed, "WG0602"},
	{"counters arrive that no session reaches",
		ofArriving(func(f *evidence.Flow) { f.Indices[0].Max = 1 << 63 }), verdict.Undecided, "WG0602"},
	{"datagrams that are no WireGuard messages",
		ofArriving(func(f *evidence.Flow) { f.Malformed = 100000 }), verdict.Passed, ""},
}
