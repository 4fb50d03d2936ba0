package graph

import (
	"net/netip"
	"slices"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Answer is the kernel's route for an address. Its Route has no For.
type Answer struct {
	To    netip.Addr
	Route *evidence.Route
}

// RouteTo returns the kernel's route to an address, nil if it was not asked.
func (n *Node) RouteTo(to netip.Addr) *evidence.Route { return routeIn(n.Answers, to) }

func routeIn(sorted []Answer, to netip.Addr) *evidence.Route {
	at, found := slices.BinarySearchFunc(sorted, to, func(a Answer, to netip.Addr) int { return a.To.Compare(to) })
	if !found {
		return nil
	}
	return sorted[at].Route
}

// addRoute keeps an entry of the routing tables, or an answer of the kernel.
func (g *Graph) addRoute(n *Node, r *evidence.Route) {
	if !r.For.IsValid() {
		n.Table = append(n.Table, r)
		return
	}
	answers := &n.Answers
	if r.Mark != 0 {
		answers = &n.marked
	}
	route := *r
	route.For = netip.Addr{}
	*answers = append(*answers, Answer{r.For, g.routes.one(route)})
}

// settled sorts answers by address. Of several for one address the last counts
// if last is set, else the first.
func settled(answers []Answer, last bool) []Answer {
	if last {
		slices.Reverse(answers)
	}
	slices.SortStableFunc(answers, func(a, b Answer) int { return a.To.Compare(b.To) })
	return slices.Clone(slices.CompactFunc(answers, func(a, b Answer) bool { return a.To == b.To }))
}
