package verdict

import (
	"slices"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// Need is a stream without whose completeness a check cannot pass.
type Need int

// The needs. For a pair they concern both nodes.
const (
	NeedProbe Need = iota
	NeedPod
)

// Check is one row of the table of checks.
type Check struct {
	Code  string
	Title string // reads as a true sentence when the check passes
	// Failed describes what is wrong when the check fails, as a sentence of its own.
	Failed string
	// Kind is what a failure means for the traffic unless the outcome says so
	// itself, empty for Misconfigured.
	Kind  Kind
	Why   string // why it matters, for explain and the docs
	Reads string // which evidence it reads
	Proof Proof  // the step of the proof it belongs to, empty if none
	Needs []Need
	// After are codes whose failure explains a failure of this one.
	After []string
	// Seen: a failure rests on something that was seen, so it stands even on
	// incomplete evidence. A failure that rests on something not seen does not.
	Seen bool
	// Outage: a failure says that something did not arrive. It explains no leak:
	// what was seen in clear did arrive, or was on its way.
	Outage bool
	// Advice: the check only informs. It passes, with or without something to advise
	// (Outcome.Advice), or is not applicable; it never counts, not even as a warning.
	// Failed then names what the advice is about, in a few words.
	Advice bool

	// What is judged: the cluster, each node, each node once for each family of
	// the run, or each edge. One of them is set.
	Cluster    func() Outcome
	Node       func(n *graph.Node) Outcome
	NodeFamily func(n *graph.Node, family int) Outcome
	Edge       func(e *graph.Edge) Outcome
}

// stands reports whether a status holds whatever else was not read.
func (c *Check) stands(s Status) bool { return c.Seen && s == Fail }

// leaks reports whether a failure of the check is a packet that was seen in clear.
func (c *Check) leaks() bool { return c.Seen && c.Proof == P3NoPlaintext }

// lacks reports which stream of a node the check needs and is incomplete, empty if
// none is.
func (c *Check) lacks(n *graph.Node) string {
	switch {
	case n.ProbeGap != "" && slices.Contains(c.Needs, NeedProbe):
		return "the evidence of the probe on " + n.Name + " is incomplete: " + n.ProbeGap
	case n.PodGap != "" && slices.Contains(c.Needs, NeedPod):
		return "the evidence of the test pod on " + n.Name + " is incomplete: " + n.PodGap
	}
	return ""
}
