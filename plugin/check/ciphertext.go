package check

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// end is one end of a flow of ciphertext on the wire.
type end struct {
	node *graph.Node
	flow *graph.Flow
	way  string // leaving, arriving at
}

// ciphertext judges the WireGuard messages from one node to the other, leaving
// and arriving, against what the pod at their end got.
func (v *view) ciphertext(e *graph.Edge) verdict.Outcome {
	if out, none := v.noCarrier(e); none {
		return out
	}
	if e.Sent == nil || e.Received == nil {
		return unknown("the two devices are not peers, so captured messages cannot be attributed")
	}
	expected := v.expected(e).sizes
	if len(expected) == 0 {
		return unknown("no test packet of %s arrived at %s that ciphertext could be compared with", e.From.Name, e.To.Name)
	}
	if why := unverifiedEnd(e); why != "" {
		return unknown("%s", why)
	}
	for _, at := range [...]end{{e.From, e.Out, "leaving"}, {e.To, e.In, "arriving at"}} {
		if out, inside := at.inside(e); inside {
			return out
		}
		if out := at.judge(e, expected); out.Status != 0 {
			return out
		}
	}
	if !share(e.Out.Sessions, e.In.Sessions) {
		return fail("the sessions seen leaving %s are not those that arrive at %s", e.From.Name, e.To.Name)
	}
	status := verdict.Pass
	if e.Out.Malformed+e.In.Malformed > 0 {
		status = verdict.Warn
	}
	return verdict.Say(status, "%s", verdict.Late(func() string {
		sizes := []string{}
		for _, size := range expected {
			sizes = append(sizes, fmt.Sprintf("%d×%d B", size.Count, size.Size))
		}
		counters := "no replayed counter"
		if e.In.Repeats > 0 {
			counters = "no counter sent twice"
		}
		return fmt.Sprintf("%s sent, %d received, expected sizes present (%s), %s",
			plural(e.Out.Data, "data message"), e.In.Data, list(sizes), counters) + onTheWay(e)
	}))
}

// inside judges an end of which no message was seen, since they go inside of
// another tunnel; it reports whether it is one.
func (at *end) inside(e *graph.Edge) (out verdict.Outcome, is bool) {
	if at.flow.Data > 0 {
		return out, false
	}
	if at.node != e.From {
		e = e.Back()
	}
	l := outerTunnel(e)
	if l == nil {
		return out, false
	}
	return insideOuter(e, l), true
}

// judge returns what is wrong with the messages at one end, the zero Outcome if
// nothing is. A network may lose and repeat datagrams, a sender may not: what is
// wrong where they leave is the sender's.
func (at *end) judge(e *graph.Edge, expected []evidence.SizeCount) verdict.Outcome {
	leaving := at.flow == e.Out
	switch {
	case at.flow.Data == 0:
		return fail("no WireGuard data message was seen %s %s between %s and %s",
			at.way, at.node.Name, e.From.Name, e.To.Name)
	case at.flow.Repeats > 0 && leaving:
		return fail("%s on the wire %s %s repeat a counter, which WireGuard never does",
			plural(at.flow.Repeats, "data message"), at.way, at.node.Name)
	case at.flow.Jumps && leaving:
		return fail("data messages on the wire %s %s have counters that no session reaches",
			at.way, at.node.Name)
	case at.flow.Jumps:
		return unknown("data messages %s %s have counters that no session reaches: they are forged",
			at.way, at.node.Name)
	case at.flow.Unmatched:
		return unknown("the sessions that were captured %s %s do not add up to its %s",
			at.way, at.node.Name, plural(at.flow.Data, "data message"))
	}
	for i := range expected {
		if got := at.flow.Sized(expected[i].Size); got < expected[i].Count {
			return at.short(e, &expected[i], got)
		}
	}
	return verdict.Outcome{}
}

// short says that fewer messages of a size were seen than pod packets arrived.
func (at *end) short(e *graph.Edge, want *evidence.SizeCount, got uint64) verdict.Outcome {
	if why := roamed(e); why != "" {
		return unknown("%s: only %d of %d data messages of %d bytes were seen %s %s",
			why, got, want.Count, want.Size, at.way, at.node.Name)
	}
	return fail("%d data messages of %d bytes were expected %s %s, %d were seen",
		want.Count, want.Size, at.way, at.node.Name, got)
}

// onTheWay says what the network did to the messages, and what else went between
// the two endpoints; empty if nothing did.
func onTheWay(e *graph.Edge) (notes string) {
	if lost := e.Out.Data - min(e.Out.Data, e.In.Data); lost > 0 {
		notes += fmt.Sprintf("; %d of %d lost between the nodes", lost, e.Out.Data)
	}
	if e.In.Repeats > 0 {
		notes += fmt.Sprintf("; %s duplicated by the network", plural(e.In.Repeats, "data message"))
	}
	if port := e.LeavesFrom; port != 0 {
		notes += fmt.Sprintf("; a translation on %s has them leave from UDP port %d", e.From.Name, port)
	}
	if port := e.ArrivesAt; port != 0 {
		notes += fmt.Sprintf("; a translation on %s takes them from UDP port %d", e.To.Name, port)
	}
	const invalid = "are not valid WireGuard messages"
	if n := e.Out.Malformed; n > 0 {
		notes += fmt.Sprintf("; %s to the endpoint of %s %s", plural(n, "datagram"), e.To.Name, invalid)
	} else if n := e.In.Malformed; n > 0 {
		notes += fmt.Sprintf("; %s from the endpoint of %s %s", plural(n, "datagram"), e.From.Name, invalid)
	}
	return notes
}

func share(a, b []uint32) bool {
	return slices.ContainsFunc(a, func(session uint32) bool { return slices.Contains(b, session) })
}
