package check

import (
	"fmt"
	"net/netip"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Where a run has no test pods, an address of each node's pod range stands for its
// pods, see graph.Node.Sampled. What it is called, and where it cannot stand for them.

// podsAt is what an address of a node stands for, in the words of a finding.
type podsAt struct {
	node *graph.Node
	ip   netip.Addr
}

func (p podsAt) String() string {
	if p.node.Sampled {
		return fmt.Sprintf("the pods on %s (%s)", p.node.Name, p.ip)
	}
	return fmt.Sprintf("pod %s (%s)", p.ip, p.node.Name)
}

// whose says of an address of a node whose it is.
func whose(n *graph.Node) string {
	if n.Sampled {
		return "an address of the pods on " + n.Name
	}
	return "the test pod on " + n.Name
}

// standIn is what stands for all pods of a node.
func standIn(n *graph.Node, ip netip.Addr) string {
	if n.Sampled {
		return ip.String()
	}
	return "the test pod"
}

// lent reports whether the address that stands for the receiver's pods can be that of
// a pod on another node: nodes borrow single addresses of each other's ranges, and
// there is an entry for this very one.
func (v *view) lent(e *graph.Edge) bool {
	if !e.To.Sampled || !v.Borrows {
		return false
	}
	ip := e.To.PodIP(e.Family)
	entry := closest(e.From.Table, ip, func(*evidence.Route) bool { return true })
	return e.Held.IsSingleIP() || entry != nil && entry.Destination.IsSingleIP()
}
