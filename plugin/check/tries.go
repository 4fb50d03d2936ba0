package check

import (
	"fmt"
	"slices"

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

// Tries returns the canaries that a run must send beside its usual ones, so that
// what a rule or a statement does to some packets is seen and not only read. The
// case need hold no more than what nodes said before anything was sent.
func Tries(c *verdict.Case) (tries []evidence.Try) {
	p := profile.Decide(c)
	v := &view{Profile: p}
	prepare(c, p)
	few := len(c.Nodes) <= maxTries/maxPairTries
	wanted := func(f *verdict.Focus, n *verdict.Node) bool {
		return v.narrows(f, n) || few && slices.ContainsFunc(c.Nodes, func(other *verdict.Node) bool { return v.narrows(f, other) })
	}
	c.EachPair(wanted, func(f *verdict.Focus) bool {
		tries = append(tries, v.triesOf(f, len(tries))...)
		return len(tries) < maxTries
	})
	return tries[:min(len(tries), maxTries)]
}

// narrows reports whether a node has rules or statements that some packets meet
// and others do not.
func (v *view) narrows(f *verdict.Focus, n *verdict.Node) bool {
	paths := v.pathsOf(f, n)
	return paths.plan.Narrows() || len(paths.diverting) > 0
}

// triesOf are those of one pair, numbered from a number on.
func (v *view) triesOf(f *verdict.Focus, last int) (tries []evidence.Try) {
	paths := v.pathsOf(f, f.Node)
	if f.Tunnel.FromLink == "" || f.Route() == nil {
		return nil
	}
	addOf := func(plan *routing.Plan, way *routing.Way, because string) {
		try := tryFor(f, plan, way)
		if try == nil || len(tries) == maxPairTries || findTry(tries, try) != nil {
			return
		}
		try.ID, try.Because = last+len(tries)+1, because[:min(len(because), maxBecause)]
		tries = append(tries, *try)
	}
	add := func(way *routing.Way, because string) { addOf(paths.plan, way, because) }
	for _, podRange := range v.rangesTo(f) {
		ways, _ := paths.plan.Ways(podRange)
		for i := range ways {
			way := &ways[i]
			if way.Certainty != routing.Selective || way.Harmless() || way.Link == f.Tunnel.FromLink {
				continue
			}
			add(way, because(way))
		}
		for _, d := range paths.diverting {
			way, touches := paths.plan.Touch(d, podRange)
			sends := d.Effect == evidence.EffectCopy || d.Effect == evidence.EffectForward
			if sends && touches && way.Certainty == routing.Selective && leaving(d, f.Node, f.Tunnel.FromLink) {
				add(&way, routing.DescribeStatement(d))
			}
		}
	}
	v.forwarded(f, func(c concern) {
		if c.way != nil && c.way.Certainty == routing.Selective {
			plan := v.arrivalPlan(f, podRanges(f.Node, f.Family), f.Node.PodIP(f.Family))
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
	for _, d := range way.Marked {
		if text != "" {
			text += "; "
		}
		text += routing.DescribeStatement(d)
		break
	}
	if text == "" && way.Entry != nil {
		text = describe(way.Entry)
	}
	return text
}

// tryFor is a canary that takes a way; nil if the test pods cannot send one.
func tryFor(f *verdict.Focus, plan *routing.Plan, way *routing.Way) *evidence.Try {
	p, ok := plan.SampleOf(way, f.Node.PodIP(f.Family), f.Peer.PodIP(f.Family))
	if !ok {
		return nil
	}
	return &evidence.Try{
		Node: f.Node.Index, Target: f.Peer.Index, Family: f.Family, Transport: routing.Protocol(p.Protocol),
		Source: p.FixedSource(), Port: p.FixedTarget(), DSCP: p.DSCP, Addr: f.Peer.PodIP(f.Family),
	}
}

// tried judges a way that only some packets take by the canary that was made for
// it: where it was seen is evidence, what the tables say is not.
func tried(f *verdict.Focus, plan *routing.Plan, way *routing.Way) (verdict.Status, string) {
	marked := func(l verdict.Leak) bool { return l.By == evidence.BetrayedByMark }
	if slices.ContainsFunc(leaks(f), marked) {
		return verdict.Fail, ""
	}
	like := tryFor(f, plan, way)
	if like == nil {
		return verdict.Inconclusive, "the test pods can send no canary that takes this way"
	}
	try := findTry(f.Run.Tries, like)
	if try == nil {
		return verdict.Inconclusive, "no canary was sent for it"
	}
	into, outOf := trySeen(f.Node, try.ID, f.Tunnel.FromLink, evidence.DirectionTX), trySeen(f.Peer, try.ID, f.Tunnel.ToLink, evidence.DirectionRX)
	sent, received := uint32(0), uint32(0)
	for _, t := range f.Node.Tried {
		if t.ID == try.ID {
			sent = max(sent, t.Sent) // what is told twice is no more
		}
	}
	for _, t := range f.Peer.Tried {
		if t.ID == try.ID {
			received = max(received, t.Received)
		}
	}
	switch {
	case way.Hop && into > 0:
		return verdict.Inconclusive, "a canary made for it was in the tunnel, and packets of other flows take another of the next hops"
	case into > 0 && outOf > 0 && outOf >= received:
		return verdict.Pass, ""
	case into == 0 && outOf == 0 && received > 0 && f.Node.Unsound == "" && f.Peer.Unsound == "":
		return verdict.Fail, fmt.Sprintf("a canary made for it arrived %s and was not in the tunnel", plural(uint64(received), "time"))
	}
	return verdict.Inconclusive, fmt.Sprintf("of a canary made for it %d were sent, %d seen entering the tunnel, %d leaving it, and %d arrived", sent, into, outOf, received)
}

func trySeen(n *verdict.Node, id int, link, direction string) (count uint32) {
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
