package check

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// podPipes are the kinds of links that lead to a pod on this host, where the
// probe could not prove it.
var podPipes = []string{"veth", "netkit"}

// podLink reports whether a link that counts as leaving the host is shown to be
// the host's end of a local pod's link by the direction in which packets cross
// it: what the node's own pods send arrives on it, and what is for them leaves by
// it. On an uplink it is the other way round, so one packet of an own pod that
// leaves, or of another node's pod that arrives, makes it none. A copy of what is
// for own pods could be sent out of an uplink as well; therefore what they send
// must have been seen arriving, which no uplink shows unless it left before, and
// the link must carry nothing that only an uplink does.
func podLink(n *graph.Node, link string) bool {
	l := n.Link(link)
	if l == nil || l.Role != evidence.RoleOutside || !l.PeerNS || !slices.Contains(podPipes, l.Kind) {
		return false
	}
	arrived := false
	for _, s := range n.Leaks {
		switch {
		case s.Link != link:
		case s.Direction == evidence.DirectionRX && s.Source == n.Index && s.Target != n.Index:
			arrived = true
		case s.Direction == evidence.DirectionTX && s.Target == n.Index && s.Source != n.Index:
		default:
			return false
		}
	}
	return arrived && !uplinkShown(n, link)
}

// uplinkShown reports whether a link showed what only an uplink does:
// ciphertext, a control that arrived, the way to another node.
func uplinkShown(n *graph.Node, link string) bool {
	c := n.Capture(link)
	if c == nil || c.Classes["wireguard"] > 0 || c.ControlRX > 0 {
		return true
	}
	for _, a := range n.Answers {
		if a.Route.Link == link && !rangeOf(n, a.To).IsValid() && !slices.Contains(n.PodIPs, a.To) {
			return true
		}
	}
	return false
}

// leaks are what was seen in clear of a pair's traffic, but on links that lead
// to the pods themselves.
func leaks(e *graph.Edge) []graph.Leak {
	return offPodLinks(e.Graph(), e.Leaks)
}

func offPodLinks(c *graph.Graph, all []graph.Leak) []graph.Leak {
	if len(all) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(leak graph.Leak) bool {
		on := c.Node(leak.On)
		return on != nil && podLink(on, leak.Link)
	})
}
