package policy

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// requirements are those of a policy, in the order of its fields.
var requirements = []struct {
	name  string
	asked func(*Require) bool
	judge func(*judging)
}{
	{families, func(r *Require) bool { return len(r.Families) > 0 }, (*judging).families},
	{nodes, func(r *Require) bool { return len(r.Nodes) > 0 }, (*judging).sets},
	{kernelImplementation, func(r *Require) bool { return r.KernelImplementation }, (*judging).kernelImplementation},
	{presharedKeys, func(r *Require) bool { return r.PresharedKeys }, (*judging).presharedKeys},
	{minimumKernel, func(r *Require) bool { return r.MinimumKernel != "" }, (*judging).minimumKernel},
	{maximumHandshakeAge, func(r *Require) bool { return r.MaximumHandshakeAge != "" }, (*judging).handshakes},
}

// families requires that address families were tested. Whether they are proven is
// the verdict's to say.
func (j *judging) families() {
	for _, family := range j.Require.Families {
		if !slices.Contains(j.Graph.Run.Families, family) {
			j.notMet(verdict.Inconclusive, verdict.Subject{Family: family}, "IPv%d was not tested", family)
		}
	}
}

// sets requires that all directions between the nodes of each set were tested.
// Whether they are proven is the verdict's to say.
func (j *judging) sets() {
	for i := range j.Require.Nodes {
		set := &j.Require.Nodes[i]
		members := j.members(set)
		for _, n := range members {
			if n.Index < 0 {
				j.notMet(verdict.Inconclusive, verdict.Subject{Node: n.Name}, "%s of the set %s was not tested: %s",
					n.Name, set.Name, n.Excluded)
			}
		}
		if len(members) < 2 {
			j.notMet(verdict.Inconclusive, verdict.Subject{},
				"the set %s has fewer than two nodes in this cluster", set.Name)
		}
		if set.Pairs != "tested" {
			j.directions(set, members)
		}
	}
}

// directions requires that a run tested all directions between nodes that took part.
func (j *judging) directions(set *NodeSet, members []*evidence.Node) {
	if j.Graph.Pairs.All() {
		return
	}
	for _, from := range members {
		for _, to := range members {
			sender, receiver := j.Graph.Node(from.Name), j.Graph.Node(to.Name)
			if sender == nil || receiver == nil || sender == receiver || j.Graph.Pairs.Has(sender.Place(), receiver.Place()) {
				continue
			}
			j.notMet(verdict.Inconclusive, verdict.Subject{Node: from.Name, Peer: to.Name},
				"%s → %s of the set %s was not tested", from.Name, to.Name, set.Name)
		}
	}
}

// members returns the nodes of a set, and notes what is not known of it.
func (j *judging) members(set *NodeSet) (some []*evidence.Node) {
	all := slices.Clone(j.Graph.Excluded)
	for _, n := range j.Graph.Nodes {
		all = append(all, &n.Node)
	}
	slices.SortFunc(all, func(a, b *evidence.Node) int { return cmp.Compare(a.Name, b.Name) })
	if set.selector != nil && !j.holdsLabels(set) {
		return nil
	}
	for _, n := range all {
		chosen := set.All || slices.Contains(set.Names, n.Name)
		if set.selector != nil {
			chosen = set.selector.Matches(labels.Set(n.Labels))
		}
		if chosen {
			some = append(some, n)
		}
	}
	for _, name := range set.Names {
		if !slices.ContainsFunc(some, func(n *evidence.Node) bool { return n.Name == name }) {
			j.notMet(verdict.Inconclusive, verdict.Subject{Node: name},
				"%s of the set %s is not a node of this cluster",
				name, set.Name)
		}
	}
	return some
}

// holdsLabels reports whether the recording says of each node whether it has the
// labels that a set selects by.
func (j *judging) holdsLabels(set *NodeSet) bool {
	for _, name := range labelsOf([]NodeSet{*set}) {
		if !slices.Contains(j.Graph.Cluster.NodeLabels, name) {
			j.notMet(verdict.Inconclusive, verdict.Subject{},
				"the recording does not hold the label %s, by which the set %s selects; record with this policy",
				name, set.Name)
			return false
		}
	}
	return true
}

func (j *judging) kernelImplementation() {
	j.eachCarrier(func(n *graph.Node, d *evidence.Device) {
		on := verdict.Subject{Node: n.Name}
		switch {
		case d == nil:
			j.notMet(verdict.Inconclusive, on, "no WireGuard device that carries pod traffic was read on %s", n.Name)
		case d.Userspace:
			j.notMet(verdict.Fail, on, "%s on %s is userspace WireGuard, not the kernel's", d.Name, n.Name)
		}
	})
}

// eachCarrier calls do with the WireGuard devices that carry pod traffic, each
// once, and with nil for a node that has none.
func (j *judging) eachCarrier(do func(*graph.Node, *evidence.Device)) {
	for _, n := range j.Graph.Nodes {
		var seen []*evidence.Device
		for _, family := range j.Graph.Run.Families {
			if d := n.Carrier(family).Device; !slices.Contains(seen, d) {
				seen = append(seen, d)
				do(n, d)
			}
		}
	}
}

func (j *judging) presharedKeys() {
	j.eachEdge(func(e *graph.Edge, on verdict.Subject) {
		switch {
		case e.Peer == nil || !e.Peer.Configured:
			j.notMet(verdict.Inconclusive, on, "the peer %s of %s was not read", e.To.Name, e.From.Name)
		case !e.Peer.Preshared:
			j.notMet(verdict.Fail, on, "the peer %s of %s has no preshared key", e.To.Name, e.From.Name)
		}
	})
}

func (j *judging) handshakes() {
	j.eachEdge(func(e *graph.Edge, on verdict.Subject) {
		if e.Sent == nil || !e.Sent.Handshake {
			j.notMet(verdict.Inconclusive, on, "no handshake of %s with %s was read", e.From.Name, e.To.Name)
			return
		}
		if age := time.Duration(e.Sent.Age); age > j.Require.age || age < 0 {
			j.notMet(verdict.Fail, on,
				"the last handshake of %s with %s was %s before the end of the run, at most %s is allowed",
				e.From.Name, e.To.Name, age.Round(time.Second), j.Require.age)
		}
	})
}

// eachEdge calls do with every direction that was tested.
func (j *judging) eachEdge(do func(*graph.Edge, verdict.Subject)) {
	for _, n := range j.Graph.Nodes {
		for e := range j.Graph.EdgesFrom(n) {
			do(e, verdict.Subject{Node: e.From.Name, Peer: e.To.Name, Family: e.Family})
		}
	}
}

func (j *judging) minimumKernel() {
	for _, n := range j.Graph.Nodes {
		on := verdict.Subject{Node: n.Name}
		text := kernelOf(n)
		switch has, err := parseRelease(text); {
		case err != nil:
			j.notMet(verdict.Inconclusive, on, "the version of the kernel of %s is not known: %q", n.Name, text)
		case has.before(j.Require.kernel):
			j.notMet(verdict.Fail, on, "%s has kernel %s, at least %s is required", n.Name, text,
				j.Require.MinimumKernel)
		}
	}
}
