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
	node  *graph.Node
	flow  *graph.Flow
	links []string     // on which it was captured
	outer *graph.Outer // see graph.Edge
	way   string       // leaving, arriving at
	// adrift: what was captured is not known to be of this flow, see graph.Edge.
	adrift bool
}

// flowEnds are both ends of what goes from one node to the other.
func flowEnds(e *graph.Edge) [2]end {
	return [...]end{
		{e.From, e.Out, e.OutLinks, e.OutOuter, "leaving", e.OutAdrift},
		{e.To, e.In, e.InLinks, e.InOuter, "arriving at", e.InAdrift},
	}
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
	all := v.expected(e)
	expected := all.sizes
	if len(expected) == 0 {
		return unknown("no test packet of %s arrived at %s that ciphertext could be compared with",
			e.From.Name, e.To.Name)
	}
	if why := unverifiedEnd(e); why != "" {
		return unknown("%s", why)
	}
	for _, at := range flowEnds(e) {
		if out := at.inside(e, all.bytes); out.Status != 0 {
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
			plural(e.Out.Data, "data message"), e.In.Data, list(sizes), counters) + within(e) + onTheWay(e)
	}))
}

// inside judges an end whose messages go inside of another tunnel: whether they
// were captured there, and whether that other tunnel was seen on the wire with
// room for them, so many bytes. It is the zero Outcome if they do, or if they go
// into no other tunnel.
func (at *end) inside(e *graph.Edge, bytes uint64) (out verdict.Outcome) {
	way := e
	if at.node != e.From {
		way = e.Back()
	}
	hidden, l := hiding(at.node, at.links), outerTunnel(way)
	switch {
	case at.flow.Data == 0 && l != nil:
		return insideOuter(way, l,
			"its messages were not captured there, so they cannot be compared with what was sent")
	case len(hidden) == 0 || at.flow.Data == 0:
		return out
	case len(hidden) < len(at.links):
		return unknown("WireGuard messages from %s to %s were seen %s %s on %s: some inside of another tunnel, "+
			"and some not", e.From.Name, e.To.Name, at.way, at.node.Name, list(at.links))
	case hidden[0].Role != evidence.RoleWireGuard:
		return out // what its program makes of them cannot be seen, and need not be: they are ciphertext before
	case at.outer == nil:
		return unknown("WireGuard messages from %s to %s go through %s of %s, of which nothing was captured on "+
			"the wire", e.From.Name, e.To.Name, hidden[0].Name, at.node.Name)
	case at.outer.Flow.Bytes < bytes:
		return unknown("WireGuard messages from %s to %s go through %s of %s, of which %d bytes were captured %s it, "+
			"fewer than the %d of the test packets: which way the others took is not known",
			e.From.Name, e.To.Name, hidden[0].Name, at.node.Name, at.outer.Flow.Bytes, at.way, bytes)
	}
	return out
}

// hiding are those of some links of a node that are tunnels.
func hiding(n *graph.Node, links []string) (tunnels []*evidence.Link) {
	for _, name := range links {
		if l := n.Link(name); l != nil && l.Role != evidence.RoleOutside {
			tunnels = append(tunnels, l)
		}
	}
	return tunnels
}

// cards are the links by which the messages at an end leave the host, none if
// that is not known: of those inside of another tunnel the links of that one.
func (at *end) cards() []string {
	switch {
	case len(hiding(at.node, at.links)) == 0:
		return at.links
	case at.outer == nil || len(hiding(at.node, at.outer.Links)) > 0:
		return nil
	}
	return at.outer.Links
}

// judge returns what is wrong with the messages at one end, the zero Outcome if
// nothing is. A network may lose and repeat datagrams, a sender may not: what is
// wrong where they leave is the sender's.
func (at *end) judge(e *graph.Edge, expected []evidence.SizeCount) verdict.Outcome {
	leaving := at.flow == e.Out
	switch {
	case at.flow.Data == 0 && at.adrift:
		return unknown("data messages of the same sessions were seen on %s and %s, and both ports and endpoints are "+
			"translated on the way: whether they are those %s %s for the other is not known", e.From.Name, e.To.Name,
			at.way, at.node.Name)
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

// short reports that fewer messages of a size were seen than pod packets arrived.
func (at *end) short(e *graph.Edge, want *evidence.SizeCount, got uint64) verdict.Outcome {
	if why := roamed(e); why != "" {
		return unknown("%s: only %d of %d data messages of %d bytes were seen %s %s",
			why, got, want.Count, want.Size, at.way, at.node.Name)
	}
	return fail("%d data messages of %d bytes were expected %s %s, %d were seen",
		want.Count, want.Size, at.way, at.node.Name, got)
}

// within reports inside of which tunnels the messages went, empty if in none.
func within(e *graph.Edge) (notes string) {
	for _, at := range flowEnds(e) {
		for _, l := range hiding(at.node, at.links) {
			notes += fmt.Sprintf("; %s %s inside of %s", at.way, at.node.Name, l.Name)
			if at.outer != nil {
				notes += fmt.Sprintf(", of which %d bytes crossed %s", at.outer.Flow.Bytes, list(at.outer.Links))
			}
		}
	}
	return notes
}

// onTheWay reports what the network did to the messages, and what else went between
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
