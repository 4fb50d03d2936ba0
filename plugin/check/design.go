package check

import (
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// clear is why a pair's traffic is not encrypted by design, empty if it is meant to
// be. What the tunnel was seen to carry from one end to the other is encrypted,
// whatever a design says; at one end alone it may be on its way through a third node.
func (v *view) clear(e *graph.Edge) string {
	if v.Clear == nil || e.Into.Total() > 0 && e.OutOf.Total() > 0 {
		return ""
	}
	return v.Clear(e.From, e.To)
}

// apart reports whether by design no traffic of a node's pods is encrypted, so that
// it needs no device and no key.
func (v *view) apart(n *graph.Node) bool {
	if v.Clear == nil {
		return false
	}
	edges := 0
	for e := range v.EdgesFrom(n) {
		if v.clear(e) == "" {
			return false
		}
		edges++
	}
	return edges > 0
}

// byDesign fails if some pairs' traffic is not encrypted by design: who asks for a
// proof wants it encrypted between all of them. It reports whether there are any.
func (v *view) byDesign() (out verdict.Outcome, found bool) {
	if v.Clear == nil {
		return out, false
	}
	all, plain := 0, 0
	var first *graph.Edge
	for _, n := range v.Nodes {
		last := (*graph.Node)(nil) // an edge for each family
		for e := range v.EdgesFrom(n) {
			if e.To == last {
				continue
			}
			last = e.To
			all++
			if v.clear(e) == "" {
				continue
			}
			plain++
			if first == nil {
				first = e
			}
		}
	}
	if first == nil {
		return out, false
	}
	out = fail("%d of the %d directions are not encrypted by design: %s", plain, all, v.clear(first))
	out.Variant = "design"
	out.Facts = map[string]string{"node": first.From.Name, "peer": first.To.Name}
	return out, true
}
