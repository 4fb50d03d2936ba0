package check

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// end is one end of a flow of ciphertext on the wire.
type end struct {
	node *verdict.Node
	flow *verdict.Flow
	way  string // leaving, arriving at
}

// ciphertext judges the WireGuard messages from one node to the other, leaving
// and arriving, against what the pod at their end got.
func (v *view) ciphertext(f *verdict.Focus) verdict.Outcome {
	t := &f.Tunnel
	if out, none := v.noCarrier(f); none {
		return out
	}
	if t.Sent == nil || t.Received == nil {
		return unknown("the devices of both nodes do not know each other, so their messages cannot be told")
	}
	expected := v.expected(f).sizes
	if len(expected) == 0 {
		return unknown("no canary of %s arrived at %s that ciphertext could be compared with", t.From.Name, t.To.Name)
	}
	if why := unsoundEnd(f); why != "" {
		return unknown("%s", why)
	}
	for _, e := range [...]end{{t.From, t.Out, "leaving"}, {t.To, t.In, "arriving at"}} {
		if out := e.judge(f, expected); out.Status != 0 {
			return out
		}
	}
	if !share(t.Out.Sessions, t.In.Sessions) {
		return fail("the sessions seen leaving %s are not those that arrive at %s", t.From.Name, t.To.Name)
	}
	status := verdict.Pass
	if t.Out.Malformed+t.In.Malformed > 0 {
		status = verdict.Warn
	}
	return f.Say(status, func() string {
		sizes := []string{}
		for _, size := range expected {
			sizes = append(sizes, fmt.Sprintf("%d×%d B", size.Count, size.Size))
		}
		counters := "no counter twice"
		if t.In.Repeats > 0 {
			counters = "no counter sent twice"
		}
		return fmt.Sprintf("%s out, %d in, %s among them, %s",
			plural(t.Out.Data, "data message"), t.In.Data, list(sizes), counters) + onTheWay(t)
	})
}

// judge returns what is wrong with the messages at one end, the zero Outcome if
// nothing is. A network may lose and repeat datagrams, a sender may not: what is
// wrong where they leave is the sender's.
func (e *end) judge(f *verdict.Focus, expected []evidence.SizeCount) verdict.Outcome {
	t, leaving := &f.Tunnel, e.flow == f.Tunnel.Out
	switch {
	case e.flow.Data == 0:
		return fail("no WireGuard data message was seen %s %s between %s and %s", e.way, e.node.Name, t.From.Name, t.To.Name)
	case e.flow.Repeats > 0 && leaving:
		return fail("%s on the wire %s %s repeat a counter: WireGuard never does",
			plural(e.flow.Repeats, "data message"), e.way, e.node.Name)
	case e.flow.Jumps && leaving:
		return fail("data messages on the wire %s %s have counters that no session reaches: WireGuard counts by one",
			e.way, e.node.Name)
	case e.flow.Jumps:
		return unknown("data messages %s %s have counters that no session reaches: somebody forges them", e.way, e.node.Name)
	case e.flow.Unmatched:
		return unknown("the sessions that were captured %s %s do not add up to its %s",
			e.way, e.node.Name, plural(e.flow.Data, "data message"))
	}
	for i := range expected {
		if got := e.flow.Sized(expected[i].Size); got < expected[i].Count {
			return e.short(f, &expected[i], got)
		}
	}
	return verdict.Outcome{}
}

// short says that fewer messages of a size were seen than pod packets arrived.
func (e *end) short(f *verdict.Focus, want *evidence.SizeCount, got uint64) verdict.Outcome {
	if why := roamed(f); why != "" {
		return unknown("%s: only %d of %d data messages of %d bytes were seen %s %s",
			why, got, want.Count, want.Size, e.way, e.node.Name)
	}
	return fail("%d data messages of %d bytes were expected %s %s, %d were seen",
		want.Count, want.Size, e.way, e.node.Name, got)
}

// onTheWay says what the network did to the messages, and what else went between
// the two endpoints; empty if nothing did.
func onTheWay(t *verdict.Tunnel) (notes string) {
	if lost := t.Out.Data - min(t.Out.Data, t.In.Data); lost > 0 {
		notes += fmt.Sprintf("; %d of %d lost on the way", lost, t.Out.Data)
	}
	if t.In.Repeats > 0 {
		notes += fmt.Sprintf("; %s came twice, repeated by the network", plural(t.In.Repeats, "data message"))
	}
	const invalid = "are not valid WireGuard messages"
	if n := t.Out.Malformed; n > 0 {
		notes += fmt.Sprintf("; %s to the endpoint of %s %s", plural(n, "datagram"), t.To.Name, invalid)
	} else if n := t.In.Malformed; n > 0 {
		notes += fmt.Sprintf("; %s from the endpoint of %s %s", plural(n, "datagram"), t.From.Name, invalid)
	}
	return notes
}

func share(a, b []uint32) bool {
	return slices.ContainsFunc(a, func(session uint32) bool { return slices.Contains(b, session) })
}
