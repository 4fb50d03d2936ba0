package check

import (
	"fmt"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// first judges the first packets of new pods, from a node's new pod to the
// test pods of others and back.
func (v *view) first(e *graph.Edge) verdict.Outcome {
	from, to := e.From, e.To
	if leaks := leaks(e); len(leaks) > 0 {
		young := slices.DeleteFunc(slices.Clone(leaks), func(leak graph.Leak) bool { return !leak.First })
		text := decrypted(e, leaks)
		switch {
		case len(young) == 0:
		case text != "":
			return perhapsDecrypted(text)
		case len(young) < len(leaks):
			return skip("packets of older pods are sent in plaintext as well")
		default:
			return leaked(v.Graph, "a new pod's first traffic from "+from.Name+" to "+to.Name, young)
		}
	}
	switch {
	case from.Newcomer == nil || !slices.Contains(from.Newcomer.Targets, to.Index):
		return skip("no new pod on %s sent to %s", from.Name, to.Name)
	case from.Pods["newcomer"] == nil || !from.Pods["newcomer"].Ready:
		return unknown("the new pod on %s never became Ready", from.Name)
	case e.FromLink() == "" || e.ToLink() == "":
		return skip("no WireGuard link carries the traffic from %s to %s", from.Name, to.Name)
	}
	if why := unverifiedEnd(e); why != "" {
		return unknown("%s", why)
	}
	into, outOf := e.Into, e.OutOf
	c := carriage{uint64(e.FirstArrived), but(into.First, into.FirstAnswers), but(outOf.First, outOf.FirstAnswers)}
	text := fmt.Sprintf("of the first packets of the new pod on %s, %d were seen entering %s, %d leaving %s of %s, "+
		"and %d arrived",
		from.Name, c.into, e.FromLink(), c.outOf, e.ToLink(), to.Name, c.arrived)
	switch {
	case c.into == 0 || c.outOf == 0 || c.arrived == 0, !c.seenWhole():
		return unknown("%s", text)
	}
	return pass("incl. %d first packets of a new pod", c.into)
}
