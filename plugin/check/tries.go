package check

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/routing"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Bounds of the tries of a run.
const (
	maxTries     = 256
	maxPairTries = 16
	maxBecause   = 300 // bytes
)

// Tries returns the canaries that a run must send besides its usual ones, so that
// what a rule or a statement does to some packets is seen and not only read. The
// case need hold no more than what nodes said before anything was sent.
func Tries(g *graph.Graph) (tries []evidence.Try) {
	v := newView(g, profile.Decide(g))
	few := len(g.Nodes) <= maxTries/maxPairTries
	somewhere := few && slices.ContainsFunc(g.Nodes, v.narrows)
	for _, from := range g.Nodes {
		if !somewhere && !v.narrows(from) {
			continue
		}
		for e := range g.EdgesFrom(from) {
			tries = append(tries, v.triesOf(e, len(tries))...)
			if len(tries) >= maxTries {
				return tries[:maxTries]
			}
		}
	}
	return tries
}

// narrows reports whether a node has rules or statements that some packets meet
// and others do not.
func (v *view) narrows(n *graph.Node) bool {
	return slices.ContainsFunc(v.Run.Families, func(family int) bool {
		paths := v.pathsOf(n, family)
		return paths.plan.Narrows() || len(paths.diverting) > 0
	})
}

// triesOf are those of one pair, numbered from a number on.
func (v *view) triesOf(e *graph.Edge, last int) (tries []evidence.Try) {
	paths := v.pathsOf(e.From, e.Family)
	if e.FromLink() == "" || e.Route == nil {
		return nil
	}
	addOf := func(plan *routing.Plan, way *routing.Way, because string) {
		try := tryFor(e, plan, way)
		if try == nil || len(tries) == maxPairTries || findTry(tries, try) != nil {
			return
		}
		try.ID = last + len(tries) + 1
		try.Because = because[:min(len(because), maxBecause)]
		tries = append(tries, *try)
	}
	add := func(way *routing.Way, because string) { addOf(paths.plan, way, because) }
	right := v.rightLinks(e)
	for _, podRange := range v.rangesTo(e) {
		ways, _ := paths.plan.Ways(podRange)
		for i := range ways {
			way := &ways[i]
			if way.Certainty != routing.Selective || harmless(way, right) {
				continue
			}
			add(way, because(way))
		}
		for _, d := range paths.diverting {
			way, touches := paths.plan.Touch(d, podRange)
			sends := d.Effect == evidence.EffectCopy || d.Effect == evidence.EffectForward
			if sends && touches && way.Certainty == routing.Selective && leaving(d, e.From, right) {
				add(&way, routing.DescribeStatement(d))
			}
		}
	}
	v.forwarded(e, func(c concern) {
		if c.way != nil && c.way.Certainty == routing.Selective {
			plan := v.arrivalPlan(e.To, e.Family, podRanges(e.From, e.Family), e.From.PodIP(e.Family))
			addOf(plan, c.way, because(c.way))
		}
	})
	return tries
}

func because(way *routing.Way) string {
	text := ""
	if way.Rule != nil {
		text = routing.DescribeRule(way.Rule)
	}
	if len(way.Marked) > 0 {
		if text != "" {
			text += "; "
		}
		text += routing.DescribeStatement(way.Marked[0])
	}
	if text == "" && way.Entry != nil {
		text = describe(way.Entry)
	}
	return text
}

// tryFor is a canary that takes a way; nil if the test pods cannot send one.
func tryFor(e *graph.Edge, plan *routing.Plan, way *routing.Way) *evidence.Try {
	p, ok := plan.SampleOf(way, e.From.PodIP(e.Family), e.To.PodIP(e.Family))
	if !ok {
		return nil
	}
	return &evidence.Try{
		Node: e.From.Index, Target: e.To.Index, Family: e.Family, Transport: routing.Protocol(p.Protocol),
		Source: p.FixedSource(), Port: p.FixedTarget(), DSCP: p.DSCP, Addr: e.To.PodIP(e.Family),
	}
}

// tried judges a way that only some packets take by the canary that was made for
// it: where it was seen is evidence, what the tables say is not.
func tried(e *graph.Edge, plan *routing.Plan, way *routing.Way) (verdict.Status, string) {
	marked := func(l graph.Leak) bool { return l.By == evidence.LeakedByMark }
	if slices.ContainsFunc(leaks(e), marked) {
		return verdict.Fail, ""
	}
	like := tryFor(e, plan, way)
	if like == nil {
		return verdict.Inconclusive, "the test pods can send no test packet that takes this path"
	}
	try := findTry(e.Graph().Run.Tries, like)
	if try == nil {
		return verdict.Inconclusive, "no test packet was sent for it"
	}
	into := trySeen(e.From, try.ID, e.FromLink(), evidence.DirectionTX)
	outOf := trySeen(e.To, try.ID, e.ToLink(), evidence.DirectionRX)
	sent, received := uint32(0), uint32(0)
	for _, t := range e.From.Tried {
		if t.ID == try.ID {
			sent = max(sent, t.Sent) // what is reported twice is no more
		}
	}
	for _, t := range e.To.Tried {
		if t.ID == try.ID {
			received = max(received, t.Received)
		}
	}
	switch {
	case way.Hop && into > 0:
		return verdict.Inconclusive, "a test packet made for it was in the tunnel, and packets of other flows use " +
			"another of the next hops"
	case into > 0 && outOf > 0 && outOf >= received:
		return verdict.Pass, ""
	case into == 0 && outOf == 0 && received > 0 && e.From.Unverified == "" && e.To.Unverified == "":
		return verdict.Fail, fmt.Sprintf("a test packet made for it arrived %s and was not in the tunnel",
			plural(uint64(received), "time"))
	}
	return verdict.Inconclusive, fmt.Sprintf("of the test packets made for it %d were sent, %d seen entering the "+
		"tunnel, %d leaving it, and %d arrived", sent, into, outOf, received)
}

func trySeen(n *graph.Node, id int, link, direction string) (count uint32) {
	for _, t := range n.TriesSeen {
		if t.ID == id && t.Link == link && t.Direction == direction {
			count = max(count, t.Count)
		}
	}
	return count
}

// findTry returns the try that is like another but for its number and reason.
func findTry(tries []evidence.Try, like *evidence.Try) *evidence.Try {
	for i := range tries {
		t := &tries[i]
		if t.Node == like.Node && t.Target == like.Target && t.Family == like.Family && t.Transport == like.Transport &&
			t.Source == like.Source && t.Port == like.Port && t.DSCP == like.DSCP {
			return t
		}
	}
	return nil
}
