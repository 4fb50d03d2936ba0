package check

import (
	"fmt"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// withoutKey is what a network that fails open keeps a node's traffic out of the
// tunnel for: its key is missing, or another node has it too.
var withoutKey = []string{"WG0301", "WG0303"}

// thrown returns the entry by which a table of the node gives up a pod's packets,
// so that a later table answered: of type throw, and the closest of its table. nil
// if there is none.
func thrown(n *graph.Node, ip netip.Addr, answer *evidence.Route) *evidence.Route {
	entry := closest(n.Table, ip, func(r *evidence.Route) bool { return r.Type == "throw" })
	if entry == nil || answer == nil || answer.Table == entry.Table {
		return nil
	}
	if entry != closest(n.Table, ip, func(r *evidence.Route) bool { return r.Table == entry.Table }) {
		return nil
	}
	return entry
}

// maxThrown bounds the nodes whose entries are shown.
const maxThrown = 4

// addThrown adds to what is wrong with a node which others keep its pods' traffic
// out of their tunnels for that.
func (v *view) addThrown(out *verdict.Outcome, n *graph.Node, family int) {
	var names []string
	ip := n.PodIP(family)
	first := ""
	for _, other := range v.Nodes {
		if other == n || !ip.IsValid() {
			continue
		}
		entry := thrown(other, ip, other.RouteTo(ip))
		if entry == nil {
			continue
		}
		names = append(names, other.Name)
		if first == "" {
			first = describe(entry)
		}
		if len(names) <= maxThrown {
			out.Readings = append(out.Readings,
				verdict.Reading{Node: other.Name, What: "routing table", Text: describe(entry)})
		}
	}
	if len(names) == 0 {
		return
	}
	who := list(names[:min(len(names), maxThrown)])
	if more := len(names) - maxThrown; more > 0 {
		who += fmt.Sprintf(" and %s", plural(uint64(more), "other node"))
	}
	keep := "keeps"
	if len(names) > 1 {
		keep = "keep"
	}
	out.Add(": %s therefore %s what is for its pods out of the tunnel (%s)", who, keep, first)
	out.Kind = verdict.Plaintext
}
