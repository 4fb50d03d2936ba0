package check

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// first judges the first packets of new pods, from a node's newcomer to the
// test pods of others and back.
func (v view) first(c *verdict.Case, s verdict.Subject) verdict.Outcome {
	of := func(leak verdict.Leak) bool { return leak.First }
	switch leaks := c.Leaks(s); {
	case slices.ContainsFunc(leaks, of) && slices.ContainsFunc(leaks, func(leak verdict.Leak) bool { return !leak.First }):
		return skip("what older pods send is in clear as well")
	case slices.ContainsFunc(leaks, of):
		return leaked(c, "of a new pod's first packets, what goes from "+s.Node+" to "+s.Peer, leaks)
	}
	t := v.tunnel(c, s)
	newcomer := t.from.Pods["newcomer"]
	switch {
	case !slices.ContainsFunc(c.Run.Newcomers, func(n evidence.Newcomer) bool {
		return n.Node == t.from.Index && slices.Contains(n.Targets, t.to.Index)
	}):
		return skip("no new pod on %s sent to %s", t.from.Name, t.to.Name)
	case newcomer == nil || !newcomer.Ready:
		return unknown("the new pod on %s never became Ready", t.from.Name)
	case t.fromLink == "" || t.toLink == "":
		return skip("no WireGuard link carries the traffic from %s to %s", t.from.Name, t.to.Name)
	}
	for _, n := range []*verdict.Node{t.from, t.to} {
		if why := unsound(n); why != "" {
			return unknown("%s", why)
		}
	}
	seen := func(n *verdict.Node, link, direction string) uint32 {
		return n.Witnessed[verdict.Witnessed{Link: link, Direction: direction, Family: s.Family, Source: t.from.Index, Target: t.to.Index}].First
	}
	arrived := uint32(0)
	if canary := t.to.Canaries[verdict.Toward{Peer: t.from.Index, Family: s.Family}]; canary != nil {
		arrived = canary.First
	}
	into, outOf := seen(t.from, t.fromLink, evidence.DirectionTX), seen(t.to, t.toLink, evidence.DirectionRX)
	if into == 0 || outOf == 0 || arrived == 0 {
		return unknown("of the first packets of the new pod on %s, %d were seen entering %s, %d leaving %s of %s, and %d arrived",
			t.from.Name, into, t.fromLink, outOf, t.toLink, t.to.Name, arrived)
	}
	return pass("%d first packets of a new pod among them", into)
}
